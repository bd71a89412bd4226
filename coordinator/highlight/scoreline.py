"""Scores told aloud ("2-0", "one nil", "Reds 1, Blues 3"), and whether one is news."""

from __future__ import annotations

import re
from typing import Final

NEWS_STRENGTH: Final = 1.5
JUMP_STRENGTH: Final = 0.75  # more than one point at once: told late, or another match
FIRST_STRENGTH: Final = 0.6
CONFIRMED_STRENGTH: Final = 0.3
OLD_STRENGTH: Final = 0.05
CONFIRM_WITHIN_S: Final = 60.0
MAX_POINTS: Final = 15  # above it the score changes too often to be news

_NUMBERS: Final = {
    "nil": 0, "zero": 0, "love": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
}  # fmt: skip
_SCORE: Final = re.compile(
    r"(?<![\d\-–:.])(\d{1,2})\s?[-–:]\s?(\d{1,2})(?![\d\-–:%]|\.\d)"
    r"|\b(one|two|three|four|five|six|seven)[ -](nil|zero|love|all|each|one|two|three)\b"
    r"|[A-Z]\w+ (\d),? (?:and )?(?:[A-Z]\w+ ){1,2}(\d)\b",
)


def read_score(text: str) -> tuple[tuple[int, int], str] | None:
    """The score told in a text, higher number first, and the words that told it; or None.

    "one two" is a pass, "4-4-2" a formation and "50-50" a chance: none of them is a score.
    """
    match = _SCORE.search(text)
    if match is None:
        return None
    if match[1]:
        pair = (int(match[1]), int(match[2]))
    elif match[3]:
        left = _NUMBERS[match[3]]
        right = left if match[4] in ("all", "each") else _NUMBERS[match[4]]
        if (left, right) == (1, 2):
            return None
        pair = (left, right)
    else:
        pair = (int(match[5]), int(match[6]))
    return ((max(pair), min(pair)), match.group(0)) if max(pair) <= MAX_POINTS else None


class ScoreBoard:
    """Remembers the score as told so far. Feed in time order; owned by one call."""

    def __init__(self) -> None:
        self._known: tuple[int, int] | None = None
        self._since_s = 0.0

    def tell(self, at_s: float, text: str) -> tuple[float, str]:
        """How much the score told in `text` is news, 0 where none is told, and the words that told it."""
        told = read_score(text)
        return (0.0, "") if told is None else (self._news(at_s, told[0]), told[1])

    def _news(self, at_s: float, score: tuple[int, int]) -> float:
        before = self._known
        if before is None:
            self._known, self._since_s = score, at_s
            return FIRST_STRENGTH if 0 < sum(score) <= 2 else OLD_STRENGTH
        if score == before:
            return CONFIRMED_STRENGTH if at_s - self._since_s < CONFIRM_WITHIN_S else OLD_STRENGTH
        if sum(score) < sum(before):
            return 0.0
        self._known, self._since_s = score, at_s
        return NEWS_STRENGTH if sum(score) == sum(before) + 1 else JUMP_STRENGTH
