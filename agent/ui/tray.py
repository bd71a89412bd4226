"""The tray icon: state by shape, and a menu. The tooltip never names the game."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from agent.model.clips import SavedClip
from agent.ui.bridge import Bridge
from agent.ui.state_panel import LENGTHS
from agent.ui.theme import state_icon
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS


class Tray(QObject):
    """Emits open_wanted, quit_wanted (the app alone) and stop_wanted (recording too)."""

    open_wanted = Signal()
    quit_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._icon = QSystemTrayIcon(state_icon("starting"))
        self.menu = QMenu()
        self._state = self._add("Starting", None)
        self._state.setEnabled(False)
        self.menu.addSeparator()
        for seconds, text in LENGTHS:
            self._add(text, lambda _checked=False, seconds=seconds: bridge.save(seconds * SECOND_NS))
        self.menu.addSeparator()
        self._add("Open Clippy", self.open_wanted.emit)
        self._add("Close the app (recording goes on)", self.quit_wanted.emit)
        self._add("Quit and stop recording", self.stop_wanted.emit)
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(lambda _reason: self.open_wanted.emit())
        bridge.status_changed.connect(self._show_status)
        bridge.engine_lost.connect(lambda why: self._show("off", why))
        bridge.saved.connect(self._show_saved)
        bridge.save_failed.connect(
            lambda why: self._icon.showMessage("Not saved", why, QSystemTrayIcon.MessageIcon.Warning)
        )

    def show(self) -> bool:
        """Show the icon; False where the desktop has no tray."""
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return False
        self._icon.show()
        return True

    def hide(self) -> None:
        """Take the icon away."""
        self._icon.hide()

    def _add(self, text: str, action: object) -> QAction:
        entry = self.menu.addAction(text)
        if callable(action):
            entry.triggered.connect(action)
        return entry

    def _show_status(self, status: control_pb2.Status) -> None:
        buffered_s = status.buffered_ns // SECOND_NS
        words = status.problem or f"{buffered_s // 60}:{buffered_s % 60:02} ready to save"
        self._show(status.state, f"{status.state.capitalize()}: {words}")

    def _show(self, state: str, words: str) -> None:
        self._state.setText(words)
        self._icon.setIcon(state_icon(state))
        self._icon.setToolTip(f"Clippy: {words}")

    def _show_saved(self, clip: SavedClip) -> None:
        length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        self._icon.showMessage("Saved", f"{length_s:.1f} s", QSystemTrayIcon.MessageIcon.Information)
