"""What a press means beside the clip before it."""

from __future__ import annotations

import pytest

from agent.desk.window import OverlapPolicy, Window, is_joined_to_last
from protos.timebase import SECOND_NS


def window(start_s: float, end_s: float) -> Window:
    return Window(start_ns=round(start_s * SECOND_NS), end_ns=round(end_s * SECOND_NS))


@pytest.mark.parametrize(
    ("policy", "wanted", "is_joined"),
    [
        ("overlap", (40, 70), False),
        ("extend", (40, 70), True),
        ("extend", (50, 80), True),  # they touch
        ("extend", (51, 81), False),
        ("extend", (0, 70), True),  # everything overlaps
        ("new", (40, 70), False),  # it begins where the last one ended
        ("new", (20.5, 50.5), True),  # too little is new for a clip of its own
    ],
)
def test_a_press_joins_the_last_clip_or_does_not(
    policy: OverlapPolicy, wanted: tuple[float, float], is_joined: bool
):
    assert is_joined_to_last(policy, window(*wanted), window(20, 50)) is is_joined


@pytest.mark.parametrize("policy", ["extend", "overlap", "new"])
def test_the_first_press_joins_nothing(policy: OverlapPolicy):
    assert not is_joined_to_last(policy, window(0, 30), None)


def test_joined_windows_reach_from_the_earlier_start_to_the_later_end():
    assert window(20, 50).joined(window(-10, 40)) == window(-10, 50)
    assert window(20, 50).joined(window(0, 60)) == window(0, 60)  # everything is more than any length
    assert window(0, 50).joined(window(-10, 60)).is_everything


def test_new_footage_begins_where_the_last_clip_ended():
    assert window(20, 70).from_on(50 * SECOND_NS) == window(50, 70)
    assert window(0, 70).from_on(50 * SECOND_NS) == window(50, 70)
    assert window(60, 70).from_on(50 * SECOND_NS) == window(60, 70)
