"""A small moving picture (WebP or GIF) for where no film is shown. One thread."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from PIL import Image

from coordinator.media.intake.decoding import Samples
from coordinator.media.intake.opening import translating

WEBP_QUALITY = 70
# 0 is the fastest; 4, Pillow's own choice, costs three times as much for a tenth less.
WEBP_METHOD = 2
# The pictures from which the one palette of a GIF is taken.
_PALETTE_OF = 8


class MovingPictureWriter:
    """A context: pictures in by `write_picture`, all written at the end. Holds them: meant for seconds, not minutes."""

    def __init__(self, path: Path, *, container: Literal["gif", "webp"], rate: Fraction) -> None:
        self._path = path
        self._container = container
        self._rate = rate
        self._to_rgb = VideoReformatter()
        self._pictures: list[Image.Image] = []

    def write_picture(self, frame: VideoFrame) -> None:
        """Show `frame` for one tick; its pixels may be written anew afterwards."""
        rgb = self._to_rgb.reformat(frame, format="rgb24", src_colorspace=Colorspace.ITU709)
        self._pictures.append(Image.fromarray(np.asarray(rgb.to_ndarray(), np.uint8)))

    def write_sound(self, samples: Samples) -> None:
        """Nothing is heard."""

    @property
    def duration_s(self) -> float:
        """How long one round takes."""
        return float(len(self._pictures) / self._rate)

    def __enter__(self) -> MovingPictureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._pictures:
            with translating(self._path, "write"):
                self._save()

    def _save(self) -> None:
        shown = self._pictures
        options: dict[str, int] = {"quality": WEBP_QUALITY, "method": WEBP_METHOD}
        if self._container == "gif":
            palette = _palette_of(shown)
            shown = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in shown]
            options = {"disposal": 1}
        shown[0].save(
            self._path,
            format=self._container.upper(),
            save_all=True,
            append_images=shown[1:],
            duration=round(1000 / self._rate),
            loop=0,
            **options,
        )


def _palette_of(pictures: list[Image.Image]) -> Image.Image:
    """One palette for all: what does not move then has the same colours in every picture, and costs nothing."""
    chosen = pictures[:: max(1, len(pictures) // _PALETTE_OF)][:_PALETTE_OF]
    sheet = Image.new("RGB", (chosen[0].width, chosen[0].height * len(chosen)))
    for row, each in enumerate(chosen):
        sheet.paste(each, (0, row * each.height))
    return sheet.quantize(256, method=Image.Quantize.MEDIANCUT)
