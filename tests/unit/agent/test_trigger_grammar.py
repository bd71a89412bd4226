"""The press grammar, by times alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trigger.grammar import EVERYTHING_NS, PressGrammar, PressLengths, Step
from protos.timebase import MILLISECOND_NS, SECOND_NS

LENGTHS = PressLengths(press_ns=30 * SECOND_NS, double_ns=90 * SECOND_NS)
# The events of a test lie this far up the clock, so that 90 s before them are there.
T_S = 1000.0


def steps_of(
    events: list[tuple[str, float]], lengths: PressLengths = LENGTHS
) -> list[tuple[str, float, float]]:
    """What each event does: (kind, start, end) in s after `T_S`; an event that does nothing is left out."""
    grammar, found = PressGrammar(lengths), []
    for kind, at_s in events:
        at_ns = round((T_S + at_s) * SECOND_NS)
        step = grammar.key_down(at_ns) if kind == "down" else grammar.key_up(at_ns)
        if step is not None:
            found.append((step.kind, seconds(step.start_ns), seconds(step.end_ns)))
    return found


def seconds(time_ns: int) -> float:
    return float("-inf") if time_ns == EVERYTHING_NS else round(time_ns / SECOND_NS - T_S, 3)


EVERYTHING = float("-inf")
BEGIN = ("begin", -30.0, 0.0)


@pytest.mark.parametrize(
    ("events", "after_begin"),
    [
        ([("up", 0.1)], []),  # a tap
        ([("up", 0.1), ("down", 0.3)], [("grow", -90.0, 0.0)]),  # a double, from the first key-down
        ([("down", 0.3), ("down", 0.6)], [("grow", -90.0, 0.0), ("grow", EVERYTHING, 0.0)]),  # a triple
        ([("down", 0.4)], [("grow", -90.0, 0.0)]),  # the last moment of a double
        ([("down", 0.41)], [("extend", 0.41, 0.41)]),  # just past it
        ([("down", 15.0)], [("extend", 15.0, 15.0)]),
        ([("down", 15.001)], [("begin", -14.999, 15.001)]),  # another clip
        (
            [("down", 10.0), ("down", 20.0)],
            [("extend", 10.0, 10.0), ("extend", 20.0, 20.0)],
        ),  # 15 s from the last
        ([("down", 5.0), ("down", 5.3)], [("extend", 5.0, 5.0), ("grow", -85.0, 5.0)]),  # once more, doubled
        ([("up", 0.6)], []),  # not yet a hold
        ([("up", 2.5)], [("hold", 0.0, 2.5)]),
        (
            [("up", 0.1), ("down", 5.0), ("up", 7.0)],
            [("extend", 5.0, 5.0), ("extend", 5.0, 7.0)],
        ),  # held once more
        (
            [("up", 2.5), ("down", 17.0)],
            [("hold", 0.0, 2.5), ("extend", 17.0, 17.0)],
        ),  # 15 s from the release
        (
            [("down", 0.2), ("down", 0.4), ("down", 0.6)],
            [("grow", -90.0, 0.0), ("grow", EVERYTHING, 0.0), ("extend", 0.6, 0.6)],
        ),
        ([("up", 0.1), ("up", 3.0)], []),  # a release too many
    ],
)
def test_what_events_mean(events: list[tuple[str, float]], after_begin: list[tuple[str, float, float]]):
    assert steps_of([("down", 0.0), *events]) == [BEGIN, *after_begin]


def test_a_release_without_a_press_means_nothing():
    assert steps_of([("up", 1.0)]) == []


def test_a_double_of_a_key_that_saves_everything_changes_nothing():
    lengths = PressLengths(press_ns=0, double_ns=90 * SECOND_NS)

    assert steps_of([("down", 0.0), ("down", 0.2)], lengths) == [
        ("begin", EVERYTHING, 0.0),
        ("grow", EVERYTHING, 0.0),
    ]


def test_a_double_of_a_key_whose_own_length_is_longer_saves_everything():
    lengths = PressLengths(press_ns=120 * SECOND_NS, double_ns=90 * SECOND_NS)

    assert steps_of([("down", 0.0), ("down", 0.2)], lengths)[1] == ("grow", EVERYTHING, 0.0)


def test_an_event_that_is_told_late_counts_as_of_the_newest_one():
    assert steps_of([("down", 0.0), ("down", 5.0), ("up", 1.0)]) == [BEGIN, ("extend", 5.0, 5.0)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20_000)), max_size=40))
def test_no_events_whatever_lose_a_press_or_turn_time_back(events: list[tuple[bool, int]]):
    grammar = PressGrammar(LENGTHS)
    at_ns, ends_ns, has_clip = 1000 * SECOND_NS, 0, False
    for is_down, after_ms in events:
        at_ns += after_ms * MILLISECOND_NS
        step: Step | None = grammar.key_down(at_ns) if is_down else grammar.key_up(at_ns)
        if is_down:
            assert step is not None
        if step is None:
            continue
        assert step.kind == "begin" or has_clip
        assert step.start_ns <= step.end_ns <= at_ns
        assert step.kind == "grow" or step.end_ns >= ends_ns
        has_clip, ends_ns = True, max(ends_ns, step.end_ns)
