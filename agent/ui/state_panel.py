"""The top of the window: the big state, what a press could save, what it costs, and the save buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from agent.ui.theme import STATE_COLOURS, state_icon
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

# The lengths that are offered, in seconds; 0 is everything.
LENGTHS = [(30, "Save 30 s"), (90, "Save 90 s"), (0, "Save everything")]


class StatePanel(QFrame):
    """Emits save_wanted(seconds; 0 is everything)."""

    save_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._icon = QLabel()
        self._state = _label("state", "Starting")
        self._detail = _label("detail", "")
        self._problem = _label("problem", "")
        self._cost = _label("cost", "")
        words = QVBoxLayout()
        for label in (self._state, self._detail, self._problem, self._cost):
            words.addWidget(label)
        self._buttons = []
        buttons = QHBoxLayout()
        for seconds, text in LENGTHS:
            button = QPushButton(text)
            button.setObjectName("save" if seconds == 30 else "save_more")
            button.clicked.connect(lambda _checked=False, seconds=seconds: self.save_wanted.emit(seconds))
            button.setEnabled(False)
            buttons.addWidget(button)
            self._buttons.append(button)
        row = QHBoxLayout(self)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        row.addLayout(buttons)
        self._show("starting")

    def show_status(self, status: control_pb2.Status) -> None:
        """Show what the engine says."""
        self._show(status.state)
        buffered_s = status.buffered_ns // SECOND_NS
        self._detail.setText(
            f"{buffered_s // 60}:{buffered_s % 60:02} ready to save · "
            f"{status.hotkey or 'no hotkey'} saves 30 s · clips go to {status.clip_folder}"
        )
        troubles = [status.problem, *status.warnings, status.last_press_error, status.uplink.problem]
        self._problem.setText(" · ".join(text for text in troubles if text))
        self._problem.setVisible(any(troubles))
        self._cost.setText(
            f"{status.width}×{status.height} at {status.frame_rate:g} fps · {status.cpu_s_per_s:.2f} CPU cores · "
            f"{status.rss_bytes >> 20} MiB · {status.frames_dropped} of {status.frames_captured} frames dropped · "
            f"{status.uplink.bytes_sent_today / 1e6:.1f} MB left this PC today"
        )
        for button in self._buttons:
            button.setEnabled(status.buffered_ns > 0)

    def show_lost(self, why: str) -> None:
        """Show that there is no engine."""
        self._show("off")
        self._detail.setText(why)
        self._cost.setText("")
        for button in self._buttons:
            button.setEnabled(False)

    def _show(self, state: str) -> None:
        self._icon.setPixmap(state_icon(state).pixmap(56, 56))
        self._state.setText({"off": "Not recording"}.get(state, state.capitalize()))
        self._state.setStyleSheet(f"color: {STATE_COLOURS.get(state, '#eceef4')}")


def _label(name: str, text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
