"""The top of the window: the big state, its alarms, what a press could save, what it costs, and the save buttons."""

from __future__ import annotations

import html
import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from agent.ui.alarm_list import AlarmList
from agent.ui.alarms import check_lines, shown_alarms, shown_state
from agent.ui.buffer_line import BufferLine
from agent.ui.state_words import cost_words, detail_words, picture_words, step_words, trouble_words
from agent.ui.texts import ElidedLabel, text_label
from agent.ui.theme import STATE_COLOURS, TEXT_COLOUR, state_icon
from protos.clippy.v1 import control_pb2

# The lengths that are offered, in seconds; 0 is everything.
LENGTHS = [(30, "Save 30 s"), (90, "Save 90 s"), (0, "Save everything")]
_ICON_PX = 56


class StatePanel(QFrame):
    """Emits save_wanted(seconds; 0 is everything), start_wanted() and forget_wanted()."""

    save_wanted = Signal(int)
    start_wanted = Signal()
    forget_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._icon = QLabel()
        self._icon.setFixedWidth(_ICON_PX)
        self._state = _selectable("state")
        self._detail = _selectable("detail")
        self._problem = _selectable("problem")
        self._step = _selectable("step")
        self._picture = ElidedLabel("cost")
        self._cost = _selectable("cost")
        self.alarms = AlarmList()
        self.buffer = BufferLine()
        self._saves: list[QPushButton] = []
        self._start = QPushButton("Start recording")
        self._forget = QPushButton("Forget…")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(6)
        layout.addLayout(self._top_row())
        layout.addWidget(self.alarms)
        troubles = QHBoxLayout()
        troubles.setSpacing(16)
        troubles.addWidget(self._problem, 1)
        troubles.addWidget(self._step, 1)
        layout.addLayout(troubles)
        layout.addLayout(self._buffer_row())
        layout.addWidget(self._cost)
        layout.addWidget(self._picture)
        self._is_compact = False
        self._shown_state = ""
        self._show("starting", can_save=False)
        self._show_lines(control_pb2.Status())

    def set_compact(self, is_compact: bool) -> None:
        """Leave out what can be read elsewhere, for a low window."""
        self._is_compact = is_compact
        self.alarms.set_compact(is_compact)
        self._picture.setVisible(not is_compact)
        self._make_room()

    def show_status(self, status: control_pb2.Status) -> None:
        """Show what the engine says."""
        self._show(shown_state(status), can_save=status.buffered_ns > 0)
        self._detail.setText(detail_words(status, is_compact=self._is_compact))
        lines = html.escape(check_lines(status.health)).replace("\n", "<br>")
        self._detail.setToolTip(f"<p>{lines}</p>" if lines else "")
        self._detail.setAccessibleDescription(check_lines(status.health))
        self._show_lines(status)
        self._cost.setText(cost_words(status))
        self._picture.show_text(picture_words(status))

    def show_lost(self, why: str) -> None:
        """Show that there is no engine."""
        self._show("off", can_save=False)
        self._show_lines(control_pb2.Status())
        self._detail.setText(why)
        self._detail.setToolTip("")
        self._cost.setText("")
        self._picture.show_text("")

    def show_starting(self) -> None:
        """Show that an engine was started and has not answered yet."""
        self._show("starting", can_save=False)
        self._show_lines(control_pb2.Status())
        self._detail.setText("")

    def _top_row(self) -> QHBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._state)
        words.addWidget(self._detail)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        for seconds, text in LENGTHS:
            button = QPushButton(text)
            button.setObjectName("save" if seconds == 30 else "save_more")
            button.clicked.connect(lambda _checked=False, seconds=seconds: self.save_wanted.emit(seconds))
            row.addWidget(button)
            self._saves.append(button)
        self._start.setObjectName("save")
        self._start.clicked.connect(self.start_wanted)
        row.addWidget(self._start)
        return row

    def _buffer_row(self) -> QHBoxLayout:
        self._forget.setObjectName("quiet")
        self._forget.setAccessibleDescription("Take the last minutes out of everything that holds them")
        self._forget.clicked.connect(self.forget_wanted)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.buffer, 1)
        row.addWidget(self._forget)
        return row

    def _show_lines(self, status: control_pb2.Status) -> None:
        self.alarms.show_alarms(shown_alarms(status, time.time_ns() // 1_000_000))
        self._make_room()
        self.buffer.show_status(status)
        for label, text in ((self._problem, trouble_words(status)), (self._step, step_words(status.picture))):
            label.setText(text)
            label.setVisible(bool(text))

    def _make_room(self) -> None:
        """In a low window an alarm needs the line of the cost more."""
        self._cost.setVisible(not (self._is_compact and self.alarms.has_alarms))

    def _show(self, state: str, *, can_save: bool) -> None:
        for button in self._saves:
            button.setVisible(state != "off")
            button.setEnabled(can_save)
        self._start.setVisible(state == "off")
        self._forget.setEnabled(state not in ("off", "starting"))
        if state == self._shown_state:
            return
        self._shown_state = state
        words = {"off": "Not recording"}.get(state, state.capitalize())
        self._icon.setPixmap(state_icon(state).pixmap(_ICON_PX, _ICON_PX))
        self._icon.setAccessibleName(words)
        self._state.setText(words)
        self._state.setStyleSheet(f"color: {STATE_COLOURS.get(state, TEXT_COLOUR)}")
        # A red frame around it all; the sheet picks by this property.
        self.setProperty("is_alarmed", state in ("problem", "off"))
        self.style().polish(self)


def _selectable(name: str) -> QLabel:
    label = text_label(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
