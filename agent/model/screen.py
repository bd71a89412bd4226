"""What of the screen is recorded: all of it, one monitor, a region or a window. Pure values."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A part of a picture or of a desktop, in its pixels; the origin is the top left."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int

    @property
    def size(self) -> str:
        """Its size in words: `640x360`."""
        return f"{self.width_px}x{self.height_px}"

    def even(self) -> Rectangle:
        """Without the last column or row where there is an odd number of them: 4:2:0 has no odd sizes."""
        return dataclasses.replace(self, width_px=self.width_px & ~1, height_px=self.height_px & ~1)

    def within(self, other: Rectangle) -> Rectangle:
        """The part that both share; of no width or height where they share nothing."""
        left, top = max(self.left_px, other.left_px), max(self.top_px, other.top_px)
        right = min(self.left_px + self.width_px, other.left_px + other.width_px)
        bottom = min(self.top_px + self.height_px, other.top_px + other.height_px)
        return Rectangle(
            left_px=left, top_px=top, width_px=max(0, right - left), height_px=max(0, bottom - top)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScreenArea:
    """What is recorded; at most one of its fields is set, none is the whole desktop.

    Attributes:
        monitor: its number (the first is 1), or the name of its output (`HDMI-1`).
        region: of the whole desktop.
        window: part of its title or class, in any case of letters.
    """

    monitor: str = ""
    region: Rectangle | None = None
    window: str = ""

    @property
    def kind(self) -> Literal["desktop", "monitor", "region", "window"]:
        """Which of the four."""
        if self.window:
            return "window"
        if self.region is not None:
            return "region"
        return "monitor" if self.monitor else "desktop"


WHOLE_DESKTOP = ScreenArea()


def parse_region(text: str) -> Rectangle | None:
    """Read `x,y,width,height`; None where the text is empty.

    Raises:
        ValueError: It is no four whole numbers, or holds less than two by two pixels.
    """
    if not text.strip():
        return None
    match = re.fullmatch(r"\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is not x,y,width,height in pixels, like 0,0,1280,720")
    left, top, width, height = (int(number) for number in match.groups())
    if width < 2 or height < 2:
        raise ValueError(f"{text!r} is too small; a region is at least 2 by 2 pixels")
    return Rectangle(left_px=left, top_px=top, width_px=width, height_px=height)
