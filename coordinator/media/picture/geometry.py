"""Where a picture goes on a canvas: pure arithmetic, all sizes in pixels and even (4:2:0 needs it)."""

from __future__ import annotations

import dataclasses
import math
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


def squeezed(width: int, height: int, canvas: tuple[int, int]) -> Placement:
    """Bring the whole picture to a canvas whatever its shape: for looking at places, never for being seen."""
    return Placement(
        crop_x=0,
        crop_y=0,
        crop_width=width,
        crop_height=height,
        x=0,
        y=0,
        width=canvas[0],
        height=canvas[1],
    )


Region = tuple[float, float, float, float]


def fill(region: Region, box: tuple[int, int], *, focus: tuple[float, float], zoom: float = 1.0) -> Placement:
    """Fill a box with part of `region` (x, y, width, height), cut as near around `focus` as the region allows.

    Args:
        focus: the middle of what is kept, in the picture's pixels.
        zoom: 1 cuts one axis alone; more cuts both.
    """
    x, y, width, height = region
    scale = max(box[0] / width, box[1] / height) * zoom
    crop_width, crop_height = min(width, box[0] / scale), min(height, box[1] / scale)
    left = min(max(focus[0] - crop_width / 2, x), x + width - crop_width)
    top = min(max(focus[1] - crop_height / 2, y), y + height - crop_height)
    # Both edges are rounded, so that the end never lies outside; of a region below a pixel, one is taken.
    first_column = min(round(left), math.ceil(x + width) - 1)
    first_row = min(round(top), math.ceil(y + height) - 1)
    return Placement(
        crop_x=first_column,
        crop_y=first_row,
        crop_width=max(1, round(left + crop_width) - first_column),
        crop_height=max(1, round(top + crop_height) - first_row),
        x=0,
        y=0,
        width=box[0],
        height=box[1],
    )


_SHAPES = {"9:16": (9, 16), "4:5": (4, 5), "1:1": (1, 1), "16:9": (16, 9)}


def shaped(shape: str, width: int, height: int) -> tuple[int, int]:
    """Return the largest even size of a shape whose sides are no longer than those of `width` x `height`."""
    across, down = _SHAPES[shape]
    long_px, short_px = max(width, height), min(width, height)
    scale = min(long_px / max(across, down), short_px / min(across, down))
    return even(across * scale), even(down * scale)


def coded_part(part: Region, degrees: int, *, is_mirrored: bool) -> Region:
    """Return where a part of the upright picture lies in the coded one; both as shares (x, y, width, height).

    Args:
        degrees: 0, 90, 180 or 270 clockwise to show the picture upright, as `clockwise_degrees` says.
        is_mirrored: the display matrix mirrors, too.
    """
    x, y, width, height = part
    from_right, from_bottom = 1 - x - width, 1 - y - height
    if degrees == 90:
        return (y, x if is_mirrored else from_right, height, width)
    if degrees == 270:
        return (from_bottom, from_right if is_mirrored else x, height, width)
    if degrees == 180:
        return (from_right, y if is_mirrored else from_bottom, width, height)
    return (x, from_bottom if is_mirrored else y, width, height)
