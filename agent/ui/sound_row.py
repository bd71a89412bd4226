"""One sound track: its meter, and what can be changed about it.

A change is sent once the slider rests, and the engine's own value is shown again once it has answered.
"""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QLabel, QSlider

from agent.ui.bridge import Bridge
from agent.ui.calls import Call
from agent.ui.level_meter import LevelMeter
from agent.ui.texts import ElidedLabel, text_label
from protos.clippy.v1 import control_pb2

MIN_GAIN_DB, MAX_GAIN_DB = -60, 20
# What is made of sources, or kept as it came, has nothing to set.
_WITHOUT_SETTINGS = ("mix", "mic_raw")
_NAMES = {
    "mix": "Mix",
    "mic": "Microphone",
    "mic_raw": "Microphone, as it came",
    "desktop": "Desktop",
}
_RESTS_MS = 200
_MAX_TITLE_PX = 180


def track_name(name: str) -> str:
    """What a track is called here; an application's own name stays."""
    return _NAMES.get(name, name)


class SoundRow(QFrame):
    """Serves one track of the status, for as long as there is one of that name."""

    def __init__(self, name: str, bridge: Bridge) -> None:
        super().__init__()
        self.setObjectName("card")
        self._name = name
        self._bridge = bridge
        self._num_under_way = 0
        self._trouble = self._refusal = ""
        shown = track_name(name)
        self.setAccessibleName(shown)
        self._title = ElidedLabel("title", shown)
        self._title.ensurePolished()  # the sheet's font, not the widget's own
        width_px = self._title.fontMetrics().horizontalAdvance(shown) + 4
        self._title.setMinimumWidth(min(width_px, _MAX_TITLE_PX))
        self._device = ElidedLabel("facts")
        self._level = QLabel()
        self._level.setObjectName("facts")
        self.meter = LevelMeter(shown)
        self.gain = QSlider(Qt.Orientation.Horizontal)
        self.gain.setRange(MIN_GAIN_DB, MAX_GAIN_DB)
        self.gain.setSingleStep(1)
        self.gain.setPageStep(6)
        self.gain.setAccessibleName(f"Gain of {shown} in dB")
        self._gain_words = QLabel()
        self._gain_words.setObjectName("facts")
        self.mute = QCheckBox("Mute")
        self.mute.setAccessibleName(f"Mute {shown}")
        self.denoise = QCheckBox("Suppress noise")
        self.denoise.setToolTip("The track as it came is kept beside it")
        self.denoise.setVisible(name == "mic")
        self._problem = text_label("problem")
        self._rests = QTimer(self)
        self._rests.setSingleShot(True)
        self._rests.setInterval(_RESTS_MS)
        self._rests.timeout.connect(self._send_gain)
        self.gain.valueChanged.connect(self._change_gain)
        self.mute.clicked.connect(self._send_mute)
        self.denoise.clicked.connect(self._send_denoise)
        self._lay_out(has_settings=name not in _WITHOUT_SETTINGS)

    def show_track(self, track: control_pb2.SoundTrack) -> None:
        """Show what the engine says; what the user is just changing stays."""
        self._device.show_text(track.device)
        is_heard = track.is_running and not track.is_muted
        self.meter.show_level(track.loudness_db, track.peak_db, is_running=is_heard)
        self._level.setText(_level_words(track))
        self._trouble = track.problem
        self._show_problem()
        if self._num_under_way or self._rests.isActive() or self.gain.isSliderDown():
            return
        with QSignalBlocker(self.gain):
            self.gain.setValue(round(track.gain_db))
        self.mute.setChecked(track.is_muted)
        self.denoise.setChecked(track.is_noise_suppressed)
        self._show_gain()

    def _lay_out(self, *, has_settings: bool) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 12, 14, 12)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 2)
        grid.addWidget(self._title, 0, 0)
        grid.addWidget(self._device, 0, 1, 1, 2)
        grid.addWidget(self.meter, 1, 0, 1, 2)
        self._level.setMinimumWidth(self._level.fontMetrics().horizontalAdvance("−60 dB, clips") + 8)
        grid.addWidget(self._level, 1, 2, Qt.AlignmentFlag.AlignTop)
        if has_settings:
            grid.addWidget(self.gain, 2, 0, 1, 2)
            grid.addWidget(self._gain_words, 2, 2)
            grid.addWidget(self.mute, 3, 0)
            grid.addWidget(self.denoise, 3, 1, 1, 2)
        grid.addWidget(self._problem, 4, 0, 1, 3)

    def _change_gain(self, _value: int) -> None:
        self._show_gain()
        self._rests.start()

    def _show_gain(self) -> None:
        self._gain_words.setText(f"{self.gain.value():+d} dB" if self.gain.value() else "0 dB")

    def _send_gain(self) -> None:
        self._follow(self._bridge.set_sound(self._name, gain_db=float(self.gain.value())))

    def _send_mute(self, is_checked: bool) -> None:
        self._follow(self._bridge.set_sound(self._name, is_muted=is_checked))

    def _send_denoise(self, is_checked: bool) -> None:
        self._follow(self._bridge.set_sound(self._name, is_noise_suppressed=is_checked))

    def _follow(self, call: Call) -> None:
        self._num_under_way += 1
        self._refusal = ""
        self._show_problem()
        call.done.connect(self._show_done)
        call.failed.connect(self._show_failed)

    def _show_done(self, status: control_pb2.Status) -> None:
        self._num_under_way -= 1
        for track in status.sound:
            if track.name == self._name:
                self.show_track(track)

    def _show_failed(self, why: str) -> None:
        self._num_under_way -= 1
        self._refusal = f"Not changed: {why}"
        self._show_problem()

    def _show_problem(self) -> None:
        """What is wrong with the track, and, until the next change, why the last one was refused."""
        words = " · ".join(text for text in (self._refusal, self._trouble) if text)
        self._problem.setText(words)
        self._problem.setVisible(bool(words))


def _level_words(track: control_pb2.SoundTrack) -> str:
    if track.is_muted:
        return "muted"
    if not track.is_running:
        return "no sound"
    return f"{track.loudness_db:.0f} dB" + (", clips" if track.peak_db >= -0.1 else "")
