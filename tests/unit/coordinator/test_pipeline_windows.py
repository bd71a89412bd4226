"""Which look is due."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.model.sessions import LookState
from coordinator.pipeline.windows import CALM_WINDOWS, WINDOW_NS, due_look, window_of
from protos.timebase import SECOND_NS

_STATE = LookState(
    session_id="s", is_live=True, is_over=False, is_all_heard=False, until_ns=0, front_ns=0, pressed_ns=-1,
    promising_until_ns=0, queued_no=0, looked_no=0,
)  # fmt: skip


def state(*, until_s: float, **more: int | bool) -> LookState:
    return dataclasses.replace(_STATE, until_ns=round(until_s * SECOND_NS), **more)  # type: ignore[arg-type]


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
