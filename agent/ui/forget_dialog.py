"""Forget: choose how much, see what would go, tick what else shall, and read the receipt.

Nothing goes before the button is pressed, and saved clips stay unless they are ticked.
"""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from agent.ui.bridge import Bridge
from agent.ui.calls import Call
from agent.ui.forget_words import receipt_lines
from agent.ui.texts import clip_name, length_words, text_label, time_of_day
from protos.clippy.v1 import clips_pb2, control_pb2
from protos.timebase import SECOND_NS

# Seconds; 0 is everything.
_SPANS = [(30, "The last 30 seconds"), (300, "The last 5 minutes"), (0, "Everything")]


class ForgetDialog(QDialog):
    """Emits forgotten() once something went. Open it with `ask`; it serves again and again."""

    forgotten = Signal()

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Forget")
        self.setMinimumSize(480, 420)
        self._bridge = bridge
        self._asked: Call | None = None
        self._is_forgetting = False
        self._ticks: dict[str, QCheckBox] = {}
        self._lines = text_label("receipt")
        self._lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._clips_title = text_label(
            "facts", "Saved clips that hold part of it. Tick those that shall go too:"
        )
        self._trouble = text_label("problem")
        self._forget = QPushButton("Forget it")
        self._forget.setObjectName("danger")
        self._forget.setAutoDefault(False)
        self._forget.clicked.connect(self._do_forget)
        self._cancel = QPushButton("Cancel")
        self._cancel.setDefault(True)
        self._cancel.clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 18)
        layout.setSpacing(12)
        layout.addWidget(
            text_label(
                "facts", "What is forgotten is deleted here and, where it was sent, at the coordinator."
            )
        )
        self._choice = self._make_choice()
        layout.addWidget(self._choice)
        layout.addWidget(self._make_answer(), 1)
        layout.addWidget(self._trouble)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self._cancel)
        buttons.addWidget(self._forget)
        layout.addLayout(buttons)

    def ask(self) -> None:
        """Open it, with the shortest span chosen; while something is being forgotten, as it is."""
        if self._is_forgetting:
            self.open()
            return
        self._cancel.setText("Cancel")
        self._forget.show()
        self._choice.setEnabled(True)
        self._group.buttons()[0].setChecked(True)
        self._preview()
        self.open()

    def _make_choice(self) -> QWidget:
        self._group = QButtonGroup(self)
        choice = QWidget()
        row = QHBoxLayout(choice)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(18)
        for seconds, text in _SPANS:
            button = QRadioButton(text)
            self._group.addButton(button, seconds)
            row.addWidget(button)
        row.addStretch(1)
        self._group.idClicked.connect(self._preview)
        return choice

    def _make_answer(self) -> QScrollArea:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(8)
        layout.addWidget(self._lines)
        layout.addWidget(self._clips_title)
        self._clips_box = QVBoxLayout()
        self._clips_box.setSpacing(6)
        layout.addLayout(self._clips_box)
        layout.addStretch(1)
        area = QScrollArea()
        area.setObjectName("card")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.setAccessibleName("What would go")
        return area

    def _last_ns(self) -> int:
        return self._group.checkedId() * SECOND_NS

    def _preview(self, _seconds: int = 0) -> None:
        self._show_wait("Looking what that would be…")
        if self._asked is not None:
            self._asked.blockSignals(True)  # the answer to an older question comes too late
        self._asked = self._bridge.forget(self._last_ns(), is_preview=True)
        self._asked.done.connect(self._show_preview)
        self._asked.failed.connect(self._show_failed)

    def _do_forget(self) -> None:
        ticked = [clip_id for clip_id, tick in self._ticks.items() if tick.isChecked()]
        self._show_wait("Forgetting…")
        self._choice.setEnabled(False)
        self._is_forgetting = True
        call = self._bridge.forget(self._last_ns(), is_preview=False, clip_ids=ticked)
        call.done.connect(self._show_receipt)
        call.failed.connect(self._show_failed)

    def _show_wait(self, words: str) -> None:
        self._lines.setText(words)
        self._trouble.hide()
        self._forget.setEnabled(False)
        self._show_clips([])

    def _show_preview(self, receipt: control_pb2.ForgetReceipt) -> None:
        self._lines.setText("\n".join(receipt_lines(receipt)))
        self._show_clips(list(receipt.overlapping_clips))
        self._forget.setEnabled(bool(receipt.gone or receipt.overlapping_clips))

    def _show_receipt(self, receipt: control_pb2.ForgetReceipt) -> None:
        self._lines.setText("\n".join(receipt_lines(receipt)))
        self._is_forgetting = False
        self._forget.hide()
        self._cancel.setText("Close")
        self._cancel.setFocus()
        self.forgotten.emit()

    def _show_failed(self, why: str) -> None:
        self._is_forgetting = False
        self._lines.setText("")
        self._choice.setEnabled(True)
        self._trouble.setText(why)
        self._trouble.show()

    def _show_clips(self, clips: list[clips_pb2.Clip]) -> None:
        while (item := self._clips_box.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._ticks = {}
        now_unix_ms = time.time_ns() // 1_000_000
        for clip in clips:
            name = clip_name(clip.title, clip.path)
            words = f"{name}, {length_words(clip.end_ns - clip.start_ns)}, "
            words += f"saved at {time_of_day(clip.created_unix_ms, now_unix_ms)}"
            tick = QCheckBox((f"{words} (locked: it stays)" if clip.is_locked else words).replace("&", "&&"))
            tick.setEnabled(not clip.is_locked)
            self._clips_box.addWidget(tick)
            self._ticks[clip.clip_id] = tick
        self._clips_title.setVisible(bool(clips))
