"""Thread `clock-watch`: notices that the machine slept or that this process stood still.

Looks twice a second; owns its last reading. A wall clock that jumps changes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from agent.health.clocks import Break, Clocks, MachineClocks, break_between
from agent.worker import Worker
from protos.timebase import SECOND_NS

log = structlog.get_logger()
LOOK_S = 0.5


class ClockWatch(Worker):
    """Tells of each break once.

    Args:
        on_break: gets what it was and how long it took, in this thread; returns at once.
        clocks: the machine's, or a test's.
    """

    def __init__(self, on_break: Callable[[Break, int], None], *, clocks: Clocks | None = None) -> None:
        super().__init__("clock-watch")
        self._on_break = on_break
        self._clocks = clocks or MachineClocks()
        self._last = self._clocks.read()

    def set_up(self) -> None:
        """What went before the start is nobody's."""
        self._last = self._clocks.read()

    def step(self) -> None:
        """Wait, then look once."""
        self.wait(LOOK_S)
        self.look()

    def look(self) -> None:
        """Compare with the last look."""
        before, self._last = self._last, self._clocks.read()
        found = break_between(before, self._last, interval_ns=round(LOOK_S * SECOND_NS))
        if found is None:
            return
        lost_ns = max(self._last.monotonic_ns - before.monotonic_ns, self._last.asleep_ns - before.asleep_ns)
        log.info("clock_break_noticed", reason=found, lost_s=round(lost_ns / SECOND_NS, 1))
        self._on_break(found, lost_ns)
