"""A recording played as if it were live: its pictures and its sound, each decoded ahead by a little.

Picture and sound open the file separately, so neither waits for the other's packets. Times are seconds from
the start of the earliest track, so what starts late in the file starts late here.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QImage, QPainter, QTransform

RATE_HZ = 48_000
Stereo = npt.NDArray[np.int16]

_MAX_PICTURES_AHEAD = 8
_MAX_GAP_S = 30.0  # a longer hole in the sound is a broken time stamp: what follows is played on
_FIRST_PICTURE_DEADLINE_S = 20.0


class RecordingUnusable(Exception):
    """The file cannot be played; the message says which, why, and what to do. 2: no such input; 1: broken."""

    code = "recording_unusable"
    retryable = False

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class _Picture(NamedTuple):
    at_s: float
    image: QImage


class Recording:
    """What is known of a file before it plays.

    Raises:
        RecordingUnusable: There is no such file, or it is empty, no video, or holds no picture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise RecordingUnusable(
                f"cannot play {path}: there is no such file; give the path of a video", exit_code=2
            )
        if path.stat().st_size == 0:
            raise RecordingUnusable(f"cannot play {path}: the file is empty; give another video", exit_code=2)
        with self.opened() as container:
            if not container.streams.video:
                raise RecordingUnusable(
                    f"cannot play {path}: it holds no picture; give a file with a video track", exit_code=1
                )
            picture = container.streams.video[0]
            rate = picture.average_rate or picture.guessed_rate or Fraction(30)
            self.fps = min(60, max(1, round(rate)))
            self.has_sound = bool(container.streams.audio)
            starts = [
                float(stream.start_time * stream.time_base)
                for stream in (*container.streams.video[:1], *container.streams.audio[:1])
                if stream.start_time is not None and stream.time_base is not None
            ]
            self.start_s = min(starts, default=0.0)
            self.duration_s = container.duration / 1e6 if container.duration else None

    @contextlib.contextmanager
    def opened(self) -> Iterator[InputContainer]:
        """The file, opened anew; what goes wrong inside with it is RecordingUnusable."""
        try:
            with av.open(str(self.path), "r") as container:
                yield container
        except (av.FFmpegError, OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            raise RecordingUnusable(
                f"cannot play {self.path}: {reason}; check that the file is a whole video, or give another",
                exit_code=1,
            ) from exc


class Pictures:
    """The recording's pictures, fitted into the window. Decodes in a thread; `paint` on the main thread.

    Attributes:
        end_s: when the last picture ends; None until the decoder has reached it.
        failure: why decoding ended early, or None.
    """

    def __init__(self, recording: Recording, size_px: tuple[int, int]) -> None:
        self.end_s: float | None = None
        self.failure: RecordingUnusable | None = None
        self._recording = recording
        self._size_px = size_px
        self._ahead: queue.Queue[_Picture] = queue.Queue(_MAX_PICTURES_AHEAD)
        self._stop = threading.Event()
        self._shown: _Picture | None = None
        self._next: _Picture | None = None
        self._thread = threading.Thread(target=self._run, name="recording-pictures", daemon=True)

    def start(self) -> None:
        """Decode the first picture.

        Raises:
            RecordingUnusable: Not one picture can be decoded.
        """
        self._thread.start()
        deadline = _FIRST_PICTURE_DEADLINE_S
        while self._shown is None and deadline > 0:
            with contextlib.suppress(queue.Empty):
                self._shown = self._ahead.get(timeout=0.1)
            if self._shown is None and self.end_s is not None:
                break
            deadline -= 0.1
        if self._shown is None:
            self.stop()
            raise self.failure or RecordingUnusable(
                f"cannot play {self._recording.path}: no picture can be decoded; give another video",
                exit_code=1,
            )

    def stop(self) -> None:
        """End the decoder."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def paint(self, painter: QPainter, at_s: float) -> None:
        """Draw the picture of that moment; `at_s` grows from call to call."""
        while self._next is not None or not self._ahead.empty():
            self._next = self._next or self._ahead.get_nowait()
            if self._next.at_s > at_s:
                break
            self._shown, self._next = self._next, None
        width, height = self._size_px
        painter.fillRect(QRect(0, 0, width, height), Qt.GlobalColor.black)
        if self._shown is not None:
            image = self._shown.image
            painter.drawImage((width - image.width()) // 2, (height - image.height()) // 2, image)

    def is_over(self, at_s: float) -> bool:
        """Whether the last picture has been shown for its time."""
        return self.end_s is not None and self._ahead.empty() and self._next is None and at_s >= self.end_s

    def _run(self) -> None:
        end_s = 0.0
        try:
            with self._recording.opened() as container:
                stream = container.streams.video[0]
                stream.thread_type = "SLICE"
                for frame in container.decode(stream):
                    at_s = (frame.time if frame.time is not None else end_s) - self._recording.start_s
                    if not self._put(_Picture(at_s, self._fitted(frame))):
                        return
                    end_s = at_s + 1 / self._recording.fps
        except RecordingUnusable as error:
            self.failure = error
        finally:
            self.end_s = end_s

    def _put(self, picture: _Picture) -> bool:
        """Waits while enough pictures are ready; False when playing was stopped."""
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._ahead.put(picture, timeout=0.1)
                return True
        return False

    def _fitted(self, frame: av.VideoFrame) -> QImage:
        """The frame upright, as large as the window allows."""
        is_turned = frame.rotation % 180 != 0
        width, height = (frame.height, frame.width) if is_turned else (frame.width, frame.height)
        scale = min(self._size_px[0] / width, self._size_px[1] / height)
        fitted = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
        pixels = frame.reformat(width=fitted[0], height=fitted[1], format="bgra").to_ndarray()
        image = QImage(pixels.data, *fitted, fitted[0] * 4, QImage.Format.Format_RGB32).copy()
        # The display matrix counts counter-clockwise, Qt clockwise.
        return image.transformed(QTransform().rotate(-frame.rotation)) if frame.rotation else image


class Sound:
    """The recording's sound; a `pulse.SoundSource`. Silent where it has none. One thread.

    Attributes:
        end_s: when the last sample ends; None until the decoder has reached it. Any thread may read it.
    """

    def __init__(self, recording: Recording) -> None:
        self.end_s: float | None = None
        self._recording = recording
        self._samples = np.zeros((0, 2), np.int16)
        self._first = 0
        self._frames = self._decoded() if recording.has_sound else iter(())

    def block(self, start: int, num_samples: int) -> Stereo:
        """Samples `start` to `start + num_samples`: int16, shape (num_samples, 2)."""
        end = start + num_samples
        while self._first + len(self._samples) < end:
            piece = next(self._frames, None)
            if piece is None:
                self.end_s = (self._first + len(self._samples)) / RATE_HZ
                break
            self._append(*piece)
        # A second of what was heard stays, for a writer that has to repeat.
        old = min(max(0, start - RATE_HZ - self._first), len(self._samples))
        self._samples, self._first = self._samples[old:], self._first + old
        wanted = np.zeros((num_samples, 2), np.int16)
        first, last = max(start, self._first), min(end, self._first + len(self._samples))
        if first < last:
            wanted[first - start : last - start] = self._samples[first - self._first : last - self._first]
        return wanted

    def _append(self, at: int, samples: Stereo) -> None:
        """Add samples where their time stamp says; a hole is silence, an overlap is cut."""
        end = self._first + len(self._samples)
        if 0 < at - end <= _MAX_GAP_S * RATE_HZ:
            samples = np.concatenate([np.zeros((at - end, 2), np.int16), samples])
        elif at < end:
            samples = samples[min(end - at, len(samples)) :] if end - at < RATE_HZ else samples
        self._samples = np.concatenate([self._samples, samples])

    def _decoded(self) -> Iterator[tuple[int, Stereo]]:
        """Stretches of sound at 48 kHz in stereo, with their place."""
        # What is broken half way is silent from there on; the picture says why.
        with contextlib.suppress(RecordingUnusable), self._recording.opened() as container:
            resampler = AudioResampler(format="s16", layout="stereo", rate=RATE_HZ)
            for frame in container.decode(container.streams.audio[0]):
                for piece in resampler.resample(frame):
                    yield self._placed(piece)

    def _placed(self, piece: AudioFrame) -> tuple[int, Stereo]:
        samples = np.asarray(piece.to_ndarray(), dtype=np.int16).reshape(-1, 2)
        at_s = (piece.time or 0.0) - self._recording.start_s
        return round(at_s * RATE_HZ), samples
