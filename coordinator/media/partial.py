"""Write a file so that it is either whole or not there.

The bytes go to a hidden file beside the destination, are fsynced, and take its name in one rename. A
process that was killed leaves that hidden file; `discard_partials` removes what a given process left.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from coordinator.media.intake.opening import translating


@contextlib.contextmanager
def replacing(dst: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes `dst` when the block ends well, and vanishes when it does not.

    Raises:
        DiskFull, MediaUnusable: It could not be written, flushed or renamed.
    """
    partial = dst.with_name(f".{dst.name}.{os.getpid()}.partial")
    try:
        with translating(dst, "write"):
            yield partial
            descriptor = os.open(partial, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            partial.replace(dst)
            _fsync_folder(dst.parent)
    finally:
        # A name too long to be written cannot be removed either: the reason is what was raised before.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def numbered(dst: Path, count: int) -> Iterator[Path]:
    """Yield the names of several files that are made as one: `dst` alone, or `NAME-1`, `NAME-2` beside it."""
    for number in range(count):
        yield dst if count == 1 else dst.with_stem(f"{dst.stem}-{number + 1}")


def _fsync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard_partials(dst: Path, pid: int) -> None:
    """Remove what process `pid` left unfinished beside `dst`; it must be dead.

    That includes notes it made on the way, and another file that was about to replace an unfinished one.
    """
    start = f".{dst.name}.{pid}.partial"
    with contextlib.suppress(OSError):
        for left in dst.parent.iterdir():
            if left.name.startswith((start, f".{start}")):
                left.unlink(missing_ok=True)
