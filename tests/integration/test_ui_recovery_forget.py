"""What a killed recorder left, and forgetting, in the window."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from agent.errors import AgentError, NothingToClip
from agent.ui.bridge import Bridge
from agent.ui.window import MainWindow
from protos.clippy.v1 import clips_pb2, control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.app_window import button, says, served_bridge, shown_window, texts
from tests.fakes.told_recorder import ToldRecorder


@pytest.fixture
def engine(tmp_path: Path) -> ToldRecorder:
    return ToldRecorder(tmp_path)


@pytest.fixture
def bridge(qapp: object, engine: ToldRecorder, tmp_path: Path) -> Iterator[Bridge]:
    with served_bridge(engine, tmp_path) as bridge:
        yield bridge


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge, engine: ToldRecorder) -> MainWindow:
    window = shown_window(qtbot, bridge)
    qtbot.waitUntil(says(window, "Ready"))
    return window


def leave(engine: ToldRecorder, *session_ids: str) -> None:
    """As if engines had been killed."""
    engine.left = [
        control_pb2.Recoverable(
            session_id=session_id,
            size_bytes=270_000_000,
            duration_ns=272 * SECOND_NS,
            ended_unix_ms=int(time.time() * 1000),
        )
        for session_id in session_ids
    ]
    state = control_pb2.Status(state="ready")
    state.buffer.num_recoverable = len(session_ids)
    engine.state = state


# -- recovery


def test_what_a_killed_recorder_left_is_offered_and_saved(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    assert not window.recovery.isVisible()
    leave(engine, "s1", "s2")
    qtbot.waitUntil(
        says(window.recovery, "The recorder ended unexpectedly at", "4:32 can still be saved", "1 earlier")
    )

    button(window.recovery, "Save").click()

    qtbot.waitUntil(lambda: engine.recovered == ["s1"])
    # Not saved a second time: the other one is offered now.
    qtbot.waitUntil(
        lambda: says(window.recovery, "can still be saved")() and not says(window.recovery, "earlier")()
    )
    button(window.recovery, "Save").click()
    qtbot.waitUntil(lambda: engine.recovered == ["s1", "s2"])
    qtbot.waitUntil(says(window.recovery, "0:02 of what the ended recorder left is a clip now", "270.0 MB"))


def test_what_was_saved_is_deleted_or_left_but_not_saved_again(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, bridge: Bridge
):
    leave(engine, "s1", "s2")
    qtbot.waitUntil(window.recovery.isVisible)
    for session_id in ("s1", "s2"):
        qtbot.waitUntil(button(window.recovery, "Save").isEnabled)
        button(window.recovery, "Save").click()
        qtbot.waitUntil(lambda session_id=session_id: session_id in engine.recovered)
    qtbot.waitUntil(says(window.recovery, "is a clip now", "Close"))
    assert "Save" not in texts(window.recovery).splitlines()

    button(window.recovery, "Discard…").click()
    question = window.recovery.question
    assert question is not None
    assert "The clip that was saved of it stays." in question.text()
    button(question, "Delete").click()
    qtbot.waitUntil(lambda: [session.session_id for session in engine.left] == ["s2"])
    qtbot.waitUntil(button(window.recovery, "Discard…").isEnabled)
    button(window.recovery, "Close").click()

    with qtbot.waitSignals([bridge.status_changed] * 3):
        pass
    assert not window.recovery.isVisible()


def test_discarding_asks_first(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    leave(engine, "s1")
    qtbot.waitUntil(window.recovery.isVisible)

    button(window.recovery, "Discard…").click()
    question = window.recovery.question
    assert question is not None
    assert "nobody can bring it back" in question.text()
    button(question, "Keep").click()
    assert engine.left

    button(window.recovery, "Discard…").click()
    question = window.recovery.question
    assert question is not None
    button(question, "Delete").click()
    qtbot.waitUntil(lambda: not window.recovery.isVisible())
    assert engine.left == []


def test_what_cannot_be_recovered_says_why_and_may_be_tried_again(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    engine.refusal = NothingToClip("no whole picture is left of it")
    leave(engine, "s1")
    qtbot.waitUntil(window.recovery.isVisible)

    button(window.recovery, "Save").click()

    qtbot.waitUntil(says(window.recovery, "no whole picture is left of it", "can still be saved"))
    assert button(window.recovery, "Save").isEnabled()


# -- forgetting


@pytest.fixture
def receipt(engine: ToldRecorder) -> control_pb2.ForgetReceipt:
    engine.receipt = control_pb2.ForgetReceipt(
        end_ns=31 * SECOND_NS,
        gone=[control_pb2.ForgottenThing(what="ring", count=31, size_bytes=33_000_000)],
        remaining=[control_pb2.ForgottenThing(what="coordinator", count=2, reason="not connected")],
        overlapping_clips=[
            clips_pb2.Clip(clip_id="c1", title="Mine & yours", end_ns=30 * SECOND_NS),
            clips_pb2.Clip(clip_id="c2", path="/v/locked.mp4", end_ns=30 * SECOND_NS, is_locked=True),
        ],
    )
    return engine.receipt


@pytest.fixture
def asked(qtbot: QtBot, window: MainWindow, receipt: control_pb2.ForgetReceipt) -> MainWindow:
    button(window.state_panel, "Forget…").click()
    qtbot.waitUntil(says(window.forget, "Would go: 31 s"))
    return window


def test_forgetting_begins_with_a_preview_of_what_would_go(asked: MainWindow, engine: ToldRecorder):
    assert says(
        asked.forget,
        "31 pieces of the buffer, 33.0 MB",
        "Would remain:",
        "2 things at the coordinator: not connected",
    )()
    assert [(request.is_preview, request.last_ns) for request in engine.forgotten] == [(True, 30 * SECOND_NS)]


def test_saved_clips_stay_unless_they_are_ticked_and_locked_ones_always(asked: MainWindow):
    ticks = asked.forget.findChildren(QCheckBox)

    assert [tick.isChecked() for tick in ticks] == [False, False]
    assert [tick.isEnabled() for tick in ticks] == [True, False]
    assert [tick.text().split(",")[0] for tick in ticks] == ["Mine && yours", "locked"]
    assert "locked: it stays" in ticks[1].text()


def test_what_is_ticked_goes_too_and_the_receipt_is_read_out(
    qtbot: QtBot, asked: MainWindow, engine: ToldRecorder
):
    asked.forget.findChildren(QCheckBox)[0].click()

    button(asked.forget, "Forget it").click()

    qtbot.waitUntil(says(asked.forget, "Gone: 31 s", "Remains:", "not connected", "Close"))
    assert (engine.forgotten[-1].is_preview, list(engine.forgotten[-1].clip_ids)) == (False, ["c1"])
    assert not button(asked.forget, "Forget it").isVisible()
    button(asked.forget, "Close").click()
    assert not asked.forget.isVisible()


@pytest.mark.parametrize(("span", "last_ns"), [("The last 5 minutes", 300 * SECOND_NS), ("Everything", 0)])
def test_another_span_is_previewed_anew(
    qtbot: QtBot, asked: MainWindow, engine: ToldRecorder, span: str, last_ns: int
):
    button(asked.forget, span).click()

    qtbot.waitUntil(lambda: len(engine.forgotten) == 2)
    qtbot.waitUntil(says(asked.forget, "Would go: 31 s"))
    assert (engine.forgotten[1].is_preview, engine.forgotten[1].last_ns) == (True, last_ns)


def test_escape_forgets_nothing(qtbot: QtBot, asked: MainWindow, engine: ToldRecorder):
    qtbot.keyClick(asked.forget, Qt.Key.Key_Escape)

    assert not asked.forget.isVisible()
    assert all(request.is_preview for request in engine.forgotten)


def test_return_never_forgets(qtbot: QtBot, asked: MainWindow, engine: ToldRecorder):
    qtbot.keyClick(asked.forget, Qt.Key.Key_Return)

    assert all(request.is_preview for request in engine.forgotten)


def test_a_span_that_cannot_be_forgotten_says_why(qtbot: QtBot, asked: MainWindow, engine: ToldRecorder):
    engine.refusal = AgentError("a clip is being written from it; try again in a moment")

    button(asked.forget, "Forget it").click()

    qtbot.waitUntil(says(asked.forget, "a clip is being written from it"))
    assert button(asked.forget, "Everything").isEnabled()
