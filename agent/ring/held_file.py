"""A file of the log with holders: it is deleted once nobody reads it any more.

A reader holds names, not descriptors: five minutes are 300 files, and three readers of everything would
pass the usual limit of 1024 open files. It works alike where an open file cannot be deleted (Windows).
Any thread; no lock is held while the disk is asked, so a stuck disk never holds up who only counts.
"""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

log = structlog.get_logger()


class HeldFile:
    """One file and the number of its readers."""

    __slots__ = ("_is_doomed", "_is_gone", "_is_last_out_folder_gone", "_lock", "_num_holders", "path")

    def __init__(self, path: Path, *, is_last_out_folder_gone: bool = False) -> None:
        """Args: is_last_out_folder_gone: remove the folder too when this was the last file in it."""
        self.path = path
        self._lock = threading.Lock()
        self._num_holders = 0
        self._is_doomed = False
        self._is_gone = False
        self._is_last_out_folder_gone = is_last_out_folder_gone

    @property
    def is_held(self) -> bool:
        """Does anybody read it now?"""
        return self._num_holders > 0

    def retain(self) -> bool:
        """Hold the file; False when it is already deleted."""
        with self._lock:
            if self._is_gone:
                return False
            self._num_holders += 1
            return True

    def release(self) -> None:
        """Let go; the last holder of a doomed file deletes it."""
        with self._lock:
            self._num_holders -= 1
            is_mine = self._take_over()
        if is_mine:
            self._delete()

    def doom(self) -> None:
        """Delete the file as soon as nobody holds it. Twice is once."""
        with self._lock:
            self._is_doomed = True
            is_mine = self._take_over()
        if is_mine:
            self._delete()

    def _take_over(self) -> bool:
        """Under the lock: is it the caller's to delete?"""
        if not self._is_doomed or self._num_holders > 0 or self._is_gone:
            return False
        self._is_gone = True
        return True

    def _delete(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
            if self._is_last_out_folder_gone and not any(self.path.parent.iterdir()):
                self.path.parent.rmdir()
        except OSError as exc:
            log.warning("ring_file_not_deleted", error=str(exc), file=self.path.name)
