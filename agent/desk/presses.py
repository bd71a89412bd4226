"""Presses: key events of every trigger into clips, and the clips that are asked for by their length.

A press is taken by whichever thread heard it and saved by one of two `clip-writer` threads, from what is already on
disk: it depends neither on the encoder nor on the network. What follows on the same clip while it is being written
waits for that and is then written once, however many events it was. At most 16 clips wait; a press beyond is refused
with its reason, never silently.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, Protocol

import structlog

from agent.desk.saver import ClipSaver, StartGone, Wish
from agent.desk.window import OverlapPolicy, Window, is_joined_to_last
from agent.errors import AgentError, EnvironmentProblem, NothingToClip
from agent.library.library import Library
from agent.model.clips import SavedClip, Trigger
from agent.trigger.grammar import PressGrammar, PressLengths, Step
from protos.timebase import MILLISECOND_NS

log = structlog.get_logger()

MAX_WAITING = 16
Sound = Literal["heard", "saved", "failed"]


class Line(Protocol):
    """The session's own line: 0 when it starts."""

    def to_session_ns(self, monotonic_ns: int) -> int: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PressHooks:
    """Who wants to know; each returns at once, called in a `clip-writer` thread but for "heard".

    Attributes:
        play: what the streamer hears of a key: heard at once, saved or failed once for each file written.
        on_saved: a new clip, with its press's session time, before the press is answered.
        on_changed: a clip's file was written, new or anew.
        on_result: the reason why a press was not saved; empty when it was.
    """

    play: Callable[[Sound], None] = lambda _sound: None
    on_saved: Callable[[SavedClip, int], None] = lambda _clip, _at_ns: None
    on_changed: Callable[[SavedClip], None] = lambda _clip: None
    on_result: Callable[[str], None] = lambda _reason: None


@dataclasses.dataclass(slots=True)
class _Chain:
    """One clip and what is still wanted of it. Guarded by the presses' lock."""

    wish: Wish
    window: Window
    is_audible: bool
    is_shared: bool = False  # joined by a later press: a hold may not shorten it any more
    floor_ns: int | None = None
    waiting: list[Future[SavedClip]] = dataclasses.field(default_factory=list)
    is_queued: bool = False
    clip: SavedClip | None = None
    has_failed: bool = False


@dataclasses.dataclass(slots=True)
class _Source:
    grammar: PressGrammar
    chain: _Chain | None = None


class Presses:
    """Takes presses from any thread."""

    def __init__(
        self,
        saver: ClipSaver,
        library: Library,
        line: Line,
        *,
        lengths: PressLengths,
        lengths_of: Mapping[str, PressLengths] | None = None,
        policy: OverlapPolicy = "overlap",
        tracks: tuple[str, ...] = (),
        hooks: PressHooks,
    ) -> None:
        """Join.

        Args:
            lengths: of every source that has none of its own in `lengths_of`.
            policy: what a press means whose span overlaps the last clip, once that clip's 15 s are over.
            tracks: sounds to keep where a press does not say.
        """
        self._saver = saver
        self._library = library
        self._line = line
        self._lengths = lengths
        self._lengths_of = dict(lengths_of or {})
        self._policy: OverlapPolicy = policy
        self._tracks = tracks
        self._hooks = hooks
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._sources: dict[str, _Source] = {}
        self._last: _Chain | None = None
        self._num_queued = 0
        self._is_stopping = False
        self._writers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="clip-writer")

    def save(
        self,
        *,
        monotonic_ns: int,
        last_ns: int,
        trigger: Trigger,
        is_exact: bool = False,
        tracks: tuple[str, ...] = (),
        title: str = "",
    ) -> Future[SavedClip]:
        """Save the last `last_ns` (0: everything) up to `monotonic_ns`, always as a clip of its own; returns at once.

        The future raises NothingToClip, DiskFull or another AgentError, each with its reason.
        """
        end_ns = self._line.to_session_ns(monotonic_ns)
        wish = _wish(monotonic_ns, trigger, tracks=tracks or self._tracks, is_exact=is_exact, title=title)
        start_ns = end_ns - last_ns if last_ns else 0
        with self._lock:
            chain = _Chain(wish=wish, window=Window(start_ns=start_ns, end_ns=end_ns), is_audible=False)
            self._last = chain
            return self._submit(chain)

    def key_down(self, source: str, monotonic_ns: int, *, trigger: Trigger) -> Future[SavedClip]:
        """A trigger's key went down; what `save` says holds here too. Each source has a grammar of its own."""
        self._hooks.play("heard")
        with self._lock:
            if source not in self._sources:
                self._sources[source] = _Source(PressGrammar(self._lengths_of.get(source, self._lengths)))
            found = self._sources[source]
            step = found.grammar.key_down(monotonic_ns)
            if step.kind == "begin" or found.chain is None:
                found.chain = self._begin(step, monotonic_ns, trigger)
            else:
                self._apply(found.chain, step)
            return self._submit(found.chain)

    def key_up(self, source: str, monotonic_ns: int) -> Future[SavedClip] | None:
        """The key came up; None when that changes nothing."""
        with self._lock:
            found = self._sources.get(source)
            step = found.grammar.key_up(monotonic_ns) if found else None
            if found is None or found.chain is None or step is None:
                return None
            self._apply(found.chain, step)
            return self._submit(found.chain)

    def finish(self, timeout_s: float) -> bool:
        """Wait until every clip that was asked for is written or has failed; False at the deadline. Any thread."""
        with self._idle:
            return self._idle.wait_for(lambda: self._num_queued == 0, timeout_s)

    def stop(self) -> None:
        """Finish the presses that were heard, then take no more. Twice is once."""
        with self._lock:
            self._is_stopping = True
        self._writers.shutdown(wait=True)

    # ---- under the lock

    def _window(self, step: Step) -> Window:
        start_ns = self._line.to_session_ns(step.start_ns) if step.start_ns else 0
        return Window(start_ns=start_ns, end_ns=self._line.to_session_ns(step.end_ns))

    def _begin(self, step: Step, monotonic_ns: int, trigger: Trigger) -> _Chain:
        window, last = self._window(step), self._last
        if last is not None and last.has_failed:
            last = None
        if is_joined_to_last(self._policy, window, last.window if last is not None else None):
            assert last is not None
            last.is_shared = True
            last.is_audible = True
            last.window = last.window.joined(window)
            return last
        floor_ns = last.window.end_ns if last is not None and self._policy == "new" else None
        if floor_ns is not None:
            window = window.from_on(floor_ns)
        wish = _wish(monotonic_ns, trigger, tracks=self._tracks)
        chain = _Chain(wish=wish, window=window, is_audible=True, floor_ns=floor_ns)
        self._last = chain
        return chain

    def _apply(self, chain: _Chain, step: Step) -> None:
        window = self._window(step)
        if chain.floor_ns is not None:
            window = window.from_on(chain.floor_ns)
        if step.kind == "hold" and not chain.is_shared:
            chain.window = window
        else:
            chain.window = chain.window.joined(window)
        if self._last is None or self._last.window.end_ns <= chain.window.end_ns:
            self._last = chain

    def _submit(self, chain: _Chain) -> Future[SavedClip]:
        future: Future[SavedClip] = Future()
        if self._is_stopping:
            future.set_exception(NothingToClip("the engine is stopping; nothing more is saved"))
        elif not chain.is_queued and self._num_queued >= MAX_WAITING:
            reason = f"{MAX_WAITING} clips are being written already; press again in a moment"
            future.set_exception(EnvironmentProblem(reason))
            log.warning("press_not_saved", reason=reason)
            if chain.is_audible:
                self._hooks.play("failed")
        else:
            chain.waiting.append(future)
            if not chain.is_queued:
                chain.is_queued = True
                self._num_queued += 1
                self._writers.submit(self._work, chain)
        return future

    # ---- thread clip-writer

    def _work(self, chain: _Chain) -> None:
        while True:
            with self._lock:
                waiting, chain.waiting = chain.waiting, []
                window, old = chain.window, chain.clip
                if not waiting:
                    chain.is_queued = False
                    self._num_queued -= 1
                    self._idle.notify_all()
                    return
            try:
                clip = self._write(chain, window, old)
            except Exception as exc:  # noqa: BLE001 - outermost frame of a job; the futures carry it
                problem = self._failed(chain, old, exc)
                for future in waiting:
                    future.set_exception(problem)
                continue
            with self._lock:
                chain.clip, chain.has_failed = clip, False
            try:
                self._saved(chain, clip, is_new=old is None or old.clip_id != clip.clip_id)
            except Exception:
                log.exception("press_not_told")
            for future in waiting:
                future.set_result(clip)

    def _write(self, chain: _Chain, window: Window, old: SavedClip | None) -> SavedClip:
        def on_closed() -> None:
            if chain.is_audible:
                self._hooks.play("saved")

        if old is None:
            return self._saver.save(window, chain.wish, on_closed=on_closed)
        with self._saver.only(old.clip_id):
            now = self._library.clip(old.clip_id)
            if now is None or now.trashed_unix_ms:
                return self._saver.save(window, chain.wish, on_closed=on_closed)
            try:
                return self._saver.replace(now, window, chain.wish, on_closed=on_closed)
            except StartGone as exc:
                if window.end_ns <= now.end_ns:
                    raise
                # A new epoch began meanwhile, or the buffer ran over: what is new becomes a clip of its own.
                log.info("clip_goes_on_in_another", reason=str(exc))
        with self._lock:
            chain.window = chain.window.from_on(now.end_ns)
        return self._saver.save(window.from_on(now.end_ns), chain.wish, on_closed=on_closed)

    def _saved(self, chain: _Chain, clip: SavedClip, *, is_new: bool) -> None:
        wish = chain.wish
        try:
            self._library.add_press(at_unix_ms=wish.at_unix_ms, trigger=wish.trigger, clip_id=clip.clip_id)
        except AgentError as exc:
            log.warning("press_not_noted", problem=str(exc))
        log.info("clip_saved", size_bytes=clip.size_bytes, trigger=wish.trigger, is_new=is_new)
        if is_new:
            self._hooks.on_saved(clip, self._line.to_session_ns(wish.pressed_ns))
        self._hooks.on_changed(clip)
        self._hooks.on_result("")

    def _failed(self, chain: _Chain, old: SavedClip | None, exc: Exception) -> Exception:
        if isinstance(exc, AgentError):
            reason = str(exc)
        else:
            log.exception("press_failed")
            reason = f"a defect of ours: {exc}"
        if old is None:
            with self._lock:
                chain.has_failed = True
        else:
            length_s = (old.end_ns - old.start_ns) / 1e9
            reason = f"the clip stays as it was, {length_s:.1f} s long: {reason}"
        if chain.is_audible:
            self._hooks.play("failed")
        log.warning("press_not_saved", reason=reason)
        wish = chain.wish
        try:
            self._library.add_press(at_unix_ms=wish.at_unix_ms, trigger=wish.trigger, error=reason)
        except AgentError as problem:
            # A full disk cannot take the note either; the status and the sound carry the reason.
            log.warning("press_not_noted", problem=str(problem))
        self._hooks.on_result(reason)
        return type(exc)(reason) if isinstance(exc, AgentError) else exc


def _wish(
    monotonic_ns: int,
    trigger: Trigger,
    *,
    tracks: tuple[str, ...],
    is_exact: bool = False,
    title: str = "",
) -> Wish:
    age_ns = max(0, time.monotonic_ns() - monotonic_ns)
    return Wish(
        pressed_ns=monotonic_ns,
        at_unix_ms=(time.time_ns() - age_ns) // MILLISECOND_NS,
        trigger=trigger,
        is_exact=is_exact,
        tracks=tracks,
        title=title,
    )
