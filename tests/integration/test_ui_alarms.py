"""Alarms in the window and in the tray, as a client of a real control server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QSystemTrayIcon
from pytestqt.qtbot import QtBot

from agent.ui.alarm_list import AlarmList
from agent.ui.alarms import ShownAlarm
from agent.ui.bridge import Bridge
from agent.ui.buffer_line import BufferLine
from agent.ui.theme import PROBLEM_COLOUR, STATE_COLOURS
from agent.ui.tray import Tray
from agent.ui.window import MainWindow
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.app_window import says, served_bridge, shown_window
from tests.fakes.told_recorder import ToldRecorder


@pytest.fixture
def engine(tmp_path: Path) -> ToldRecorder:
    return ToldRecorder(tmp_path)


@pytest.fixture
def bridge(qapp: object, engine: ToldRecorder, tmp_path: Path) -> Iterator[Bridge]:
    with served_bridge(engine, tmp_path) as bridge:
        yield bridge


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge) -> MainWindow:
    return shown_window(qtbot, bridge)


def alarmed(*alarms: tuple[str, str]) -> control_pb2.Status:
    since_ms = int(time.time() * 1000) - 180_000
    return control_pb2.Status(
        state="ready",
        buffered_ns=60 * SECOND_NS,
        health=control_pb2.Health(
            alarms=[
                control_pb2.Alarm(code=code, message=message, since_unix_ms=since_ms)
                for code, message in alarms
            ]
        ),
    )


BLACK = ("black", "the picture is black; look at capture.screen")
SILENT = ("silent_mic", "the microphone gives nothing but zeros")


def test_an_alarm_turns_ready_into_a_problem_with_its_words(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    qtbot.waitUntil(says(window, "Ready"))

    engine.state = alarmed(BLACK, SILENT)

    qtbot.waitUntil(says(window, BLACK[1]))
    assert says(window, "Problem", "(3 min)", SILENT[1])()
    assert not says(window, "Ready\n")()
    alarm = window.state_panel.alarms.grab().toImage().pixelColor(4, 20)
    assert alarm.red() > 2 * alarm.green()


def test_an_alarm_that_is_over_leaves_nothing_behind(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    engine.state = alarmed(BLACK)
    qtbot.waitUntil(says(window, "Problem", BLACK[1]))

    engine.state = alarmed()

    qtbot.waitUntil(says(window, "Ready"))
    assert not window.state_panel.alarms.isVisible()


def test_a_problem_does_not_keep_a_press_from_saving(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    engine.state = alarmed(BLACK)
    qtbot.waitUntil(says(window, "Problem"))

    with qtbot.waitSignal(window.state_panel.save_wanted):
        window.state_panel._saves[0].click()


def test_more_alarms_than_there_is_room_for_are_counted(qtbot: QtBot):
    alarms = AlarmList()
    qtbot.addWidget(alarms)
    shown = [ShownAlarm(code=str(number), message=f"alarm {number}", since="") for number in range(7)]

    alarms.show_alarms(shown)
    words = "\n".join(label.toolTip() or label.text() for label in alarms.findChildren(QLabel))
    alarms.set_compact(True)
    compact = "\n".join(
        label.toolTip() or label.text() for label in alarms.findChildren(QLabel) if label.isVisible()
    )

    assert "and 3 more: alarm 4; alarm 5; alarm 6" in words
    assert "alarm 0" in compact
    assert "and 6 more: alarm 1" in compact
    assert alarms.accessibleName().startswith("7 alarms: alarm 0")


def test_nothing_is_cut_off_in_the_smallest_window_with_everything_wrong(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    engine.state = alarmed(("black", f"{BLACK[1]} " * 2), SILENT, ("disk", "the disk is nearly full"))
    engine.state.warnings.append("no microphone: the clip has desktop sound alone")
    engine.state.picture.step = "30 fps"
    engine.state.buffer.num_recoverable = 1
    engine.left = [control_pb2.Recoverable(session_id="1", duration_ns=SECOND_NS, ended_unix_ms=1)]
    window.resize(900, 560)
    window.clips.actions_of_clip.ends.setEnabled(True)
    window.clips.actions_of_clip.ends.trigger()
    qtbot.waitUntil(says(window, BLACK[1], "can still be saved"))
    qtbot.wait(50)

    for label in window.state_panel.findChildren(QLabel):
        if label.isVisible() and label.text() and label.wordWrap():
            assert label.height() >= label.heightForWidth(label.width()), f"cut off: {label.text()}"


# -- the buffer's line


def test_the_line_paints_what_can_be_saved_and_where_the_gap_is(qtbot: QtBot):
    line = BufferLine()
    qtbot.addWidget(line)
    line.resize(400, line.sizeHint().height())
    line.show()
    epochs = [
        control_pb2.Epoch(start_ns=0, end_ns=100 * SECOND_NS, reason="start"),
        control_pb2.Epoch(start_ns=200 * SECOND_NS, end_ns=400 * SECOND_NS, reason="suspended"),
    ]

    line.show_status(control_pb2.Status(now_ns=400 * SECOND_NS, buffer=control_pb2.Buffer(epochs=epochs)))

    image = line.grab().toImage()
    assert image.pixelColor(300, 8).name() == STATE_COLOURS["ready"]
    colours = {image.pixelColor(x, y).name() for x in range(110, 190) for y in range(3, 13)}
    assert PROBLEM_COLOUR in colours
    assert line.words_at(150) == "1:40 missing, 3:20 ago: the computer slept"
    assert line.words_at(300) == "3:20 can be saved now"
    assert "the computer slept" in line.accessibleDescription()


# -- tray


def test_the_tray_tells_each_new_alarm_once(
    qtbot: QtBot, bridge: Bridge, engine: ToldRecorder, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _icon, _title, text, _kind: said.append(text))
    tray = Tray(bridge)
    entry = tray.menu.actions()[0]
    bridge.start()
    engine.state = alarmed(BLACK)
    qtbot.waitUntil(lambda: entry.text().startswith("Problem: the picture is black"))

    engine.state = alarmed(("black", "the picture has been black for 90 s"), SILENT)
    qtbot.waitUntil(lambda: len(said) == 2)
    with qtbot.waitSignals([bridge.status_changed] * 3):
        pass
    assert said == [BLACK[1], SILENT[1]]

    engine.state = alarmed()
    qtbot.waitUntil(lambda: entry.text().startswith("Ready"))
    engine.state = alarmed(BLACK)
    qtbot.waitUntil(lambda: len(said) == 3)


def test_a_problem_without_an_alarm_is_told_as_well(qtbot: QtBot, bridge: Bridge, engine: ToldRecorder):
    tray = Tray(bridge)
    engine.state = control_pb2.Status(state="problem", problem="the screen is away")

    with qtbot.waitSignal(tray.alarm_raised) as raised:
        bridge.start()

    assert raised.args[0].message == "the screen is away"
