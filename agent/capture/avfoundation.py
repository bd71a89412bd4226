"""A macOS screen through FFmpeg's avfoundation (AVCaptureScreenInput). Never run by us.

The device pushes pictures and keeps the newest; read on demand it answers at once: with that, or with "none yet", which
on a still desktop means that the last one still shows the screen. Needs the permission "Screen Recording".
Used by one thread at a time.
Source: FFmpeg's documentation of the device avfoundation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import av

from agent.capture.demuxed import DemuxedPictures, OpenInput, cut, open_input
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.model.screen import WHOLE_DESKTOP, Rectangle, ScreenArea

_IS_MACOS = sys.platform == "darwin"
_FRAME_RATE = 60


class AvfoundationScreen:
    """One monitor of a Mac, or a region of the first one.

    Args:
        area: a monitor by its number; none is the first.
        is_cursor_shown: draw the mouse pointer into the picture.
        monotonic_ns: the clock that stamps.
        open_with: opens an input of FFmpeg.
    """

    name = "avfoundation"

    def __init__(
        self,
        *,
        area: ScreenArea = WHOLE_DESKTOP,
        is_cursor_shown: bool = True,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        open_with: OpenInput = open_input,
    ) -> None:
        self._area = area
        self._is_cursor_shown = is_cursor_shown
        self._monotonic_ns = monotonic_ns
        self._open_with = open_with
        self._pictures: DemuxedPictures | None = None
        self._last: av.VideoFrame | None = None
        self._part = Rectangle(left_px=0, top_px=0, width_px=0, height_px=0)

    def probe(self) -> str:
        """See the port."""
        if not _IS_MACOS:
            return "avfoundation records macOS alone"
        if self._area.kind == "window":
            return "avfoundation records monitors, not windows; unset capture.window"
        if self._area.kind == "monitor" and not self._area.monitor.isdecimal():
            return (
                f"avfoundation knows monitors by number; set capture.monitor to 1, 2 ... "
                f"not {self._area.monitor!r}"
            )
        return ""

    def open(self) -> ScreenFormat:
        """Start the device.

        Raises:
            ScreenUnavailable: There is no such monitor, or the permission is missing.
        """
        self.close()
        device, options = self.input()
        pictures = self._pictures = DemuxedPictures(
            self._open_with(device, "avfoundation", options), what="the screen"
        )
        try:
            first = self._last = pictures.read_first()
            whole = Rectangle(left_px=0, top_px=0, width_px=first.width, height_px=first.height)
            self._part = (self._area.region or whole).even()
            self._cut(first)
        except ScreenUnavailable as exc:
            self.close()
            raise ScreenUnavailable(
                f"{exc}; allow Screen Recording for clippy in System Settings, Privacy & Security"
            ) from exc
        return ScreenFormat(width_px=self._part.width_px, height_px=self._part.height_px)

    def grab(self) -> CapturedFrame:
        """The newest picture.

        Raises:
            ScreenUnavailable: Not open, or the monitor went away or changed its size.
        """
        if self._pictures is None or self._last is None:
            raise ScreenUnavailable("avfoundation is not open; open it first")
        stamp_ns = self._monotonic_ns()
        picture = self._pictures.read()
        if picture is None:
            picture = self._last
        if (picture.width, picture.height) != (self._last.width, self._last.height):
            raise ScreenUnavailable(
                f"the screen changed its size to {picture.width}x{picture.height}; it is opened again"
            )
        self._last = picture
        return CapturedFrame(monotonic_ns=stamp_ns, picture=self._cut(picture))

    def close(self) -> None:
        """Stop. Twice is once."""
        self._last = None
        pictures, self._pictures = self._pictures, None
        if pictures is not None:
            pictures.close()

    def input(self) -> tuple[str, dict[str, str]]:
        """FFmpeg's name of the device, and its options."""
        monitor = self._area.monitor
        number = max(0, int(monitor) - 1) if monitor.isdecimal() else 0
        return f"Capture screen {number}:none", {
            "framerate": str(_FRAME_RATE),
            "capture_cursor": str(int(self._is_cursor_shown)),
            # Four bytes a pixel, as from the other sources: a part of it is a view.
            "pixel_format": "bgr0",
        }

    def _cut(self, picture: av.VideoFrame) -> av.VideoFrame:
        is_whole = (picture.width, picture.height) == (self._part.width_px, self._part.height_px)
        return picture if is_whole else cut(picture, self._part)
