"""The tray icon: state by shape, and a menu. The tooltip never names the game."""

from __future__ import annotations

import html
import time

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from agent.model.clips import SavedClip
from agent.ui.alarms import AlarmWatch, ShownAlarm, shown_alarms, shown_state
from agent.ui.bridge import Bridge
from agent.ui.state_panel import LENGTHS
from agent.ui.texts import clock
from agent.ui.theme import state_icon
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

_MAX_CHARACTERS = 90


class Tray(QObject):
    """Emits open_wanted, forget_wanted, quit_wanted (the app alone), stop_wanted (recording too) and
    alarm_raised(ShownAlarm), once for each new alarm.
    """

    open_wanted = Signal()
    forget_wanted = Signal()
    quit_wanted = Signal()
    stop_wanted = Signal()
    alarm_raised = Signal(object)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._icon = QSystemTrayIcon(state_icon("starting"))
        self._shown = "starting"
        self.menu = QMenu()
        self._state = self._add("Starting", None)
        self._state.setEnabled(False)
        self.menu.addSeparator()
        for seconds, text in LENGTHS:
            self._add(text, lambda _checked=False, seconds=seconds: bridge.save(seconds * SECOND_NS))
        self.menu.addSeparator()
        self._add("Open Clippy", self.open_wanted.emit)
        self._add("Forget…", self.forget_wanted.emit)
        self._add("Close the app (recording goes on)", self.quit_wanted.emit)
        self._add("Quit and stop recording", self.stop_wanted.emit)
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._open_if_clicked)
        self._watch = AlarmWatch(bridge)
        self._watch.raised.connect(self._show_alarm)
        bridge.status_changed.connect(self._show_status)
        bridge.engine_starting.connect(lambda: self._show("starting", "Starting"))
        bridge.engine_lost.connect(lambda why: self._show("off", f"Not recording: {why}"))
        bridge.saved.connect(self._show_saved)
        bridge.save_failed.connect(lambda why: self._warn("Not saved", why))
        bridge.stop_failed.connect(lambda why: self._warn("Recording goes on", why))

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
        alarms = shown_alarms(status, time.time_ns() // 1_000_000)
        state = shown_state(status)
        words = alarms[0].message if alarms else f"{clock(status.buffered_ns)} ready to save"
        self._show(state, f"{state.capitalize()}: {words}")

    def _show(self, state: str, words: str) -> None:
        short = words if len(words) <= _MAX_CHARACTERS else words[: _MAX_CHARACTERS - 1] + "…"
        self._state.setText(short.replace("&", "&&"))  # else Qt underlines the next letter
        if state != self._shown:
            self._icon.setIcon(state_icon(state))
        self._shown = state
        self._icon.setToolTip(f"Clippy: {html.escape(short)}")

    def _open_if_clicked(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        # The other reasons open the menu, or are a middle click.
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.open_wanted.emit()

    def _warn(self, title: str, why: str) -> None:
        self._icon.showMessage(title, why, QSystemTrayIcon.MessageIcon.Warning)

    def _show_alarm(self, alarm: ShownAlarm) -> None:
        self._icon.showMessage("Recording problem", alarm.message, QSystemTrayIcon.MessageIcon.Critical)
        self.alarm_raised.emit(alarm)

    def _show_saved(self, clip: SavedClip) -> None:
        length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        self._icon.showMessage("Saved", f"{length_s:.1f} s", QSystemTrayIcon.MessageIcon.Information)
