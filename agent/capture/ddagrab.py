"""A Windows monitor through FFmpeg's ddagrab (DXGI desktop duplication), read back into memory. Never run by us.

As with x11grab: opened at 1000 frames a second and read once per tick, so it is always late by its own clock and
grabs on demand; where nothing changed on the screen it repeats its last picture at once.
Used by one thread at a time.
Source: FFmpeg's documentation of the filter ddagrab; its options are read at open.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from agent.capture.demuxed import DemuxedPictures, OpenInput, open_input
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.model.screen import WHOLE_DESKTOP, Rectangle, ScreenArea

_IS_WINDOWS = sys.platform == "win32"


class DdagrabScreen:
    """One monitor of a Windows desktop, or a region of the first one.

    Args:
        area: a monitor by its number, as Windows counts the outputs of the first graphics card; none is the first.
        is_cursor_shown: draw the mouse pointer into the picture.
        monotonic_ns: the clock that stamps.
        open_with: opens an input of FFmpeg.
    """

    name = "ddagrab"

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
        self._format = ScreenFormat(width_px=0, height_px=0)

    def probe(self) -> str:
        """See the port."""
        if not _IS_WINDOWS:
            return "ddagrab records Windows alone"
        if self._area.kind == "window":
            return "ddagrab records monitors, not windows; qt does"
        if self._area.kind == "monitor" and not self._area.monitor.isdecimal():
            return f"ddagrab knows monitors by number; set capture.monitor to 1, 2 ... not {self._area.monitor!r}"
        return ""

    def open(self) -> ScreenFormat:
        """Start duplicating the output.

        Raises:
            ScreenUnavailable: There is no such output, another program holds it, or this FFmpeg has no ddagrab.
        """
        self.close()
        region = self._area.region.even() if self._area.region is not None else None
        pictures = self._open_part(region)
        if pictures.width_px % 2 or pictures.height_px % 2:
            # 4:2:0 has no odd sizes: leave out the last column or row.
            whole = Rectangle(left_px=0, top_px=0, width_px=pictures.width_px, height_px=pictures.height_px)
            pictures.close()
            pictures = self._open_part(whole.even())
        self._pictures = pictures
        self._format = ScreenFormat(width_px=pictures.width_px, height_px=pictures.height_px)
        try:
            pictures.read_first()
        except ScreenUnavailable:
            self.close()
            raise
        return self._format

    def grab(self) -> CapturedFrame:
        """The monitor now.

        Raises:
            ScreenUnavailable: Not open, or the output changed its mode, was locked or unplugged.
        """
        if self._pictures is None:
            raise ScreenUnavailable("ddagrab is not open; open it first")
        stamp_ns = self._monotonic_ns()
        picture = self._pictures.read_first()
        if (picture.width, picture.height) != (self._format.width_px, self._format.height_px):
            raise ScreenUnavailable(
                f"the screen changed its size to {picture.width}x{picture.height}; it is opened again"
            )
        return CapturedFrame(monotonic_ns=stamp_ns, picture=picture)

    def close(self) -> None:
        """Stop. Twice is once."""
        pictures, self._pictures = self._pictures, None
        if pictures is not None:
            pictures.close()

    def _open_part(self, part: Rectangle | None) -> DemuxedPictures:
        return DemuxedPictures(
            self._open_with(self.graph(part), "lavfi", {}), what=f"monitor {self._output + 1}"
        )

    @property
    def _output(self) -> int:
        """FFmpeg's number of the output, from 0."""
        monitor = self._area.monitor
        return max(0, int(monitor) - 1) if monitor.isdecimal() else 0

    def graph(self, part: Rectangle | None) -> str:
        """FFmpeg's description of the input, of all of the output or a part of it."""
        options = [
            f"output_idx={self._output}",
            "framerate=1000",
            f"draw_mouse={int(self._is_cursor_shown)}",
        ]
        if part is not None:
            options += [
                f"video_size={part.size}",
                f"offset_x={part.left_px}",
                f"offset_y={part.top_px}",
            ]
        return f"ddagrab={':'.join(options)},hwdownload,format=bgra"
