"""One window of the session becomes a clip's file and its row, or the file of a clip that is there already.

Nothing but the file is written before it is closed and fsynced: the row comes after, and a note in the journal,
made before, lets the next start add the row should we be killed in between. A file that is replaced is replaced
whole by whole, and the old one stays where the new one cannot be written. Any thread, one clip at a time each.
"""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from agent.clip.names import ClipNamer
from agent.clip.tracks import choose_tracks, sound_names
from agent.desk.margins import ClipRing
from agent.desk.window import Window
from agent.errors import AgentError, NothingToClip
from agent.library.journal import ClipJournal, JournalEntry, file_mark
from agent.library.library import Library
from agent.model.clips import ClipFile, SavedClip, Trigger
from agent.ports import ClipWriter, PacketSpan
from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()

# How long a press waits for the picture of its own moment to reach the ring.
MAX_WAIT_FOR_FRAME_S = 0.3
# A span that begins this much later than it did has lost part of the clip: a GOP's edge and some jitter.
_LOSS_NS = 100 * MILLISECOND_NS


class StartGone(NothingToClip):
    """The first part of what a clip shows is not in the buffer any more, so it cannot be written longer."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a clip is wanted.

    Attributes:
        pressed_ns: CLOCK_MONOTONIC of the press; latency counts from here.
        tracks: sounds to keep, as `choose_tracks` has them.
    """

    pressed_ns: int
    at_unix_ms: int
    trigger: Trigger
    is_exact: bool = False
    tracks: tuple[str, ...] = ()
    title: str = ""


class ClipSaver:
    """Writes clips."""

    def __init__(
        self,
        ring: ClipRing,
        writer: ClipWriter,
        library: Library,
        journal: ClipJournal,
        namer: ClipNamer,
        *,
        session_id: str,
    ) -> None:
        self._ring = ring
        self._writer = writer
        self._library = library
        self._journal = journal
        self._namer = namer
        self._session_id = session_id
        self._lock = threading.Lock()
        self._editing: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()

    @contextmanager
    def only(self, clip_id: str) -> Iterator[None]:
        """Nobody else changes this clip meanwhile."""
        with self._lock:
            lock = self._editing.setdefault(clip_id, threading.Lock())
        with lock:
            yield

    def save(self, window: Window, wish: Wish, *, on_closed: Callable[[], None]) -> SavedClip:
        """Write a new clip of this session; `on_closed` is called once its file is safe, before its row.

        Raises:
            NothingToClip, DiskFull, EnvironmentProblem, EncoderUnavailable: And says why.
        """
        clip_id = uuid.uuid4().hex
        began_ns = time.monotonic_ns()
        with self._ring.follow(window.start_ns, window.end_ns, timeout_s=MAX_WAIT_FOR_FRAME_S) as span:
            at = datetime.datetime.fromtimestamp(wish.at_unix_ms / 1000).astimezone()
            length_s = (span.end_ns - span.start_ns) / SECOND_NS
            path = self._namer.next_path(title=wish.title or "clip", at=at, length_s=length_s)
            chosen, missing = choose_tracks(span, wish.tracks)
            clip = _planned(clip_id, self._session_id, path, chosen, wish)
            self._journal.note(JournalEntry(deed="write", clip=clip))
            try:
                file = self._writer.write(chosen, path, is_exact=wish.is_exact)
            except BaseException:
                self._journal.forget(clip_id)
                raise
            note = note_of(chosen, missing)
        latency_ms = (time.monotonic_ns() - wish.pressed_ns) // MILLISECOND_NS
        on_closed()
        started_after_ms = (began_ns - wish.pressed_ns) // MILLISECOND_NS
        log.info("clip_written", latency_ms=latency_ms, started_after_ms=started_after_ms)
        return self._add_row(dataclasses.replace(_filled(clip, file, note), latency_ms=latency_ms))

    def replace(
        self, clip: SavedClip, window: Window, wish: Wish, *, on_closed: Callable[[], None] = lambda: None
    ) -> SavedClip:
        """Write the clip anew so that it shows `window`, under the same id; the caller holds `only`.

        Raises:
            StartGone: It would lose what it shows; the old file stays.
            NothingToClip, DiskFull, EnvironmentProblem, EncoderUnavailable: And says why; the old file stays.
        """
        if clip.session_id == self._session_id:
            span = self._ring.follow(window.start_ns, window.end_ns, timeout_s=MAX_WAIT_FOR_FRAME_S)
        else:
            span = self._ring.snapshot_of(clip.session_id, window.start_ns, window.end_ns)
        with span:
            lost_ns = span.start_ns - max(clip.start_ns, window.start_ns)
            if lost_ns > _LOSS_NS:
                raise StartGone(
                    f"the first {lost_ns / SECOND_NS:.1f} s of the clip are not in the buffer any more; it stays"
                )
            chosen, missing = choose_tracks(span, wish.tracks)
            planned = dataclasses.replace(
                clip, start_ns=chosen.start_ns, end_ns=chosen.end_ns, tracks=sound_names(chosen)
            )
            old_file = file_mark(Path(clip.path))
            self._journal.note(JournalEntry(deed="write", clip=planned, old_file=old_file))
            try:
                file = self._writer.write(chosen, Path(clip.path), is_exact=clip.is_exact)
            except BaseException:
                self._journal.forget(clip.clip_id)
                raise
            note = note_of(chosen, missing)
        on_closed()
        log.info("clip_replaced", size_bytes=file.size_bytes)
        return self._add_row(self._renamed(clip, _filled(planned, file, note)))

    def _renamed(self, old: SavedClip, new: SavedClip) -> SavedClip:
        """A name that tells the length follows it."""
        path = Path(new.path)
        target = self._namer.renamed(
            path,
            old_length_s=(old.end_ns - old.start_ns) / SECOND_NS,
            length_s=(new.end_ns - new.start_ns) / SECOND_NS,
        )
        if target == path:
            return new
        renamed = dataclasses.replace(new, path=str(target))
        self._journal.note(JournalEntry(deed="write", clip=renamed, old_path=new.path, is_done=True))
        try:
            path.rename(target)
        except OSError as exc:
            log.info("clip_keeps_its_name", problem=str(exc))
            return new
        return renamed

    def _add_row(self, clip: SavedClip) -> SavedClip:
        try:
            self._library.add_clip(clip)
        except AgentError as exc:
            # The file is safe, which is what the user asked for; the next start adds the row.
            self._journal.note(JournalEntry(deed="write", clip=clip, is_done=True))
            log.warning("clip_not_listed", problem=str(exc))
            return dataclasses.replace(
                clip, note="; ".join(filter(None, [clip.note, f"not listed yet: {exc}"]))
            )
        self._journal.forget(clip.clip_id)
        return clip


def _planned(clip_id: str, session_id: str, path: Path, span: PacketSpan, wish: Wish) -> SavedClip:
    return SavedClip(
        clip_id=clip_id,
        session_id=session_id,
        path=str(path),
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        latency_ms=0,
        trigger=wish.trigger,
        size_bytes=0,
        created_unix_ms=wish.at_unix_ms,
        title=wish.title,
        tracks=sound_names(span),
        is_exact=wish.is_exact,
    )


def _filled(clip: SavedClip, file: ClipFile, note: str) -> SavedClip:
    return dataclasses.replace(
        clip, start_ns=file.start_ns, end_ns=file.end_ns, size_bytes=file.size_bytes, note=note
    )


def note_of(span: PacketSpan, missing: Sequence[str]) -> str:
    """What a clip lacks of what was asked for, in words; empty when it is whole. Once the span was read."""
    words = [] if span.lack is None else [span.lack.words()]
    if missing:
        words.append(f"without {', '.join(missing)}: not recorded")
    return "; ".join(words)
