"""How far what is said is what people say in moments: a weight for each word and pair of words, shipped as `said.json`.

The lexicon knows phrases, each of which means something by itself; most of what is said in a moment is none of them.
These weights know nothing but how much oftener a word was said in moments than elsewhere, over many makers' streams;
`tests/bench/highlights_fit.py` counts them. They take part beside sound and picture alone, as one of the figures of
`columns.py`: that is where it was seen what they are worth.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from coordinator.highlight.language import are_english
from coordinator.highlight.normalise import Curve
from coordinator.highlight.shipped import read_shipped
from coordinator.highlight.text import steps_of
from coordinator.model.highlight import Utterance

Weights = Mapping[str, float]
_WORD: Final = re.compile(r"[a-z']+")


class SaidFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        made_on, origin: the day of it, and from what it was counted.
        weights: of each word and pair of words: the log of how much oftener it is said in a moment than elsewhere.
    """

    version: int
    made_on: str
    origin: str
    weights: dict[str, float]


def parts_of(text: str) -> frozenset[str]:
    """The words of a text and each two that follow one another, in lower case."""
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    return frozenset((*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))))


def telling(text: str, weights: Weights) -> float:
    """How far a text is one of a moment, in no unit: 0 where nothing of it is known, below where it speaks against."""
    parts = parts_of(text)
    return sum(weights.get(part, 0.0) for part in parts) / math.sqrt(1 + len(parts))


def said_curve(utterances: Sequence[Utterance], num_steps: int, weights: Weights) -> Curve | None:
    """What is being said at each step, shape (num_steps,); 0 where nobody speaks, none where nobody speaks English."""
    level = np.zeros(num_steps)
    known = [one for one, is_known in zip(utterances, are_english(utterances), strict=True) if is_known]
    if not known:
        return None
    for one in known:
        level[slice(*steps_of(one.start_s, one.end_s, num_steps, least=1))] += telling(one.text, weights)
    return level


@functools.cache
def shipped_said() -> Weights:
    """The weights that came with this version."""
    return read_shipped("said.json", SaidFile).weights
