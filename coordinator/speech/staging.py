"""The folder a download grows in: one writer at a time, and disk trouble told as ours."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from coordinator.errors import AlreadyRunning, DiskFull, ModelUnavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Translate what the disk refuses.

    Raises:
        DiskFull: No room, or the quota is used up.
        ModelUnavailable: The folder cannot be written for another reason.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise DiskFull(f"no room left in {folder}: {exc.strerror}; make room and fetch again") from exc
        raise ModelUnavailable(
            f"cannot write a model to {folder}: {exc}; choose another folder with CLIPPY_MODEL_DIR"
        ) from exc


@contextlib.contextmanager
def folder_lock(path: Path) -> Iterator[None]:
    """Hold a lock file; the system frees it when the process dies.

    Raises:
        AlreadyRunning: Another process holds it.
    """
    with path.open("a+b") as file:
        try:
            _lock(file.fileno())
        except OSError as exc:
            raise AlreadyRunning(
                f"another process is fetching this model ({path} is locked); wait until it is done"
            ) from exc
        yield


def sync_folder(folder: Path) -> None:
    """Make renames in a folder outlive a power cut, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
