"""The sound page: meters that follow the status, and settings that reach the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from agent.errors import InputUnusable
from agent.ui.bridge import Bridge
from agent.ui.level_meter import LevelMeter
from agent.ui.theme import NOTE_COLOUR, PROBLEM_COLOUR, STATE_COLOURS, TEXT_COLOUR
from agent.ui.window import MainWindow
from protos.clippy.v1 import control_pb2
from tests.fakes.app_window import says, served_bridge, shown_window, texts
from tests.fakes.told_recorder import ToldRecorder


@pytest.fixture
def engine(tmp_path: Path) -> ToldRecorder:
    engine = ToldRecorder(tmp_path)
    engine.state.sound.extend(
        [
            control_pb2.SoundTrack(name="mix", is_running=True, loudness_db=-18, peak_db=-5),
            control_pb2.SoundTrack(
                name="mic", device="Yeti Nano", is_running=True, loudness_db=-24, peak_db=-11, gain_db=6
            ),
            control_pb2.SoundTrack(
                name="Discord", loudness_db=-120, peak_db=-120, problem="it is not running"
            ),
        ]
    )
    return engine


@pytest.fixture
def bridge(qapp: object, engine: ToldRecorder, tmp_path: Path) -> Iterator[Bridge]:
    with served_bridge(engine, tmp_path) as bridge:
        yield bridge


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge) -> MainWindow:
    window = shown_window(qtbot, bridge)
    window.show_tab("Sound")
    qtbot.waitUntil(lambda: list(window.sound.rows) == ["mix", "mic", "Discord"])
    return window


def test_each_track_shows_its_device_its_level_and_its_problem(window: MainWindow):
    assert says(window.sound, "Mix", "Microphone", "Yeti Nano", "-24 dB", "+6 dB", "it is not running")()
    assert window.sound.rows["mic"].meter.accessibleDescription() == "-24 dB, peak -11 dB"


def test_a_mix_has_nothing_to_set_and_the_microphone_alone_has_its_noise(window: MainWindow):
    rows = window.sound.rows

    assert [rows["mix"].gain.isVisible(), rows["mix"].mute.isVisible()] == [False, False]
    assert [row.denoise.isVisible() for row in rows.values()] == [False, True, False]


def test_gain_is_sent_once_the_slider_rests(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    gain = window.sound.rows["mic"].gain
    gain.setFocus()
    for _ in range(5):
        qtbot.keyClick(gain, Qt.Key.Key_Right)

    qtbot.waitUntil(lambda: engine.sound_set == [("mic", {"gain_db": 11.0})])
    qtbot.waitUntil(says(window.sound, "+11 dB"))


def test_mute_and_noise_suppression_reach_the_engine(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    row = window.sound.rows["mic"]
    row.mute.click()
    row.denoise.click()

    qtbot.waitUntil(
        lambda: engine.sound_set == [("mic", {"is_muted": True}), ("mic", {"is_noise_suppressed": True})]
    )
    qtbot.waitUntil(says(row, "muted"))
    assert (row.mute.isChecked(), row.denoise.isChecked()) == (True, True)


def test_a_change_that_is_refused_says_why_and_is_taken_back(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    engine.refusal = InputUnusable("no sound source mic any more")
    row = window.sound.rows["mic"]

    row.mute.click()

    qtbot.waitUntil(says(row, "Not changed: no sound source mic any more"))
    qtbot.waitUntil(lambda: not row.mute.isChecked())


def test_what_was_refused_stays_to_be_read_while_the_levels_go_on(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, bridge: Bridge
):
    engine.refusal = InputUnusable("no sound source mic any more")
    row = window.sound.rows["mic"]
    row.mute.click()
    qtbot.waitUntil(says(row, "Not changed"))

    with qtbot.waitSignals([bridge.status_changed] * 3):
        pass

    assert "Not changed" in texts(row)


def test_a_track_that_goes_takes_its_row_with_it(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    mic = window.sound.rows["mic"]
    state = control_pb2.Status()
    state.CopyFrom(engine.state)
    del state.sound[2]
    engine.state = state

    qtbot.waitUntil(lambda: list(window.sound.rows) == ["mix", "mic"])

    assert window.sound.rows["mic"] is mic
    engine.state = control_pb2.Status(state="ready")
    qtbot.waitUntil(says(window.sound, "No sound is recorded"))


@pytest.mark.parametrize(
    ("loudness_db", "peak_db", "at_db", "colour"),
    [
        (-20, -10, -30, STATE_COLOURS["ready"]),
        (-5, -4, -7, NOTE_COLOUR),
        (-1, -0.5, -2, PROBLEM_COLOUR),
        # The peak's tick, and a red one where it clips.
        (-40, -20, -20, TEXT_COLOUR),
        (-40, 0, -0.1, PROBLEM_COLOUR),
    ],
)
def test_a_meter_paints_loudness_and_peak(
    qtbot: QtBot, loudness_db: float, peak_db: float, at_db: float, colour: str
):
    meter = LevelMeter("test")
    qtbot.addWidget(meter)
    meter.resize(600, meter.sizeHint().height())
    meter.show()

    meter.show_level(loudness_db, peak_db, is_running=True)

    image = meter.grab().toImage()
    assert image.pixelColor(round((1 + at_db / 60) * 600), 7).name() == colour
