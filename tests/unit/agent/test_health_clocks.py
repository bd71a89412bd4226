"""Sleep and standing still are noticed; a wall clock that jumps is nobody's business."""

from __future__ import annotations

import pytest

from agent.health.clock_watch import LOOK_S, ClockWatch
from agent.health.clocks import MachineClocks
from protos.timebase import SECOND_NS
from tests.fakes.jumping_clocks import JumpingClocks


@pytest.mark.parametrize(
    ("passed_s", "asleep_s", "wall_s", "found"),
    [
        (0.5, 0, 0.5, []),
        # a busy machine is late, and nothing is missing
        (2.2, 0, 2.2, []),
        (5.5, 0, 5.5, [("stopped", 5)]),
        (0.5, 3600, 3600.5, [("suspended", 3600)]),
        # asleep and late: it was the sleep
        (4.0, 10, 14.0, [("suspended", 10)]),
        # daylight saving, and a clock that somebody set back by a year
        (0.5, 0, 3600.5, []),
        (0.5, 0, -31_536_000, []),
    ],
)
def test_breaks(passed_s: float, asleep_s: float, wall_s: float, found: list[tuple[str, int]]):
    clocks = JumpingClocks()
    told: list[tuple[str, int]] = []
    watch = ClockWatch(lambda what, lost_ns: told.append((what, lost_ns // SECOND_NS)), clocks=clocks)
    clocks.pass_time(LOOK_S)
    watch.look()

    clocks.pass_time(passed_s, asleep_s=asleep_s, wall_s=wall_s)
    watch.look()
    clocks.pass_time(LOOK_S)
    watch.look()

    assert told == found


def test_the_machines_own_clocks_go_on_and_have_not_slept_meanwhile():
    clocks = MachineClocks()

    before, after = clocks.read(), clocks.read()

    assert after.monotonic_ns >= before.monotonic_ns
    assert abs(after.asleep_ns - before.asleep_ns) < SECOND_NS // 2
    assert after.unix_ms > 1_600_000_000_000
