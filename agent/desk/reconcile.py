"""After a kill: what the journal says was under way with clips' files, brought into the library.

Run once, by the composition root, before anybody presses. Looks only at the files that the journal names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.errors import AgentError
from agent.library.journal import ClipJournal, JournalEntry, file_mark
from agent.library.library import Library

log = structlog.get_logger()


def reconcile(library: Library, journal: ClipJournal, *, length_ns: Callable[[Path], int | None]) -> int:
    """Put right what a kill left between a file and its row; returns how many clips.

    Args:
        length_ns: how long a clip's file is; None: it is no clip.
    """
    num_mended = 0
    for entry in journal.entries():
        clip_id = entry.clip.clip_id
        try:
            is_mended = _write(library, entry, length_ns) if entry.deed == "write" else _move(library, entry)
        except AgentError as exc:
            # Kept for the next start: the library may be readable then.
            log.warning("deed_not_finished", clip_id=clip_id, deed=entry.deed, problem=str(exc))
            continue
        if is_mended:
            num_mended += 1
            log.info("deed_finished", clip_id=clip_id, deed=entry.deed)
        journal.forget(clip_id)
    return num_mended


def _write(library: Library, entry: JournalEntry, length_ns: Callable[[Path], int | None]) -> bool:
    names = (entry.clip.path, entry.old_path)
    path = next((Path(name) for name in names if name and Path(name).is_file()), None)
    found_ns = None if path is None else length_ns(path)
    if path is None or found_ns is None:
        return False  # nothing was written yet, so nobody was told of it
    clip = dataclasses.replace(entry.clip, path=str(path), size_bytes=path.stat().st_size)
    if not entry.is_done:
        if file_mark(path) == entry.old_file:
            return False  # the file before is still there, and its row is right
        # How far it reaches was known only when it was closed.
        clip = dataclasses.replace(clip, end_ns=clip.start_ns + found_ns)
    library.add_clip(clip)
    return True


def _move(library: Library, entry: JournalEntry) -> bool:
    """The file is where the deed wanted it, or it is not and the row is right as it stands."""
    if not Path(entry.clip.path).is_file() or Path(entry.old_path).is_file():
        return False
    is_trash = entry.deed == "trash"
    library.set_trashed(
        entry.clip.clip_id,
        path=entry.clip.path,
        original_path=entry.old_path if is_trash else "",
        at_unix_ms=entry.clip.trashed_unix_ms,
    )
    return True
