"""The trash: a folder `.trash` beside the clips, on the same disk, emptied by row and never by looking into it.

A clip goes there by one rename; where the disk cannot do that the file is copied, checked and only then unlinked.
A file that the user deleted or moved by hand is gone: its row goes the same way without it. Any thread; the caller
does one thing to one clip at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import shutil
from pathlib import Path

import structlog

from agent.errors import AgentError, DiskFull, EnvironmentProblem, InputUnusable
from agent.library.journal import ClipJournal, JournalEntry
from agent.library.library import Library
from agent.model.clips import SavedClip

log = structlog.get_logger()

TRASH_FOLDER = ".trash"
DAY_MS = 24 * 3600 * 1000


class Trash:
    """Puts clips into the trash, takes them out, and empties it."""

    def __init__(self, library: Library, journal: ClipJournal, *, days: int) -> None:
        self._library = library
        self._journal = journal
        self._max_age_ms = days * DAY_MS

    def put(self, clip: SavedClip, *, now_unix_ms: int) -> SavedClip:
        """Move a clip into the trash. One that is there already stays as it is.

        Raises:
            InputUnusable: It is locked.
            DiskFull, EnvironmentProblem: It cannot be moved or written down; it stays where it is.
        """
        if clip.is_locked:
            raise InputUnusable(f"clip {clip.clip_id[:8]} is locked; `clippy unlock` it first")
        if clip.trashed_unix_ms:
            return clip
        path = Path(clip.path)
        target = path.parent / TRASH_FOLDER / f"{clip.clip_id[:8]}-{path.name}"
        trashed = dataclasses.replace(clip, path=str(target), trashed_unix_ms=now_unix_ms)
        is_moved = self._do(JournalEntry(deed="trash", clip=trashed, old_path=clip.path))
        if not is_moved:
            trashed = dataclasses.replace(trashed, path=clip.path)
        self._note_place(trashed, original_path=clip.path, came_from=path)
        log.info("clip_trashed", clip_id=clip.clip_id, is_file_there=is_moved)
        return trashed

    def restore(self, clip: SavedClip) -> SavedClip:
        """Move a clip back to where it was, or beside it where another file has its name by now.

        Raises:
            InputUnusable: It is not in the trash.
            DiskFull, EnvironmentProblem: It cannot be moved or written down.
        """
        if not clip.trashed_unix_ms:
            raise InputUnusable(f"clip {clip.clip_id[:8]} is not in the trash")
        path = Path(clip.path)
        target = _free_path(Path(self._library.original_path(clip.clip_id) or clip.path), but=path)
        restored = dataclasses.replace(clip, path=str(target), trashed_unix_ms=0)
        if path != target:
            self._do(JournalEntry(deed="restore", clip=restored, old_path=clip.path))
        self._note_place(restored, original_path="", came_from=path)
        log.info("clip_restored", clip_id=clip.clip_id)
        return restored

    def due(self, *, now_unix_ms: int) -> list[SavedClip]:
        """Those that have been in the trash for their time, and are not locked."""
        in_trash = self._library.clips(1_000_000, is_trash=True)
        before_unix_ms = now_unix_ms - self._max_age_ms
        return [clip for clip in in_trash if clip.trashed_unix_ms <= before_unix_ms and not clip.is_locked]

    def goes_unix_ms(self, clip: SavedClip) -> int:
        """When a clip in the trash will be deleted."""
        return clip.trashed_unix_ms + self._max_age_ms

    def delete(self, clip: SavedClip, *, reason: str) -> None:
        """Delete a clip of the trash for good: its file, its thumbnail, then its row.

        Raises:
            InputUnusable: It is locked, or not in the trash.
            EnvironmentProblem: Its file cannot be deleted; the row stays.
        """
        if clip.is_locked or not clip.trashed_unix_ms:
            raise InputUnusable(f"clip {clip.clip_id[:8]} is locked or not in the trash; it is not deleted")
        path = Path(clip.path)
        # A row whose file was gone when it was trashed still names its old place: nothing there is ours to delete.
        if path.parent.name == TRASH_FOLDER:
            try:
                path.unlink(missing_ok=True)
            except OSError as exc:
                raise EnvironmentProblem(f"cannot delete {path}: {exc.strerror}") from exc
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # once it is empty
        if clip.thumbnail_path:
            with contextlib.suppress(OSError):
                Path(clip.thumbnail_path).unlink(missing_ok=True)
        self._library.delete_clip(clip.clip_id)
        log.info("clip_deleted", clip_id=clip.clip_id, size_bytes=clip.size_bytes, reason=reason)

    def _do(self, entry: JournalEntry) -> bool:
        self._journal.note(entry)
        try:
            return _move(Path(entry.old_path), Path(entry.clip.path))
        except BaseException:
            self._journal.forget(entry.clip.clip_id)
            raise

    def _note_place(self, clip: SavedClip, *, original_path: str, came_from: Path) -> None:
        try:
            self._library.set_trashed(
                clip.clip_id, path=clip.path, original_path=original_path, at_unix_ms=clip.trashed_unix_ms
            )
        except AgentError:
            # The row still names the old place, so the file belongs there.
            if Path(clip.path) != came_from:
                _move(Path(clip.path), came_from)
            self._journal.forget(clip.clip_id)
            raise
        self._journal.forget(clip.clip_id)


def _free_path(wanted: Path, *, but: Path) -> Path:
    number, path = 1, wanted
    while path != but and path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path


def _move(path: Path, target: Path) -> bool:
    """Move a file; False when it is not there."""
    if not path.is_file():
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(target)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            _move_across(path, target)
    except FileNotFoundError:
        return False
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no room to move {path} to {target.parent}: {exc.strerror}") from exc
        raise EnvironmentProblem(
            f"cannot move {path} to {target.parent}: {exc.strerror}; is it open in another program?"
        ) from exc
    return True


def _move_across(path: Path, target: Path) -> None:
    """To another disk: the old file goes only when the new one was read back and is the same."""
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copy2(path, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        if _digest(part) != _digest(path):
            raise OSError(errno.EIO, "the copy differs from the file")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    path.unlink()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
