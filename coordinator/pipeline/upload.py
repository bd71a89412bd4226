"""An upload as a file, checked on the way: the one object that it is, or the parts that it came in.

Bytes are hashed here because they are read here anyway; memory is bounded by a block, and the loop is never blocked.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from coordinator.errors import NotFound, UploadDamaged
from coordinator.model.sessions import RequestRow
from coordinator.policy.source_uploads import UploadPart, parts_of
from coordinator.ports import ObjectStore

_BLOCK_BYTES = 4 * 1024**2


async def fetch_upload(objects: ObjectStore, request: RequestRow, path: Path) -> bool:
    """Write the upload to `path`; False where it lies in parts that are still to be joined to its object.

    Raises:
        UploadDamaged: Its size or its sha256 is not what the agent said, or part of it is not there.
        StoreUnavailable: Later.
    """
    parts = parts_of_request(request)
    # Joined before, by a worker that was killed before it could say so.
    if not parts or await objects.size(request.object_key) == request.size_bytes:
        await fetch_object(objects, request, path)
        return True
    digest = hashlib.sha256()
    await asyncio.to_thread(path.write_bytes, b"")
    for part in parts:
        await _append_part(objects, part, path, digest)
    _check_sha256(request, digest.digest())
    return False


async def fetch_object(objects: ObjectStore, request: RequestRow, path: Path) -> None:
    """Write a whole upload to `path`.

    Raises as `fetch_upload`.
    """
    size_bytes = await objects.size(request.object_key)
    # Before a byte is fetched: a presigned address bounds nobody.
    if size_bytes is None or size_bytes != (request.size_bytes or size_bytes):
        raise UploadDamaged(f"the object has {size_bytes or 0} bytes, the agent sent {request.size_bytes}")
    await objects.get_file(request.object_key, path)
    _check_sha256(request, await asyncio.to_thread(_sha256, path))


def parts_of_request(request: RequestRow) -> list[UploadPart]:
    """The parts that an upload came in; none where it came in one PUT."""
    if request.size_bytes is None or request.sha256 is None:
        return []
    return parts_of(
        request.object_key,
        size_bytes=request.size_bytes,
        part_bytes=request.part_bytes,
        sha256=request.sha256,
    )


async def _append_part(objects: ObjectStore, part: UploadPart, path: Path, digest: hashlib._Hash) -> None:
    if (size_bytes := await objects.size(part.key)) != part.size_bytes:
        raise UploadDamaged(f"part {part.number} has {size_bytes or 0} of {part.size_bytes} bytes")

    def append(block: bytes) -> None:
        digest.update(block)
        with path.open("ab") as file:
            file.write(block)

    for offset in range(0, part.size_bytes, _BLOCK_BYTES):
        length = min(_BLOCK_BYTES, part.size_bytes - offset)
        try:
            block = await objects.get(part.key, offset=offset, length=length)
        except NotFound as exc:
            raise UploadDamaged(f"part {part.number} went away while it was read: {exc}") from exc
        await asyncio.to_thread(append, block)


def _check_sha256(request: RequestRow, sha256: bytes) -> None:
    if request.sha256 is not None and request.sha256 != sha256:
        raise UploadDamaged("the upload's bytes are not those that the agent sent: its sha256 differs")


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
