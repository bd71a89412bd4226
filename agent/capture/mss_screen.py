"""The screen through mss: X11, Windows (GDI) and older macOS. Dearer than x11grab by a tenth of a core at 1080p30.

Used by one thread at a time: mss keeps its connection per thread, so a source is opened where it is grabbed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import mss
import mss.exception
import numpy as np

from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat


class MssScreen:
    """The whole virtual screen, all monitors.

    Args:
        is_cursor_shown: draw the mouse pointer into the picture, where mss can.
        monotonic_ns: the clock that stamps.
    """

    name = "mss"

    def __init__(
        self, *, is_cursor_shown: bool = True, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._is_cursor_shown = is_cursor_shown
        self._monotonic_ns = monotonic_ns
        self._screen: mss.MSS | None = None
        self._format = ScreenFormat(width_px=0, height_px=0)

    def open(self) -> ScreenFormat:
        """Connect to the screen.

        Raises:
            ScreenUnavailable: mss cannot: no display, Wayland, or no permission.
        """
        self.close()
        try:
            screen = mss.MSS(with_cursor=self._is_cursor_shown)
            area = screen.monitors[0]
        except (mss.exception.ScreenShotError, OSError, AttributeError, ValueError) as exc:
            raise ScreenUnavailable(f"mss cannot grab this screen: {exc}; log in to an X11 session") from exc
        self._screen = screen
        # 4:2:0 has no odd sizes: leave out the last column or row.
        self._format = ScreenFormat(width_px=area["width"] & ~1, height_px=area["height"] & ~1)
        return self._format

    def grab(self) -> CapturedFrame:
        """The screen now.

        Raises:
            ScreenUnavailable: Not open, the screen went away, or it changed its size.
        """
        if self._screen is None:
            raise ScreenUnavailable("mss is not open; open it first")
        stamp_ns = self._monotonic_ns()
        try:
            monitor = self._screen.monitors[0]
            shot = self._screen.grab(
                {**monitor, "width": self._format.width_px, "height": self._format.height_px}
            )
        except (mss.exception.ScreenShotError, OSError, ValueError) as exc:
            raise ScreenUnavailable(
                f"the screen went away: {exc}; it is opened again when it is back"
            ) from exc
        if (shot.width, shot.height) != (self._format.width_px, self._format.height_px):
            raise ScreenUnavailable(
                f"the screen changed its size to {shot.width}x{shot.height}; it is opened again"
            )
        # from_numpy_buffer copies nothing (from_ndarray costs 4.2 ms at 1080p); the frame keeps `raw` alive.
        pixels = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
        return CapturedFrame(
            monotonic_ns=stamp_ns, picture=av.VideoFrame.from_numpy_buffer(pixels, format="bgra")
        )

    def close(self) -> None:
        """Disconnect. Twice is once."""
        screen, self._screen = self._screen, None
        if screen is not None:
            screen.close()
