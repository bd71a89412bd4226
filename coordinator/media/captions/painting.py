"""Draw cards of words with Pillow, by a style: boxes, outlines, letters, emoji, shadow. One thread."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

from coordinator.media.captions.fonts import EMOJI_EM_PX, font_of, is_emoji_face
from coordinator.media.captions.styles import CaptionStyle
from coordinator.media.captions.typesetting import (
    Line,
    PlacedRun,
    Setting,
    cap_height_px,
    emoji_side_px,
    set_lines,
    shaping,
)

MIN_SIZE_PX = 5
# Of the size: room above capitals and below the baseline that every line has, so that cards stand alike.
_ABOVE, _BELOW = 0.09, 0.24
_NOBODY = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A run on the picture: its left end and baseline, and the size of its letters."""

    placed: PlacedRun
    word: int
    x_px: float
    baseline_px: float
    size_px: int


class Canvas:
    """An empty picture to draw runs on."""

    def __init__(self, width_px: int, height_px: int, setting: Setting) -> None:
        self.image = Image.new("RGBA", (max(1, width_px), max(1, height_px)))
        self._setting = setting

    def box(self, box: tuple[float, float, float, float], radius_px: float, fill: str) -> None:
        """Draw a box with round corners, four times as fine and made smaller: smooth edges."""
        colour = ImageColor.getcolor(fill, "RGBA")
        assert isinstance(colour, tuple)
        mask = Image.new("L", (self.image.width * 2, self.image.height * 2))
        left, top, right, bottom = (2 * side for side in box)
        ImageDraw.Draw(mask).rounded_rectangle((left, top, right, bottom), 2 * radius_px, fill=colour[3])
        self._put(mask.resize(self.image.size, Image.Resampling.BOX), colour)

    def letters(self, spots: Iterable[Spot], fill: str, *, outline_px: float = 0.0) -> None:
        """Draw letters, or with `outline_px` their outlines, in one colour."""
        colour = ImageColor.getcolor(fill, "RGBA")
        assert isinstance(colour, tuple)
        mask = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(mask)
        for spot in spots:
            run = spot.placed.run
            if is_emoji_face(run.face):
                continue
            direction, language = shaping(is_rtl=spot.placed.is_rtl, language=self._setting.language)
            draw.text(
                (spot.x_px, spot.baseline_px),
                run.text,
                font=font_of(run.face, spot.size_px),
                fill=colour[3],
                anchor="ls",
                stroke_width=outline_px,
                direction=direction,
                language=language,
            )
        self._put(mask, colour)

    def emoji(self, spots: Iterable[Spot]) -> None:
        """Draw the emoji among the runs, in their own colours."""
        for spot in spots:
            run = spot.placed.run
            if not is_emoji_face(run.face):
                continue
            picture = _emoji_picture(run.face, run.text, max(1, round(emoji_side_px(spot.size_px))))
            middle_px = spot.baseline_px - cap_height_px(self._setting.face, spot.size_px) / 2
            width_px = spot.placed.width_px * spot.size_px / self._setting.size_px
            x = round(spot.x_px + (width_px - picture.width) / 2)
            self._compose(picture, x, round(middle_px - picture.height / 2))

    def shadow(self, blur_px: float, down_px: float, darkness: float) -> None:
        """Put a soft shadow of all that is drawn behind it."""
        # At a quarter of the pixels: nobody sees it behind a blur.
        alpha = self.image.getchannel("A")
        small = alpha.reduce(2).filter(ImageFilter.GaussianBlur(blur_px / 2))
        shade = small.point(lambda a: a * darkness).resize(alpha.size, Image.Resampling.BILINEAR)
        base = Image.new("RGBA", alpha.size)
        base.putalpha(ImageChops.offset(shade, 0, round(down_px)))
        self.image = Image.alpha_composite(base, self.image)

    def under(self, other: Canvas) -> None:
        """Put another picture of the same size behind all that is drawn."""
        self.image = Image.alpha_composite(other.image, self.image)

    def _put(self, mask: Image.Image, colour: tuple[int, ...]) -> None:
        bounds = mask.getbbox()
        if bounds is None:
            return
        ink = Image.new("RGBA", (bounds[2] - bounds[0], bounds[3] - bounds[1]), colour[:3])
        ink.putalpha(mask.crop(bounds))
        self.image.alpha_composite(ink, bounds[:2])

    def _compose(self, picture: Image.Image, x: int, y: int) -> None:
        cut = (max(0, -x), max(0, -y))
        self.image.alpha_composite(picture, (max(0, x), max(0, y)), cut)


@functools.lru_cache(maxsize=128)
def _emoji_picture(face: str, text: str, side_px: int) -> Image.Image:
    font = font_of(face, EMOJI_EM_PX)
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    picture = Image.new("RGBA", (max(1, round(right - left)), max(1, round(bottom - top))))
    ImageDraw.Draw(picture).text((-left, -top), text, font=font, anchor="ls", embedded_color=True)
    height_px = max(1, round(side_px * picture.height / picture.width))
    return picture.resize((side_px, height_px), Image.Resampling.LANCZOS)


class CardPainter:
    """One card, set once and drawn for each of its states: words keep their places while the mark moves."""

    def __init__(
        self,
        words: Sequence[str],
        style: CaptionStyle,
        *,
        short_px: int,
        max_width_px: float,
        max_height_px: float,
        language: str | None = None,
    ) -> None:
        """Set the words, smaller than the style says where they would not fit.

        Args:
            words: not empty, each with something to draw.
            short_px: the picture's shorter side.
            max_width_px, max_height_px: of the whole image, shadows included.
        """
        self._words = words
        self._style = style
        self._lines: list[Line] = []
        size_px = max(MIN_SIZE_PX, round(short_px * style.size))
        while (
            not self._set(size_px, short_px, max_width_px, max_height_px, language) and size_px > MIN_SIZE_PX
        ):
            size_px = max(MIN_SIZE_PX, min(size_px - 1, int(size_px * 0.94)))

    def _set(
        self, size_px: int, short_px: int, max_width_px: float, max_height_px: float, language: str | None
    ) -> bool:
        style = self._style
        share = size_px / max(1.0, short_px * style.size)
        self._outline_px = max(2.0, short_px * style.outline * share) if style.outline else 0.0
        self._pad_px = round(size_px * 0.45) if style.back_fill else 0
        # Room for the shadow; a box has none.
        room_px = 2 if style.back_fill else size_px * 0.2
        self._margin_px = round(self._outline_px * 3 + room_px)
        gap_px = round(size_px * (0.2 if self._outline_px else 0.26)) + 2 * self._outline_px
        if style.highlight == "box":
            gap_px = round(size_px * 0.34) + self._outline_px
        self._setting = Setting(face=style.face, size_px=size_px, gap_px=gap_px, language=language)
        edge_px = self._margin_px + self._pad_px
        room_px = min(max_width_px - 2 * edge_px, short_px * 8)
        lines = set_lines(self._words, self._setting, max_width_px=room_px, max_lines=style.max_lines)
        if lines is None:
            return False
        self._lines = lines
        self._baselines_px = self._place_lines(edge_px)
        bottom_px = self._baselines_px[-1] + self._below_px(lines[-1]) + edge_px
        self.width_px = round(max(line.width_px for line in lines)) + 2 * edge_px
        self.height_px = round(bottom_px)
        return self.width_px <= max_width_px and self.height_px <= max_height_px

    def _above_px(self, line: Line) -> float:
        size_px = self._setting.size_px
        return max(cap_height_px(self._setting.face, size_px) + _ABOVE * size_px, line.above_px)

    def _below_px(self, line: Line) -> float:
        return max(_BELOW * self._setting.size_px, line.below_px)

    def _place_lines(self, edge_px: int) -> list[float]:
        baselines_px = [edge_px + self._above_px(self._lines[0])]
        for upper, lower in zip(self._lines, self._lines[1:], strict=False):
            wanted_px = self._style.line_height * self._setting.size_px
            needed_px = upper.below_px + lower.above_px + 1.5 * self._outline_px
            baselines_px.append(baselines_px[-1] + max(wanted_px, needed_px))
        return baselines_px

    @property
    def is_set(self) -> bool:
        """Did the words find room?"""
        return bool(self._lines)

    def paint(self, spoken: int) -> Image.Image:
        """Draw the card while word `spoken` is said. RGBA, `width_px` x `height_px`."""
        style = self._style
        marked = spoken if style.highlight != "none" else _NOBODY
        spots = list(self._spots())
        others = [spot for spot in spots if spot.word != marked]
        said = [self._grown(spot, spots) for spot in spots if spot.word == marked]
        canvas = Canvas(self.width_px, self.height_px, self._setting)
        if style.highlight == "box":
            self._draw_box(canvas, said)
        # Every outline before every fill, so that none bites another; the spoken word last, over its neighbours.
        for group, fill in ((others, style.fill), (said, style.spoken_fill)):
            if self._outline_px:
                canvas.letters(group, style.outline_fill, outline_px=self._outline_px)
            canvas.letters(group, fill)
            canvas.emoji(group)
        if style.shadow:
            blur_px = max(1.0, self._outline_px * 0.8)
            canvas.shadow(blur_px, max(1.0, self._outline_px * 0.6), style.shadow)
        if style.back_fill:
            back = Canvas(self.width_px, self.height_px, self._setting)
            edge_px = self._margin_px
            box = (edge_px, edge_px, self.width_px - 1 - edge_px, self.height_px - 1 - edge_px)
            back.box(box, self._setting.size_px * 0.35, style.back_fill)
            canvas.under(back)
        return canvas.image

    def _spots(self) -> Iterable[Spot]:
        for line, baseline_px in zip(self._lines, self._baselines_px, strict=True):
            left_px = (self.width_px - line.width_px) / 2
            for placed in line.runs:
                yield Spot(
                    placed=placed,
                    word=line.first_word + placed.word,
                    x_px=left_px + placed.x_px,
                    baseline_px=baseline_px,
                    size_px=self._setting.size_px,
                )

    def _grown(self, spot: Spot, spots: Sequence[Spot]) -> Spot:
        """The spoken word grows about its middle, but never into its neighbours."""
        ends = [(s.x_px, s.x_px + s.placed.width_px) for s in spots if s.word == spot.word]
        left_px, right_px = min(a for a, _ in ends), max(b for _, b in ends)
        room = 1 + 0.55 * self._setting.gap_px / max(1.0, right_px - left_px)
        size_px = round(spot.size_px * min(self._style.pop, room))
        share = size_px / spot.size_px
        middle_px = (left_px + right_px) / 2
        cap_px = cap_height_px(self._setting.face, spot.size_px)
        return dataclasses.replace(
            spot,
            x_px=middle_px + (spot.x_px - middle_px) * share,
            baseline_px=spot.baseline_px + cap_px * (share - 1) / 2,
            size_px=size_px,
        )

    def _draw_box(self, canvas: Canvas, said: Sequence[Spot]) -> None:
        """Draw the box behind the spoken word: as high as its line."""
        if not said:
            return
        size_px = self._setting.size_px
        line = next(k for k, at in enumerate(self._baselines_px) if at >= said[0].baseline_px - 1)
        pad_px = min(size_px * 0.16, self._setting.gap_px / 2)
        cap_px = cap_height_px(self._setting.face, size_px)
        top_px = self._baselines_px[line] - max(cap_px, self._lines[line].above_px) - size_px * 0.1
        bottom_px = self._baselines_px[line] + max(0.0, self._lines[line].below_px) + size_px * 0.1
        box = (
            max(0.0, min(s.x_px for s in said) - pad_px),
            max(0.0, top_px),
            min(canvas.image.width - 1.0, max(s.x_px + s.placed.width_px for s in said) + pad_px),
            min(canvas.image.height - 1.0, bottom_px),
        )
        canvas.box(box, size_px * 0.18, self._style.box_fill)
