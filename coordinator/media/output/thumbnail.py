"""One picture of a clip, as JPEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import outline, pictures
from coordinator.media.intake.span import check_bounds
from coordinator.media.partial import replacing
from coordinator.media.picture.frames import Scaler, upright_size
from coordinator.media.picture.geometry import place, within

MAX_LONG_PX = 640
JPEG_QUALITY = 82


def thumbnail(src: Path, dst: Path, *, at_s: float) -> tuple[int, int]:
    """Write the picture shown at `at_s` (the last one, where the clip is shorter) and return its size.

    Raises:
        MediaUnusable: There is no picture that can be decoded.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    check_bounds(at_s, None)
    found = outline(src)
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
    with replacing(dst) as partial:
        image.save(partial, format="JPEG", quality=JPEG_QUALITY)
    return size
