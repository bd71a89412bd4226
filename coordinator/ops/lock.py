"""One supervisor a data directory: a lock the kernel drops with its holder, so that a kill leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from coordinator.errors import AlreadyRunning, EnvironmentProblem

FILE_NAME = "coordinator.lock"


class DataLock:
    """The lock of a data directory, held from `acquire` to `release`, or within `with`."""

    def __init__(self, data: Path) -> None:
        self._path = data / FILE_NAME
        self._file: int | None = None

    def acquire(self) -> None:
        """Take it, or fail at once.

        Raises:
            AlreadyRunning: Another process holds it; the message names the process.
            EnvironmentProblem: The data directory cannot be used.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise EnvironmentProblem(
                f"cannot use the data directory {self._path.parent}: {exc}; set --data"
            ) from exc
        try:
            lock_now(file)
        except OSError as exc:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() if hasattr(os, "pread") else ""
            os.close(file)
            raise AlreadyRunning(
                f"a coordinator{f' (process {holder})' if holder else ''} already uses {self._path.parent}; "
                f"stop it, or set --data to another directory"
            ) from exc
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Give it back; twice is once. The file stays: removing it would let two hold the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> DataLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextlib.contextmanager
def brief_lock(path: Path, *, wait_s: float = 10.0) -> Iterator[None]:
    """Hold a lock that other processes hold for moments only.

    Raises:
        OSError: The file cannot be used, or the lock was not free within `wait_s`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline_s = time.monotonic() + wait_s
    try:
        while True:
            try:
                lock_now(file)
                break
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.02)
        yield
    finally:
        os.close(file)


def lock_now(file: int) -> None:
    """Lock an open file until it is closed, by the kernel's hand too.

    Raises:
        OSError: Another holds it.
    """
    if sys.platform == "win32":
        import msvcrt

        # Far behind the number, which stays readable.
        os.lseek(file, 1024, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            with contextlib.suppress(OSError):
                os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
