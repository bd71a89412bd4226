"""Turns the control API into Qt signals, and clicks into calls.

The thread `bridge` watches the status and polls the lists; calls run in a pool of two threads, so the interface
never waits for the engine. Signals arrive on the main thread (queued connections).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from PySide6.QtCore import QObject, Signal

from agent.control.client import ControlClient
from agent.errors import AgentError, EngineNotRunning
from protos.clippy.v1 import control_pb2

log = structlog.get_logger()
_RECONNECT_S = 1.0
_LISTS_EVERY_S = 2.0
NUM_SHOWN = 60


class Bridge(QObject):
    """Signals of the engine.

    Emits:
        status_changed(control_pb2.Status), engine_lost(str why), clips_changed(list[SavedClip]),
        moments_changed(control_pb2.ListMomentsResponse), saved(SavedClip), save_failed(str why).
    """

    status_changed = Signal(object)
    engine_lost = Signal(str)
    clips_changed = Signal(object)
    moments_changed = Signal(object)
    saved = Signal(object)
    save_failed = Signal(str)

    def __init__(self, socket_path: Path) -> None:
        super().__init__()
        self._client = ControlClient(socket_path)
        self._stopping = threading.Event()
        self._calls = ThreadPoolExecutor(max_workers=2, thread_name_prefix="bridge-call")
        self._thread = threading.Thread(target=self._watch, name="bridge", daemon=True)
        self._lists = threading.Thread(target=self._poll_lists, name="bridge-lists", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()
        self._lists.start()

    def stop(self) -> None:
        """Stop within two seconds; the engine goes on."""
        self._stopping.set()
        self._client.close()
        self._calls.shutdown(wait=False, cancel_futures=True)
        for thread in (self._thread, self._lists):
            if thread.is_alive():
                thread.join(timeout=2)

    def save(self, last_ns: int) -> None:
        """Save a clip; `saved` or `save_failed` follows."""
        self._call(lambda: self.saved.emit(self._client.save_clip(last_ns=last_ns, trigger="app")))

    def stop_engine(self) -> None:
        """Stop recording; `engine_lost` follows."""
        self._call(self._client.stop_engine)

    def _call(self, action: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                action()
            except AgentError as exc:
                self.save_failed.emit(str(exc))
            except Exception:
                log.exception("bridge_call_failed")

        self._calls.submit(guarded)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                for status in self._client.watch_status():
                    self._emit_status(status)
                    if self._stopping.is_set():
                        return
            except EngineNotRunning as exc:
                if not self._stopping.is_set():
                    self.engine_lost.emit(str(exc))
            except Exception:
                if not self._stopping.is_set():
                    log.exception("bridge_watch_failed")
            self._stopping.wait(_RECONNECT_S)

    def _emit_status(self, status: control_pb2.Status) -> None:
        if not self._stopping.is_set():
            self.status_changed.emit(status)

    def _poll_lists(self) -> None:
        while not self._stopping.is_set():
            try:
                self.clips_changed.emit(self._client.clips(NUM_SHOWN))
                self.moments_changed.emit(self._client.moments(NUM_SHOWN))
            except AgentError as exc:
                log.debug("lists_unavailable", problem=str(exc))
            except Exception:
                if not self._stopping.is_set():
                    log.exception("bridge_lists_failed")
            if self._stopping.wait(_LISTS_EVERY_S):
                return
