"""What killed engines left in the ring's folder: listed, saved as clips, or discarded when the user says so.

Any thread; one at a time. Nothing is deleted here unasked: `places.ring_folder` drops at the start what is older than
a day or more than the ring may take.
"""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.clip.tracks import sound_names
from agent.errors import AgentError, NothingToClip
from agent.library.library import Library
from agent.model.clips import ClipFile, SavedClip
from agent.ports import ClipWriter
from agent.ring.recovery import OrphanSession, delete_orphan, find_orphan, find_orphans, open_orphan
from agent.ring.ring import GopRing
from protos.clippy.v1 import control_pb2
from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    file: ClipFile
    tracks: tuple[str, ...]
    note: str


class Recovering:
    """The sessions that their engines did not end."""

    def __init__(
        self,
        ring: GopRing,
        *,
        writer: ClipWriter,
        library: Library,
        name_clip: Callable[[datetime.datetime], Path],
        make_thumbnail: Callable[[Path, Path], object],
        thumbnail_folder: Path,
    ) -> None:
        """Args:
        ring: the running one; its folder holds what is left, and its own session is none of it.
        name_clip: the path of a clip that was recorded at that time; its folder exists.
        """
        self._ring = ring
        self._writer = writer
        self._library = library
        self._name_clip = name_clip
        self._make_thumbnail = make_thumbnail
        self._thumbnail_folder = thumbnail_folder
        self._lock = threading.Lock()
        self.num_left = len(self._orphans())

    def _orphans(self) -> list[OrphanSession]:
        return find_orphans(self._ring.folder, current_session_id=self._ring.session_id)

    def sessions(self) -> list[control_pb2.Recoverable]:
        """What is left, newest first."""
        with self._lock:
            orphans = self._orphans()
            self.num_left = len(orphans)
        return [
            control_pb2.Recoverable(
                session_id=orphan.session_id,
                duration_ns=orphan.duration_ns,
                size_bytes=orphan.size_bytes,
                created_unix_ms=orphan.created_unix_ms,
                ended_unix_ms=_ended_unix_ms(orphan),
            )
            for orphan in orphans
        ]

    def recover(self, session_id: str, *, last_ns: int = 0) -> SavedClip:
        """Save the last `last_ns` (0: all) of a session's newest epoch as a clip; what is left stays.

        Returns when the file is closed and fsynced. It is a clip like any other, dated when it was recorded, and its
        span is pinned, so that its ends can still be moved when the rest is gone.

        Raises:
            NothingToClip: There is no such session, or nothing of it can be read.
            DiskFull, EnvironmentProblem: The clip cannot be written.
        """
        began_ns = time.monotonic_ns()
        with self._lock:
            orphan = self._find(session_id)
            epoch = orphan.epochs[-1]
            start_ns = epoch.end_ns - last_ns if last_ns else None
            with open_orphan(orphan, start_ns=start_ns, end_ns=epoch.end_ns) as span:
                info = epoch.info
                recorded_unix_ms = info.created_unix_ms + (span.end_ns - info.start_ns) // MILLISECOND_NS
                at = datetime.datetime.fromtimestamp(recorded_unix_ms / 1000).astimezone()
                path = self._name_clip(at)
                file = self._writer.write(span, path, is_exact=False)
                tracks = sound_names(span)
            found = _Found(file=file, tracks=tracks, note=_note(orphan, file, last_ns))
            return self._keep(orphan, found, recorded_unix_ms, began_ns)

    def _keep(self, orphan: OrphanSession, found: _Found, recorded_unix_ms: int, began_ns: int) -> SavedClip:
        clip_id = uuid.uuid4().hex
        file = found.file
        clip = SavedClip(
            clip_id=clip_id,
            session_id=orphan.session_id,
            path=file.path,
            start_ns=file.start_ns,
            end_ns=file.end_ns,
            latency_ms=(time.monotonic_ns() - began_ns) // MILLISECOND_NS,
            trigger="recovered",
            tracks=found.tracks,
            note=found.note,
            size_bytes=file.size_bytes,
            created_unix_ms=recorded_unix_ms,
            thumbnail_path=self._thumbnail(clip_id, Path(file.path)),
        )
        self._library.add_clip(clip)
        try:
            self._ring.pin(
                file.start_ns, file.end_ns, kind="keep", owner_id=clip_id, session_id=orphan.session_id
            )
        except AgentError as exc:
            # The file is written; without its pin only its ends cannot be moved once the rest is gone.
            log.warning("clip_not_pinned", problem=str(exc))
        log.info("session_recovered", session_id=orphan.session_id, size_bytes=file.size_bytes)
        return clip

    def _thumbnail(self, clip_id: str, path: Path) -> str:
        target = self._thumbnail_folder / f"{clip_id}.jpg"
        try:
            self._make_thumbnail(path, target)
        except AgentError as exc:
            log.warning("thumbnail_failed", problem=str(exc))
            return ""
        return str(target)

    def discard(self, session_id: str) -> None:
        """Delete what is left of a session; clips and pins of it stay.

        Raises:
            NothingToClip: There is no such session.
        """
        with self._lock:
            delete_orphan(self._find(session_id), reason="discarded by the user")
            self.num_left = len(self._orphans())

    def _find(self, session_id: str) -> OrphanSession:
        is_own = session_id == self._ring.session_id
        orphan = None if is_own else find_orphan(self._ring.folder, session_id)
        if orphan is None:
            raise NothingToClip(
                f"no session {session_id!r} was left behind by a killed engine; `clippy recover` lists those that were"
            )
        return orphan


def _ended_unix_ms(orphan: OrphanSession) -> int:
    """When its newest picture was recorded, by the wall clock at the beginning of that epoch."""
    newest = orphan.epochs[-1]
    return newest.info.created_unix_ms + (newest.end_ns - newest.info.start_ns) // MILLISECOND_NS


def _note(orphan: OrphanSession, file: ClipFile, last_ns: int) -> str:
    """What the clip lacks of what was asked for; empty when it is whole."""
    notes = []
    got_ns = file.end_ns - file.start_ns
    if last_ns - got_ns > 100 * MILLISECOND_NS:
        notes.append(
            f"{got_ns / SECOND_NS:.1f} of {last_ns / SECOND_NS:.1f} s: the killed engine left no more"
        )
    if not last_ns and len(orphan.epochs) > 1:
        notes.append(
            f"the newest of {len(orphan.epochs)} parts; a clip does not run across the gaps between them"
        )
    return "; ".join(notes)
