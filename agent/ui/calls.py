"""Calls of the engine that run beside the main thread, and say there how they ended.

A `CallPool` and its calls belong to the main thread; its threads touch nothing but the work they were given, and
know a call by its number alone: a QObject whose last reference goes in another thread is deleted there.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from PySide6.QtCore import QObject, Qt, Signal

from agent.errors import AgentError

log = structlog.get_logger()
_UNEXPECTED = "the app itself failed at it; its log says more"


class Call(QObject):
    """One call that is under way. Emits done(answer) or failed(why), once, on the main thread.

    Never before the caller is back in the event loop: connect right after the call.
    """

    done = Signal(object)
    failed = Signal(str)


class CallPool(QObject):
    """Runs calls in `num_threads` threads called `name`; with one thread, in the order in which they came.

    Args:
        max_calls: how many may run and wait; more fail at once, with words.
    """

    _ended = Signal(int, bool, object)

    def __init__(self, name: str, *, num_threads: int, max_calls: int) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(max_workers=num_threads, thread_name_prefix=name)
        self._max_calls = max_calls
        self._free = threading.BoundedSemaphore(max_calls)
        self._stopping = threading.Event()
        self._numbers = itertools.count()
        self._under_way: dict[int, Call] = {}
        self._ended.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def run(self, work: Callable[[], object], *, refusal: str = "") -> Call:
        """Run `work`; `refusal` is what is said when too much is under way already."""
        call = Call()
        if self._stopping.is_set():
            return call
        number = next(self._numbers)
        self._under_way[number] = call
        if not self._free.acquire(blocking=False):
            words = refusal or f"{self._max_calls} requests are under way already; wait for the first of them"
            self._ended.emit(number, False, words)
            return call
        self._threads.submit(self._guarded, number, work)
        return call

    def stop(self) -> None:
        """Take nothing more, and tell of nothing more. Twice is once."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._under_way.clear()

    def _guarded(self, number: int, work: Callable[[], object]) -> None:
        is_done, answer = False, None
        try:
            answer = work()
            is_done = True
        except AgentError as exc:
            answer = str(exc)
        except Exception:
            answer = _UNEXPECTED
            # A call that `stop` overtook finds its channel closed.
            if not self._stopping.is_set():
                log.exception("bridge_call_failed")
        finally:
            self._free.release()
        if not self._stopping.is_set():
            self._ended.emit(number, is_done, answer)

    def _tell(self, number: int, is_done: bool, answer: object) -> None:
        call = self._under_way.pop(number, None)
        if call is None or self._stopping.is_set():
            return
        if is_done:
            call.done.emit(answer)
        else:
            call.failed.emit(str(answer))
