"""How large an output is: by the preset, the shape that is asked for, and where neither says, the source."""

from __future__ import annotations

import math

from coordinator.media.output.presets import Preset
from coordinator.media.picture.geometry import shaped, within
from coordinator.model.framing import ShapeName


def output_size(
    wanted: Preset,
    shape: ShapeName,
    *,
    length_s: float | None,
    source_size: tuple[int, int],
) -> tuple[int, int]:
    """Return width and height, both even.

    Args:
        length_s: of the output; None: not known.
        source_size: upright.
    """
    if wanted.layout == "canvas":
        size = wanted.width, wanted.height
    else:
        size = wanted.box(length_s if length_s is not None else math.inf)
    if shape != "preset":
        return shaped(shape, *size)
    if wanted.layout == "canvas":
        return size
    return within(*source_size, max_long_px=size[0], max_short_px=size[1])
