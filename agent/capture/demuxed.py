"""A device or filter of FFmpeg, read one picture at a time, when asked. Owned by one thread at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import av
import av.error
import numpy as np

from agent.errors import ScreenUnavailable
from agent.model.screen import Rectangle

OpenInput = Callable[[str, str, Mapping[str, str]], av.container.InputContainer]
# FFmpeg's names of formats with four bytes a pixel, as from_numpy_buffer knows them; the fourth byte is not looked at.
_PACKED = {"bgr0": "bgra", "bgra": "bgra", "rgb0": "rgba", "rgba": "rgba", "0rgb": "argb", "argb": "argb"}
_FIRST_PICTURE_S = 3.0
_LOOK_S = 0.005


def open_input(file: str, format_name: str, options: Mapping[str, str]) -> av.container.InputContainer:
    """Open a device of FFmpeg.

    Raises:
        ScreenUnavailable: This FFmpeg does not have it, or it does not open; FFmpeg says why.
    """
    try:
        return av.open(file, format=format_name, options=dict(options))
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        raise ScreenUnavailable(f"FFmpeg's {format_name} cannot open {file}: {exc}") from exc


class DemuxedPictures:
    """An open input of one video stream.

    Args:
        container: open; closed by `close`.
        what: what it shows, for messages: `the X11 screen`.
    """

    def __init__(self, container: av.container.InputContainer, *, what: str) -> None:
        self._container = container
        self._what = what
        self._stream = container.streams.video[0]
        self._frames: Iterator[av.VideoFrame] = container.decode(self._stream)
        self.width_px: int = self._stream.width
        self.height_px: int = self._stream.height

    def read(self) -> av.VideoFrame | None:
        """The next picture; None where the device has no new one yet and says so at once.

        Raises:
            ScreenUnavailable: The input ended or failed.
        """
        try:
            return next(self._frames)
        except av.error.BlockingIOError:
            # The generator ended with its exception; the input goes on.
            self._frames = self._container.decode(self._stream)
            return None
        except (av.error.FFmpegError, StopIteration, OSError) as exc:
            raise ScreenUnavailable(
                f"{self._what} went away: {exc!r}; it is opened again when it is back"
            ) from exc

    def read_first(self, timeout_s: float = _FIRST_PICTURE_S) -> av.VideoFrame:
        """The first picture, for which a device may need a moment.

        Raises:
            ScreenUnavailable: None came in time.
        """
        ends = time.monotonic() + timeout_s
        while (picture := self.read()) is None:
            if time.monotonic() > ends:
                raise ScreenUnavailable(f"{self._what} gave no picture within {timeout_s:g} s")
            time.sleep(_LOOK_S)
        return picture

    def close(self) -> None:
        """Close the input. Twice is once."""
        self._container.close()


def cut(picture: av.VideoFrame, part: Rectangle) -> av.VideoFrame:
    """A part of a picture of four bytes a pixel, sharing its memory.

    Raises:
        ScreenUnavailable: The part is not in it, or its format is another.
    """
    if part.left_px + part.width_px > picture.width or part.top_px + part.height_px > picture.height:
        raise ScreenUnavailable(
            f"the region {part.size} at {part.left_px},{part.top_px} is not on the screen, which has "
            f"{picture.width}x{picture.height}; set capture.region"
        )
    if picture.format.name not in _PACKED:
        raise ScreenUnavailable(
            f"a picture of format {picture.format.name} cannot be cut; unset capture.region"
        )
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: picture.height]
    pixels = rows[:, : picture.width * 4].reshape(picture.height, picture.width, 4)
    right, bottom = part.left_px + part.width_px, part.top_px + part.height_px
    return av.VideoFrame.from_numpy_buffer(
        pixels[part.top_px : bottom, part.left_px : right], format=_PACKED[picture.format.name]
    )
