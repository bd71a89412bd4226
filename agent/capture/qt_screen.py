"""The screen through Qt's QScreenCapture and QWindowCapture: on Wayland (portal ScreenCast and PipeWire) the only way.

Qt pushes pictures at the display's rate; the newest is kept unmapped, and mapped and copied only when one is asked for.
It may be one display period older than its stamp. Qt itself decides about the pointer. Used by one thread at a time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from agent.capture.qt_capture import GUI, QtCapture, copy_picture
from agent.capture.qt_platform import is_wayland, probe_qt
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.model.screen import WHOLE_DESKTOP, Rectangle, ScreenArea

_FIRST_PICTURE_S = 5.0
# On Wayland the desktop asks the user what to share, each time.
_PICKING_S = 60.0
_WAYLAND_LINGER_S = 5.0


class QtScreen:
    """One screen, or a part of it, or a window.

    Args:
        area: what of it; on Wayland the desktop's own dialog asks the user. A region is of that screen's picture.
        monotonic_ns: the clock that stamps.
        linger_s: how long a closed source goes on, so that opening it again does not ask the user again; None is
            5 s on Wayland, 0 elsewhere.
    """

    name = "qt"

    def __init__(
        self,
        *,
        area: ScreenArea = WHOLE_DESKTOP,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        linger_s: float | None = None,
    ) -> None:
        self._area = area
        self._monotonic_ns = monotonic_ns
        self._linger_s = (_WAYLAND_LINGER_S if is_wayland() else 0.0) if linger_s is None else linger_s
        self._capture: QtCapture | None = None
        self._is_open = False
        self._part = Rectangle(left_px=0, top_px=0, width_px=0, height_px=0)
        self._whole_size = (0, 0)

    def probe(self) -> str:
        """See the port."""
        if GUI.is_taken_by_another():
            return "another thread of this process uses Qt already; the engine by itself does not"
        return probe_qt(self._area)

    def open(self) -> ScreenFormat:
        """Start Qt where it does not run yet, and capture; on Wayland the user is asked.

        Raises:
            ScreenUnavailable: Qt cannot; there is no such screen or window, or the user picked none.
        """
        self._is_open = False
        if self._capture is not None and not self._capture.problem:
            self._capture.keep()
        else:
            self._end_capture()
            if problem := self.probe():
                raise ScreenUnavailable(problem)
            self._capture = GUI.call(lambda: QtCapture(self._area))
        try:
            frame = self._capture.wait_for_picture(_PICKING_S if is_wayland() else _FIRST_PICTURE_S)
        except ScreenUnavailable:
            self._end_capture()
            raise
        self._whole_size = (frame.width(), frame.height())
        self._part = self._find_part(*self._whole_size)
        self._is_open = True
        return ScreenFormat(width_px=self._part.width_px, height_px=self._part.height_px)

    def grab(self) -> CapturedFrame:
        """The newest picture, copied.

        Raises:
            ScreenUnavailable: Not open, or what is recorded went away or changed its size.
        """
        if not self._is_open or self._capture is None:
            raise ScreenUnavailable("the Qt screen is not open; open it first")
        if self._capture.problem:
            raise ScreenUnavailable(self._capture.problem)
        stamp_ns = self._monotonic_ns()
        frame = self._capture.newest
        if (frame.width(), frame.height()) != self._whole_size:
            raise ScreenUnavailable(
                f"the screen changed its size to {frame.width()}x{frame.height()}; it is opened again"
            )
        return CapturedFrame(monotonic_ns=stamp_ns, picture=copy_picture(frame, self._part))

    def close(self) -> None:
        """Stop, at once or after `linger_s`. Twice is once."""
        self._is_open = False
        if self._capture is None:
            return
        if self._linger_s and not self._capture.problem:
            self._capture.let_go(self._linger_s)
        else:
            self._end_capture()

    def _end_capture(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None and not capture.is_ended:
            with contextlib.suppress(ScreenUnavailable):
                GUI.call(capture.end)

    def _find_part(self, width_px: int, height_px: int) -> Rectangle:
        whole = Rectangle(left_px=0, top_px=0, width_px=width_px, height_px=height_px)
        region = self._area.region
        if region is None:
            return whole.even()
        if region.within(whole) != region:
            raise ScreenUnavailable(
                f"the region {region.size} at {region.left_px},{region.top_px} is not on the screen, which has "
                f"{whole.size}; set capture.region"
            )
        return region.even()
