"""A streamer's own frame around a clip: films before and after it, and a picture in its corner."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

from av.video.frame import VideoFrame
from PIL import Image, UnidentifiedImageError

from coordinator.errors import MediaUnusable
from coordinator.media.captions.stamp import Stamp, stamp_of
from coordinator.media.intake.decoding import Samples, outline
from coordinator.media.intake.opening import translating
from coordinator.media.intake.span import Span, fitted
from coordinator.media.output.render import Compose, Stretch
from coordinator.media.partial import replacing
from coordinator.media.picture.frames import Canvas, Layout
from coordinator.media.sound.levelling import level_sound
from coordinator.model.exporting import Brand

# Beyond this a film is no frame around a clip any more.
MAX_FILM_S = 30.0
MAX_PICTURE_PX = 4096
# No watermark is drawn larger than this.
_KEPT_PX = 1024
_MARGIN = 0.04
# What most presets give sound: levelled once, for all of them.
_SOUND_BPS = 160_000
OpenSound: TypeAlias = "Callable[[], Iterator[Samples]]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """An intro or outro, levelled like the clip; `open_sound` is None where it has none."""

    span: Span
    open_sound: OpenSound | None

    @property
    def length_s(self) -> float:
        """How long it is shown."""
        return self.span.length_s or MAX_FILM_S

    def stretch(self) -> Stretch:
        """Its pictures, decoded anew at each call."""
        return Stretch(
            pictures=self.span.pictures(), length_s=self.length_s, hold_until_s=self.span.hold_until_s
        )

    def composer(self, width: int, height: int) -> Compose:
        """What brings its pictures to a size: whole, before a blurred copy of themselves."""
        return Canvas(
            width, height, layout=Layout(zoom=1.0), sample_aspect=self.span.outline.sample_aspect
        ).compose


def film_of(path: str, what: Literal["intro", "outro"]) -> Film:
    """Read an intro or outro.

    Raises:
        MediaUnusable: It cannot be read, has no picture, or is longer than `MAX_FILM_S`.
    """
    film = Path(path)
    found = outline(film)
    if not found.has_video:
        raise MediaUnusable(f"the {what} {film.name} has no picture that can be decoded here")
    if found.duration_s is not None and found.duration_s > MAX_FILM_S:
        raise MediaUnusable(
            f"the {what} {film.name} is {found.duration_s:.1f} s long; at most {MAX_FILM_S:g} s are taken"
        )
    span = fitted(film, found, start_s=0.0, end_s=found.duration_s or MAX_FILM_S, rate=Fraction(30))
    if not found.has_audio:
        return Film(span=span, open_sound=None)
    sound = level_sound(span.sound, bitrate_bps=_SOUND_BPS)
    return Film(span=span, open_sound=sound.open if sound is not None else None)


class Watermark:
    """Draws a picture into a corner of frames of one size."""

    def __init__(self, brand: Brand, *, width: int, height: int) -> None:
        """Read `brand.watermark`.

        Raises:
            MediaUnusable: It is no picture, or larger than `MAX_PICTURE_PX`.
        """
        self._stamp: Stamp | None = None
        if brand.watermark is None:
            return
        image = _read(Path(brand.watermark))
        short_px = min(width, height)
        mark_width = max(2, round(short_px * brand.watermark_width))
        mark_height = max(2, round(image.height * mark_width / image.width))
        if mark_height > height // 3:
            mark_width, mark_height = max(2, mark_width * (height // 3) // mark_height), height // 3
        image = image.resize((mark_width, mark_height), Image.Resampling.LANCZOS)
        opacity = min(1.0, max(0.0, brand.watermark_opacity))
        image.putalpha(image.getchannel("A").point([round(step * opacity) for step in range(256)]))
        margin_px = round(short_px * _MARGIN)
        x = margin_px if brand.watermark_corner.endswith("left") else width - mark_width - margin_px
        y = margin_px if brand.watermark_corner.startswith("top") else height - mark_height - margin_px
        self._stamp = stamp_of(image, max(0, x), max(0, y))

    def draw(self, frame: VideoFrame, time_s: float) -> None:
        """Blend it onto `frame`, at any time."""
        if self._stamp is not None:
            self._stamp.blend(frame)


def clean_watermark(src: Path, dst: Path) -> tuple[int, int]:
    """Write a picture anew as PNG, its pixels alone, and return its size.

    Raises:
        MediaUnusable: It is no picture, or larger than `MAX_PICTURE_PX`.
        DiskFull: There is no room for the result.
    """
    image = _read(src)
    image.thumbnail((_KEPT_PX, _KEPT_PX), Image.Resampling.LANCZOS)
    with replacing(dst) as partial:
        image.save(partial, format="PNG")
    return image.size


def _read(path: Path) -> Image.Image:
    with translating(path, "read the watermark"):
        try:
            with Image.open(path, formats=("PNG", "WEBP", "JPEG")) as image:
                if max(image.size) > MAX_PICTURE_PX:
                    raise MediaUnusable(
                        f"the watermark {path.name} is {image.width}x{image.height} pixels; "
                        f"at most {MAX_PICTURE_PX} on a side"
                    )
                return image.convert("RGBA")
        except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as exc:
            raise MediaUnusable(f"cannot read the watermark {path.name}: it is no PNG, WebP or JPEG") from exc
