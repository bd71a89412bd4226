"""Which chunk promises something, and which look is due."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.model.sessions import FeatureRow, LookState
from coordinator.pipeline.windows import CALM_WINDOWS, WINDOW_NS, due_look, is_rising, window_of
from protos.timebase import SECOND_NS

_STATE = LookState(
    session_id="s", is_live=True, is_over=False, is_all_heard=False, until_ns=0, front_ns=0, pressed_ns=-1,
    promising_until_ns=0, queued_no=0, looked_no=0,
)  # fmt: skip


def chunk(values: list[float | None], name: str = "mic_loudness_db") -> FeatureRow:
    return FeatureRow(lane=1, seq=0, start_ns=0, step_ns=SECOND_NS // 2, tracks={name: values})


def state(*, until_s: float, **more: int | bool) -> LookState:
    return dataclasses.replace(_STATE, until_ns=round(until_s * SECOND_NS), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "usual", "values", "rises"),
    [
        ("mic_loudness_db", -40.0, [-40.0] * 20, False),
        ("mic_loudness_db", -40.0, [-40.0] * 10 + [-34.0] * 3 + [-40.0] * 7, True),
        ("mic_loudness_db", -40.0, [-40.0] * 10 + [-20.0] * 2 + [-40.0] * 8, False),  # a knock on the table
        ("desktop_floor_db", -60.0, [-54.0] * 20, True),
        ("mic_pitch_st", 10.0, [30.0] * 20, False),  # says nothing by itself
        ("motion", 0.1, [0.2] * 20, True),
        ("motion", 0.001, [0.01] * 20, False),  # a still picture's noise
        ("mic_loudness_db", -40.0, [None] * 20, False),
    ],
)
def test_a_chunk_rises_that_stays_above_the_minute_before(
    name: str, usual: float, values: list[float | None], rises: bool
):
    assert is_rising(chunk(values, name), [chunk([usual] * 20, name)] * 6) is rises


def test_a_rise_that_began_in_the_chunk_before_counts_on():
    before = [chunk([-40.0] * 20)] * 5 + [chunk([-40.0] * 18 + [-30.0] * 2)]

    assert is_rising(chunk([-30.0] + [-40.0] * 19), before)


def test_what_has_nothing_before_it_rises():
    assert is_rising(chunk([-40.0] * 20), [])


@pytest.mark.parametrize(
    ("until_s", "more", "key"),
    [
        (59.9, {}, None),
        (60.0, {}, "ai:s:12"),
        (4.9, {"promising_until_ns": 80 * SECOND_NS}, None),  # the window is not closed
        (5.0, {"promising_until_ns": 80 * SECOND_NS}, "ai:s:1"),
        (97.0, {"promising_until_ns": 150 * SECOND_NS, "looked_no": 18}, "ai:s:19"),  # wherever a chunk ends
        (90.0, {"promising_until_ns": 80 * SECOND_NS, "looked_no": 16}, None),
        (30.0, {"pressed_ns": 5 * SECOND_NS, "looked_no": 5}, "ai:s:6"),
        (300.0, {"queued_no": 12}, None),  # one is queued, and sees all of it
        (300.0, {"queued_no": 12, "looked_no": 12}, "ai:s:60"),
        (3.0, {"is_live": False, "is_all_heard": True}, "ai:s:final"),
        (300.0, {"is_live": False, "is_all_heard": True, "is_over": True}, None),
    ],
)
def test_a_look_is_due_once_a_minute_or_with_each_promising_window(
    until_s: float, more: dict[str, int | bool], key: str | None
):
    look = due_look(state(until_s=until_s, **more))

    assert (look.key if look else None) == key


def test_the_last_window_is_the_one_that_has_begun():
    assert [window_of(value * SECOND_NS) for value in (0, 4, 5, 61)] == [0, 0, 1, 12]
    assert [window_of(value * SECOND_NS, is_final=True) for value in (0, 4, 5, 61)] == [0, 1, 1, 13]
    assert CALM_WINDOWS * WINDOW_NS == 60 * SECOND_NS
