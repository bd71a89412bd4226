"""Which parts of a source's picture a layout shows: what it cuts off must never be a surprise. Pure."""

from __future__ import annotations

import itertools

from coordinator.media.picture.geometry import Placement, Region, fill, place
from coordinator.media.picture.panels import camera_height_px, middle_of, part_of
from coordinator.model.framing import Framing

_EVERYTHING: Region = (0.0, 0.0, 1.0, 1.0)


def shown_parts(
    framing: Framing,
    *,
    preset_layout: str,
    zoom: float,
    source: tuple[int, int],
    canvas: tuple[int, int],
    focus: tuple[float, float] | None = None,
) -> list[Region]:
    """Return what is seen, as shares (x, y, width, height) of the upright picture; of a stack the camera first.

    Args:
        source, canvas: width and height.
        focus: the middle of the window of `follow` at that moment; None: of the picture.
    """
    width, height = source
    layout = preset_layout if framing.layout == "preset" else framing.layout
    own = framing.zoom or 1.0
    if layout in ("blur", "canvas"):
        return [_shares(place(width, height, canvas, zoom=framing.zoom or zoom), source)]
    if layout == "follow":
        x, y = focus or (0.5, 0.5)
        return [_shares(fill((0, 0, width, height), canvas, focus=(x * width, y * height), zoom=own), source)]
    middle = framing.focus_x * width, framing.focus_y * height
    if layout == "crop":
        return [_shares(fill((0, 0, width, height), canvas, focus=middle, zoom=own), source)]
    if layout == "stack" and framing.camera is not None:
        region = part_of(framing.camera, width, height)
        rows = camera_height_px(framing, region[2] / region[3], *canvas)
        camera = fill(region, (canvas[0], rows), focus=middle_of(framing.camera, width, height))
        rest = canvas[0], canvas[1] - rows
        if framing.game == "whole":
            return [_shares(camera, source), _shares(place(width, height, rest, zoom=own), source)]
        game = fill((0, 0, width, height), rest, focus=middle, zoom=own)
        return [_shares(camera, source), _shares(game, source)]
    return [_EVERYTHING]


def shown_share(parts: list[Region]) -> float:
    """Return the area of at most two parts together, what both show counted once."""
    total = sum(width * height for _, _, width, height in parts)
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.pairwise(parts):
        across = min(ax + aw, bx + bw) - max(ax, bx)
        down = min(ay + ah, by + bh) - max(ay, by)
        total -= max(0.0, across) * max(0.0, down)
    return min(1.0, total)


def _shares(at: Placement, source: tuple[int, int]) -> Region:
    width, height = source
    return at.crop_x / width, at.crop_y / height, at.crop_width / width, at.crop_height / height
