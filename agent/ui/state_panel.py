"""The top of the window: the big state, what a press could save, what it costs, and the save buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from agent.ui.texts import clock, shown_path, text_label
from agent.ui.theme import STATE_COLOURS, TEXT_COLOUR, state_icon
from protos.clippy.v1 import control_pb2

# The lengths that are offered, in seconds; 0 is everything.
LENGTHS = [(30, "Save 30 s"), (90, "Save 90 s"), (0, "Save everything")]
_ICON_PX = 56


class StatePanel(QFrame):
    """Emits save_wanted(seconds; 0 is everything) and start_wanted()."""

    save_wanted = Signal(int)
    start_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._icon = QLabel()
        self._icon.setFixedWidth(_ICON_PX)
        self._state = _selectable("state")
        self._detail = _selectable("detail")
        self._problem = _selectable("problem")
        self._cost = _selectable("cost")
        words = QVBoxLayout()
        words.setSpacing(4)
        for label in (self._state, self._detail, self._problem, self._cost):
            words.addWidget(label)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(12)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        self._saves = []
        for seconds, text in LENGTHS:
            button = QPushButton(text)
            button.setObjectName("save" if seconds == 30 else "save_more")
            button.clicked.connect(lambda _checked=False, seconds=seconds: self.save_wanted.emit(seconds))
            row.addWidget(button)
            self._saves.append(button)
        self._start = QPushButton("Start recording")
        self._start.setObjectName("save")
        self._start.clicked.connect(self.start_wanted)
        row.addWidget(self._start)
        self._show("starting", can_save=False)

    def show_status(self, status: control_pb2.Status) -> None:
        """Show what the engine says."""
        self._show(status.state, can_save=status.buffered_ns > 0)
        hotkey = f"{status.hotkey} saves 30 s" if status.hotkey else "no hotkey"
        self._detail.setText(
            f"{clock(status.buffered_ns)} ready to save · {hotkey} · "
            f"clips go to {shown_path(status.clip_folder)}"
        )
        press = f"the last press was not saved: {status.last_press_error}" if status.last_press_error else ""
        troubles = [text for text in (status.problem, press, *status.warnings, status.uplink.problem) if text]
        self._problem.setText(" · ".join(troubles))
        self._problem.setVisible(bool(troubles))
        self._cost.setText(
            f"{status.width}×{status.height} at {status.frame_rate:g} fps · {status.cpu_s_per_s:.2f} CPU cores · "
            f"{status.rss_bytes >> 20} MiB · {status.frames_dropped} of {status.frames_captured} frames dropped · "
            f"{status.uplink.bytes_sent_today / 1e6:.1f} MB left this PC today"
        )

    def show_lost(self, why: str) -> None:
        """Show that there is no engine."""
        self._show("off", can_save=False)
        self._detail.setText(why)
        self._cost.setText("")
        self._problem.setVisible(False)

    def show_starting(self) -> None:
        """Show that an engine was started and has not answered yet."""
        self._show("starting", can_save=False)
        self._detail.setText("")

    def _show(self, state: str, *, can_save: bool) -> None:
        words = {"off": "Not recording"}.get(state, state.capitalize())
        self._icon.setPixmap(state_icon(state).pixmap(_ICON_PX, _ICON_PX))
        self._icon.setAccessibleName(words)
        self._state.setText(words)
        self._state.setStyleSheet(f"color: {STATE_COLOURS.get(state, TEXT_COLOUR)}")
        for button in self._saves:
            button.setVisible(state != "off")
            button.setEnabled(can_save)
        self._start.setVisible(state == "off")


def _selectable(name: str) -> QLabel:
    label = text_label(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
