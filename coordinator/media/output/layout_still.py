"""Two pictures side by side to set a layout by: what it takes of the source, and what it makes of it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFont

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import Outline, outline, pictures
from coordinator.media.intake.span import check_bounds
from coordinator.media.output.presets import Preset, preset_named
from coordinator.media.output.sizing import output_size
from coordinator.media.partial import replacing
from coordinator.media.picture.composing import check_framing, composer, follow_window
from coordinator.media.picture.frames import BT709, upright_size
from coordinator.media.picture.geometry import Region, even
from coordinator.media.picture.moving import WindowAt
from coordinator.media.picture.safe_areas import Box, safe_area
from coordinator.media.picture.shown import shown_parts, shown_share
from coordinator.model.framing import Framing

HEIGHT_PX = 960
MAX_SOURCE_WIDTH_PX = 1280
JPEG_QUALITY = 88
# `follow` looks this far to both sides of the picture that is shown.
_LOOK_S = 4.0
Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"
_CAMERA, _GAME, _SAFE = "#ffd23f", "#4cd97b", "#5ec8ff"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayoutStill:
    """What was drawn. `parts`: what is seen of the source, as shares (x, y, width, height); a camera first."""

    path: str
    at_s: float
    width: int
    height: int
    shown_share: float
    parts: tuple[Region, ...]
    safe_area: Box


def layout_still(src: Path, dst: Path, framing: Framing, *, preset: str, at_s: float | None) -> LayoutStill:
    """Write a JPEG: left the source, darker where it is cut off, with a scale of tenths; right the result.

    The right one has a line around what the app's own buttons leave free.

    Args:
        at_s: which picture; None: the one in the middle of the clip.

    Raises:
        MediaUnusable: The clip has no picture there, or the preset or the framing cannot be.
        DiskFull: There is no room for the result.
    """
    wanted, found = preset_named(preset), outline(src)
    if wanted.layout == "copy":
        raise MediaUnusable(f"{preset} hands over the picture as it is; choose another preset")
    check_framing(framing)
    if at_s is None:
        at_s = (found.duration_s or 0.0) / 2
    check_bounds(at_s, None)
    shown = next(pictures(src, start_s=at_s), None)
    if shown is None:
        raise MediaUnusable(f"{src.name} has no picture at {at_s:g} s")
    frame = shown[1]
    source = upright_size(frame, found.sample_aspect)
    canvas = output_size(wanted, framing.shape, length_s=found.duration_s, source_size=source)
    window_at = _window_around(src, found, framing, canvas, at_s)
    parts = shown_parts(
        framing,
        preset_layout=wanted.layout,
        zoom=wanted.zoom,
        source=source,
        canvas=canvas,
        focus=window_at(frame) if window_at is not None else None,
    )
    box = safe_area(preset, *canvas)
    scale = min(MAX_SOURCE_WIDTH_PX / source[0], HEIGHT_PX / source[1])
    sheet_size = even(source[0] * scale), even(source[1] * scale)
    left = _annotated(_image(frame, sheet_size, found, Framing(layout="fit"), wanted), parts, framing)
    right = _with_safe_area(_image(frame, canvas, found, framing, wanted, window_at), box, canvas)
    sheet = Image.new("RGB", (left.width + right.width + 20, HEIGHT_PX), "#202020")
    sheet.paste(left, (0, (HEIGHT_PX - left.height) // 2))
    sheet.paste(right, (left.width + 20, (HEIGHT_PX - right.height) // 2))
    with replacing(dst) as partial:
        sheet.save(partial, format="JPEG", quality=JPEG_QUALITY)
    return LayoutStill(
        path=str(dst),
        at_s=round(shown[0], 3),
        width=canvas[0],
        height=canvas[1],
        shown_share=round(shown_share(parts), 3),
        parts=tuple(parts),
        safe_area=box,
    )


def _window_around(
    src: Path, found: Outline, framing: Framing, canvas: tuple[int, int], at_s: float
) -> WindowAt | None:
    return follow_window(
        framing,
        lambda: itertools.chain(pictures(src, start_s=max(0.0, at_s - _LOOK_S))),
        width=canvas[0],
        height=canvas[1],
        sample_aspect=found.sample_aspect,
        until_s=at_s + _LOOK_S,
    )


def _image(
    frame: VideoFrame,
    size: tuple[int, int],
    found: Outline,
    framing: Framing,
    wanted: Preset,
    window_at: WindowAt | None = None,
) -> Image.Image:
    """Compose a frame and return it as it looks, no larger than is drawn here."""
    compose = composer(
        framing,
        preset_layout=wanted.layout,
        zoom=wanted.zoom,
        width=size[0],
        height=size[1],
        sample_aspect=found.sample_aspect,
        window_at=window_at,
    ).compose
    composed = compose(frame)
    composed.colorspace = BT709
    image = Image.fromarray(np.asarray(composed.to_ndarray(format="rgb24"), np.uint8))
    image.thumbnail((MAX_SOURCE_WIDTH_PX, HEIGHT_PX))
    return image


def _annotated(image: Image.Image, parts: Sequence[Region], framing: Framing) -> Image.Image:
    """Darken what is not seen, frame what is, and draw a scale of tenths along two sides."""
    dark = image.point(lambda value: value * 0.4)
    boxes = [_pixels(part, image.size) for part in parts]
    for box in boxes:
        dark.paste(image.crop(box), box[:2])
    draw = ImageDraw.Draw(dark)
    font = ImageFont.load_default(max(10, image.width // 60))
    names = ["camera", "game"] if len(parts) == 2 else [framing.layout]
    colours = [_CAMERA, _GAME] if len(parts) == 2 else [_GAME]
    for box, name, colour in reversed(list(zip(boxes, names, colours, strict=True))):
        corner = max(box[0], box[2] - 1), max(box[1], box[3] - 1)
        draw.rectangle((*box[:2], *corner), outline=colour, width=3)
        draw.text((box[0] + 8, box[1] + 6), name, font=font, fill=colour, stroke_width=2, stroke_fill="black")
    _draw_scale(draw, image.size, font)
    return dark


def _draw_scale(draw: ImageDraw.ImageDraw, size: tuple[int, int], font: Font) -> None:
    width, height = size
    for tenth in range(1, 10):
        x, y = width * tenth // 10, height * tenth // 10
        draw.line((x, height - 12, x, height), fill="white", width=2)
        draw.line((0, y, 12, y), fill="white", width=2)
        for at, anchor in (((x, height - 16), "ms"), ((16, y), "lm")):
            text = f".{tenth}"
            draw.text(at, text, anchor=anchor, font=font, fill="white", stroke_width=2, stroke_fill="black")


def _with_safe_area(image: Image.Image, box: Box, canvas: tuple[int, int]) -> Image.Image:
    scale = image.width / canvas[0]
    edges = [round(edge * scale) for edge in (box.left_px, box.top_px, box.right_px, box.bottom_px)]
    left, top, right, bottom = edges
    dim = image.point(lambda value: value * 0.7)
    dim.paste(image.crop((left, top, right, bottom)), (left, top))
    ImageDraw.Draw(dim).rectangle((left, top, right - 1, bottom - 1), outline=_SAFE, width=2)
    return dim


def _pixels(part: Region, size: tuple[int, int]) -> tuple[int, int, int, int]:
    x, y, across, down = part
    return (
        round(x * size[0]),
        round(y * size[1]),
        round((x + across) * size[0]),
        round((y + down) * size[1]),
    )
