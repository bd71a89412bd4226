"""Counts what is said in moments and elsewhere: the weights of `coordinator/highlight/said.py`."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence

from coordinator.highlight.said import parts_of
from tests.bench.highlights_makers import MadeCase

_BEFORE_S = 1.0  # a recogniser's times may be early
_EACH = 1000  # utterances to which rates are told
_UNSURE = 0.5  # of as many: what is said so seldom weighs little
_LEAST_MAKERS = 2  # what one author alone says is a habit of his
_LEAST_WEIGHT = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Talk:
    """What is said in streams of one maker: how many utterances of a thousand have a part, in moments and elsewhere."""

    inside: dict[str, float]
    outside: dict[str, float]


def talk_of(cases: Sequence[MadeCase]) -> Talk:
    """Of these streams."""
    counts: dict[bool, collections.Counter[str]] = {True: collections.Counter(), False: collections.Counter()}
    totals = {True: 0, False: 0}
    for case in cases:
        for one in case.apart.utterances:
            is_inside = any(span.start_s - _BEFORE_S <= one.start_s <= span.end_s for span in case.wanted)
            totals[is_inside] += 1
            counts[is_inside].update(parts_of(one.text))
    inside, outside = (
        {part: _EACH * num / max(1, totals[is_inside]) for part, num in counts[is_inside].items()}
        for is_inside in (True, False)
    )
    return Talk(inside=inside, outside=outside)


def weights_of(talks: Sequence[Talk]) -> dict[str, float]:
    """What each part weighs, each maker as heavy as the next; what weighs next to nothing is left out."""
    num_makers = collections.Counter(
        part for talk in talks for part in talk.inside.keys() | talk.outside.keys()
    )
    weights = {}
    for part in sorted(part for part, num in num_makers.items() if num >= _LEAST_MAKERS):
        inside = sum(talk.inside.get(part, 0.0) for talk in talks) / len(talks)
        outside = sum(talk.outside.get(part, 0.0) for talk in talks) / len(talks)
        weight = round(math.log((inside + _UNSURE) / (outside + _UNSURE)), 2)
        if abs(weight) >= _LEAST_WEIGHT:
            weights[part] = weight
    return weights
