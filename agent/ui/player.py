"""Plays a clip or a post: a painted picture, a play button, a slider.

The picture is painted from a QVideoSink rather than by QVideoWidget: that works without a usable GPU, and in a
test. Main thread only.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt, QUrl
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtMultimedia import QAudioOutput, QMediaPlayer, QVideoFrame, QVideoSink
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSlider, QVBoxLayout, QWidget


class Picture(QWidget):
    """Shows the newest frame, as large as it fits."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setMinimumSize(QSize(320, 180))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Picture")

    def show_frame(self, frame: QVideoFrame) -> None:
        """Take a frame."""
        self._image = frame.toImage()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#000000"))
        if not self._image.isNull():
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            left, top = (self.width() - size.width()) // 2, (self.height() - size.height()) // 2
            painter.drawImage(QRect(left, top, size.width(), size.height()), self._image)
        painter.end()


class Player(QWidget):
    """One file or address at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = Picture()
        self._player = QMediaPlayer(self)
        self._sound = QAudioOutput(self)
        self._sink = QVideoSink(self)
        self._player.setAudioOutput(self._sound)
        self._player.setVideoSink(self._sink)
        self._sink.videoFrameChanged.connect(self.picture.show_frame)
        self._button = QPushButton("Play")
        self._button.clicked.connect(self.toggle)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName("Position")
        self._slider.sliderMoved.connect(self._player.setPosition)
        self._message = QLabel("Choose a clip")
        self._message.setObjectName("detail")
        self._player.durationChanged.connect(lambda length_ms: self._slider.setRange(0, length_ms))
        self._player.positionChanged.connect(self._slider.setValue)
        self._player.playbackStateChanged.connect(self._show_state)
        self._player.errorOccurred.connect(lambda _error, text: self._message.setText(f"cannot play: {text}"))
        row = QHBoxLayout()
        row.addWidget(self._button)
        row.addWidget(self._slider, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture, 1)
        layout.addLayout(row)
        layout.addWidget(self._message)

    def play(self, place: str, title: str) -> None:
        """Play a path or an http(s) address."""
        is_address = place.startswith(("http://", "https://"))
        self._message.setText(title)
        self._player.setSource(QUrl(place) if is_address else QUrl.fromLocalFile(place))
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

    def position_ms(self) -> int:
        """How far it is."""
        return self._player.position()

    def _show_state(self, state: QMediaPlayer.PlaybackState) -> None:
        self._button.setText("Pause" if state == QMediaPlayer.PlaybackState.PlayingState else "Play")
