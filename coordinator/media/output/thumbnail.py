"""Pictures of a clip, as JPEG: the one at a time, or those that show it best."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import Outline, outline, pictures
from coordinator.media.intake.span import check_bounds
from coordinator.media.output.choosing import best_pictures
from coordinator.media.partial import numbered, replacing
from coordinator.media.picture.frames import Scaler, upright_size
from coordinator.media.picture.geometry import place, within

MAX_LONG_PX = 640
JPEG_QUALITY = 82
MAX_COUNT = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """One that was written. `score`: 0 to 1, how well it shows the clip; 0: nothing better was found."""

    path: str
    at_s: float
    score: float
    width: int
    height: int


def thumbnail(src: Path, dst: Path, *, at_s: float | None = None) -> tuple[int, int]:
    """Write a picture and return its size.

    Args:
        at_s: the one that is shown then (the last, where the clip is shorter); None: the one that shows it best.

    Raises:
        MediaUnusable: There is no picture that can be decoded.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    found = outline(src)
    if at_s is None:
        at_s = best_pictures(src, count=1)[0].at_s
    with replacing(dst) as partial:
        return _write(src, partial, found, at_s)


def thumbnails(src: Path, dst: Path, *, count: int, peak_s: float | None = None) -> list[Thumbnail]:
    """Write the pictures that show a clip best, the best one first, as `NAME-1.jpg`, `NAME-2.jpg` beside `dst`.

    One alone is `dst` itself. There may be fewer than `count`: pictures that are all alike are one. They take their
    names together, when the last one is made.

    Args:
        count: 1 to 12.
        peak_s: when it happens, in seconds of the clip; None: not known.

    Raises:
        MediaUnusable: `count` or `peak_s` means nothing, or there is no picture that can be decoded.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    if not 1 <= count <= MAX_COUNT:
        raise MediaUnusable(f"cannot make {count} thumbnails; give 1 to {MAX_COUNT}")
    if peak_s is not None:
        check_bounds(peak_s, None)
    found = outline(src)
    written = []
    chosen = best_pictures(src, count=count, peak_s=peak_s)
    with contextlib.ExitStack() as stack:
        for best, path in zip(chosen, numbered(dst, count), strict=False):
            partial = stack.enter_context(replacing(path))
            width, height = _write(src, partial, found, best.at_s)
            written.append(
                Thumbnail(path=str(path), at_s=best.at_s, score=best.score, width=width, height=height)
            )
    return written


def _write(src: Path, partial: Path, found: Outline, at_s: float) -> tuple[int, int]:
    check_bounds(at_s, None)
    if found.duration_s is not None:
        at_s = min(at_s, max(0.0, found.duration_s - 0.05))
    shown = next(pictures(src, start_s=at_s), None) or next(pictures(src), None)
    if shown is None:
        raise MediaUnusable(f"{src.name} has no picture at {at_s:g} s")
    frame = shown[1]
    size = within(
        *upright_size(frame, found.sample_aspect), max_long_px=MAX_LONG_PX, max_short_px=MAX_LONG_PX
    )
    scaler = Scaler(lambda w, h: place(w, h, size, zoom=float("inf")), sample_aspect=found.sample_aspect)
    pixels = scaler.scale(frame).to_ndarray(format="rgb24")
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    image.save(partial, format="JPEG", quality=JPEG_QUALITY)
    return size
