"""The part of a Hugging Face hub we use: list a repository's files with their hashes, load one of them.

Downloads resume, are bounded by the size the hub stated, and end verified or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import structlog

from coordinator.errors import ModelUnavailable

log = structlog.get_logger(__name__)

DEFAULT_HUB_URL = "https://huggingface.co"
HUB_URL_VARIABLE = "CLIPPY_HUB_URL"

_MAX_IDLE_TRIES = 4
_MAX_TRIES = 50
_MAX_DELAY_S = 30.0
_BLOCK_BYTES = 256 * 1024
_TELL_EVERY_BYTES = 1_000_000
_MAX_LISTING_BYTES = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file as the hub states it: large ones by SHA-256, small ones by Git's own hash."""

    name: str
    size_bytes: int
    sha256: str | None
    git_sha1: str

    def matches(self, path: Path) -> bool:
        """Tell whether a file on disk is this one, by size and hash."""
        if path.stat().st_size != self.size_bytes:
            return False
        if self.sha256 is not None:
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(f"blob {self.size_bytes}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest() == (self.sha256 or self.git_sha1)

    @property
    def part_name(self) -> str:
        """The name it grows under; another revision of the file grows under another."""
        return f"{self.name}.{(self.sha256 or self.git_sha1)[:12]}.part"


class _Interrupted(Exception):
    """A transfer broke off; the next try takes it up."""


class Hub:
    """One repository on a hub. Blocking; used from one thread."""

    def __init__(
        self,
        base_url: str,
        repository: str,
        *,
        stop: threading.Event,
        connect_timeout_s: float,
        read_timeout_s: float,
        retry_delay_s: float,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ModelUnavailable(
                f"the hub address {base_url!r} is no http address; correct {HUB_URL_VARIABLE}"
            )
        self._base_url = base_url.rstrip("/")
        self._repository = repository
        self._stop = stop
        self._retry_delay_s = retry_delay_s
        timeout = httpx.Timeout(read_timeout_s, connect=connect_timeout_s)
        self._client = httpx.Client(timeout=timeout, follow_redirects=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def files(self) -> list[RemoteFile]:
        """Return the files at the top of the repository's main branch.

        Raises:
            ModelUnavailable: No such repository, no network, or an answer that is no listing.
        """
        url = f"{self._base_url}/api/models/{self._repository}/tree/main"
        content = self._retrying(lambda: self._listing(url), lambda: 0)
        try:
            return [_remote_file(each) for each in content if _is_top_file(each)]
        except (KeyError, TypeError, ValueError) as exc:
            raise ModelUnavailable(
                f"{url} answered with no listing of files ({exc!r}); is {HUB_URL_VARIABLE} a hub?"
            ) from exc

    def download(self, file: RemoteFile, target: Path, tell: Callable[[int], None]) -> None:
        """Load one file to `target`, from where an earlier try stopped.

        Args:
            tell: called with the bytes of this file that are here, about once a megabyte.

        Raises:
            ModelUnavailable: It cannot be had, or is not what the hub promised; the bad bytes are gone.
        """
        part = target.with_name(file.part_name)

        def loaded_bytes() -> int:
            return part.stat().st_size if part.exists() else 0

        if loaded_bytes() < file.size_bytes or not file.size_bytes:
            self._retrying(lambda: self._transfer(file, part, tell), loaded_bytes)
        if not file.matches(part):
            part.unlink()
            raise _unavailable(
                f"{file.name} of {self._repository} is not what {self._base_url} promised (wrong hash); "
                "it was deleted: fetch again, and suspect the mirror or proxy if it happens twice",
                retryable=True,
            )
        part.replace(target)

    def _listing(self, url: str) -> list[Any]:
        with self._client.stream("GET", url, params={"recursive": "false"}) as response:
            self._require_success(response, self._repository)
            content = bytearray()
            for block in response.iter_bytes():
                content += block
                if len(content) > _MAX_LISTING_BYTES:
                    raise ModelUnavailable(f"{url} answered with more than a listing of files")
        try:
            listing = httpx.Response(200, content=bytes(content)).json()
        except ValueError as exc:
            raise ModelUnavailable(f"{url} answered with no JSON; is {HUB_URL_VARIABLE} a hub?") from exc
        return listing if isinstance(listing, list) else [listing]

    def _transfer(self, file: RemoteFile, part: Path, tell: Callable[[int], None]) -> None:
        url = f"{self._base_url}/{self._repository}/resolve/main/{file.name}"
        offset = part.stat().st_size if part.exists() else 0
        # Compressed on the way, a range would mean other bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
                raise _Interrupted("the hub refused to resume")
            self._require_success(response, file.name)
            if not _resumes_at(response, offset):
                offset = 0
            with part.open("r+b" if offset else "wb") as out:
                out.seek(offset)
                self._receive(response, out.write, offset, file, tell)
                out.flush()
                os.fsync(out.fileno())

    def _receive(
        self,
        response: httpx.Response,
        write: Callable[[bytes], int],
        offset: int,
        file: RemoteFile,
        tell: Callable[[int], None],
    ) -> None:
        told = offset
        # As it comes from the wire: a larger block would be lost when the connection breaks off within it.
        for block in response.iter_raw():
            self._require_running()
            kept = block[: file.size_bytes - offset]
            write(kept)
            offset += len(kept)
            if len(kept) < len(block):
                # The rest is not ours; the hash decides about what was kept.
                return
            if offset - told >= _TELL_EVERY_BYTES:
                told = offset
                tell(offset)
        if offset < file.size_bytes:
            raise _Interrupted(f"{file.name} ended after {offset} of {file.size_bytes} bytes")

    def _retrying(self, attempt: Callable[[], Any], loaded_bytes: Callable[[], int]) -> Any:
        """Repeat what broke off, for as long as each few tries bring new bytes."""
        idle_tries = 0
        for number in range(_MAX_TRIES):
            self._require_running()
            before_bytes = loaded_bytes()
            try:
                return attempt()
            except (httpx.TransportError, httpx.DecodingError, _Interrupted) as exc:
                idle_tries = 0 if loaded_bytes() > before_bytes else idle_tries + 1
                log.info("hub_transfer_interrupted", reason=repr(exc), loaded_bytes=loaded_bytes())
                if idle_tries >= _MAX_IDLE_TRIES or number == _MAX_TRIES - 1:
                    raise self._unreachable(exc) from exc
                self._stop.wait(min(self._retry_delay_s * 2**idle_tries, _MAX_DELAY_S))
            except httpx.HTTPError as exc:
                raise self._unreachable(exc) from exc
        raise AssertionError("the loop returns or raises")

    def _require_running(self) -> None:
        if self._stop.is_set():
            raise _unavailable(
                f"fetching {self._repository} was stopped; fetch again to go on where it was", retryable=True
            )

    def _require_success(self, response: httpx.Response, what: str) -> None:
        status = response.status_code
        if status in (401, 403, 404):
            raise ModelUnavailable(
                f"{self._base_url} has no {what} for us (HTTP {status}, {self._repository}); "
                "check the model's name: private and removed ones answer like this"
            )
        if status == 429 or status >= 500:
            raise _Interrupted(f"HTTP {status} for {what}")
        if status not in (200, 206):
            raise ModelUnavailable(
                f"{self._base_url} answered HTTP {status} for {what}; check the hub's address"
            )

    def _unreachable(self, exc: Exception) -> ModelUnavailable:
        return _unavailable(
            f"cannot load {self._repository} from {self._base_url}: {exc or exc!r}; check the network or proxy, "
            f"or copy the model's folder from another machine and set CLIPPY_WHISPER_MODEL to it",
            retryable=True,
        )


def _unavailable(message: str, *, retryable: bool) -> ModelUnavailable:
    error = ModelUnavailable(message)
    error.retryable = retryable
    return error


def _resumes_at(response: httpx.Response, offset: int) -> bool:
    range_given = str(response.headers.get("content-range", ""))
    return response.status_code == httpx.codes.PARTIAL_CONTENT and range_given.startswith(f"bytes {offset}-")


def _is_top_file(entry: Any) -> bool:
    path = str(entry["path"])
    return bool(entry["type"] == "file") and Path(path).name == path


def _remote_file(entry: Any) -> RemoteFile:
    size_bytes = int(entry["size"])
    if size_bytes < 0:
        raise ValueError(f"{entry['path']} has size {size_bytes}")
    lfs = entry.get("lfs")
    return RemoteFile(
        name=str(entry["path"]),
        size_bytes=size_bytes,
        sha256=_hex(lfs["oid"], 64) if lfs else None,
        git_sha1=_hex(entry["oid"], 40),
    )


def _hex(value: Any, num_digits: int) -> str:
    digits = str(value).lower().removeprefix("sha256:")
    if len(digits) != num_digits or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"{value!r} is no hash of {num_digits} hex digits")
    return digits
