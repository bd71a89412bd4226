"""The X11 screen through FFmpeg's x11grab: the cheapest way measured (0.25-0.31 CPU s per s at 1080p30).

Opened at 1000 frames a second and read once per tick of our pacer, it is always late by its own clock and so
grabs on demand, within 0.1 ms; on its own clock it would catch up after a stall in bursts of duplicates.
A window is grabbed by its number and has a picture of its own, so what covers it is not recorded.
Used by one thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.capture.demuxed import DemuxedPictures, open_input
from agent.capture.x11_desktop import X11Area, X11Desktop, probe_x11
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.model.screen import WHOLE_DESKTOP, ScreenArea


class X11GrabScreen:
    """An X screen, or a part of it.

    Args:
        display: X's name of it; None is $DISPLAY.
        area: what of it.
        is_cursor_shown: draw the mouse pointer into the picture.
        monotonic_ns: the clock that stamps.
    """

    name = "x11grab"

    def __init__(
        self,
        display: str | None = None,
        *,
        area: ScreenArea = WHOLE_DESKTOP,
        is_cursor_shown: bool = True,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._display = display
        self._wanted = area
        self._is_cursor_shown = is_cursor_shown
        self._monotonic_ns = monotonic_ns
        self._area: X11Area | None = None
        self._pictures: DemuxedPictures | None = None

    def probe(self) -> str:
        """See the port."""
        return probe_x11(self._display)

    def open(self) -> ScreenFormat:
        """Connect to the X server.

        Raises:
            ScreenUnavailable: No display is named, none answers, this FFmpeg has no x11grab, or there is no such
                monitor or window.
        """
        self.close()
        desktop = X11Desktop(self._display)
        try:
            area = self._area = X11Area(desktop, self._wanted, is_own_picture=True)
            self._pictures = DemuxedPictures(
                open_input(desktop.name, "x11grab", self._options(area)), what="the X11 screen"
            )
            self._pictures.read_first()  # grabbed while opening: as old as that
        except ScreenUnavailable:
            self.close()
            raise
        return ScreenFormat(width_px=area.place.width_px, height_px=area.place.height_px)

    def grab(self) -> CapturedFrame:
        """What is on the screen now. Its frames keep their memory, so a queue of them may be held.

        Raises:
            ScreenUnavailable: Not open, the X server or the window went away, or changed its size.
        """
        if self._pictures is None or self._area is None:
            raise ScreenUnavailable("x11grab is not open; open it first")
        # x11grab itself does not notice a screen or window that grew.
        self._area.check()
        stamp_ns = self._monotonic_ns()
        return CapturedFrame(monotonic_ns=stamp_ns, picture=self._pictures.read_first())

    def close(self) -> None:
        """Disconnect. Twice is once."""
        pictures, self._pictures = self._pictures, None
        if pictures is not None:
            pictures.close()
        area, self._area = self._area, None
        if area is not None:
            area.close()

    def _options(self, area: X11Area) -> dict[str, str]:
        options = {
            "framerate": "1000",
            "probesize": "32",
            "analyzeduration": "0",
            "draw_mouse": "1" if self._is_cursor_shown else "0",
            "video_size": area.place.size,
        }
        if area.window_id:
            return options | {"window_id": hex(area.window_id)}
        return options | {"grab_x": str(area.place.left_px), "grab_y": str(area.place.top_px)}
