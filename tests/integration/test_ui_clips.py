"""What can be done with clips in the window, as a client of a real control server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt
from PySide6.QtGui import QAccessible, QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from agent.errors import DiskFull, InputUnusable
from agent.model.clips import SavedClip
from agent.ui.bridge import Bridge
from agent.ui.clip_sharing import ClipSharing
from agent.ui.window import MainWindow
from protos.timebase import SECOND_NS
from tests.fakes.app_window import button, says, served_bridge, shown_window, texts
from tests.fakes.told_engine import CLIP
from tests.fakes.told_recorder import ToldRecorder


@pytest.fixture
def engine(tmp_path: Path) -> ToldRecorder:
    engine = ToldRecorder(tmp_path)
    engine.saved_clips = [clip_of(tmp_path, "goal"), clip_of(tmp_path, "save")]
    return engine


@pytest.fixture
def bridge(qapp: object, engine: ToldRecorder, tmp_path: Path) -> Iterator[Bridge]:
    with served_bridge(engine, tmp_path) as bridge:
        yield bridge
        engine.may_share.set()


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge) -> MainWindow:
    window = shown_window(qtbot, bridge)
    qtbot.waitUntil(lambda: window.clips.list.count() == 2)
    window.activateWindow()
    window.clips.list.setFocus()
    window.clips.list.setCurrentRow(0)
    return window


def clip_of(folder: Path, name: str, **changes: object) -> SavedClip:
    path = folder / f"{name}.mp4"
    path.write_bytes(b"its own file")
    clip = dataclasses.replace(
        CLIP, clip_id=name, path=str(path), thumbnail_path="", start_ns=100 * SECOND_NS, end_ns=130 * SECOND_NS,
        min_start_ns=70 * SECOND_NS, max_end_ns=145 * SECOND_NS,
    )  # fmt: skip
    return dataclasses.replace(clip, **changes)  # type: ignore[arg-type]


def names(window: MainWindow) -> list[str]:
    return [window.clips.list.item(row).text().splitlines()[0] for row in range(window.clips.list.count())]


def look_again(bridge: Bridge) -> None:
    """What was saved is looked for at once, and with it everything else in the lists."""
    bridge.save(0)


# -- names, locks


def test_f2_renames_in_place(qtbot: QtBot, window: MainWindow):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_F2)
    editor = window.clips.list.findChild(QLineEdit)
    assert editor.text() == "goal"

    # A digit alone is a shortcut of the window; while a name is typed it is a digit.
    qtbot.keyClicks(editor, "Match 2: what a  goal")
    qtbot.keyClick(editor, Qt.Key.Key_Return)

    qtbot.waitUntil(lambda: names(window) == ["Match 2: what a goal", "save"])


def test_escape_leaves_the_name_as_it_was(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_F2)
    editor = window.clips.list.findChild(QLineEdit)
    qtbot.keyClicks(editor, "nonsense")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)

    qtbot.waitUntil(lambda: window.clips.list.findChild(QLineEdit) is None)
    assert engine.saved_clips[0].title == ""


def test_a_clip_that_comes_meanwhile_does_not_disturb_who_types_a_name(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, engine: ToldRecorder, tmp_path: Path
):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_F2)
    editor = window.clips.list.findChild(QLineEdit)
    qtbot.keyClicks(editor, "half a na")
    engine.saved_clips = [clip_of(tmp_path, "new"), *engine.saved_clips]
    with qtbot.waitSignal(bridge.clips_changed):
        look_again(bridge)
    qtbot.keyClicks(editor, "me")
    qtbot.keyClick(editor, Qt.Key.Key_Return)

    qtbot.waitUntil(lambda: names(window) == ["new", "half a name", "save"])


def test_a_locked_clip_cannot_go_to_the_trash_until_it_is_unlocked(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    button(window, "Lock").click()
    qtbot.waitUntil(lambda: "locked" in window.clips.list.item(0).text())

    assert not window.clips.actions_of_clip.trash.isEnabled()
    assert "unlock it first" in window.clips.actions_of_clip.trash.toolTip()
    button(window, "Unlock").click()
    qtbot.waitUntil(window.clips.actions_of_clip.trash.isEnabled)


# -- trash


def test_del_puts_a_clip_into_the_trash_and_undo_brings_it_back(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: names(window) == ["save"])
    qtbot.waitUntil(says(window, "“goal” is in the trash for 7 days", "Trash (1)"))

    button(window, "Undo").click()

    qtbot.waitUntil(lambda: sorted(names(window)) == ["goal", "save"])
    qtbot.waitUntil(says(window, "“goal” is back among the clips"))


def test_the_keyboard_undoes_as_well_and_only_once(qtbot: QtBot, window: MainWindow):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(says(window, "is in the trash"))

    qtbot.keyClick(window.clips.list, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    qtbot.waitUntil(lambda: sorted(names(window)) == ["goal", "save"])
    qtbot.keyClick(window.clips.list, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert sorted(names(window)) == ["goal", "save"]


def test_the_trash_is_shown_and_gives_back(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(says(window, "Trash (1)"))
    button(window, "Trash (1)").click()
    window.clips.trash.setCurrentRow(0)
    assert "deleted for good on" in window.clips.trash.item(0).text()
    assert not says(window, "Copy file")()

    button(window, "Restore").click()

    qtbot.waitUntil(lambda: len(engine.saved_clips) == 2)
    qtbot.waitUntil(lambda: window.clips.trash.count() == 0)


def test_what_the_engine_refuses_is_said_in_its_words_until_it_is_closed(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder
):
    engine.refusal = InputUnusable("clip goal is being written; wait a second")

    qtbot.keyClick(window.clips.list, Qt.Key.Key_Delete)

    qtbot.waitUntil(says(window, "Not put into the trash: clip goal is being written; wait a second"))
    button(window.clips.bar, "Close").click()
    assert not window.clips.bar.isVisible()


def test_after_a_clip_is_gone_its_neighbour_is_selected(qtbot: QtBot, window: MainWindow):
    qtbot.keyClick(window.clips.list, Qt.Key.Key_Delete)

    qtbot.waitUntil(lambda: names(window) == ["save"])
    current = window.clips.list.current()
    assert current is not None
    assert current.clip.clip_id == "save"


# -- sharing


def test_ctrl_c_copies_the_file_that_may_leave_never_the_clips_own(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, tmp_path: Path
):
    engine.may_share.clear()
    qtbot.keyClick(window.clips.list, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(says(window, "Making the file of “goal”"))
    # The window answers while the file is made, and a press is not kept waiting.
    with qtbot.waitSignal(window._bridge.saved):
        button(window, "Save 30 s").click()
    engine.may_share.set()

    qtbot.waitUntil(says(window, "Copied “goal” as a file"))
    [address] = QGuiApplication.clipboard().mimeData().urls()
    assert address.toLocalFile() == str(tmp_path / "share-goal.mp4")


def test_a_file_that_cannot_be_made_says_why(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    engine.refusal = DiskFull("12 MB are free, 40 MB are needed")

    button(window, "Copy file").click()

    qtbot.waitUntil(says(window, "Not shared: 12 MB are free, 40 MB are needed"))


def test_a_clip_is_dragged_out_once_its_file_is_made(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, bridge: Bridge, tmp_path: Path
):
    dragged: list[str] = []

    def note(content: QMimeData, _clip: SavedClip) -> None:
        dragged.extend(address.toLocalFile() for address in content.urls())

    sharing = ClipSharing(bridge, start_drag=note)
    shown = window.clips.list.current()
    assert shown is not None

    with qtbot.waitSignal(sharing.ended):
        sharing.drag(shown)
        sharing.drag(shown)  # the pointer moves on while the file is made
    assert dragged == []
    sharing.drag(shown)

    assert dragged == [str(tmp_path / "share-goal.mp4")]
    assert engine.shared == ["goal"]


def test_dragging_in_the_list_asks_for_that_file(qtbot: QtBot, window: MainWindow, engine: ToldRecorder):
    clips = window.clips.list
    start = clips.visualItemRect(clips.item(0)).center()
    qtbot.mousePress(clips.viewport(), Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 8):
        place = QPointF(start.x(), start.y() + 6 * step)
        held = Qt.MouseButton.LeftButton
        move = QMouseEvent(
            QEvent.Type.MouseMove, place, place, Qt.MouseButton.NoButton, held, Qt.KeyboardModifier.NoModifier
        )
        QGuiApplication.sendEvent(clips.viewport(), move)
    qtbot.mouseRelease(clips.viewport(), Qt.MouseButton.LeftButton, pos=start)

    qtbot.waitUntil(lambda: engine.shared == ["goal"])


def test_another_engine_is_asked_for_the_file_anew(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, bridge: Bridge
):
    button(window, "Copy file").click()
    qtbot.waitUntil(says(window, "Copied"))

    engine.state = type(engine.state)(state="ready", session_id="1" * 32)
    with qtbot.waitSignals([bridge.status_changed] * 2):
        pass
    button(window, "Copy file").click()

    qtbot.waitUntil(lambda: engine.shared == ["goal", "goal"])


def test_what_has_no_file_can_only_be_named_locked_or_thrown_away(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, bridge: Bridge
):
    Path(engine.saved_clips[0].path).unlink()
    look_again(bridge)
    qtbot.waitUntil(lambda: "the file is gone" in window.clips.list.item(0).text())

    actions = window.clips.actions_of_clip
    assert [action.isEnabled() for action in (actions.copy, actions.ends, actions.folder, actions.play)] == [
        False
    ] * 4
    assert [action.isEnabled() for action in (actions.rename, actions.lock, actions.trash)] == [True] * 3


# -- what a clip lacks


def test_the_note_of_a_clip_is_shown_whole(
    qtbot: QtBot, window: MainWindow, engine: ToldRecorder, bridge: Bridge, tmp_path: Path
):
    note = "no desktop sound from 0:12 on: the device was unplugged; <b>the microphone is whole</b>"
    engine.saved_clips = [clip_of(tmp_path, "goal", note=note)]
    look_again(bridge)

    qtbot.waitUntil(lambda: window.clips.list.count() == 1)

    assert note in texts(window.clips)
    assert "&lt;b&gt;" in window.clips.list.item(0).toolTip()


# -- ends


@pytest.fixture
def with_ends(qtbot: QtBot, window: MainWindow) -> MainWindow:
    qtbot.keyClick(window.clips.list, Qt.Key.Key_E)
    qtbot.waitUntil(window.ends.line.isVisible)
    return window


def test_the_ends_are_moved_by_the_keyboard_and_written_on_apply(
    qtbot: QtBot, with_ends: MainWindow, engine: ToldRecorder
):
    start, end = with_ends.ends.line.start, with_ends.ends.line.end
    assert not button(with_ends, "Apply").isEnabled()
    qtbot.keyClick(start, Qt.Key.Key_PageDown)
    qtbot.keyClick(start, Qt.Key.Key_Left)
    qtbot.keyClick(end, Qt.Key.Key_End)
    assert says(with_ends, "46.1 s · starts 1.1 s earlier · ends 15.0 s later (was 30.0 s)")()

    button(with_ends, "Apply").click()

    qtbot.waitUntil(lambda: engine.moved_to == [("goal", 98_900_000_000, 145 * SECOND_NS)])
    qtbot.waitUntil(
        lambda: with_ends.statusBar().currentMessage() == "The clip's ends are moved; it is 46.1 s long now"
    )
    qtbot.waitUntil(says(with_ends.ends, "46.1 s"))


def test_a_handle_is_a_slider_that_says_where_it_is(qtbot: QtBot, with_ends: MainWindow):
    handle = QAccessible.queryAccessibleInterface(with_ends.ends.line.start)

    assert handle.role() == QAccessible.Role.Slider
    assert handle.text(QAccessible.Text.Name) == "Start of the clip, at 0:30.0"


def test_a_handle_is_dragged_with_the_mouse(qtbot: QtBot, with_ends: MainWindow):
    line = with_ends.ends.line
    grip = line.end.rect().center()
    qtbot.mousePress(line.end, Qt.MouseButton.LeftButton, pos=grip)
    QTest.mouseMove(line.end, grip + type(grip)(-60, 0))
    qtbot.mouseRelease(line.end, Qt.MouseButton.LeftButton, pos=line.end.rect().center())

    assert line.ends().end_ns < 130 * SECOND_NS
    assert button(with_ends, "Apply").isEnabled()


def test_the_ends_never_pass_one_another(qtbot: QtBot, with_ends: MainWindow):
    line = with_ends.ends.line

    qtbot.keyClick(line.end, Qt.Key.Key_Home)
    qtbot.keyClick(line.start, Qt.Key.Key_End)

    ends = line.ends()
    assert ends.end_ns - ends.start_ns == SECOND_NS // 2


def test_room_that_shrinks_meanwhile_leaves_the_handles_where_they_are(
    qtbot: QtBot, with_ends: MainWindow, engine: ToldRecorder, bridge: Bridge
):
    line = with_ends.ends.line
    line.start.setValue(20_000)  # at 90 s
    engine.saved_clips = [
        dataclasses.replace(engine.saved_clips[0], min_start_ns=80 * SECOND_NS), engine.saved_clips[1],
    ]  # fmt: skip

    look_again(bridge)
    qtbot.waitUntil(lambda: line.start.maximum() == 65_000)

    assert line.ends().start_ns == 90 * SECOND_NS
    assert button(with_ends, "Apply").isEnabled()


def test_ends_that_could_not_be_moved_say_why_and_stay_where_they_were_put(
    qtbot: QtBot, with_ends: MainWindow, engine: ToldRecorder
):
    with_ends.ends.line.start.setValue(20_000)
    engine.refusal = InputUnusable("start 90.0 s is no longer pinned; the earliest is 95.0 s")

    button(with_ends, "Apply").click()

    qtbot.waitUntil(says(with_ends, "The ends were not moved: start 90.0 s is no longer pinned"))
    assert with_ends.ends.line.ends().start_ns == 90 * SECOND_NS
    assert button(with_ends, "Apply").isEnabled()


def test_a_clip_without_room_says_that_its_ends_stay(
    qtbot: QtBot, with_ends: MainWindow, engine: ToldRecorder, bridge: Bridge, tmp_path: Path
):
    engine.saved_clips = [clip_of(tmp_path, "goal", min_start_ns=100 * SECOND_NS, max_end_ns=130 * SECOND_NS)]

    look_again(bridge)
    qtbot.waitUntil(says(with_ends, "can no longer be moved"))
    assert not with_ends.ends.line.isVisible()
