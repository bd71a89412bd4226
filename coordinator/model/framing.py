"""How a picture is brought into another shape: what a layout says, and what is wrong with one. Pure."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

LayoutName = Literal["preset", "blur", "fit", "crop", "follow", "stack"]
ShapeName = Literal["preset", "9:16", "4:5", "1:1", "16:9"]
MAX_ZOOM = 4.0
# A camera smaller than this is a smear when it is as wide as a phone.
MIN_CAMERA = 0.02


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A part of the picture, upright, from its top left; all four are shares of it, 0 to 1."""

    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How the picture is brought into the preset's shape.

    Attributes:
        layout: `preset`: as the preset says. `blur`: the whole picture on a blurred copy of itself. `fit`: the whole
            picture between bars. `crop`: fills, cut around the focus. `follow`: fills, and moves gently to where the
            picture moves. `stack`: the camera and the game, one above the other.
        shape: width to height; `preset`: the preset's own.
        zoom: `blur`, 1 shows all, more cuts the sides; `crop`, `follow` and the game of `stack`, beyond filling.
            None: the preset's own for `blur`, else 1.
        focus_x, focus_y: the middle of what `crop` keeps, and `stack` of the game, as shares of the picture.
        camera: where the camera is in the source, for `stack`.
        camera_at: whether the camera comes first or last.
        camera_share: its share of the height; None: as its own shape wants, from a fifth to a half.
        game: `fill` cuts the sides of the game, `whole` shows all of it on a blurred copy.
    """

    layout: LayoutName = "preset"
    shape: ShapeName = "preset"
    zoom: float | None = None
    focus_x: float = 0.5
    focus_y: float = 0.5
    camera: Rectangle | None = None
    camera_at: Literal["top", "bottom"] = "top"
    camera_share: float | None = None
    game: Literal["fill", "whole"] = "fill"


def framing_fault(framing: Framing) -> tuple[str, object, str] | None:
    """Return the first key that cannot be, its value and what may be, or None where all is well."""
    camera = framing.camera
    if framing.layout == "stack" and camera is None:
        return "camera", None, "x, y, width and height of the camera, which `stack` needs"
    rules: list[tuple[str, float | None, float, float]] = [
        ("zoom", framing.zoom, 1.0, MAX_ZOOM),
        ("focus_x", framing.focus_x, 0.0, 1.0),
        ("focus_y", framing.focus_y, 0.0, 1.0),
        ("camera_share", framing.camera_share, 0.1, 0.9),
    ]
    if camera is not None:
        rules += [
            ("camera.x", camera.x, 0.0, 1.0 - MIN_CAMERA),
            ("camera.y", camera.y, 0.0, 1.0 - MIN_CAMERA),
            ("camera.width", camera.width, MIN_CAMERA, 1.0),
            ("camera.height", camera.height, MIN_CAMERA, 1.0),
        ]
    for key, value, low, high in rules:
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            return key, value, f"{low:g} to {high:g}"
    if camera is not None:
        # Half a thousandth: shares are typed with three digits.
        for key, end in (
            ("camera.width", camera.x + camera.width),
            ("camera.height", camera.y + camera.height),
        ):
            if end > 1.0005:
                return (
                    key,
                    getattr(camera, key[7:]),
                    f"at most what is left of the picture: it ends at {end:.3f} of it",
                )
    return None
