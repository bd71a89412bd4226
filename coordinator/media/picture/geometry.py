"""Where a picture goes on a canvas: pure arithmetic, all sizes in pixels and even (4:2:0 needs it)."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from coordinator.media.intake.opening import MAX_SIDE_PX


def even(length: float) -> int:
    """Return the nearest even number, at least 2."""
    return max(2, 2 * round(length / 2))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Cut `crop` (x, y, width, height) out of the upright picture, scale it, put it at (x, y)."""

    crop_x: int
    crop_y: int
    crop_width: int
    crop_height: int
    x: int
    y: int
    width: int
    height: int


def display_size(width: int, height: int, sample_aspect: Fraction | None) -> tuple[int, int]:
    """Return the size with square pixels; the shorter axis grows, so that no detail is lost.

    An aspect that nobody can mean (damaged headers hold some) counts as square.
    """
    if sample_aspect is None or not Fraction(1, 4) <= sample_aspect <= 4:
        return width, height
    if sample_aspect >= 1:
        return min(MAX_SIDE_PX, round(width * sample_aspect)), height
    return width, min(MAX_SIDE_PX, round(height / sample_aspect))


def within(width: int, height: int, *, max_long_px: int, max_short_px: int) -> tuple[int, int]:
    """Return the largest even size of the same shape that fits; never enlarges."""
    long_px, short_px = max(width, height), min(width, height)
    scale = min(1.0, max_long_px / long_px, max_short_px / short_px)
    return even(width * scale), even(height * scale)


def place(width: int, height: int, canvas: tuple[int, int], *, zoom: float) -> Placement:
    """Centre a picture on a canvas: whole at zoom 1, cropped at its sides beyond, at most covering."""
    fit, cover = sorted((canvas[0] / width, canvas[1] / height))
    scale = min(fit * zoom, cover)
    if cover / fit < 1.02:
        scale = cover  # A sliver of background at the rim would look like a mistake.
    shown_width = min(canvas[0], even(width * scale))
    shown_height = min(canvas[1], even(height * scale))
    crop_width = min(width, max(1, round(shown_width / scale)))
    crop_height = min(height, max(1, round(shown_height / scale)))
    return Placement(
        crop_x=(width - crop_width) // 2,
        crop_y=(height - crop_height) // 2,
        crop_width=crop_width,
        crop_height=crop_height,
        x=(canvas[0] - shown_width) // 4 * 2,
        y=(canvas[1] - shown_height) // 4 * 2,
        width=shown_width,
        height=shown_height,
    )
