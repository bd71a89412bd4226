"""Whether what is said is English, the only language whose words are read; of any other, only the form counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from coordinator.model.highlight import Utterance

# Function words of English that no neighbour shares ("a", "me", "no", "on" and "was" are words elsewhere, too).
_ENGLISH: Final = frozenset(
    "the and is you it it's that that's of we they what this for with my i'm are your not have get got just there "
    "from all out he's who how his her their them been would could should if i but let's let oh so to at".split()
)
_AROUND: Final = 10  # utterances to each side
_LEAST_WORDS: Final = 12
_LEAST_SHARE: Final = 0.05  # English talk has some 0.3, other languages 0.03 at most
LAUGHTER_STRENGTH: Final = 0.45
LAUGHTER: Final = re.compile(
    r"\b(?:(?:ha|he|hi|ja|je|ah|\u0445\u0430|\u0430\u0445){2,}\w*|k{4,}|w{4,}|mdr+|lol+|kek\w*)\b|[\u7b11\u54c8\u3149\u314b]{2,}"
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def are_english(utterances: Sequence[Utterance]) -> list[bool]:
    """For each utterance, whether what is said around it is English; too little to tell counts as English.

    A lone cry is judged by its neighbours. Scripts other than Latin are never English.
    """
    words = [_WORD.findall(one.text.lower().replace("\u2019", "'")) for one in utterances]
    # Who says the same again tells nothing new of his language.
    words = [[] if index and one == words[index - 1] else one for index, one in enumerate(words)]
    totals = np.concatenate(([0], np.cumsum([len(one) for one in words])))
    known = np.concatenate(([0], np.cumsum([sum(word in _ENGLISH for word in one) for one in words])))
    found: list[bool] = []
    for index, one in enumerate(utterances):
        first, last = max(0, index - _AROUND), min(len(words), index + _AROUND + 1)
        total = int(totals[last] - totals[first])
        share = int(known[last] - known[first]) / max(1, total)
        found.append(_is_latin(one.text) and (total < _LEAST_WORDS or share >= _LEAST_SHARE))
    return found


def _is_latin(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter < "\u0250" for letter in letters) >= 0.5 * len(letters)
