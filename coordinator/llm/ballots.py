"""How far an opinion of a window's candidates counts: they are compared with each other, twice where they can be. Pure.

A model that answers at random contradicts itself when it is asked again in another order, and then has no say. One that
is wrong in the same way twice is bounded: ranks alone count, never how large its numbers are, and a third of what an
opinion may move unless it agrees with what the detector heard. Figures: ADR 0036.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

# Fewer agree by chance too often: asking twice would say nothing.
MIN_COMPARED = 4
# Pearson's coefficient of the two answers.
MIN_AGREEMENT = 0.5
# What a model may move that nothing else speaks for.
ALONE = 1 / 3

Adjustments: TypeAlias = "Sequence[float]"


def shuffled(count: int, below: Callable[[int], int]) -> tuple[int, ...]:
    """An order of 0 to `count` - 1. Args: below: a random number from 0 to one less than its argument."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = below(last + 1)
        order[last], order[other] = order[other], order[last]
    return tuple(order)


def settled(scores: Sequence[float], ballots: Sequence[Adjustments]) -> list[float] | None:
    """What counts of one or two answers about the same candidates, each -1 to 1; None where they contradict each other.

    Args:
        scores: the detector's, of the same candidates.
    """
    if len(scores) < MIN_COMPARED:
        return [ALONE * value for value in ballots[0]]
    told = [sum(values) for values in zip(*ballots, strict=True)]
    if len(ballots) > 1 and not _agree(ballots[0], ballots[1]):
        return None
    backing = max(0.0, agreement(told, scores)) if len(ballots) > 1 else 0.0
    return [(ALONE + (1 - ALONE) * backing) * rank for rank in _ranks(told)]


def agreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Pearson's coefficient; 0 where either tells nothing apart."""
    spread, other_spread = _spread(one), _spread(other)
    size = math.sqrt(math.fsum(x * x for x in spread) * math.fsum(x * x for x in other_spread))
    # What rounding leaves of equal numbers is no difference.
    return math.fsum(x * y for x, y in zip(spread, other_spread, strict=True)) / size if size > 1e-12 else 0.0


def _agree(one: Adjustments, other: Adjustments) -> bool:
    if len(set(one)) == 1 and len(set(other)) == 1:
        return True
    return agreement(one, other) >= MIN_AGREEMENT


def _spread(values: Sequence[float]) -> list[float]:
    mean = math.fsum(values) / len(values)
    return [value - mean for value in values]


def _ranks(values: Sequence[float]) -> list[float]:
    """-1 for the one below all others, 1 for the one above; equal ones share."""
    return [
        (sum(other < value for other in values) - sum(other > value for other in values)) / (len(values) - 1)
        for value in values
    ]
