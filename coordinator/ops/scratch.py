"""A folder for work under way that one process has to itself; what those who are gone left beside it is removed.

Under `coordinator all` the supervisor empties a dead worker's scratch too. A worker that systemd or Kubernetes starts
again has no such supervisor, and others of its stage may work in the same folder: the kernel says who still lives.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from coordinator.ops.lock import brief_lock, lock_now

log = structlog.get_logger(__name__)

_GATE = ".lock"
_MARK = ".held"


@contextlib.contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, held until the block ends or the process does; then it may go.

    Raises:
        OSError: It cannot be made, or locked.
    """
    # Nobody looks between a folder's making and its lock.
    with brief_lock(parent / _GATE):
        _remove_abandoned(parent)
        folder = Path(tempfile.mkdtemp(prefix="worker-", dir=parent))
        held = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT, 0o600)
        lock_now(held)
    try:
        yield folder
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.iterdir():
        if not folder.is_dir():
            continue
        with contextlib.suppress(FileNotFoundError):
            if _is_abandoned(folder / _MARK):
                shutil.rmtree(folder, ignore_errors=True)
                log.info("abandoned_scratch_removed", folder=folder.name)


def _is_abandoned(mark: Path) -> bool:
    if not mark.exists():
        return True
    file = os.open(mark, os.O_RDWR)
    try:
        lock_now(file)
    except OSError:
        return False
    finally:
        os.close(file)
    return True
