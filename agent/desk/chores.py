"""Thread `clip-keeper`: what a saved clip needs after its file is closed, so that no press waits for it.

Pins, thumbnails, the later margin once its time has come, the trash once an hour. At most 1,000 chores wait; more
are left undone and told, which costs movable ends and thumbnails, never a clip.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

import structlog

from agent.errors import AgentError
from agent.worker import Worker

log = structlog.get_logger()

MAX_CHORES = 1000


class Chores(Worker):
    """Does each chore when it is due; each is told apart by nothing but its time."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__("clip-keeper")
        self._clock_s = clock_s
        self._lock = threading.Condition()
        self._waiting: list[tuple[float, int, bool, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def put(self, chore: Callable[[], None], *, in_s: float = 0.0, is_done_at_stop: bool = True) -> None:
        """Do it in so many seconds; any thread; returns at once.

        Args:
            is_done_at_stop: do it early rather than not at all when we stop.
        """
        with self._lock:
            if len(self._waiting) >= MAX_CHORES:
                log.warning("chore_dropped", num_waiting=len(self._waiting))
                return
            due_s = self._clock_s() + in_s
            heapq.heappush(self._waiting, (due_s, next(self._numbers), is_done_at_stop, chore))
            self._lock.notify()

    def request_stop(self) -> None:
        """As the worker's; wakes the wait."""
        super().request_stop()
        with self._lock:
            self._lock.notify()

    def step(self) -> None:
        """One chore, or a wait for the next."""
        chore = self._next()
        if chore is not None:
            _do(chore)

    def do_due(self) -> None:
        """All that is due by now, in the caller's thread; for tests, and for a desk whose thread does not run."""
        while (chore := self._next(is_waiting=False)) is not None:
            _do(chore)

    def tear_down(self) -> None:
        """What can still be done is done now."""
        with self._lock:
            left, self._waiting = sorted(self._waiting), []
        for _, _, is_done_at_stop, chore in left:
            if is_done_at_stop:
                _do(chore)

    def _next(self, *, is_waiting: bool = True) -> Callable[[], None] | None:
        with self._lock:
            left_s = self._waiting[0][0] - self._clock_s() if self._waiting else 60.0
            if left_s > 0 and is_waiting and not self.is_stopping:
                self._lock.wait(min(left_s, 60.0))
            if self._waiting and self._waiting[0][0] <= self._clock_s() and not self.is_stopping:
                return heapq.heappop(self._waiting)[3]
        return None


def _do(chore: Callable[[], None]) -> None:
    try:
        chore()
    except AgentError as exc:
        log.warning("chore_failed", problem=str(exc))
    except Exception:
        log.exception("chore_failed")
