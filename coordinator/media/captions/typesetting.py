"""Words set in lines: which runs stand where, in every script and direction. No colours. One thread.

Lengths are pixels; x counts from the left end of a line, heights from its baseline.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Sequence
from typing import Literal

from coordinator.media.captions.bidi import is_right_to_left, levels_of, visual_order
from coordinator.media.captions.breaking import FORBIDDEN, best_breaks, break_penalties, is_glued
from coordinator.media.captions.fonts import (
    CAN_SHAPE,
    Run,
    can_draw,
    font_of,
    is_emoji_face,
    runs_of,
)

# An emoji against the letters beside it, and the room on both its sides.
_EMOJI_SIZE, _EMOJI_ROOM = 1.06, 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRun:
    """A run on its line. `word`: the index of its word in the line."""

    run: Run
    word: int
    x_px: float
    width_px: float
    is_rtl: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Words side by side: `first_word` is the index of its first one on the card."""

    runs: tuple[PlacedRun, ...]
    first_word: int
    width_px: float
    above_px: float
    below_px: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How words are set. `gap_px`: between words; `language`: ISO 639, for shapes that differ by language."""

    face: str
    size_px: int
    gap_px: float
    language: str | None = None


def cased(text: str, case: Literal["upper", "sentence", "keep"], language: str | None = None) -> str:
    """Return `text` in NFC, in capitals where they are asked for and some font has them."""
    text = unicodedata.normalize("NFC", text)
    if case != "upper":
        return text
    if language is not None and language[:2] in ("tr", "az"):
        text = text.replace("i", "İ")
    raised = "".join(_raised(c) if all(map(can_draw, _raised(c))) else c for c in text)
    return unicodedata.normalize("NFC", raised)


@functools.lru_cache(maxsize=4096)
def _raised(character: str) -> str:
    raised = character.upper()
    if "\u0370" <= character <= "\u03ff" or "\u1f00" <= character <= "\u1fff":
        # Greek capitals bear no accents.
        parts = unicodedata.normalize("NFD", raised)
        return unicodedata.normalize("NFC", "".join(c for c in parts if c not in "\u0301\u0300\u0342"))
    return raised


def drawable_text(text: str, face: str) -> str:
    """Return what can be drawn of `text`, with single spaces; empty where only marks would remain."""
    kept = "".join(run.text for run in runs_of(" ".join(text.split()), face))
    return " ".join(kept.split()) if any(c.isalnum() or unicodedata.category(c) == "So" for c in kept) else ""


def set_lines(
    words: Sequence[str], setting: Setting, *, max_width_px: float, max_lines: int
) -> list[Line] | None:
    """Break words into at most `max_lines` lines that are even and read well; None where they do not fit."""
    pieces = [_runs_with_widths(word, setting) for word in words]
    widths = [sum(width for _, width in piece) for piece in pieces]
    gaps = _gaps_px(words, setting)
    penalties = break_penalties(words)
    total_px = sum(widths) + sum(gaps)
    groups = [(0, len(words))]
    if total_px > max_width_px and max_lines > 1:
        wanted_px = total_px / max(2, -(-total_px // max_width_px))
        cost_of = functools.partial(_line_cost, widths, gaps, max_px=max_width_px, wanted_px=wanted_px)
        num = len(words)
        costs = [[cost_of(first, after) for after in range(first + 1, num + 1)] for first in range(num)]
        groups = best_breaks([0.35 * p if p < FORBIDDEN else p for p in penalties], costs)
    is_rtl = is_right_to_left(words)
    lines = [_line(pieces[a:b], gaps[a:b], a, setting, is_rtl=is_rtl) for a, b in groups]
    fits = len(lines) <= max_lines and all(line.width_px <= max_width_px for line in lines)
    return lines if fits else None


def set_line(words: Sequence[str], setting: Setting, *, is_rtl: bool) -> Line:
    """Set words in one line, however long it grows."""
    pieces = [_runs_with_widths(word, setting) for word in words]
    return _line(pieces, _gaps_px(words, setting), 0, setting, is_rtl=is_rtl)


def _line_cost(
    widths: Sequence[float],
    gaps: Sequence[float],
    first: int,
    after: int,
    *,
    max_px: float,
    wanted_px: float,
) -> float:
    width_px = sum(widths[first:after]) + sum(gaps[first + 1 : after])
    if width_px > max_px:
        return float("inf") if after - first > 1 else 10.0
    # A line more costs more than any unevenness; a word alone looks lost unless it is long.
    is_orphan = after - first == 1 < len(widths) and width_px < max_px / 3
    return 1.0 + ((width_px - wanted_px) / max_px) ** 2 * 4 + 0.3 * is_orphan


def _gaps_px(words: Sequence[str], setting: Setting) -> list[float]:
    """Return the room before each word."""
    glued = [is_glued(left, right) for left, right in itertools.pairwise(words)]
    return [0.0, *(0.0 if is_one else setting.gap_px for is_one in glued)]


def _runs_with_widths(word: str, setting: Setting) -> list[tuple[Run, float]]:
    return [(run, width_of(run, setting)) for run in runs_of(word, setting.face)]


def _line(
    pieces: Sequence[Sequence[tuple[Run, float]]],
    gaps: Sequence[float],
    first_word: int,
    setting: Setting,
    *,
    is_rtl: bool,
) -> Line:
    """Put the runs of some words in their visual order, on a line that runs as its card does."""
    found = [(k, run, width) for k, piece in enumerate(pieces) for run, width in piece]
    levels = levels_of([run.text for _, run, _ in found], is_rtl=is_rtl)
    x_px, placed = 0.0, []
    last_word: int | None = None
    for index in visual_order(levels):
        word, run, width_px = found[index]
        if last_word is not None and word != last_word:
            x_px += gaps[max(word, last_word)]
        placed.append(
            PlacedRun(run=run, word=word, x_px=x_px, width_px=width_px, is_rtl=levels[index] % 2 == 1)
        )
        x_px += width_px
        last_word = word
    heights = [heights_of(p.run, setting, is_rtl=p.is_rtl) for p in placed] or [(0.0, 0.0)]
    return Line(
        runs=tuple(placed),
        first_word=first_word,
        width_px=x_px,
        above_px=max(above for above, _ in heights),
        below_px=max(below for _, below in heights),
    )


def shaping(*, is_rtl: bool, language: str | None) -> tuple[str | None, str | None]:
    """Return the direction and language that Pillow is told of a run; None where it cannot shape."""
    return ("rtl" if is_rtl else "ltr", language or None) if CAN_SHAPE else (None, None)


def emoji_side_px(size_px: float) -> float:
    """How wide and high an emoji is drawn beside letters of a size."""
    return size_px * _EMOJI_SIZE


def width_of(run: Run, setting: Setting) -> float:
    """Return how much room a run takes on its line."""
    if is_emoji_face(run.face):
        return emoji_side_px(setting.size_px) + 2 * _EMOJI_ROOM * setting.size_px
    return _length_px(run.text, run.face, setting.size_px, setting.language)


@functools.lru_cache(maxsize=4096)
def _length_px(text: str, face: str, size_px: int, language: str | None) -> float:
    direction, told = shaping(is_rtl=is_right_to_left([text]), language=language)
    return font_of(face, size_px).getlength(text, direction=direction, language=told)


@functools.lru_cache(maxsize=64)
def cap_height_px(face: str, size_px: int) -> float:
    """How high a capital letter is."""
    return float(-font_of(face, size_px).getbbox("H", anchor="ls")[1])


def heights_of(run: Run, setting: Setting, *, is_rtl: bool) -> tuple[float, float]:
    """Return how far the ink of a run reaches above and below its baseline."""
    if is_emoji_face(run.face):
        cap_px, side_px = cap_height_px(setting.face, setting.size_px), emoji_side_px(setting.size_px)
        return (cap_px + side_px) / 2, (side_px - cap_px) / 2
    return _ink_px(run.text, run.face, setting.size_px, setting.language, is_rtl)


@functools.lru_cache(maxsize=4096)
def _ink_px(text: str, face: str, size_px: int, language: str | None, is_rtl: bool) -> tuple[float, float]:
    direction, told = shaping(is_rtl=is_rtl, language=language)
    box = font_of(face, size_px).getbbox(text, anchor="ls", direction=direction, language=told)
    return float(-box[1]), float(box[3])
