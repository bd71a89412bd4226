"""Delays and ranges: pure decisions of the link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.uplink.backoff import MAX_DELAY_S, next_delay_s, told_delay_s
from agent.uplink.ranges import from_wire, holds, holes, merge, to_ranges
from protos.clippy.v1 import media_pb2


@given(attempt=st.integers(min_value=-5, max_value=10**9), dice=st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_outside_0_to_30_s(attempt: int, dice: float):
    assert 0 <= next_delay_s(attempt, dice) <= MAX_DELAY_S


def test_the_first_retry_is_quick_and_later_ones_may_take_the_whole_range():
    assert next_delay_s(0, 0.999) < 1.0
    assert next_delay_s(10, 0.999) > MAX_DELAY_S - 1.0


@pytest.mark.parametrize(
    ("delay_ms", "dice", "expected_s"),
    [
        (3_000, 0.0, 3.0),  # at least what was asked for
        (3_000, 0.5, 4.5),  # and some jitter, so that a herd does not come back at once
        (-5, 0.5, 0.0),  # nonsense
        (10**9, 0.0, 600.0),  # a hostile peer cannot silence the link
    ],
)
def test_the_coordinators_wish_is_kept_within_bounds(delay_ms: int, dice: float, expected_s: float):
    assert told_delay_s(delay_ms, dice) == expected_s


@given(st.sets(st.integers(0, 60)))
def test_ranges_hold_exactly_the_numbers_they_were_made_of(numbers: set[int]):
    ranges = to_ranges(numbers)

    assert {number for number in range(62) if holds(ranges, number)} == numbers


@given(st.sets(st.integers(0, 60)), st.integers(0, 62))
def test_holes_are_what_is_missing(numbers: set[int], end: int):
    found = {number for first, last in holes(to_ranges(numbers), end) for number in range(first, last + 1)}

    assert found == set(range(end)) - numbers


def test_ranges_that_touch_become_one():
    assert merge([(5, 6), (0, 2), (3, 4), (9, 9)]) == [(0, 6), (9, 9)]


def test_ranges_from_the_wire_fit_a_database_and_lie_the_right_way_round():
    wire = [media_pb2.SeqRange(first=5, last=2**64 - 1), media_pb2.SeqRange(first=3, last=1)]

    assert from_wire(wire) == [(5, 2**63 - 1)]
