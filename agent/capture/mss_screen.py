"""The screen through mss: X11, Windows (GDI) and older macOS. Dearer than x11grab by a tenth of a core at 1080p30.

Used by one thread at a time: mss keeps its connection per thread, so a source is opened where it is grabbed.
A window is the part of the X11 desktop where it is, followed while it moves: what covers it is recorded too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

import av
import mss
import mss.exception
import numpy as np

from agent.capture.x11_desktop import Monitor, X11Area, X11Desktop, find_monitor, probe_x11
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.model.screen import WHOLE_DESKTOP, Rectangle, ScreenArea
from protos.timebase import SECOND_NS

_IS_X11 = sys.platform not in ("win32", "darwin")


class _Place(Protocol):
    """Where the area is; raises ScreenUnavailable when it is gone or changed its size."""

    @property
    def screen(self) -> Rectangle: ...
    def locate(self) -> Rectangle: ...
    def close(self) -> None: ...


class MssScreen:
    """The whole virtual screen, all monitors, or a part of it.

    Args:
        area: what of it; windows on X11 alone.
        is_cursor_shown: draw the mouse pointer into the picture, where mss can.
        monotonic_ns: the clock that stamps.
    """

    name = "mss"

    def __init__(
        self,
        *,
        area: ScreenArea = WHOLE_DESKTOP,
        is_cursor_shown: bool = True,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wanted = area
        self._is_cursor_shown = is_cursor_shown
        self._monotonic_ns = monotonic_ns
        self._screen: mss.MSS | None = None
        self._place: _Place | None = None
        self._size = Rectangle(left_px=0, top_px=0, width_px=0, height_px=0)

    def probe(self) -> str:
        """See the port."""
        if _IS_X11:
            return probe_x11()
        if self._wanted.kind == "window":
            return "mss finds no windows on this system; unset capture.window"
        return ""

    def open(self) -> ScreenFormat:
        """Connect to the screen.

        Raises:
            ScreenUnavailable: mss cannot: no display, no permission, or there is no such monitor or window.
        """
        self.close()
        try:
            # Only on X11 does mss know of the pointer; elsewhere it warns about the argument.
            self._screen = mss.MSS(with_cursor=self._is_cursor_shown) if _IS_X11 else mss.MSS()
            self._place = (
                X11Area(X11Desktop(), self._wanted)
                if _IS_X11
                else _ListedArea(self._wanted, self._monotonic_ns)
            )
            self._size = self._place.locate()
        except (mss.exception.ScreenShotError, OSError, AttributeError, ValueError) as exc:
            self.close()
            raise ScreenUnavailable(f"mss cannot grab this screen: {exc}; log in to an X11 session") from exc
        except ScreenUnavailable:
            self.close()
            raise
        return ScreenFormat(width_px=self._size.width_px, height_px=self._size.height_px)

    def grab(self) -> CapturedFrame:
        """What is on the screen now.

        Raises:
            ScreenUnavailable: Not open, the screen or window went away, or it changed its size.
        """
        if self._screen is None or self._place is None:
            raise ScreenUnavailable("mss is not open; open it first")
        stamp_ns = self._monotonic_ns()
        place = self._place.locate()
        shown = place.within(self._place.screen)
        if not (shown.width_px and shown.height_px):
            raise ScreenUnavailable(
                "what is recorded lies outside of the screen; it is recorded when it is back"
            )
        try:
            shot = self._screen.grab(
                {
                    "left": shown.left_px,
                    "top": shown.top_px,
                    "width": shown.width_px,
                    "height": shown.height_px,
                }
            )
        except (mss.exception.ScreenShotError, OSError, ValueError) as exc:
            raise ScreenUnavailable(
                f"the screen went away: {exc}; it is opened again when it is back"
            ) from exc
        # from_numpy_buffer copies nothing (from_ndarray costs 4.2 ms at 1080p); the frame keeps `raw` alive.
        pixels = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
        if shown != place:
            pixels = _padded(pixels, shown, place)
        return CapturedFrame(
            monotonic_ns=stamp_ns, picture=av.VideoFrame.from_numpy_buffer(pixels, format="bgra")
        )

    def close(self) -> None:
        """Disconnect. Twice is once."""
        screen, self._screen = self._screen, None
        if screen is not None:
            screen.close()
        place, self._place = self._place, None
        if place is not None:
            place.close()


class _ListedArea:
    """An area by mss's own list of monitors, looked at again once a second: mss keeps the list it made first."""

    def __init__(self, area: ScreenArea, monotonic_ns: Callable[[], int]) -> None:
        self._area = area
        self._monotonic_ns = monotonic_ns
        self.screen = Rectangle(left_px=0, top_px=0, width_px=0, height_px=0)
        self._place = self._look()
        self._looked_ns = monotonic_ns()

    def locate(self) -> Rectangle:
        """Where it is, even."""
        if self._monotonic_ns() - self._looked_ns >= SECOND_NS:
            self._looked_ns = self._monotonic_ns()
            if (place := self._look()) != self._place:
                raise ScreenUnavailable(f"the screen changed its size to {place.size}; it is opened again")
        return self._place

    def close(self) -> None:
        """Nothing is held."""

    def _look(self) -> Rectangle:
        with mss.MSS() as lister:
            places = [
                Rectangle(
                    left_px=listed["left"],
                    top_px=listed["top"],
                    width_px=listed["width"],
                    height_px=listed["height"],
                )
                for listed in lister.monitors
            ]
            names = [str(listed.get("output") or listed.get("name") or "") for listed in lister.monitors]
        self.screen, *monitors = places
        if self._area.kind == "monitor":
            listed_monitors = [
                Monitor(number=number, name=names[number], place=place)
                for number, place in enumerate(monitors, start=1)
            ]
            return find_monitor(listed_monitors, self._area.monitor).place.even()
        region = self._area.region
        if region is None:
            return self.screen.even()
        if region.within(self.screen) != region:
            raise ScreenUnavailable(
                f"the region {region.size} at {region.left_px},{region.top_px} is not on the screen, which has "
                f"{self.screen.size}; set capture.region"
            )
        return region.even()


def _padded(pixels: np.ndarray, shown: Rectangle, place: Rectangle) -> np.ndarray:
    """The part that is on the screen, in a black picture of the whole size."""
    whole = np.zeros((place.height_px, place.width_px, 4), np.uint8)
    left, top = shown.left_px - place.left_px, shown.top_px - place.top_px
    whole[top : top + shown.height_px, left : left + shown.width_px] = pixels
    return whole
