"""Takes the body of one upload into a file: bounded, whole or not at all, and never blocking the loop.

Measured on a local disk: 1 MiB takes 0.3 ms to write, but seconds on one that is flushing; hence the thread.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from coordinator.errors import DiskFull, StoreUnavailable

_BLOCK_BYTES = 1024**2
_PART_WITHIN_S = 60.0
# What the database and the spool need to go on.
_KEEP_FREE_BYTES = 64 * 1024**2


class UploadRefused(Exception):
    """The request itself is at fault: its HTTP status, a stable code, and what is wrong."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def check_size(declared_bytes: int | None, *, max_bytes: int, folder: Path) -> None:
    """Refuse before the first byte what can be refused.

    Raises:
        UploadRefused: It says itself that it is too large, or empty.
        DiskFull: It does not fit.
    """
    if declared_bytes is None:
        return
    if declared_bytes > max_bytes:
        raise _too_large(max_bytes)
    if declared_bytes == 0:
        raise UploadRefused(400, "empty_upload", "the upload has no bytes")
    free_bytes = shutil.disk_usage(folder).free
    if declared_bytes + _KEEP_FREE_BYTES > free_bytes:
        raise _disk_full(f"{declared_bytes} bytes come, {free_bytes} are free")


async def receive(parts: AsyncIterator[bytes], file: IO[bytes], *, max_bytes: int) -> int:
    """Write `parts` to `file` and flush it; returns how many bytes came.

    Raises:
        UploadRefused: More than `max_bytes`, none at all, or nothing for a minute.
        DiskFull: No room.
        StoreUnavailable: The file cannot be written.
    """
    size_bytes = 0
    block = bytearray()
    while (part := await _next(parts)) is not None:
        size_bytes += len(part)
        if size_bytes > max_bytes:
            raise _too_large(max_bytes)
        block += part
        if len(block) >= _BLOCK_BYTES:
            await _write(file, bytes(block))
            block.clear()
    if size_bytes == 0:
        raise UploadRefused(400, "empty_upload", "the upload has no bytes")
    await _write(file, bytes(block))
    return size_bytes


async def _next(parts: AsyncIterator[bytes]) -> bytes | None:
    try:
        async with asyncio.timeout(_PART_WITHIN_S):
            return await anext(parts)
    except StopAsyncIteration:
        return None
    except TimeoutError:
        # 503 and not 408: the sender may try again.
        raise UploadRefused(503, "upload_stalled", f"no byte came for {_PART_WITHIN_S:.0f} s") from None


async def _write(file: IO[bytes], block: bytes) -> None:
    def write() -> None:
        file.write(block)
        file.flush()

    try:
        await asyncio.to_thread(write)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(exc.strerror or "full") from exc
        raise StoreUnavailable(f"the upload cannot be written: {exc.strerror}; look at the disk") from exc


def _too_large(max_bytes: int) -> UploadRefused:
    return UploadRefused(413, "upload_too_large", f"the upload may hold {max_bytes} bytes at most")


def _disk_full(detail: str) -> DiskFull:
    return DiskFull(
        f"no room for the upload ({detail}); make room on the coordinator or move its data directory"
    )
