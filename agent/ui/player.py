"""Plays a clip or a post: a painted picture, a play button, a slider.

The picture is painted from a QVideoSink rather than by QVideoWidget: that works without a usable GPU, and in a
test. Main thread only.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, QSignalBlocker, QSize, Qt, QUrl
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtMultimedia import QAudioOutput, QMediaPlayer, QVideoFrame, QVideoSink
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSlider, QVBoxLayout, QWidget

from agent.ui.texts import ElidedLabel, clock
from agent.ui.theme import QUIET_COLOUR

_MS_NS = 1_000_000
EMPTY = "Choose a clip or a post to play it here"


class Picture(QWidget):
    """Shows the newest frame, as large as it fits, or a sentence where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setMinimumSize(QSize(240, 48))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Picture")

    def show_frame(self, frame: QVideoFrame) -> None:
        """Take a frame; an invalid one clears the picture."""
        self._image = frame.toImage() if frame.isValid() else QImage()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#000000"))
        if self._image.isNull():
            painter.setPen(QColor(QUIET_COLOUR))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 0, -24, 0), flags, EMPTY)
        else:
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            left, top = (self.width() - size.width()) // 2, (self.height() - size.height()) // 2
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRect(left, top, size.width(), size.height()), self._image)
        painter.end()


class Player(QWidget):
    """One file or address at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = Picture()
        self.title = ElidedLabel("title")
        self.title.hide()
        self._player = QMediaPlayer(self)
        self._sound = QAudioOutput(self)
        self._sink = QVideoSink(self)
        self._player.setAudioOutput(self._sound)
        self._player.setVideoSink(self._sink)
        self._sink.videoFrameChanged.connect(self.picture.show_frame)
        self._button = QPushButton("Play")
        self._button.setEnabled(False)
        self._button.clicked.connect(self.toggle)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName("Position")
        self._slider.setSingleStep(1000)
        self._slider.setPageStep(5000)
        self._slider.setEnabled(False)
        self._slider.valueChanged.connect(self._player.setPosition)
        self._time = QLabel("")
        self._time.setObjectName("detail")
        self._player.durationChanged.connect(self._show_length)
        self._player.positionChanged.connect(self._show_position)
        self._player.playbackStateChanged.connect(self._show_state)
        self._player.errorOccurred.connect(self._show_error)
        row = QHBoxLayout()
        row.addWidget(self._button)
        row.addWidget(self._slider, 1)
        row.addWidget(self._time)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.title)
        layout.addLayout(row)

    def play(self, place: str, title: str) -> None:
        """Play a path or an http(s) address, from its beginning."""
        is_address = place.startswith(("http://", "https://"))
        source = QUrl(place) if is_address else QUrl.fromLocalFile(place)
        self._show_title("title", title)
        self._button.setEnabled(True)
        if source == self._player.source():
            self._player.setPosition(0)
        else:
            self._player.setSource(source)
        self._player.play()

    def toggle(self) -> None:
        """Play or pause."""
        if self._player.playbackState() == QMediaPlayer.PlaybackState.PlayingState:
            self._player.pause()
        else:
            self._player.play()

    def stop(self) -> None:
        """Let go of the file."""
        self._player.stop()
        self._player.setSource(QUrl())
        self._show_title("title", "")
        self._button.setEnabled(False)
        self._slider.setEnabled(False)

    def look_at(self, path: str, position_ms: int) -> None:
        """Stand still at a place of a file; outside of it at its nearest end. Nothing if another file is loaded."""
        if self._player.source() == QUrl.fromLocalFile(path) and self._player.duration() > 0:
            self._player.pause()
            self._player.setPosition(min(max(0, position_ms), self._player.duration()))

    def position_ms(self) -> int:
        """How far it is."""
        return self._player.position()

    def _show_length(self, length_ms: int) -> None:
        with QSignalBlocker(self._slider):
            self._slider.setRange(0, max(0, length_ms))
        self._slider.setEnabled(length_ms > 0)
        self._show_position(self._player.position())

    def _show_position(self, position_ms: int) -> None:
        with QSignalBlocker(self._slider):  # else it would seek to where it is
            self._slider.setValue(position_ms)
        length_ms = self._player.duration()
        self._time.setText(
            f"{clock(position_ms * _MS_NS)} / {clock(length_ms * _MS_NS)}" if length_ms > 0 else ""
        )

    def _show_state(self, state: QMediaPlayer.PlaybackState) -> None:
        self._button.setText("Pause" if state == QMediaPlayer.PlaybackState.PlayingState else "Play")

    def _show_error(self, _error: QMediaPlayer.Error, text: str) -> None:
        if not self._player.source().isEmpty():
            self._show_title("problem", f"cannot play {self._player.source().fileName()}: {text}")

    def _show_title(self, look: str, text: str) -> None:
        self.title.setObjectName(look)
        self.title.style().polish(self.title)
        self.title.show_text(text)
        self.title.setVisible(bool(text))
