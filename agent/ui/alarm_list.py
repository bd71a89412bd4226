"""The alarms on the state panel: the worst in full and large, the others a line each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from agent.ui.alarms import ShownAlarm
from agent.ui.texts import ElidedLabel, text_label

_MAX_OTHERS = 3


class AlarmList(QFrame):
    """Hidden while there is nothing to say."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("alarms")
        self._worst = text_label("alarm")
        self._worst.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._since = text_label("since")
        self._since.setWordWrap(False)
        self._others = [ElidedLabel("other_alarm") for _ in range(_MAX_OTHERS)]
        self._more = ElidedLabel("other_alarm")
        first = QHBoxLayout()
        first.setSpacing(16)
        first.addWidget(self._worst, 1)
        first.addWidget(self._since, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 9, 14, 9)
        layout.setSpacing(4)
        layout.addLayout(first)
        for label in (*self._others, self._more):
            layout.addWidget(label)
        self._shown: list[ShownAlarm] = []
        self._max_others = _MAX_OTHERS
        self.show_alarms([])

    @property
    def has_alarms(self) -> bool:
        """Is there anything to say?"""
        return bool(self._shown)

    def set_compact(self, is_compact: bool) -> None:
        """Give all but the worst a single line, for a low window."""
        self._max_others = 0 if is_compact else _MAX_OTHERS
        self._show_others()

    def show_alarms(self, alarms: Sequence[ShownAlarm]) -> None:
        """Show them, the worst first."""
        self.setVisible(bool(alarms))
        is_news = bool(alarms) and [alarm.code for alarm in alarms] != [alarm.code for alarm in self._shown]
        self._shown = list(alarms)
        if not alarms:
            return
        self._worst.setText(alarms[0].message)
        self._since.setText(alarms[0].since)
        self._since.setVisible(bool(alarms[0].since))
        self._show_others()
        self.setAccessibleName(f"{len(alarms)} alarms: " + "; ".join(map(_line, alarms)))
        if is_news:
            # A screen reader says it unasked.
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _show_others(self) -> None:
        others = self._shown[1:]
        for label, alarm in itertools.zip_longest(self._others, others[: self._max_others]):
            label.setVisible(alarm is not None)
            if alarm is not None:
                label.show_text(_line(alarm))
        more = others[self._max_others :]
        self._more.setVisible(bool(more))
        self._more.show_text(f"and {len(more)} more: " + "; ".join(map(_line, more)))


def _line(alarm: ShownAlarm) -> str:
    return f"{alarm.message} · {alarm.since}" if alarm.since else alarm.message
