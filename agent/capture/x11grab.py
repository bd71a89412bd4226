"""The X11 screen through FFmpeg's x11grab: the cheapest way measured (0.25-0.31 CPU s per s at 1080p30).

Opened at 1000 frames a second and read once per tick of our pacer, it is always late by its own clock and so
grabs on demand, within 0.1 ms; on its own clock it would catch up after a stall in bursts of duplicates.
Used by one thread at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import av
import av.error
import av.video

from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat


class X11GrabScreen:
    """The whole X screen of a display.

    Args:
        display: X's name of it; None is $DISPLAY.
        is_cursor_shown: draw the mouse pointer into the picture.
        monotonic_ns: the clock that stamps.
    """

    name = "x11grab"

    def __init__(
        self,
        display: str | None = None,
        *,
        is_cursor_shown: bool = True,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._display = display
        self._is_cursor_shown = is_cursor_shown
        self._monotonic_ns = monotonic_ns
        self._container: av.container.InputContainer | None = None
        self._frames: Iterator[av.VideoFrame] | None = None
        self._format = ScreenFormat(width_px=0, height_px=0)

    def open(self) -> ScreenFormat:
        """Connect to the X server.

        Raises:
            ScreenUnavailable: No display is named, none answers, or this FFmpeg has no x11grab.
        """
        self.close()
        display = self._display or os.environ.get("DISPLAY", "")
        if not display:
            raise ScreenUnavailable(
                "cannot grab the X11 screen: DISPLAY is not set; log in to an X11 session"
            )
        options = {
            "framerate": "1000",
            "probesize": "32",
            "analyzeduration": "0",
            "draw_mouse": "1" if self._is_cursor_shown else "0",
        }
        container = _open(display, options)
        stream = container.streams.video[0]
        if stream.width % 2 or stream.height % 2:
            # 4:2:0 has no odd sizes: leave out the last column or row.
            options["video_size"] = f"{stream.width & ~1}x{stream.height & ~1}"
            container.close()
            container = _open(display, options)
            stream = container.streams.video[0]
        self._container = container
        self._frames = container.decode(stream)
        self._format = ScreenFormat(width_px=stream.width, height_px=stream.height)
        self._read()  # grabbed while opening: as old as that
        return self._format

    def grab(self) -> CapturedFrame:
        """The screen now. Its frames keep their memory, so a queue of them may be held.

        Raises:
            ScreenUnavailable: Not open, the X server went away, or the screen changed its size.
        """
        stamp_ns = self._monotonic_ns()
        frame = self._read()
        if (frame.width, frame.height) != (self._format.width_px, self._format.height_px):
            raise ScreenUnavailable(
                f"the X11 screen changed its size to {frame.width}x{frame.height}; it is opened again"
            )
        return CapturedFrame(monotonic_ns=stamp_ns, picture=frame)

    def close(self) -> None:
        """Disconnect. Twice is once."""
        self._frames = None
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _read(self) -> av.VideoFrame:
        if self._frames is None:
            raise ScreenUnavailable("x11grab is not open; open it first")
        try:
            return next(self._frames)
        except (av.error.FFmpegError, StopIteration, OSError) as exc:
            raise ScreenUnavailable(
                f"the X11 screen went away: {exc!r}; it is opened again when it is back"
            ) from exc


def _open(display: str, options: dict[str, str]) -> av.container.InputContainer:
    try:
        return av.open(display, format="x11grab", options=options)
    except (av.error.FFmpegError, ValueError) as exc:
        raise ScreenUnavailable(
            f"cannot grab X11 display {display}: {exc}; is it running, and may this user see it?"
        ) from exc
