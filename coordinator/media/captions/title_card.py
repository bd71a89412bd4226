"""A clip's title as a sticker in its first seconds: dark letters on white, over the picture."""

from __future__ import annotations

from collections.abc import Callable

from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFilter

from coordinator.media.captions.burning import Stamp, drawable_text, font_of, stamp_of

MAX_LINES = 3


class TitleCard:
    """Draws `title` on frames of one size until `until_s`."""

    def __init__(self, title: str, *, width: int, height: int, centre_y: float, until_s: float) -> None:
        self._until_s = until_s
        image = draw_title(title, min(width, height))
        self._stamp: Stamp | None = None
        if image is not None and image.width <= width and image.height <= height:
            top = min(max(0, round(height * centre_y) - image.height // 2), height - image.height)
            self._stamp = stamp_of(image, (width - image.width) // 2, top)

    def draw(self, frame: VideoFrame, time_s: float) -> None:
        """Blend the title onto `frame` while it is shown."""
        if self._stamp is not None and time_s < self._until_s:
            self._stamp.blend(frame)


def draw_title(title: str, width: int) -> Image.Image | None:
    """Draw the title for a picture whose shorter side is `width`; None where the font can draw nothing of it."""
    size_px = max(12, round(width * 0.058))
    font = font_of(size_px)
    lines = _wrapped(drawable_text(title), font.getlength, width * 0.76)
    if not lines:
        return None
    line_px, pad_x, pad_y, rim = (
        round(size_px * 1.22),
        round(size_px * 0.55),
        round(size_px * 0.38),
        size_px // 2,
    )
    box_width = round(max(font.getlength(line) for line in lines)) + 2 * pad_x
    box_height = line_px * len(lines) + 2 * pad_y
    image = Image.new("RGBA", (box_width + 2 * rim, box_height + 2 * rim))
    box = (rim, rim, rim + box_width, rim + box_height)
    shadow = Image.new("L", image.size)
    ImageDraw.Draw(shadow).rounded_rectangle(box, size_px * 0.35, fill=120)
    image.putalpha(shadow.filter(ImageFilter.GaussianBlur(size_px * 0.15)))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(box, size_px * 0.35, fill="white")
    for row, line in enumerate(lines):
        centre = image.width / 2, rim + pad_y + line_px * (row + 0.5)
        draw.text(centre, line, font=font, fill="#101010", anchor="mm")
    return image


def _wrapped(text: str, length_of: Callable[[str], float], max_px: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and length_of(longer) <= max_px:
            lines[-1] = longer
        elif len(lines) == MAX_LINES:
            lines[-1] += "…"
            break
        else:
            lines.append(word)
    return lines
