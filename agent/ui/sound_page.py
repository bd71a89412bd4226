"""Every sound track with its live meter, its gain, and what is wrong with it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from agent.ui.bridge import Bridge
from agent.ui.sound_row import SoundRow
from agent.ui.texts import text_label
from protos.clippy.v1 import control_pb2

EMPTY = "No sound is recorded.\nChoose a microphone or desktop sound in the settings."


class SoundPage(QScrollArea):
    """A row per track of the status, in the engine's order."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Sound")
        self._bridge = bridge
        self.rows: dict[str, SoundRow] = {}
        self._empty = text_label("empty", EMPTY)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside = QWidget()
        self._layout = QVBoxLayout(inside)
        self._layout.setContentsMargins(4, 8, 8, 8)
        self._layout.setSpacing(10)
        self._layout.addWidget(self._empty, 1)
        self._layout.addStretch(0)
        self.setWidget(inside)

    def show_status(self, status: control_pb2.Status) -> None:
        """Show the tracks; rows stay where they are while the tracks are the same."""
        names = [track.name for track in status.sound]
        if names != list(self.rows):
            self._make_rows(names)
        for track in status.sound:
            self.rows[track.name].show_track(track)

    def _make_rows(self, names: list[str]) -> None:
        kept = {name: self.rows.pop(name) for name in names if name in self.rows}
        for row in self.rows.values():
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = {}
        for number, name in enumerate(names):
            self.rows[name] = kept.get(name) or SoundRow(name, self._bridge)
            self._layout.insertWidget(number, self.rows[name])
        self._empty.setVisible(not names)
        self._layout.setStretch(self._layout.count() - 1, 1 if names else 0)
