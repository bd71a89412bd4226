"""When frames are due."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st

from agent.capture.pacer import Pacer
from protos.timebase import MILLISECOND_NS, SECOND_NS


def test_ticks_follow_one_another_at_the_frame_rate():
    pacer = Pacer(30, start_ns=7)

    due_ns = [pacer.next_tick(7).due_ns for _ in range(31)]

    assert (due_ns[0], due_ns[30]) == (7, 7 + SECOND_NS)


def test_a_tick_that_is_a_little_late_is_still_taken():
    pacer = Pacer(30, start_ns=0)
    pacer.next_tick(0)

    tick = pacer.next_tick(40 * MILLISECOND_NS)

    assert (tick.index, tick.num_skipped) == (1, 0)


def test_missed_ticks_are_skipped_and_counted_not_burst():
    pacer = Pacer(10, start_ns=0)
    pacer.next_tick(0)

    late = pacer.next_tick(SECOND_NS)
    after = pacer.next_tick(SECOND_NS)

    assert (late.index, late.num_skipped) == (10, 9)
    assert (after.index, after.due_ns) == (11, 1_100 * MILLISECOND_NS)


@hypothesis.given(
    frame_rate=st.integers(1, 240),
    delays_ns=st.lists(st.integers(0, 3 * SECOND_NS), min_size=1, max_size=50),
)
def test_every_tick_is_taken_or_skipped_exactly_once(frame_rate, delays_ns):
    pacer = Pacer(frame_rate, start_ns=0)
    now_ns = 0
    expected = 0
    for delay_ns in delays_ns:
        tick = pacer.next_tick(now_ns)
        assert tick.index == expected + tick.num_skipped
        expected = tick.index + 1
        now_ns = max(now_ns, tick.due_ns) + delay_ns
