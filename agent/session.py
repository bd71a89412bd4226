"""One run of capture: joins the stages through ports, and owns its state.

The state machine is `State` with the table `_MOVES`; `_enter` is the only way from one to another. Data flows in
the stages' own threads; a press is taken by whichever thread heard it, and saved by one of two `clip-writer`
threads, from what is already on disk: it depends neither on the encoder nor on the network.
"""

from __future__ import annotations

import enum
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import structlog

from agent.errors import AgentError, Bug, NothingToClip
from agent.model.clips import ClipFile, SavedClip, Trigger
from agent.ports import ClipWriter, PacketRing
from protos.timebase import MILLISECOND_NS

log = structlog.get_logger()

# How long a press waits for the picture of its own moment to reach the ring.
MAX_WAIT_FOR_FRAME_S = 0.3


class State(enum.Enum):
    """What a streamer sees."""

    STARTING = "starting"
    READY = "ready"
    PROBLEM = "problem"
    STOPPING = "stopping"


_MOVES: dict[State, frozenset[State]] = {
    State.STARTING: frozenset({State.READY, State.PROBLEM, State.STOPPING}),
    State.READY: frozenset({State.PROBLEM, State.STOPPING}),
    State.PROBLEM: frozenset({State.READY, State.STOPPING}),
    State.STOPPING: frozenset(),
}


class Library(Protocol):
    """Where saved clips are written down."""

    def add_clip(self, clip: SavedClip) -> None: ...
    def add_press(self, *, at_unix_ms: int, trigger: Trigger, clip_id: str = "", error: str = "") -> None: ...


class Line(Protocol):
    """The session's own line: 0 when it starts."""

    def to_session_ns(self, monotonic_ns: int) -> int: ...


class Session:
    """One run of capture."""

    def __init__(
        self,
        *,
        session_id: str,
        line: Line,
        ring: PacketRing,
        writer: ClipWriter,
        library: Library,
        name_clip: Callable[[], Path],
        make_thumbnail: Callable[[Path, Path], object],
        thumbnail_folder: Path,
        on_saved: Callable[[SavedClip, int], None],
        on_change: Callable[[], None],
    ) -> None:
        """Join.

        Args:
            name_clip: the path of the next clip; its folder exists.
            on_saved: called after a press was saved, with the clip and the session time of the press.
            on_change: called when the state changed; returns at once.
        """
        self.session_id = session_id
        self._line = line
        self._ring = ring
        self._writer = writer
        self._library = library
        self._name_clip = name_clip
        self._make_thumbnail = make_thumbnail
        self._thumbnail_folder = thumbnail_folder
        self._on_saved = on_saved
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = State.STARTING
        self._problems: dict[str, str] = {}
        self.last_press_error = ""
        self._writers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="clip-writer")

    @property
    def state(self) -> State:
        """The state; any thread."""
        return self._state

    @property
    def problem(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        with self._lock:
            return "; ".join(self._problems.values())

    def report_picture(self) -> None:
        """The first picture is in the ring: a press would be saved now."""
        with self._lock:
            if self._state is State.STARTING:
                self._enter(State.PROBLEM if self._problems else State.READY)
        self._on_change()

    def report_problem(self, stage: str, problem: str | None) -> None:
        """A stage has a problem (in words), or has none any more (None). Any thread."""
        with self._lock:
            if self._state is State.STOPPING or self._problems.get(stage) == problem:
                return
            if problem is None:
                self._problems.pop(stage, None)
            else:
                self._problems[stage] = problem
                log.warning("stage_has_problem", stage=stage, problem=problem)
            if self._problems and self._state is State.READY:
                self._enter(State.PROBLEM)
            elif not self._problems and self._state is State.PROBLEM:
                self._enter(State.READY)
        self._on_change()

    def press(
        self, *, monotonic_ns: int, last_ns: int, trigger: Trigger, is_exact: bool = False
    ) -> Future[SavedClip]:
        """Save the last `last_ns` (0: everything) up to the moment `monotonic_ns`. Returns at once; any thread.

        The future raises NothingToClip, DiskFull or another AgentError, each with its reason.
        """
        if self._state is State.STOPPING:
            failed: Future[SavedClip] = Future()
            failed.set_exception(NothingToClip("the engine is stopping; nothing more is saved"))
            return failed
        return self._writers.submit(self._save, monotonic_ns, last_ns, trigger, is_exact)

    def stop(self) -> None:
        """Finish the presses that were heard, then take no more."""
        with self._lock:
            if self._state is not State.STOPPING:
                self._enter(State.STOPPING)
        self._on_change()
        self._writers.shutdown(wait=True)

    def _enter(self, new: State) -> None:
        if new not in _MOVES[self._state]:
            raise Bug(f"a session cannot go from {self._state.value} to {new.value}")
        log.info("session_state_changed", old=self._state.value, new=new.value)
        self._state = new

    def _save(self, monotonic_ns: int, last_ns: int, trigger: Trigger, is_exact: bool) -> SavedClip:
        clip_id = uuid.uuid4().hex
        at_unix_ms = time.time_ns() // MILLISECOND_NS
        try:
            clip = self._write(clip_id, at_unix_ms, monotonic_ns, last_ns, trigger, is_exact)
        except AgentError as exc:
            self._failed(at_unix_ms, trigger, str(exc))
            raise
        except Exception as exc:
            log.exception("press_failed")
            self._failed(at_unix_ms, trigger, f"a defect of ours: {exc}")
            raise
        self.last_press_error = ""
        self._library.add_press(at_unix_ms=at_unix_ms, trigger=trigger, clip_id=clip_id)
        log.info("clip_saved", size_bytes=clip.size_bytes, trigger=trigger)
        self._on_saved(clip, self._line.to_session_ns(monotonic_ns))
        self._on_change()
        return clip

    def _write(
        self, clip_id: str, at_unix_ms: int, monotonic_ns: int, last_ns: int, trigger: Trigger, is_exact: bool
    ) -> SavedClip:
        end_ns = self._line.to_session_ns(monotonic_ns)
        start_ns = max(0, end_ns - last_ns) if last_ns else 0
        began_ns = time.monotonic_ns()
        path = self._name_clip()
        with self._ring.follow(start_ns, end_ns, timeout_s=MAX_WAIT_FOR_FRAME_S) as span:
            file = self._writer.write(span, path, is_exact=is_exact)
        latency_ms = (time.monotonic_ns() - monotonic_ns) // MILLISECOND_NS
        log.info(
            "clip_written",
            latency_ms=latency_ms,
            started_after_ms=(began_ns - monotonic_ns) // MILLISECOND_NS,
        )
        thumbnail = self._thumbnail(clip_id, path)
        clip = _saved_clip(clip_id, self.session_id, file, latency_ms, trigger, at_unix_ms, thumbnail)
        self._library.add_clip(clip)
        try:
            self._ring.pin(file.start_ns, file.end_ns, kind="keep", owner_id=clip_id)
        except AgentError as exc:
            # The file is written; without its pin only its ends can no longer be moved.
            log.warning("clip_not_pinned", problem=str(exc))
        return clip

    def _thumbnail(self, clip_id: str, path: Path) -> str:
        target = self._thumbnail_folder / f"{clip_id}.jpg"
        try:
            self._make_thumbnail(path, target)
        except AgentError as exc:
            log.warning("thumbnail_failed", problem=str(exc))
            return ""
        return str(target)

    def _failed(self, at_unix_ms: int, trigger: Trigger, reason: str) -> None:
        self.last_press_error = reason
        log.warning("press_not_saved", reason=reason)
        try:
            self._library.add_press(at_unix_ms=at_unix_ms, trigger=trigger, error=reason)
        except AgentError as exc:
            # A full disk cannot take the note either; the status and the sound carry the reason.
            log.warning("press_not_noted", problem=str(exc))
        self._on_change()


def _saved_clip(
    clip_id: str,
    session_id: str,
    file: ClipFile,
    latency_ms: int,
    trigger: Trigger,
    created_unix_ms: int,
    thumbnail: str,
) -> SavedClip:
    return SavedClip(
        clip_id=clip_id,
        session_id=session_id,
        path=file.path,
        start_ns=file.start_ns,
        end_ns=file.end_ns,
        latency_ms=latency_ms,
        trigger=trigger,
        size_bytes=file.size_bytes,
        created_unix_ms=created_unix_ms,
        thumbnail_path=thumbnail,
    )
