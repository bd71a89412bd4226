"""Burn word-by-word captions into frames, which come in order of time.

Each word state is drawn once by Pillow, turned into Y, U and V with its transparency, and blended on the
caption's box alone. One thread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from av.video.frame import VideoFrame
from PIL import Image

from coordinator.media.captions.breaking import ends_sentence, readable_words
from coordinator.media.captions.cards import Card, cards_of
from coordinator.media.captions.painting import CardPainter
from coordinator.media.captions.stamp import Stamp, stamp_of
from coordinator.media.captions.styles import CaptionStyle
from coordinator.media.captions.typesetting import cased, drawable_text
from coordinator.media.picture.safe_areas import Box
from coordinator.model.speech import Word


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where captions go on a picture of `width` x `height`: about a height, never outside `area`.

    `frame_s`: how long a frame is shown. A state begins with the frame nearest to its time.
    """

    width: int
    height: int
    centre_y: float
    area: Box
    frame_s: float = 0.0


class Captioner:
    """Draws the captions of one export onto its frames."""

    def __init__(
        self,
        words: Sequence[Word],
        *,
        place: Place,
        duration_s: float,
        style: CaptionStyle,
        language: str | None = None,
    ) -> None:
        """Args: words: in order of time, counted from the first frame."""
        self._style, self._place, self._language = style, place, language
        self.words = drawn_words(words, style, language)
        self._cards = cards_of(self.words, duration_s=duration_s, shape=style.shape)
        self._next = 0
        self._painted: tuple[int, CardPainter] | None = None
        self._key: tuple[int, int] | None = None
        self._stamp: Stamp | None = None

    def draw(self, frame: VideoFrame, time_s: float) -> None:
        """Blend what is said at `time_s` onto `frame` (yuv420p, of the size given)."""
        time_s += self._place.frame_s / 2
        while self._next < len(self._cards) and self._cards[self._next].end_s <= time_s:
            self._next += 1
        if self._next == len(self._cards) or time_s < self._cards[self._next].start_s:
            return
        card = self._cards[self._next]
        key = self._next, card.spoken_at(time_s) if self._style.highlight != "none" else 0
        if key != self._key:
            self._key, self._stamp = key, self._draw_card(card, key[1])
        if self._stamp is not None:
            self._stamp.blend(frame)

    def _draw_card(self, card: Card, spoken: int) -> Stamp | None:
        place, area = self._place, self._place.area
        if self._painted is None or self._painted[0] != self._next:
            painter = CardPainter(
                card.texts,
                self._style,
                short_px=min(place.width, place.height),
                max_width_px=min(centred_room_px(area, place.width), place.width * self._style.max_width),
                max_height_px=area.height_px,
                language=self._language,
            )
            self._painted = self._next, painter
        painter = self._painted[1]
        if not painter.is_set:
            return None
        return placed_stamp(painter.paint(spoken), place)


def centred_room_px(area: Box, width: int) -> int:
    """Return how wide something in the middle of a picture may be; all of an area that is far from it."""
    room_px = 2 * min(width // 2 - area.left_px, area.right_px - width // 2)
    return room_px if room_px > area.width_px / 2 else area.width_px


def drawn_words(words: Sequence[Word], style: CaptionStyle, language: str | None) -> list[Word]:
    """Return the words as the style writes them; those of which no font has anything are left out."""
    found = []
    is_first = True
    for word in readable_words(words):
        text = drawable_text(cased(word.text, style.case, language), style.face)
        if not text:
            continue
        if style.case == "sentence" and is_first:
            text = text[0].upper() + text[1:]
        is_first = ends_sentence(text)
        found.append(dataclasses.replace(word, text=text))
    return found


def placed_stamp(image: Image.Image, place: Place) -> Stamp | None:
    """Put an image where captions go: in the middle as far as the area admits; None where it has no room."""
    area = place.area
    if image.width > area.width_px or image.height > area.height_px:
        return None
    x = min(max((place.width - image.width) // 2, area.left_px), area.right_px - image.width)
    y = min(
        max(round(place.height * place.centre_y) - image.height // 2, area.top_px),
        area.bottom_px - image.height,
    )
    return stamp_of(image, x, y)
