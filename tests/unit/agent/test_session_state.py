"""The session's state is true: ready is never said over a known problem."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.session import Session, State


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([], State.STARTING),
        (["picture"], State.READY),
        (["sick", "picture"], State.PROBLEM),  # ready is never said over a known problem
        (["picture", "sick"], State.PROBLEM),
        (["picture", "sick", "well"], State.READY),
        (["picture", "sick", "sick too", "well"], State.PROBLEM),  # one of two is mended
        (["picture", "stop"], State.STOPPING),
    ],
)
@pytest.mark.logs("stage_has_problem")
def test_ready_is_true(steps: list[str], state: State):
    session = Session(session_id="s", on_change=lambda: None)
    actions: dict[str, Callable[[], None]] = {
        "picture": session.report_picture,
        "sick": lambda: session.report_problem("capture", "the screen went away"),
        "sick too": lambda: session.report_problem("ring", "the disk is full"),
        "well": lambda: session.report_problem("capture", None),
        "stop": session.stop,
    }
    for step in steps:
        actions[step]()

    assert session.state is state


def test_the_last_press_is_told_and_its_error_goes_with_the_next():
    changes: list[None] = []
    session = Session(session_id="s", on_change=lambda: changes.append(None))

    session.report_press("12 MB are free")
    assert session.last_press_error == "12 MB are free"
    session.report_press("")

    assert session.last_press_error == ""
    assert len(changes) == 2
