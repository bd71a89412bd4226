"""A picture with transparency, ready to blend onto frames: on the planes of its own box alone. One thread.

0.1 ms to make and 0.5 ms to blend at 1080x1920.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from PIL import Image

from coordinator.media.picture.frames import planes_of

Floats = npt.NDArray[np.floating[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Premultiplied planes, and what they leave of the frame."""

    x: int
    y: int
    colours: tuple[npt.NDArray[np.uint16], ...]
    remains: tuple[npt.NDArray[np.uint16], ...]

    def blend(self, frame: VideoFrame) -> None:
        """Draw onto a yuv420p frame that holds the whole stamp."""
        for index, plane in enumerate(planes_of(frame)):
            half = 1 if index == 0 else 2
            colour, remain = self.colours[index], self.remains[index]
            top, left = self.y // half, self.x // half
            box = plane[top : top + colour.shape[0], left : left + colour.shape[1]]
            box[:] = (box * remain + colour) >> 8


def stamp_of(image: Image.Image, x: int, y: int) -> Stamp | None:
    """Convert an RGBA picture placed at (x, y) to BT.709 limited range; None where nothing shows."""
    bounds = image.getchannel("A").getbbox()
    if bounds is None:
        return None
    left, top = (bounds[0] + x) // 2 * 2 - x, (bounds[1] + y) // 2 * 2 - y
    right, bottom = left + (bounds[2] - left + 1) // 2 * 2, top + (bounds[3] - top + 1) // 2 * 2
    rgba = image.crop((left, top, right, bottom))
    # Each channel by itself: strided floats cost more than the arithmetic.
    red, green, blue, alpha = (np.asarray(channel, np.float32) / 255 for channel in rgba.split())
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    planes: tuple[Floats, ...] = (
        16 + 219 * luma,
        128 + 224 * (blue - luma) / 1.8556,
        128 + 224 * (red - luma) / 1.5748,
    )
    # Chroma has a quarter of the samples: each is the mean of four, weighted by how much they show.
    colours: list[Floats] = [planes[0] * alpha] + [_quartered(plane * alpha) for plane in planes[1:]]
    remains: list[Floats] = [1 - alpha, 1 - _quartered(alpha)]
    return Stamp(
        x=left + x,
        y=top + y,
        colours=tuple(_levels(colour) for colour in colours),
        remains=tuple(_levels(remain) for remain in (*remains, remains[1])),
    )


def _levels(plane: Floats) -> npt.NDArray[np.uint16]:
    return (plane * 256 + 0.5).astype(np.uint16)


def _quartered(plane: Floats) -> Floats:
    # Four strided sums: a mean over two axes of a reshaped array takes eight times as long.
    summed = plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]
    return np.asarray(summed * 0.25, np.float32)
