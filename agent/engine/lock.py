"""One engine a data directory."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator

from agent.errors import AlreadyRunning, DiskFull, EnvironmentProblem
from agent.paths import AgentPaths


@contextlib.contextmanager
def engine_locked(paths: AgentPaths) -> Iterator[None]:
    """Be the one engine of a data directory; the lock goes with the process, however it ends.

    Raises:
        AlreadyRunning: Another holds it.
        DiskFull, EnvironmentProblem: The file cannot be written.
    """
    with _opened_lock(paths) as file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "unknown"
            raise AlreadyRunning(
                f"an engine (process {holder}) already records for {paths.data}; stop it with `clippy stop`"
            ) from exc
        with contextlib.suppress(OSError):
            # The number only serves a message; the lock is held all the same.
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n".encode())
        yield


def _opened_lock(paths: AgentPaths) -> io.FileIO:
    try:
        # Unbuffered: what does not fit on a full disk must not come back when it is closed.
        return io.FileIO(paths.lock, "a+")
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no room in the data directory {paths.data}: {exc.strerror}; make room, or set CLIPPY_AGENT_DATA"
            ) from exc
        raise EnvironmentProblem(
            f"cannot write {paths.lock}: {exc.strerror}; set CLIPPY_AGENT_DATA to a folder of yours"
        ) from exc
