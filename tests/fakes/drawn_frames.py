"""Frames of which everything is known, made without a file: grey pictures, discs, and what was made of them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from coordinator.media.picture.frames import planes_of

Grey = npt.NDArray[np.uint8]


def grey_frame(luma: Grey, *, index: int = 0, fps: int = 30) -> VideoFrame:
    """Return a frame of this luma (rows, columns; both even), without colour."""
    height, width = luma.shape
    frame = VideoFrame(width, height, "yuv420p")
    planes = planes_of(frame)
    planes[0][:] = luma
    for chroma in planes[1:]:
        chroma[:] = 128
    frame.pts, frame.time_base = index, Fraction(1, fps)
    return frame


def with_disc(
    luma: Grey, *, x: float, y: float, radius: float, value: int = 235, aspect: float = 1.0
) -> Grey:
    """Return a copy with a disc on it; `aspect`: a pixel's width to its height, so that it is shown round."""
    rows, columns = np.mgrid[: luma.shape[0], : luma.shape[1]]
    inside = ((columns + 0.5 - x) * aspect) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2
    return np.where(inside, np.uint8(value), luma)


def disc_sides(luma: Grey, *, above: int = 150) -> tuple[float, float]:
    """Return width and height of the one bright disc, from its area along its two middle lines."""
    bright = np.clip((luma.astype(np.float64) - 40) / (235 - 40), 0, 1)
    mask = luma > above
    rows, columns = np.nonzero(mask)
    middle_row, middle_column = round(rows.mean()), round(columns.mean())
    across = bright[middle_row - 1 : middle_row + 2].mean(axis=0).sum()
    down = bright[:, middle_column - 1 : middle_column + 2].mean(axis=1).sum()
    return float(across), float(down)


def luma_of(frame: VideoFrame) -> Grey:
    """Return a copy of a frame's luma."""
    return planes_of(frame)[0].copy()


def film(
    places: npt.NDArray[np.float64], *, size: tuple[int, int] = (640, 360), radius: int = 30, fps: int = 30
) -> Iterator[tuple[float, VideoFrame]]:
    """Yield (time, frame) of a disc whose middle is at `places` (shares of the width) on a still pattern."""
    width, height = size
    ground = np.random.default_rng(5).integers(40, 70, (height, width), dtype=np.uint8)
    for index, place in enumerate(places):
        luma = with_disc(ground, x=place * width, y=height / 2, radius=radius)
        yield index / fps, grey_frame(luma, index=index, fps=fps)
