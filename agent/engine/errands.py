"""Thread `keeper`: the small jobs that touch a disk, so that no media thread waits for it."""

from __future__ import annotations

import queue
from collections.abc import Callable

from agent.errors import AgentError
from agent.worker import Worker

_MAX_ERRANDS = 256


class Errands(Worker):
    """Thread `keeper`: writes chunks to the outbox and pins candidates, so that no media thread waits for a disk.

    At most 256 wait; more are dropped and counted, which only happens while the disk does not answer.
    """

    def __init__(self, on_problem: Callable[[str, str | None], None]) -> None:
        super().__init__("keeper")
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue(_MAX_ERRANDS)
        self._tell = on_problem
        self.num_dropped = 0

    def put(self, errand: Callable[[], None]) -> None:
        """Do it soon; any thread; returns at once."""
        try:
            self._queue.put_nowait(errand)
        except queue.Full:
            self.num_dropped += 1
            self._tell("outbox", f"the disk does not answer: {self.num_dropped} chunks could not be kept")

    def step(self) -> None:
        """One errand."""
        try:
            errand = self._queue.get(timeout=0.2)
        except queue.Empty:
            return
        self._do(errand)

    def tear_down(self) -> None:
        """What still waits is done: the last chunks of a session come at its end."""
        while not self._queue.empty():
            self._do(self._queue.get_nowait())

    def _do(self, errand: Callable[[], None]) -> None:
        try:
            errand()
            self._tell("outbox", None)
        except AgentError as exc:
            self._tell("outbox", str(exc))
