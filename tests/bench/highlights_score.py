"""How well spans were found: overlap, average precision, what was taken for one, and how sure that is. Pure.

A found span is right when its overlap with one that is wanted, over their union (tIoU), reaches a bound; each wanted
span is given to one found span at most, the best scored first. All counts are pooled over the streams.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.bench.measure import CannotMeasure, median
from tests.synthetic.model import Span

OVERLAP = 0.5
OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_NUM_RESAMPLES = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A span that was found."""

    start_s: float
    end_s: float
    score: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found in one stream, best first, beside the truth of it."""

    guesses: Sequence[Guess]
    wanted: Sequence[Span]
    decoys: Sequence[Span]


def overlap(guess: Guess, span: Span) -> float:
    """Intersection over union of two spans, 0-1."""
    shared_s = min(guess.end_s, span.end_s) - max(guess.start_s, span.start_s)
    return max(0.0, shared_s) / (guess.end_s - guess.start_s + span.duration_s - max(0.0, shared_s))


def matches(one: Judged, bound: float) -> list[Span | None]:
    """For each guess the wanted span it found."""
    free = list(one.wanted)
    found: list[Span | None] = []
    for guess in one.guesses:
        best = max(free, key=lambda span: overlap(guess, span), default=None)
        if best is not None and overlap(guess, best) >= bound:
            free.remove(best)
            found.append(best)
        else:
            found.append(None)
    return found


def average_precision(judged: Sequence[Judged], bound: float = OVERLAP) -> float:
    """Mean precision at each span found, over all that were wanted."""
    return _average_precision([_hits(one, bound) for one in judged], sum(len(one.wanted) for one in judged))


def recall_at_count(judged: Sequence[Judged], bound: float = OVERLAP) -> float:
    """The share found when each stream may give as many spans as it has wanted ones."""
    found = sum(sum(span is not None for span in matches(one, bound)[: len(one.wanted)]) for one in judged)
    return found / max(1, sum(len(one.wanted) for one in judged))


def precision_recall(
    judged: Sequence[Judged], threshold: float, bound: float = OVERLAP
) -> tuple[float, float]:
    """With all guesses from that score on."""
    counts = np.array([_counts(one, threshold, bound) for one in judged]).sum(axis=0)
    return _ratio(counts[0], counts[1]), _ratio(counts[0], counts[2])


def f1(precision: float, recall: float) -> float:
    """The harmonic mean."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best_threshold(judged: Sequence[Judged], bound: float = OVERLAP) -> float:
    """From which score on F1 is greatest: for streams that were developed against, never for those judged."""
    scored = sorted((hit for one in judged for hit in _hits(one, bound)), reverse=True)
    num_wanted = sum(len(one.wanted) for one in judged)
    best, threshold, num_right = -1.0, 0.0, 0
    for place, (score, is_right) in enumerate(scored, 1):
        num_right += is_right
        value = 2 * num_right / (place + num_wanted)
        if value > best:
            best, threshold = value, score
    return threshold


def boundary_errors_s(judged: Sequence[Judged], threshold: float) -> list[float]:
    """How far starts and ends of what was found lie from where they are."""
    errors: list[float] = []
    for one in judged:
        for guess, span in zip(one.guesses, matches(one, OVERLAP), strict=True):
            if span is not None and guess.score >= threshold:
                errors += [abs(guess.start_s - span.start_s), abs(guess.end_s - span.end_s)]
    return errors


def decoys_hit(judged: Sequence[Judged], threshold: float) -> Mapping[str, tuple[int, int]]:
    """By kind: how many decoys were taken for a highlight, of how many.

    One is taken for it when a guess from that score on covers half of the shorter of both and touches nothing wanted.
    """
    hit: dict[str, tuple[int, int]] = {}
    for one in judged:
        wrong = [
            guess
            for guess in one.guesses
            if guess.score >= threshold and not any(overlap(guess, span) > 0.05 for span in one.wanted)
        ]
        for decoy in one.decoys:
            is_hit = any(_covers(guess, decoy) for guess in wrong)
            num_hit, num = hit.get(decoy.kind, (0, 0))
            hit[decoy.kind] = (num_hit + is_hit, num + 1)
    return hit


def f1_interval(judged: Sequence[Judged], threshold: float) -> tuple[float, float]:
    """95 % by resampling streams."""
    counts = np.array([_counts(one, threshold, OVERLAP) for one in judged])

    def value(chosen: np.ndarray) -> float:
        right, given, wanted = counts[chosen].sum(axis=0)
        return f1(_ratio(right, given), _ratio(right, wanted))

    return _interval(value, len(judged))


def average_precision_interval(judged: Sequence[Judged]) -> tuple[float, float]:
    """95 % by resampling streams."""
    hits = [_hits(one, OVERLAP) for one in judged]
    wanted = [len(one.wanted) for one in judged]

    def value(chosen: np.ndarray) -> float:
        return _average_precision([hits[at] for at in chosen], sum(wanted[at] for at in chosen))

    return _interval(value, len(judged))


def curve(judged: Sequence[Judged]) -> list[tuple[float, float]]:
    """(recall, precision) after each guess, best first."""
    scored = sorted((hit for one in judged for hit in _hits(one, OVERLAP)), reverse=True)
    num_wanted = max(1, sum(len(one.wanted) for one in judged))
    right = np.cumsum([is_right for _, is_right in scored])
    return [(float(num) / num_wanted, float(num) / place) for place, num in enumerate(right, 1)]


def middle_s(errors_s: Sequence[float]) -> float:
    """The median.

    Raises:
        CannotMeasure: There is none.
    """
    if not errors_s:
        raise CannotMeasure("nothing was found")
    return median(errors_s, 2)


def _hits(one: Judged, bound: float) -> list[tuple[float, bool]]:
    return [
        (guess.score, span is not None) for guess, span in zip(one.guesses, matches(one, bound), strict=True)
    ]


def _counts(one: Judged, threshold: float, bound: float) -> tuple[int, int, int]:
    """Right, given, wanted."""
    kept = [is_right for score, is_right in _hits(one, bound) if score >= threshold]
    return sum(kept), len(kept), len(one.wanted)


def _average_precision(hits: Sequence[Sequence[tuple[float, bool]]], num_wanted: int) -> float:
    flat = [hit for stream in hits for hit in stream]
    if not flat or not num_wanted:
        return 0.0
    order = np.argsort([-score for score, _ in flat], kind="stable")
    right = np.array([is_right for _, is_right in flat])[order]
    precision = np.cumsum(right) / np.arange(1, right.size + 1)
    return float((precision * right).sum() / num_wanted)


def _covers(guess: Guess, span: Span) -> bool:
    shared_s = min(guess.end_s, span.end_s) - max(guess.start_s, span.start_s)
    return shared_s >= 0.5 * min(guess.end_s - guess.start_s, span.duration_s)


def _interval(value: Callable[[np.ndarray], float], num: int) -> tuple[float, float]:
    rng = np.random.default_rng(1)
    values = [value(rng.integers(0, num, num)) for _ in range(_NUM_RESAMPLES)]
    low, high = np.percentile(values, [2.5, 97.5])
    return round(float(low), 3), round(float(high), 3)


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0
