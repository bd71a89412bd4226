"""The one window: state and save buttons above, pages on the left, the player and a clip's ends on the right."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QTabWidget, QVBoxLayout, QWidget

from agent.model.clips import SavedClip
from agent.ui.alarms import shown_state
from agent.ui.bridge import Bridge
from agent.ui.clip_ends import EndsEditor
from agent.ui.clips_page import ClipsPage
from agent.ui.forget_dialog import ForgetDialog
from agent.ui.moments_page import MomentsPage
from agent.ui.pairing_page import PairingPage
from agent.ui.player import Player
from agent.ui.recovery_bar import RecoveryBar
from agent.ui.sound_page import SoundPage
from agent.ui.state_panel import StatePanel
from agent.ui.texts import clip_name
from agent.ui.theme import state_icon
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

_MESSAGE_MS = 8000
# Below this height each page leaves out what it can.
_LOW_PX = 660


class MainWindow(QMainWindow):
    """Emits closed when the user closes it (recording goes on) and start_wanted."""

    closed = Signal()
    start_wanted = Signal()

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.setWindowTitle("Clippy")
        self.setMinimumSize(QSize(900, 560))
        self.resize(1180, 720)
        self._bridge = bridge
        self._icon_state = ""
        self.state_panel = StatePanel()
        self.recovery = RecoveryBar(bridge)
        self.clips = ClipsPage(bridge)
        self.moments = MomentsPage()
        self.sound = SoundPage(bridge)
        self.pairing = PairingPage(bridge)
        self.player = Player()
        self.ends = EndsEditor(bridge)
        self.ends.hide()
        self.forget = ForgetDialog(bridge, self)
        self._tabs = QTabWidget()
        self._tabs.addTab(self.clips, "Clips")
        self._tabs.addTab(self.moments, "Moments")
        self._tabs.addTab(self.sound, "Sound")
        self._tabs.addTab(self.pairing, "Coordinator")
        page = QWidget()
        page.setObjectName("page")
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.player, 1)
        right.addWidget(self.ends)
        lower = QHBoxLayout()
        lower.setSpacing(12)
        lower.addWidget(self._tabs, 5)
        lower.addLayout(right, 6)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(12, 12, 12, 6)
        layout.addWidget(self.recovery)
        layout.addWidget(self.state_panel)
        layout.addLayout(lower, 1)
        self.setCentralWidget(page)
        self._connect()

    def _connect(self) -> None:
        self.state_panel.save_wanted.connect(self._save)
        self.state_panel.start_wanted.connect(self.start_wanted)
        self.state_panel.forget_wanted.connect(self.forget.ask)
        self.clips.chosen.connect(self.player.play)
        self.clips.current_changed.connect(self.ends.show_clip)
        self.clips.actions_of_clip.ends_wanted.connect(self._show_ends)
        self._tabs.currentChanged.connect(self._show_ends)
        self.ends.looked_at.connect(self.player.look_at)
        # A file that is open can be neither replaced nor moved on every system.
        self.ends.began.connect(self.player.stop)
        self.clips.actions_of_clip.moving.connect(self.player.stop)
        self.ends.written.connect(self._show_written)
        self.moments.chosen.connect(self.player.play)
        self.moments.judged.connect(self._judge)
        self._bridge.status_changed.connect(self._show_status)
        self._bridge.engine_lost.connect(self._show_lost)
        self._bridge.engine_starting.connect(self.state_panel.show_starting)
        self._bridge.clips_changed.connect(self.clips.show_clips)
        self._bridge.trash_changed.connect(self.clips.show_trash)
        self._bridge.moments_changed.connect(self._show_moments)
        self._bridge.saved.connect(self._show_saved)
        self._bridge.save_failed.connect(lambda why: self._say(f"Not saved: {why}"))
        self._bridge.stop_failed.connect(lambda why: self._say(f"Recording goes on: {why}"))
        for number in range(self._tabs.count()):
            shortcut = QShortcut(QKeySequence(str(number + 1)), self)
            shortcut.activated.connect(lambda number=number: self._tabs.setCurrentIndex(number))

    def show_tab(self, name: str) -> None:
        """Bring a page to the front by its title."""
        for index in range(self._tabs.count()):
            if self._tabs.tabText(index).startswith(name):
                self._tabs.setCurrentIndex(index)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's own naming
        is_low = event.size().height() < _LOW_PX
        self.state_panel.set_compact(is_low)
        self.clips.set_compact(is_low)
        super().resizeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's own naming
        self.player.stop()
        self.closed.emit()
        event.accept()

    def _save(self, seconds: int) -> None:
        self._say("Saving…")
        self._bridge.save(seconds * SECOND_NS)

    def _say(self, text: str) -> None:
        self.statusBar().showMessage(text, _MESSAGE_MS)

    def _show_status(self, status: control_pb2.Status) -> None:
        self.state_panel.show_status(status)
        self.sound.show_status(status)
        self.pairing.show_status(status)
        self._show_icon(shown_state(status))

    def _show_lost(self, why: str) -> None:
        self.state_panel.show_lost(why)
        self._show_icon("off")

    def _show_ends(self, _wanted: object) -> None:
        is_wanted = self.clips.actions_of_clip.ends.isChecked()
        self.ends.setVisible(is_wanted and self._tabs.currentWidget() is self.clips)

    def _show_icon(self, state: str) -> None:
        if state != self._icon_state:
            self.setWindowIcon(state_icon(state))
        self._icon_state = state

    def _show_moments(self, answer: control_pb2.ListMomentsResponse) -> None:
        self.moments.show_moments(answer)
        count = len(answer.moments)
        self._tabs.setTabText(1, f"Moments ({count})" if count else "Moments")

    def _judge(self, moment_id: str, verdict: str) -> None:
        call = self._bridge.judge_moment(moment_id, verdict)
        call.failed.connect(lambda why: self._say(f"Not noted: {why}"))

    def _show_saved(self, clip: SavedClip) -> None:
        length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        self._say(f"Saved {length_s:.1f} s in {clip.latency_ms} ms")

    def _show_written(self, clip: SavedClip) -> None:
        length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        self._say(f"The clip's ends are moved; it is {length_s:.1f} s long now")
        self.player.play(clip.path, clip_name(clip.title, clip.path))
