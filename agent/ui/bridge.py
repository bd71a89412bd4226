"""Turns the control API into Qt signals, and clicks into calls.

The thread `bridge` watches the status, `bridge-lists` polls the lists, and calls run in a pool of two threads
(`bridge-call`), so the interface never waits for the engine nor for a disk. Signals arrive on the main thread
(queued connections).
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance

from agent.control.client import ControlClient
from agent.errors import AgentError, EngineNotRunning
from agent.model.clips import SavedClip

log = structlog.get_logger()
_RECONNECT_S = 1.0
_LISTS_EVERY_S = 2.0
# The engine speaks at least once a second; one that was silent for so long hangs, and is not "ready".
_SILENT_S = 5.0
_MAX_CALLS = 8
NUM_SHOWN = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownClip:
    """A saved clip, and whether its file is still there."""

    clip: SavedClip
    is_there: bool


def keep_reason(why: str) -> str | None:
    """Explains nothing: the reason as it is."""
    return why


class Bridge(QObject):
    """Signals of the engine. `start`, `stop` and the calls belong to the main thread.

    Args:
        explain_lost: gets why the engine does not answer, in the thread `bridge`; returns what to show instead,
            or None while it is about to start.

    Emits:
        status_changed(control_pb2.Status), engine_lost(str why), engine_starting(),
        clips_changed(list[ShownClip]), moments_changed(control_pb2.ListMomentsResponse), saved(SavedClip),
        save_failed(str why), engine_stopped(), stop_failed(str why).
    """

    status_changed = Signal(object)
    engine_lost = Signal(str)
    engine_starting = Signal()
    clips_changed = Signal(object)
    moments_changed = Signal(object)
    saved = Signal(object)
    save_failed = Signal(str)
    engine_stopped = Signal()
    stop_failed = Signal(str)

    def __init__(self, socket_path: Path, explain_lost: Callable[[str], str | None] = keep_reason) -> None:
        super().__init__()
        self._explain_lost = explain_lost
        self._client = ControlClient(socket_path)
        self._stopping = threading.Event()
        self._calls = ThreadPoolExecutor(max_workers=2, thread_name_prefix="bridge-call")
        self._free_calls = threading.BoundedSemaphore(_MAX_CALLS)
        self._threads = [
            threading.Thread(target=self._watch, name="bridge", daemon=True),
            threading.Thread(target=self._poll_lists, name="bridge-lists", daemon=True),
        ]
        self._heard_at_s = time.monotonic()
        self._silence = QTimer(self)
        self._silence.setInterval(1000)
        self._silence.timeout.connect(self._look_for_silence)

    def start(self) -> None:
        """Start watching."""
        self._heard_at_s = time.monotonic()
        self._silence.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop within two seconds; the engine goes on. Twice is once."""
        self._stopping.set()
        self._silence.stop()
        self._client.close()  # ends every call that is under way
        self._calls.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2)

    def save(self, last_ns: int) -> None:
        """Save a clip; `saved` or `save_failed` follows."""

        def call() -> None:
            try:
                self._emit(self.saved, self._client.save_clip(last_ns=last_ns, trigger="app"))
            except AgentError as exc:
                self._emit(self.save_failed, str(exc))

        if not self._call(call):
            self.save_failed.emit(f"{_MAX_CALLS} saves are under way already; wait for the first of them")

    def stop_engine(self) -> None:
        """Stop recording; `engine_stopped` follows once the engine has heard it, or `stop_failed`."""

        def call() -> None:
            try:
                self._client.stop_engine()
            except EngineNotRunning:
                log.info("engine_gone_already")
            except AgentError as exc:
                self._emit(self.stop_failed, str(exc))
                return
            self._emit(self.engine_stopped)

        if not self._call(call):
            self.stop_failed.emit("clips are still being saved; try again in a moment")

    def _call(self, action: Callable[[], None]) -> bool:
        """Run it in the pool; False when too many wait already."""

        def guarded() -> None:
            try:
                action()
            except Exception:
                # A call that `stop` overtook finds its channel closed.
                if not self._stopping.is_set():
                    log.exception("bridge_call_failed")
            finally:
                self._free_calls.release()

        if self._stopping.is_set() or not self._free_calls.acquire(blocking=False):
            return False
        self._calls.submit(guarded)
        return True

    def _emit(self, signal: SignalInstance, *values: object) -> None:
        """From our threads; nobody listens any more once the app stops."""
        if not self._stopping.is_set():
            signal.emit(*values)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                for status in self._client.watch_status():
                    self._heard_at_s = time.monotonic()
                    self._emit(self.status_changed, status)
                    if self._stopping.is_set():
                        return
            except AgentError as exc:
                # Nothing to watch is said at once; the silence after it is no news.
                self._heard_at_s = float("inf")
                if (why := self._explain_lost(str(exc))) is None:
                    self._emit(self.engine_starting)
                else:
                    self._emit(self.engine_lost, why)
            except Exception:
                if not self._stopping.is_set():
                    log.exception("bridge_watch_failed")
            self._stopping.wait(_RECONNECT_S)

    def _look_for_silence(self) -> None:
        silent_s = time.monotonic() - self._heard_at_s
        if silent_s > _SILENT_S:
            self.engine_lost.emit(f"the engine has not answered for {silent_s:.0f} s; it may be overloaded")

    def _poll_lists(self) -> None:
        while not self._stopping.is_set():
            try:
                clips = self._client.clips(NUM_SHOWN)
                shown = [ShownClip(clip=clip, is_there=Path(clip.path).is_file()) for clip in clips]
                self._emit(self.clips_changed, shown)
                self._emit(self.moments_changed, self._client.moments(NUM_SHOWN))
            except AgentError as exc:
                log.debug("lists_unavailable", problem=str(exc))
            except Exception:
                if not self._stopping.is_set():
                    log.exception("bridge_lists_failed")
            if self._stopping.wait(_LISTS_EVERY_S):
                return
