"""Orders to forget that were given at the coordinator: carried out one after the other, as `clippy forget` does.

Thread `forget-orders` owns the work; `submit` may be called from any thread and returns at once. What is not done,
because the engine stops or something cannot be deleted, the coordinator says again at the next connect.
"""

from __future__ import annotations

import contextlib
import queue
import threading

import structlog

from agent.engine.forgetting import Forgetter
from agent.engine.recording import Recording
from agent.errors import AgentError
from protos.clippy.v1 import link_pb2

log = structlog.get_logger()

_MAX_WAITING = 64
_STOP_S = 2.0


class ForgetOrders:
    """The coordinator's orders, in a bounded queue: one too many waits for the next connect."""

    def __init__(self, forgetter: Forgetter, recording: Recording) -> None:
        self._forgetter = forgetter
        self._recording = recording
        self._waiting: queue.Queue[link_pb2.Forget | None] = queue.Queue(_MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="forget-orders", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, order: link_pb2.Forget) -> None:
        """Take an order."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(order)

    def stop(self) -> None:
        """Let the one under way end, within 2 s; a kill in it is finished by the next start."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while (order := self._waiting.get()) is not None:
            try:
                self._forgetter.follow(
                    order, session_id=self._recording.session_id, now_ns=self._recording.now_ns
                )
            except AgentError as exc:
                log.warning("order_to_forget_delayed", forget_id=order.forget_id, problem=str(exc))
            except Exception:  # the thread's outermost frame
                log.exception("order_to_forget_failed", forget_id=order.forget_id)
