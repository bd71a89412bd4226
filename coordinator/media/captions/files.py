"""The same cards as files beside an export, for players and platforms that take one: SRT, WebVTT, ASS."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.media.captions.bidi import is_right_to_left
from coordinator.media.captions.breaking import is_glued
from coordinator.media.captions.cards import Card, cards_of
from coordinator.media.captions.styles import CaptionStyle
from coordinator.media.partial import replacing
from coordinator.model.exporting import CaptionFile
from coordinator.model.speech import Word

if TYPE_CHECKING:
    import pysubs2

# Where no size is known: what most players assume of an ASS file.
_ASS_WIDTH, _ASS_HEIGHT = 1920, 1080
_RIGHT_TO_LEFT_MARK = "\u200f"


def file_cards(words: Sequence[Word], style: CaptionStyle, *, duration_s: float) -> list[Card]:
    """Return the cues of a caption file, or of a track of text."""
    return cards_of(words, duration_s=duration_s, shape=style.shape_in_files)


def write_caption_files(
    kinds: Sequence[CaptionFile],
    words: Sequence[Word],
    export: Path,
    *,
    style: CaptionStyle,
    duration_s: float,
    size: tuple[int, int] = (_ASS_WIDTH, _ASS_HEIGHT),
) -> list[Path]:
    """Write files with the name of `export` and the ending of each kind; return their paths.

    Args:
        words: in order of time, counted from the start of the export.
        size: of its picture, which lengths in ASS refer to.

    Raises:
        DiskFull, MediaUnusable: One cannot be written.
    """
    cards = file_cards(words, style, duration_s=duration_s)
    paths = []
    for kind in kinds:
        path = export.with_suffix(f".{kind}")
        text = _ass(cards, style, size) if kind == "ass" else _plain(cards, kind)
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _plain(cards: Sequence[Card], kind: CaptionFile) -> str:
    import pysubs2  # Only exports with words need it.

    file = pysubs2.SSAFile()
    for card in cards:
        event = _event(card)
        event.plaintext = _marked(card)
        file.append(event)
    return file.to_string(kind)


def _marked(card: Card) -> str:
    # Players take the direction of a line from its first letter, but that of a mark at its end from their own.
    is_rtl = is_right_to_left(card.texts)
    return f"{_RIGHT_TO_LEFT_MARK}{card.line}{_RIGHT_TO_LEFT_MARK}" if is_rtl else card.line


def _event(card: Card) -> pysubs2.SSAEvent:
    import pysubs2

    start_ms = round(card.start_s * 1000)
    return pysubs2.SSAEvent(start=start_ms, end=max(round(card.end_s * 1000), start_ms + 1))


def _ass(cards: Sequence[Card], style: CaptionStyle, size: tuple[int, int]) -> str:
    """Write an ASS file whose words light up as they are spoken (`\\k`, hundredths of a second)."""
    import pysubs2

    file = pysubs2.SSAFile()
    width, height = size
    short_px = min(size)
    file.info |= {
        "PlayResX": str(width),
        "PlayResY": str(height),
        "WrapStyle": "0",
        "ScaledBorderAndShadow": "yes",
    }
    file.styles["Default"] = pysubs2.SSAStyle(
        fontname="Inter" if style.face == "inter-semibold" else "Inter Display Black",
        fontsize=round(short_px * style.size * 1.2),
        # What was spoken has the primary colour, what comes the secondary.
        primarycolor=_colour(style.spoken_fill if style.highlight == "colour" else style.fill),
        secondarycolor=_colour(style.fill),
        outlinecolor=_colour(style.outline_fill),
        outline=round(short_px * style.outline, 1),
        shadow=0,
        alignment=pysubs2.Alignment.BOTTOM_CENTER,
        marginv=round(height * 0.12),
    )
    for card in cards:
        event = _event(card)
        event.text = _karaoke(card, event.end)
        file.append(event)
    return file.to_string("ass", header_notice="")


def _karaoke(card: Card, end_ms: int) -> str:
    """Return the words with how long each is lit; the hundredths add up to the length of the card."""
    moments_s = [*card.onsets_s, max(end_ms / 1000, card.onsets_s[-1])]
    ticks = [round((moment_s - card.start_s) * 100) for moment_s in moments_s]
    parts = []
    for index, (text, (begin, end)) in enumerate(zip(card.texts, itertools.pairwise(ticks), strict=True)):
        space = "" if index == 0 or is_glued(card.texts[index - 1], text) else " "
        parts.append(f"{space}{{\\k{max(0, end - begin)}}}{_escaped(text)}")
    return "".join(parts)


def _escaped(text: str) -> str:
    # Braces begin an override in ASS, and no reader knows a way to write them.
    return text.replace("{", "(").replace("}", ")").replace("\\", "/")


def _colour(fill: str) -> pysubs2.Color:
    import pysubs2

    red, green, blue = (int(fill[k : k + 2], 16) for k in (1, 3, 5))
    alpha = 255 - int(fill[7:9], 16) if len(fill) == 9 else 0
    return pysubs2.Color(red, green, blue, alpha)
