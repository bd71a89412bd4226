"""Objects by key, on obstore: a folder of this machine, or a bucket that speaks S3. Port `ObjectStore`.

A local object is on the disk (fsync of file and folder) before `put` returns: the agent deletes its copy on our word.

Source: obstore 0.12 `LocalStore`, `S3Store`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from coordinator.errors import DiskFull, EnvironmentProblem, InputUnusable, NotFound, StoreUnavailable
from coordinator.store.signatures import Grant, check_key, sign

_COPY_BYTES = 1024**2
_TIMEOUT_S = "30s"
# No key begins with a dot (`signatures.check_key`).
MARK = ".clippy-objects"


class _Objects:
    """What both stores share."""

    def _there(self) -> Any:
        """The store of obstore. Raises StoreUnavailable when it is not there now."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        with _translated(key):
            yield

    async def put(self, key: str, data: bytes | Path) -> None:
        """As the port says."""
        import obstore

        check_key(key)
        with self._translated(key):
            await obstore.put_async(self._there(), key, data, max_concurrency=4)

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """As the port says; a range that ends after the object is NotFound."""
        check_key(key)
        try:
            data = await self._get(key, offset, length)
        except StoreUnavailable:
            # The stores tell a range they do not have in ways of their own.
            size = await self.size(key) if offset or length is not None else None
            if size is None or offset + (length or 1) <= size:
                raise
            raise NotFound(f"object {key} ends before byte {offset + (length or 1)}") from None
        if length is not None and len(data) != length:
            raise NotFound(f"object {key} ends before byte {offset + length}")
        return data

    async def _get(self, key: str, offset: int, length: int | None) -> bytes:
        import obstore

        with self._translated(key):
            store = self._there()
            if length is not None:
                return bytes(await obstore.get_range_async(store, key, start=offset, length=length))
            options: Any = {"range": {"offset": offset}} if offset else None
            answer = await obstore.get_async(store, key, options=options)
            return bytes(await answer.bytes_async())

    async def get_file(self, key: str, path: Path) -> None:
        """As the port says; `path` is whole or not there."""
        import obstore

        check_key(key)
        unfinished = path.with_name(path.name + ".part")
        try:
            with self._translated(key):
                answer = await obstore.get_async(self._there(), key)
                with unfinished.open("wb") as file:
                    async for part in answer.stream(min_chunk_size=_COPY_BYTES):
                        await asyncio.to_thread(file.write, part)
                unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    async def size(self, key: str) -> int | None:
        """As the port says."""
        import obstore

        check_key(key)
        try:
            with self._translated(key):
                found = await obstore.head_async(self._there(), key)
                return int(found["size"])
        except NotFound:
            return None

    async def delete(self, keys: Sequence[str]) -> None:
        """As the port says."""
        import obstore

        for key in keys:
            check_key(key)
            with contextlib.suppress(NotFound), self._translated(key):
                await obstore.delete_async(self._there(), key)


class LocalObjects(_Objects):
    """Port `ObjectStore` in a folder. Its signed addresses are served by the pages' process (`signatures.verify`).

    A folder that is gone, or a mount that is not there, must not read as a store whose objects were all deleted: the
    folder carries a mark, which is made once, and without it the store does not answer.
    """

    def __init__(self, folder: Path, *, base_url: str, secret: bytes) -> None:
        """Args: base_url: of the pages, e.g. http://127.0.0.1:7844; secret: from `signatures.load_secret`.

        Raises:
            StoreUnavailable: The folder cannot be made.
        """
        self._made = folder.with_name(f"{folder.name}.made")
        try:
            if not self._made.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                (folder / MARK).touch(mode=0o600)
                self._made.touch(mode=0o600)
        except OSError as exc:
            raise StoreUnavailable(f"cannot make the folder for objects {folder}: {exc}; set --data") from exc
        self._folder = folder
        self._store: Any = None
        self._base_url = base_url
        self._secret = secret

    def _there(self) -> Any:
        import obstore.store

        self._check()
        if self._store is None:
            self._store = obstore.store.LocalStore(self._folder)
        return self._store

    def _check(self) -> None:
        if not (self._folder / MARK).is_file():
            raise StoreUnavailable(
                f"the folder for objects {self._folder} is gone or not mounted (it has no {MARK}): bring it back, or "
                f"remove {self._made.name} beside it and restart to begin with an empty one"
            )

    @contextlib.contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            with _translated(key):
                yield
        except NotFound:
            # It may have gone away since it was looked at.
            self._check()
            raise

    async def put(self, key: str, data: bytes | Path) -> None:
        """As the port says."""
        await super().put(key, data)
        with self._translated(key):
            await asyncio.to_thread(self._flush, self._folder / key)

    def path_of(self, key: str) -> Path:
        """The file of an object, for serving it with ranges.

        Raises:
            InputUnusable: Not a key.
            NotFound: There is no such object.
            StoreUnavailable: The folder is gone.
        """
        path = self._folder / check_key(key)
        if not path.is_file():
            self._check()
            raise NotFound(f"there is no object {key}")
        return path

    def sign_put(self, key: str, *, expires_in_s: int, max_bytes: int) -> str:
        """As the port says."""
        return self._sign(Grant(method="PUT", key=key, max_bytes=max_bytes), expires_in_s)

    def sign_get(self, key: str, *, expires_in_s: int) -> str:
        """As the port says."""
        return self._sign(Grant(method="GET", key=key, max_bytes=0), expires_in_s)

    def _sign(self, grant: Grant, expires_in_s: int) -> str:
        return sign(self._secret, self._base_url, grant, expires_at_s=int(time.time()) + expires_in_s)

    def _flush(self, path: Path) -> None:
        _fsync(path)
        if os.name == "posix":
            folder = path.parent
            while folder != self._folder.parent:
                _fsync(folder)
                folder = folder.parent


class S3Objects(_Objects):
    """Port `ObjectStore` in a bucket. A presigned PUT knows no bound: look at `size` after each upload."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str = "",
        region: str = "auto",
        access_key_id: str = "",
        secret_access_key: str = "",
    ) -> None:
        """Args: endpoint: empty for Amazon's own; http only on a trusted network.

        Raises:
            EnvironmentProblem: The settings do not make a store.
        """
        import obstore.store

        options: dict[str, Any] = {"region": region, "virtual_hosted_style_request": False}
        if endpoint:
            options["endpoint"] = endpoint
        if access_key_id:
            options |= {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
        try:
            store = obstore.store.S3Store(
                bucket,
                client_options={"allow_http": endpoint.startswith("http://"), "timeout": _TIMEOUT_S},
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
                **options,
            )
        except Exception as exc:
            raise EnvironmentProblem(
                f"objects.bucket {bucket!r} cannot be used: {exc}; check [objects]"
            ) from exc
        self._store = store

    def _there(self) -> Any:
        return self._store

    def sign_put(self, key: str, *, expires_in_s: int, max_bytes: int) -> str:
        """As the port says, but for `max_bytes`."""
        return self._presign("PUT", key, expires_in_s)

    def sign_get(self, key: str, *, expires_in_s: int) -> str:
        """As the port says."""
        return self._presign("GET", key, expires_in_s)

    def _presign(self, method: Any, key: str, expires_in_s: int) -> str:
        import obstore

        check_key(key)
        with _translated(key):
            url: str = obstore.sign(self._store, method, key, timedelta(seconds=expires_in_s))
            return url


def free_bytes(folder: Path) -> int:
    """Room left where `folder` is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _fsync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def _translated(key: str) -> Iterator[None]:
    import obstore.exceptions

    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise NotFound(f"there is no object {key}") from exc
    except (obstore.exceptions.BaseError, OSError, ValueError) as exc:
        text = str(exc)
        if "No space left" in text or "os error 28" in text:
            raise DiskFull(f"no room to store {key}: make room or move the data directory") from exc
        if isinstance(exc, obstore.exceptions.InvalidPathError):
            raise InputUnusable(f"{key[:100]!r} is no object key") from exc
        first = text.strip().splitlines()[0] if text.strip() else type(exc).__name__
        raise StoreUnavailable(f"the object store does not answer for {key}: {first}") from exc
