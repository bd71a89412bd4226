"""Pictures that a test decides, on their way into a real encoder and a real ring, and beside it as a second source."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from agent.encode.video import VideoEncoder
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.ring.ring import GopRing
from protos.timebase import SECOND_NS

WIDTH, HEIGHT, RATE = 320, 180, 10


def picture(kind: str, number: int = 0) -> av.VideoFrame:
    """`black`, `desktop`, `desktop_with_window`, or `moving` (another one at each number)."""
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    if kind != "black":
        pixels[:, :, :3] = np.linspace(30, 200, WIDTH, dtype=np.uint8)[None, :, None]
        pixels[20:60, 20:120, :3] = 240
    if kind == "desktop_with_window":
        pixels[80:160, 100:300, :3] = (20, 20, 220)
    if kind == "moving":
        left = number * 23 % (WIDTH - 80)
        pixels[70:150, left : left + 80, :3] = 255 * (number % 2)
    return av.VideoFrame.from_ndarray(pixels, format="bgra")


class ScriptedScreen:
    """A `ScreenSource` that shows what it was told last; told None, it is away."""

    name = "scripted"

    def __init__(self, kind: str | None = "desktop") -> None:
        self.kind = kind
        self.num_grabs = 0

    def open(self) -> ScreenFormat:
        if self.kind is None:
            raise ScreenUnavailable("the scripted screen is away")
        return ScreenFormat(width_px=WIDTH, height_px=HEIGHT)

    def grab(self) -> CapturedFrame:
        if self.kind is None:
            raise ScreenUnavailable("the scripted screen is away")
        self.num_grabs += 1
        return CapturedFrame(monotonic_ns=0, picture=picture(self.kind, self.num_grabs))

    def close(self) -> None:
        pass


class ScriptedRing:
    """A real ring into which scripted pictures are encoded, as fast as that goes, on a line of its own."""

    def __init__(self, folder: Path) -> None:
        self.encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE, rate_bps=600_000)
        self.ring = GopRing(folder, session_id="scripted", t0_monotonic_ns=0, min_free_bytes=0)
        self.ring.begin_epoch([self.encoder.track])
        self._num_frames = 0

    @property
    def now_ns(self) -> int:
        """So long before the newest picture that a whole GOP lies behind it: nobody has to wait."""
        return max(0, self.ring.newest_ns - 3 * SECOND_NS // 2)

    def record(self, kind: str, duration_s: float) -> None:
        """Encode so much of one kind of picture."""
        for _ in range(round(duration_s * RATE)):
            frame = self.encoder.fit(picture(kind, self._num_frames))
            for packet in self.encoder.encode(frame, self._num_frames * SECOND_NS // RATE):
                self.ring.push(packet)
            self._num_frames += 1

    def close(self) -> None:
        self.ring.close()
