"""Saved clips and the trash, with what can be done with the clip that is selected."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from agent.ui.bridge import Bridge, ShownClip
from agent.ui.clip_actions import ClipActions
from agent.ui.clip_list import TRASH_DAYS, ClipList
from agent.ui.message_bar import MessageBar
from agent.ui.texts import clip_name, text_label

EMPTY = "No clips yet.\nPress your hotkey, or Save 30 s above."
EMPTY_TRASH = f"The trash is empty.\nWhat you put here stays for {TRASH_DAYS} days."
# Below this width the buttons stand in two rows.
_WIDE_PX = 640


class ClipsPage(QWidget):
    """Emits chosen(path, title) and current_changed(ShownClip or None: of the clips that are kept)."""

    chosen = Signal(str, str)
    current_changed = Signal(object)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.setAccessibleName("Clips and trash")
        self.bar = MessageBar()
        self.actions_of_clip = ClipActions(bridge, self.bar)
        self.list = ClipList("Clips", EMPTY)
        self.trash = ClipList("Trash", EMPTY_TRASH)
        self._stack = QStackedWidget()
        self._note = text_label("note")
        self._note.setMaximumHeight(self._note.fontMetrics().lineSpacing() * 3)
        self._note.hide()
        self._is_compact = False
        self._kept_buttons = [_button(action) for action in self.actions_of_clip.for_kept]
        self._trash_buttons = [_button(action) for action in self.actions_of_clip.for_trashed]
        self._grid = QGridLayout()
        self._grid.setSpacing(6)
        self._num_columns = 0
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._make_switch())
        layout.addWidget(self._stack, 1)
        layout.addWidget(self._note)
        layout.addWidget(self.bar)
        layout.addLayout(self._grid)
        self._connect()
        self._show_view(0)

    def show_clips(self, clips: list[ShownClip]) -> None:
        """Show those that are kept."""
        self.list.show_clips(clips)

    def show_trash(self, clips: list[ShownClip]) -> None:
        """Show those in the trash."""
        self.trash.show_clips(clips)
        self._switch[1].setText(f"Trash ({len(clips)})" if clips else "Trash")

    def set_compact(self, is_compact: bool) -> None:
        """Leave the note to the clip's tooltip, for a low window."""
        self._is_compact = is_compact
        self._show_note()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's own naming
        super().resizeEvent(event)
        self._place_buttons()

    def _make_switch(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        group = QButtonGroup(self)
        self._switch = [QPushButton("Saved"), QPushButton("Trash")]
        for number, button in enumerate(self._switch):
            button.setObjectName("switch")
            button.setCheckable(True)
            group.addButton(button, number)
            row.addWidget(button)
        row.addStretch(1)
        self._switch[0].setChecked(True)
        group.idClicked.connect(self._show_view)
        return row

    def _connect(self) -> None:
        actions = self.actions_of_clip
        for clips, offered in (
            (self.list, [actions.play, *actions.for_kept]),
            (self.trash, [actions.play, *actions.for_trashed]),
        ):
            self._stack.addWidget(clips)
            for action in offered:
                clips.addAction(action)
            clips.chosen.connect(self._play)
            clips.current_changed.connect(self._show_current)
        # On the page too: the keys work wherever on it the focus is.
        for action in (*actions.for_kept, *actions.for_trashed, actions.undo):
            self.addAction(action)
        self.list.renamed.connect(actions.rename_to)
        self.list.drag_wanted.connect(actions.sharing.drag)
        actions.play_wanted.connect(self._play)
        actions.rename_wanted.connect(self.list.edit_name)

    def _show_view(self, number: int) -> None:
        self._stack.setCurrentIndex(number)
        self._num_columns = 0
        self._place_buttons()
        self._show_current(None)

    def _show_current(self, _shown: object) -> None:
        clips = self._stack.currentWidget()
        assert isinstance(clips, ClipList)
        current = clips.current()
        self.actions_of_clip.show_clip(current)
        self._note.setText(current.clip.note if current else "")
        self._show_note()
        self.current_changed.emit(self.list.current() if clips is self.list else None)

    def _show_note(self) -> None:
        self._note.setVisible(bool(self._note.text()) and not self._is_compact)

    def _play(self, shown: ShownClip) -> None:
        self.chosen.emit(shown.clip.path, clip_name(shown.clip.title, shown.clip.path))

    def _place_buttons(self) -> None:
        """In one row where there is room, else in two."""
        is_kept = self._stack.currentIndex() == 0
        num_columns = len(self._kept_buttons) if self.width() >= _WIDE_PX else 3
        if num_columns == self._num_columns:
            return
        self._num_columns = num_columns
        shown = self._kept_buttons if is_kept else self._trash_buttons
        for button in (*self._kept_buttons, *self._trash_buttons):
            self._grid.removeWidget(button)
            button.setVisible(button in shown)
        for number, button in enumerate(shown):
            self._grid.addWidget(button, number // num_columns, number % num_columns)


def _button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
