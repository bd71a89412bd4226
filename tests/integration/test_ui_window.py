"""The window, drawn into memory, as a client of a real control server with an engine that does as it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QLabel,
    QPushButton,
    QScrollBar,
    QTabBar,
    QTabWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from agent.control.server import ControlServer
from agent.errors import DiskFull
from agent.paths import AgentPaths
from agent.ui.bridge import Bridge, ShownClip
from agent.ui.clip_list import ClipList
from agent.ui.moments_page import MomentsPage
from agent.ui.state_panel import StatePanel
from agent.ui.texts import ElidedLabel, shown_path
from agent.ui.theme import STATE_COLOURS, state_icon, stylesheet
from agent.ui.tray import Tray
from agent.ui.window import MainWindow
from protos.clippy.v1 import clips_pb2, control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.told_engine import CLIP, ToldEngine


@pytest.fixture
def engine() -> ToldEngine:
    return ToldEngine()


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return AgentPaths(data=tmp_path).control_socket


@pytest.fixture
def server(engine: ToldEngine, socket_path: Path) -> Iterator[ControlServer]:
    server = ControlServer(engine, engine, socket_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bridge(qapp: object, server: ControlServer, socket_path: Path) -> Iterator[Bridge]:
    bridge = Bridge(socket_path)
    yield bridge
    bridge.stop()


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge) -> MainWindow:
    window = MainWindow(bridge)
    window.setStyleSheet(stylesheet())
    qtbot.addWidget(window)
    bridge.start()
    window.show()
    return window


def texts(widget: QWidget) -> str:
    """Everything a person can read in it."""
    labels = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return "\n".join(
        labels + [button.text() for button in widget.findChildren(QPushButton) if button.isVisible()]
    )


def says(widget: QWidget, *words: str) -> Callable[[], bool]:
    return lambda: all(word in texts(widget) for word in words)


def button(widget: QWidget, text: str) -> QPushButton:
    return next(found for found in widget.findChildren(QPushButton) if found.text() == text)


def settle(qtbot: QtBot, widget: QWidget) -> None:
    """Let layouts run."""
    qtbot.waitExposed(widget)
    qtbot.wait(50)


# -- state


def test_the_state_and_what_it_costs_are_shown(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.state = control_pb2.Status(
        state="ready", buffered_ns=298 * SECOND_NS, hotkey="F8", cpu_s_per_s=0.31, rss_bytes=170 << 20
    )

    qtbot.waitUntil(says(window, "Ready", "4:58 ready to save", "F8 saves 30 s", "0.31 CPU cores", "170 MiB"))


def test_a_problem_and_its_warnings_are_shown(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.state = control_pb2.Status(
        state="problem",
        problem="the picture is black",
        warnings=["no microphone"],
        last_press_error="disk full",
    )

    qtbot.waitUntil(says(window, "Problem", "the picture is black", "no microphone", "disk full"))


def test_nothing_can_be_saved_from_an_empty_buffer(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.state = control_pb2.Status(state="ready")

    qtbot.waitUntil(says(window, "0:00 ready to save"))
    assert not button(window, "Save 30 s").isEnabled()


def test_an_engine_that_goes_away_and_comes_back_is_followed(
    qtbot: QtBot, window: MainWindow, engine: ToldEngine, server: ControlServer, socket_path: Path
):
    qtbot.waitUntil(says(window, "Ready"))
    server.stop()
    qtbot.waitUntil(says(window, "Not recording", "clippy engine", "Start recording"))
    assert not button(window, "Save 30 s").isEnabled()

    again = ControlServer(engine, engine, socket_path)
    again.start()
    qtbot.waitUntil(says(window, "Ready", "Save 30 s"))
    assert button(window, "Save 30 s").isEnabled()
    again.stop()


def test_an_engine_that_hangs_is_not_called_ready(
    qtbot: QtBot, window: MainWindow, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("agent.ui.bridge._SILENT_S", 0.5)
    qtbot.waitUntil(says(window, "Ready"))

    engine.awake.clear()

    qtbot.waitUntil(says(window, "Not recording", "has not answered for"))
    engine.awake.set()
    qtbot.waitUntil(says(window, "Ready"))


# -- saving


def test_a_click_saves_and_says_how_much(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    qtbot.waitUntil(button(window, "Save 90 s").isEnabled)

    qtbot.mouseClick(button(window, "Save 90 s"), Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: window.statusBar().currentMessage() == "Saved 3.0 s in 41 ms")
    assert engine.saved_with == [(90 * SECOND_NS, "app", False)]


def test_a_save_that_fails_says_why(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.failure = DiskFull("12 MB are free, 40 MB are needed")
    qtbot.waitUntil(button(window, "Save 30 s").isEnabled)

    qtbot.mouseClick(button(window, "Save 30 s"), Qt.MouseButton.LeftButton)

    expected = "Not saved: 12 MB are free, 40 MB are needed"
    qtbot.waitUntil(lambda: window.statusBar().currentMessage() == expected)


# -- clips


def test_clips_are_listed_with_their_pictures(
    qtbot: QtBot, window: MainWindow, engine: ToldEngine, tmp_path: Path
):
    thumbnail, file = tmp_path / "t.jpg", tmp_path / "goal.mp4"
    Image.new("RGB", (320, 180), (200, 30, 30)).save(thumbnail)
    file.write_bytes(b"x")
    here = dataclasses.replace(CLIP, clip_id="c2", path=str(file), thumbnail_path=str(thumbnail))
    engine.saved_clips = [here, CLIP]

    shown = window.clips.list
    qtbot.waitUntil(lambda: shown.count() == 2)

    assert "goal" in shown.item(0).text()
    assert "the file is gone" in shown.item(1).text()
    settle(qtbot, window)
    first = shown.visualItemRect(shown.item(0))
    colour = shown.viewport().grab().toImage().pixelColor(first.left() + 60, first.center().y())
    assert colour.red() > 150 > colour.green()


def test_the_list_keeps_selection_and_place_when_a_clip_is_added(qtbot: QtBot):
    page = ClipList("Clips", "No clips yet.")
    qtbot.addWidget(page)
    page.resize(400, 300)
    page.show()
    clips = [
        ShownClip(clip=dataclasses.replace(CLIP, clip_id=f"c{number}"), is_there=True) for number in range(20)
    ]
    page.show_clips(clips[1:])
    page.setCurrentRow(8)
    page.verticalScrollBar().setValue(300)

    page.show_clips(clips)

    assert page.currentRow() == 9
    assert page.verticalScrollBar().value() == 300


def test_a_name_of_any_length_never_makes_the_list_scroll_sideways(qtbot: QtBot):
    page = ClipList("Clips", "No clips yet.")
    qtbot.addWidget(page)
    page.resize(360, 300)
    page.show()
    long = dataclasses.replace(CLIP, path=f"/v/{'very long ' * 30}.mp4")

    page.show_clips([ShownClip(clip=long, is_there=True)])
    settle(qtbot, page)

    assert page.visualItemRect(page.item(0)).right() <= page.viewport().width()


# -- moments


def moment(*exports: clips_pb2.Export, title: str = "What a goal") -> control_pb2.MomentWithExports:
    evidence = [clips_pb2.Evidence(lane="crowd", weight=0.4, note="11 dB over the last 90 s")]
    found = clips_pb2.Moment(
        moment_id="m1", start_ns=65 * SECOND_NS, end_ns=80 * SECOND_NS, score=0.91, kind="goal",
        title=title, evidence=evidence,
    )  # fmt: skip
    return control_pb2.MomentWithExports(moment=found, exports=exports)


def test_a_moment_is_shown_with_its_evidence(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.found = control_pb2.ListMomentsResponse(moments=[moment()])
    window.show_tab("Moments")

    expected = ("What a goal", "1:05–1:20 · goal · score 0.91", "crowd: 11 dB over the last 90 s")
    qtbot.waitUntil(says(window.moments, *expected))


@pytest.mark.parametrize(
    ("export", "shown"),
    [
        (clips_pb2.Export(preset="vertical", state="ready", url="http://127.0.0.1/e.mp4"), "Play vertical"),
        (clips_pb2.Export(preset="vertical", state="failed", reason="no picture"), "vertical failed: no picture"),
        (clips_pb2.Export(preset="vertical", state="pending"), "vertical is being rendered"),
        # The coordinator must not be able to open a file of this PC.
        (clips_pb2.Export(preset="vertical", state="ready", url="file:///etc/passwd"), "see the coordinator's page"),
    ],
)  # fmt: skip
def test_each_state_of_a_post_is_shown(qtbot: QtBot, export: clips_pb2.Export, shown: str):
    page = MomentsPage()
    qtbot.addWidget(page)
    page.show()

    page.show_moments(control_pb2.ListMomentsResponse(moments=[moment(export)]))

    assert shown in texts(page)


def test_a_post_is_played_from_its_address(qtbot: QtBot):
    page = MomentsPage()
    qtbot.addWidget(page)
    page.show()
    ready = clips_pb2.Export(preset="vertical", state="ready", url="http://127.0.0.1/e.mp4")
    page.show_moments(control_pb2.ListMomentsResponse(moments=[moment(ready)]))

    with qtbot.waitSignal(page.chosen) as chosen:
        button(page, "Play vertical").click()

    assert chosen.args == ["http://127.0.0.1/e.mp4", "What a goal"]


def test_a_moment_is_kept_skipped_and_taken_back_by_its_buttons(qtbot: QtBot):
    page = MomentsPage()
    qtbot.addWidget(page)
    page.show()
    told: list[tuple[str, str]] = []
    page.judged.connect(lambda moment_id, verdict: told.append((moment_id, verdict)))
    page.show_moments(control_pb2.ListMomentsResponse(moments=[moment()]))

    button(page, "Skip").click()
    kept = moment()
    kept.verdict = "keep"
    page.show_moments(control_pb2.ListMomentsResponse(moments=[kept]))
    button(page, "Keep").click()

    assert told == [("m1", "skip"), ("m1", "undo")]


def test_without_moments_the_reason_is_shown(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.found = control_pb2.ListMomentsResponse(reason="nothing stood out")
    window.show_tab("Moments")

    qtbot.waitUntil(says(window.moments, "No moments yet", "Nothing stood out"))


def test_a_title_with_markup_is_shown_as_it_is_written(qtbot: QtBot):
    page = MomentsPage()
    qtbot.addWidget(page)
    hostile = "<img src='file:///etc/passwd'><b>x</b>"

    page.show_moments(control_pb2.ListMomentsResponse(moments=[moment(title=hostile)]))

    [label] = [label for label in page.findChildren(QLabel) if label.text() == hostile]
    assert label.textFormat() == Qt.TextFormat.PlainText


# -- the window as a whole


def test_number_keys_switch_between_the_pages(qtbot: QtBot, window: MainWindow):
    tabs = window.findChild(QTabWidget)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)

    qtbot.keyClick(window, Qt.Key.Key_2)
    assert tabs.tabText(tabs.currentIndex()).startswith("Moments")
    qtbot.keyClick(window, Qt.Key.Key_1)
    assert tabs.tabText(tabs.currentIndex()) == "Clips"


def test_everything_that_can_be_used_has_a_name(qtbot: QtBot, window: MainWindow):
    nameless = []
    usable = [
        *window.findChildren(QAbstractButton),
        *window.findChildren(QAbstractSlider),
        *window.findChildren(QAbstractItemView),
    ]
    pages = (window.clips, window.moments, window.sound, window.player.picture, window.state_panel.buffer)
    for widget in (*pages, *usable):
        # Qt's own: scroll bars, and the tab bar's arrows.
        if isinstance(widget, QScrollBar) or isinstance(widget.parent(), QTabBar):
            continue
        interface = QAccessible.queryAccessibleInterface(widget)
        if not interface.text(QAccessible.Text.Name):
            nameless.append(widget)

    assert nameless == []


def test_nothing_overlaps_in_the_smallest_window(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    engine.state = control_pb2.Status(
        state="problem", problem="the picture has been black for 12 s; " * 3, buffered_ns=1,
        warnings=["no microphone: the clip has desktop sound alone"], clip_folder="/videos/" + "x" * 60,
    )  # fmt: skip
    window.resize(900, 560)
    qtbot.waitUntil(says(window, "black for 12 s"))
    settle(qtbot, window)

    panel = window.findChild(StatePanel)
    tabs = window.findChild(QTabWidget)
    boxes = [
        widget.rect().translated(widget.mapTo(window, widget.rect().topLeft()))
        for widget in (panel, tabs, window.player)
    ]
    assert [(window.width(), window.height()) == (900, 560)] == [True]
    assert all(window.rect().contains(box) for box in boxes)
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for label in panel.findChildren(QLabel):
        if label.isVisible() and label.text():
            assert label.height() >= label.heightForWidth(label.width()), f"cut off: {label.text()}"


def test_a_long_title_is_shortened_and_whole_in_its_tooltip(qtbot: QtBot):
    label = ElidedLabel("title", "word " * 60)
    qtbot.addWidget(label)
    label.resize(200, 20)
    label.show()

    assert "…" in label.text()
    assert label.toolTip().count("word") == 60


def test_the_window_closes_and_the_engine_goes_on(qtbot: QtBot, window: MainWindow, engine: ToldEngine):
    with qtbot.waitSignal(window.closed):
        window.close()

    assert not engine.stopped.is_set()


def test_a_path_is_shown_without_the_users_name():
    assert shown_path(str(Path.home() / "Videos" / "Clippy")) == "~/Videos/Clippy"


def test_states_are_told_apart_by_shape(qapp: object):
    def shape(state: str) -> bytes:
        image = state_icon(state, 22).pixmap(22, 22).toImage()
        return bytes(image.pixelColor(x, y).alpha() > 127 for y in range(22) for x in range(22))

    shapes = {state: shape(state) for state in STATE_COLOURS}

    assert len({shapes[state] for state in ("ready", "starting", "problem", "off")}) == 4
    # The colour tells these pairs apart; the shape says what matters: not ready yet, and not recording.
    assert shapes["starting"] == shapes["saving"]
    assert shapes["stopping"] == shapes["off"]


# -- tray


def test_the_tray_shows_the_state_and_saves(qtbot: QtBot, bridge: Bridge, engine: ToldEngine):
    tray = Tray(bridge)
    bridge.start()
    entries = {action.text(): action for action in tray.menu.actions()}
    qtbot.waitUntil(lambda: "Ready: 0:05 ready to save" in [action.text() for action in tray.menu.actions()])

    with qtbot.waitSignal(bridge.saved):
        entries["Save everything"].trigger()

    assert engine.saved_with == [(0, "app", False)]


def test_quit_and_stop_reaches_the_engine_before_the_app_ends(
    qtbot: QtBot, bridge: Bridge, engine: ToldEngine
):
    bridge.start()

    with qtbot.waitSignal(bridge.engine_stopped):
        bridge.stop_engine()

    assert engine.stopped.is_set()
