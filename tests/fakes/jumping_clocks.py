"""Clocks that a test moves: port `Clocks`."""

from __future__ import annotations

from agent.health.clocks import Reading
from protos.timebase import SECOND_NS


class JumpingClocks:
    """Stand still until they are told."""

    def __init__(self) -> None:
        self.now = Reading(monotonic_ns=100 * SECOND_NS, asleep_ns=7 * SECOND_NS, unix_ms=1_700_000_000_000)

    def read(self) -> Reading:
        return self.now

    def pass_time(self, duration_s: float, *, asleep_s: float = 0, wall_s: float | None = None) -> None:
        """Time goes on; the machine sleeps a while beside it; the wall clock goes on as far as it is told."""
        wall_s = duration_s + asleep_s if wall_s is None else wall_s
        self.now = Reading(
            monotonic_ns=self.now.monotonic_ns + round(duration_s * SECOND_NS),
            asleep_ns=self.now.asleep_ns + round(asleep_s * SECOND_NS),
            unix_ms=self.now.unix_ms + round(wall_s * 1000),
        )
