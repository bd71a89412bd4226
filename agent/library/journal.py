"""What is about to be done to a clip's file, written down before it is done: a small JSON file for each.

A file and its row are two things, and a kill may come between them. The next start reads what is left here and
puts the rows right; no folder of the user's is ever searched. Not fsynced: the page cache outlives a kill. Any thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from agent.errors import EnvironmentProblem
from agent.model.clips import SavedClip

log = structlog.get_logger()

Deed = Literal["write", "trash", "restore"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One deed.

    Attributes:
        clip: the row as it shall be once the deed is done.
        old_path: where the file lay before, where the deed moves it.
        old_file: which file it takes the place of (`file_mark`); empty: none.
        is_done: the file is as the row shall say; only the row is missing.
    """

    deed: Deed
    clip: SavedClip
    old_path: str = ""
    old_file: str = ""
    is_done: bool = False


def file_mark(path: Path) -> str:
    """What tells a file from the one that takes its place by a rename; empty: there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


class ClipJournal:
    """The folder of deeds under way."""

    def __init__(self, folder: Path) -> None:
        """Raises:
        EnvironmentProblem: The folder cannot be made.
        """
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise EnvironmentProblem(f"cannot make {folder}: {exc.strerror}; mend its rights") from exc

    def note(self, entry: JournalEntry) -> None:
        """Write it down, in place of the clip's last one. A disk that takes no note stops no press."""
        path = self._path(entry.clip.clip_id)
        part = path.with_suffix(".part")
        try:
            part.write_bytes(msgspec.json.encode(entry))
            part.replace(path)
        except OSError as exc:
            log.warning("deed_not_noted", clip_id=entry.clip.clip_id, problem=str(exc))

    def forget(self, clip_id: str) -> None:
        """The row is right: nothing is left to do."""
        with contextlib.suppress(OSError):
            self._path(clip_id).unlink(missing_ok=True)

    def entries(self) -> list[JournalEntry]:
        """What an earlier run left undone, oldest first."""
        found: list[tuple[float, JournalEntry]] = []
        for path in self._folder.iterdir():
            try:
                if path.suffix == ".json":
                    entry = msgspec.json.decode(path.read_bytes(), type=JournalEntry)
                    found.append((path.stat().st_mtime, entry))
                    continue
                path.unlink()  # cut short while it was written: what it was about has not begun
            except (OSError, msgspec.DecodeError) as exc:
                log.warning("deed_unreadable", name=path.name, problem=type(exc).__name__)
        return [entry for _, entry in sorted(found, key=lambda item: item[0])]

    def _path(self, clip_id: str) -> Path:
        return self._folder / f"{clip_id}.json"
