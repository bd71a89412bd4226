"""A clip's title as a sticker in its first seconds: dark letters on white, over the picture."""

from __future__ import annotations

from collections.abc import Sequence

from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFilter

from coordinator.media.captions.bidi import is_right_to_left
from coordinator.media.captions.breaking import readable_texts
from coordinator.media.captions.burning import centred_room_px
from coordinator.media.captions.painting import Canvas, Spot
from coordinator.media.captions.stamp import Stamp, stamp_of
from coordinator.media.captions.typesetting import (
    Line,
    Setting,
    cap_height_px,
    cased,
    drawable_text,
    set_line,
)
from coordinator.media.picture.safe_areas import Box

MAX_LINES = 3
_FACE = "inter-black"


class TitleCard:
    """Draws `title` on frames of one size until `until_s`, inside `area`."""

    def __init__(
        self, title: str, *, width: int, height: int, centre_y: float, until_s: float, area: Box
    ) -> None:
        self._until_s = until_s
        image = draw_title(title, min(width, height), max_width_px=centred_room_px(area, width))
        self._stamp: Stamp | None = None
        if image is not None and image.width <= area.width_px and image.height <= area.height_px:
            wanted_px = round(height * centre_y) - image.height // 2
            top = min(max(area.top_px, wanted_px), area.bottom_px - image.height)
            left = min(max(area.left_px, (width - image.width) // 2), area.right_px - image.width)
            self._stamp = stamp_of(image, left, top)

    def draw(self, frame: VideoFrame, time_s: float) -> None:
        """Blend the title onto `frame` while it is shown."""
        if self._stamp is not None and time_s < self._until_s:
            self._stamp.blend(frame)


def draw_title(title: str, width: int, *, max_width_px: float | None = None) -> Image.Image | None:
    """Draw the title for a picture whose shorter side is `width`; None where the fonts can draw nothing of it."""
    size_px = max(12, round(width * 0.058))
    line_px, pad_x, pad_y, rim = (
        round(size_px * 1.22),
        round(size_px * 0.55),
        round(size_px * 0.38),
        size_px // 2,
    )
    room_px = min(width * 0.76, (max_width_px or width) - 2 * (pad_x + rim))
    setting = Setting(face=_FACE, size_px=size_px, gap_px=size_px * 0.26)
    lines = _wrapped(_words_of(title), setting, room_px)
    if not lines:
        return None
    box_width = round(max(line.width_px for line in lines)) + 2 * pad_x
    box_height = line_px * len(lines) + 2 * pad_y
    canvas = Canvas(box_width + 2 * rim, box_height + 2 * rim, setting)
    box = (rim, rim, rim + box_width, rim + box_height)
    shadow = Image.new("L", canvas.image.size)
    ImageDraw.Draw(shadow).rounded_rectangle(box, size_px * 0.35, fill=120)
    canvas.image.putalpha(shadow.filter(ImageFilter.GaussianBlur(size_px * 0.15)))
    canvas.box(box, size_px * 0.35, "#ffffff")
    for row, line in enumerate(lines):
        baseline_px = rim + pad_y + line_px * (row + 0.5) + cap_height_px(_FACE, size_px) / 2
        left_px = (canvas.image.width - line.width_px) / 2
        spots = [
            Spot(placed=p, word=p.word, x_px=left_px + p.x_px, baseline_px=baseline_px, size_px=size_px)
            for p in line.runs
        ]
        canvas.letters(spots, "#101010")
        canvas.emoji(spots)
    return canvas.image


def _words_of(title: str) -> list[str]:
    drawn = drawable_text(cased(title, "upper"), _FACE)
    return [part for word in drawn.split() for part in readable_texts(word)]


def _wrapped(words: Sequence[str], setting: Setting, max_px: float) -> list[Line]:
    """Fill lines with words; what does not fit on the last one becomes an ellipsis."""
    is_rtl = is_right_to_left(words)
    lines: list[list[str]] = []
    for word in words:
        if lines and set_line([*lines[-1], word], setting, is_rtl=is_rtl).width_px <= max_px:
            lines[-1].append(word)
        elif len(lines) == MAX_LINES:
            lines[-1][-1] += "…"
            break
        else:
            lines.append([word])
    return [set_line(line, setting, is_rtl=is_rtl) for line in lines]
