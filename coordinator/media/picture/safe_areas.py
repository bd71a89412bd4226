"""Where words may stand: the part of a picture that an app's own buttons and texts leave free. Pure."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from pathlib import Path

_PATH = Path(__file__).with_name("safe_areas.toml")
# Where nothing is known of an app: what a player's round corners and its edge want.
_MARGIN = {"top": 0.05, "right": 0.05, "bottom": 0.05, "left": 0.05}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a picture in pixels from its top left; `right_px` and `bottom_px` are the first outside."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int

    @property
    def width_px(self) -> int:
        """How wide it is."""
        return self.right_px - self.left_px

    @property
    def height_px(self) -> int:
        """How high it is."""
        return self.bottom_px - self.top_px


@functools.cache
def _shares() -> dict[str, dict[str, float]]:
    table = tomllib.loads(_PATH.read_text(encoding="utf-8"))
    return {name: row for name, row in table.items() if isinstance(row, dict)}


def safe_area(name: str, width: int, height: int) -> Box:
    """Return what stays free of a picture of `width` x `height` pixels, shown by an app or through a preset.

    A name that is not in the table (a preset for no app) leaves a margin of 5 %.
    """
    share = _shares().get(name, _MARGIN)
    return Box(
        left_px=round(width * share["left"]),
        top_px=round(height * share["top"]),
        right_px=width - round(width * share["right"]),
        bottom_px=height - round(height * share["bottom"]),
    )


def safe_area_names() -> list[str]:
    """Return the apps and presets that the table knows, sorted."""
    return sorted(_shares())
