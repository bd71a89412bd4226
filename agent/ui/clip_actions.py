"""What can be done with a clip: the same actions for the buttons, the context menu and the keyboard.

They work on the clip that `show_clip` was last told of, and say on the message bar what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence

from agent.model.clips import SavedClip
from agent.ui.bridge import Bridge, ShownClip
from agent.ui.calls import Call
from agent.ui.clip_list import TRASH_DAYS
from agent.ui.clip_sharing import ClipSharing
from agent.ui.folders import show_in_folder
from agent.ui.message_bar import MessageBar
from agent.ui.texts import clip_name


class ClipActions(QObject):
    """Emits play_wanted(ShownClip), rename_wanted(), ends_wanted(bool is_open), and moving() before it moves a file."""

    play_wanted = Signal(object)
    rename_wanted = Signal()
    ends_wanted = Signal(bool)
    moving = Signal()

    def __init__(self, bridge: Bridge, bar: MessageBar) -> None:
        super().__init__()
        self._bridge = bridge
        self._bar = bar
        self._shown: ShownClip | None = None
        self.sharing = ClipSharing(bridge)
        self.sharing.began.connect(bar.say_busy)
        self.sharing.ended.connect(self._say)
        self.sharing.failed.connect(bar.say_trouble)
        self.play = self._action("Play", "", self._play)  # the list itself hears Return
        self.copy = self._action("Copy file", "Ctrl+C", self._copy)
        self.ends = self._action("Move ends", "E", None)
        self.ends.setCheckable(True)
        self.ends.toggled.connect(self.ends_wanted)
        self.rename = self._action("Rename", "F2", self.rename_wanted.emit)
        self.lock = self._action("Lock", "Ctrl+L", self._lock)
        self.folder = self._action("Show in folder", "Ctrl+O", self._show_in_folder)
        self.trash = self._action("To the trash", "Del", self._trash)
        self.restore = self._action("Restore", "Ctrl+R", self._restore)
        self.undo = self._action("Undo", "Ctrl+Z", bar.act)
        self.show_clip(None)

    @property
    def for_kept(self) -> list[QAction]:
        """Those that make sense for a clip of the library, in the order in which they are shown."""
        return [self.copy, self.ends, self.rename, self.lock, self.folder, self.trash]

    @property
    def for_trashed(self) -> list[QAction]:
        """Those that make sense for a clip in the trash."""
        return [self.restore]

    def show_clip(self, shown: ShownClip | None) -> None:
        """Work on this one from now on."""
        self._shown = shown
        is_there = shown is not None and shown.is_there
        is_kept = shown is not None and not shown.clip.trashed_unix_ms
        is_locked = shown is not None and shown.clip.is_locked
        for action in (self.play, self.copy, self.folder, self.ends):
            action.setEnabled(is_there and (is_kept or action is self.play))
        self.rename.setEnabled(is_kept)
        self.lock.setEnabled(is_kept)
        self.lock.setText("Unlock" if is_locked else "Lock")
        self.trash.setEnabled(is_kept and not is_locked)
        _explain(self.trash, "locked: unlock it first" if is_locked else "")
        _explain(self.lock, "a locked clip is neither put into the trash nor forgotten")
        _explain(self.copy, "or drag the clip out of the list; the file holds nothing from before its start")
        self.restore.setEnabled(shown is not None and bool(shown.clip.trashed_unix_ms))

    def rename_to(self, clip_id: str, title: str) -> None:
        """Name a clip; empty: its file's name again."""
        self._follow(self._bridge.rename(clip_id, title), "Not renamed")

    def _action(self, text: str, keys: str, do: Callable[[], None] | None) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        _explain(action, "")
        if do is not None:
            action.triggered.connect(lambda _checked=False: do())
        return action

    def _play(self) -> None:
        if self._shown:
            self.play_wanted.emit(self._shown)

    def _copy(self) -> None:
        if self._shown:
            self.sharing.copy(self._shown)

    def _lock(self) -> None:
        if self._shown:
            clip = self._shown.clip
            what = "Not unlocked" if clip.is_locked else "Not locked"
            self._follow(self._bridge.lock(clip.clip_id, not clip.is_locked), what)

    def _show_in_folder(self) -> None:
        if self._shown and not show_in_folder(Path(self._shown.clip.path)):
            self._bar.say_trouble("This desktop has no file manager to show the folder with")

    def _trash(self) -> None:
        if self._shown:
            self.moving.emit()
            call = self._bridge.trash(self._shown.clip.clip_id)
            call.done.connect(self._show_trashed)
            self._follow(call, "Not put into the trash")

    def _restore(self) -> None:
        if self._shown:
            self._bring_back(self._shown.clip.clip_id)

    def _bring_back(self, clip_id: str) -> None:
        self.moving.emit()
        call = self._bridge.restore(clip_id)
        call.done.connect(self._show_restored)
        self._follow(call, "Not restored")

    def _show_trashed(self, clip: SavedClip) -> None:
        self._bar.say(
            f"“{clip_name(clip.title, clip.path)}” is in the trash for {TRASH_DAYS} days",
            action="Undo",
            do=lambda: self._bring_back(clip.clip_id),
        )

    def _show_restored(self, clip: SavedClip) -> None:
        self._say(f"“{clip_name(clip.title, clip.path)}” is back among the clips")

    def _say(self, words: str) -> None:
        self._bar.say(words)

    def _follow(self, call: Call, what: str) -> None:
        call.failed.connect(lambda why: self._bar.say_trouble(f"{what}: {why}"))


def _explain(action: QAction, why: str) -> None:
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    words = f"{action.text()} ({keys})" if keys else action.text()
    action.setToolTip(f"{words}: {why}" if why else words)
