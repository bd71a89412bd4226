"""A streamer's taste as a small model: the same on both sides. Pure.

Invariant: without verdicts, or with verdicts that nothing can be learnt from, every score stays exactly as it was. The
model is a logistic regression whose prior is no change, fitted anew from the verdicts each time: the same set gives the
same taste, in whatever order it came. It moves a score by at most `MAX_INFLUENCE`.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from protos.taste import (
    LABELS,
    NAME,
    Subject,
    Verdict,
    last_of_ordered,
    newest_first,
    passed_over,
    roll_s,
)
from protos.timebase import SECOND_NS

MAX_INFLUENCE: Final = 0.15
# Moments that are learnt from: the newest.
MAX_LEARNT: Final = 500
MIN_LEARNT: Final = 6
# A lane that carries so much of a score is what the moment rests on.
RESTS_ON: Final = 0.25

_HALF_LIFE_MS: Final = 90 * 24 * 3600 * 1000
_MAX_LANES, _MAX_KINDS = 16, 16
_PASSED_OVER_WEIGHT: Final = 0.15
# Spread of the prior, in log odds for one unit of each; wide for the bias, which moves no score.
_SPREADS: Final = {"bias": 3.0, "score": 0.5, "duration": 0.5, "lane": 2.0, "kind": 1.2}
_PLAIN: Final = ("bias", "score")
# What answers at random gain now and then, in nats.
_CHANCE_GAIN: Final = 0.5
_MAX_NEWTON_STEPS: Final = 25

Vector = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One thing that the taste looks at.

    Attributes:
        name: `kind:funny`, `lane:chat`, `duration`.
        weight: in log odds; above 0: the more of it, the more is kept.
        usual: how much of it there usually is; more or less than that moves a score.
        num, num_kept: verdicts about moments that have it.
    """

    name: str
    weight: float
    usual: float
    num: int
    num_kept: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What was learnt.

    Attributes:
        counts: verdicts by kind, all of them.
        num_learnt: verdicts that say whether a moment is wanted.
        trust: 0 to 1: how well it foretells verdicts that it was not fitted to; 0: it moves nothing.
        before_s, after_s: what new moments are longer by.
    """

    counts: Mapping[str, int]
    num_learnt: int = 0
    num_kept: int = 0
    trust: float = 0.0
    weights: tuple[Weight, ...] = ()
    before_s: float = 0.0
    after_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tasted:
    """A score with a taste in it. `like`: the weight that did most; None: nothing was moved."""

    score: float
    moved: float
    like: Weight | None = None


NO_TASTE: Final = Taste(counts={})


def fit(verdicts: Iterable[Verdict], *, untouched: Iterable[Subject] = ()) -> Taste:
    """Learn from all verdicts there are; the newest `MAX_LEARNT` moments count, older ones less.

    Args:
        untouched: moments without a verdict, of the same sessions (`passed_over` says which count).
    """
    every = newest_first(verdicts)
    counts = dict(Counter(str(verdict.kind) for verdict in every))
    spoken = last_of_ordered(every)[:MAX_LEARNT]
    kept = sum(LABELS[verdict.kind][0] > 0 for verdict in spoken)
    before_s, after_s = roll_s(every, "before_s"), roll_s(every, "after_s")
    taste = Taste(counts=counts, num_learnt=len(spoken), num_kept=kept, before_s=before_s, after_s=after_s)
    if len(spoken) < MIN_LEARNT or kept in (0, len(spoken)):
        return taste
    subjects = [verdict.subject for verdict in spoken]
    alone = passed_over(untouched, every)
    names = _names(subjects)
    rows = np.array([_row(one, names) for one in (*subjects, *alone)])
    # What is usual of lanes and length; not of kinds, so that one without a verdict stays where it is.
    is_centred = np.array([name == "duration" or name.startswith("lane:") for name in names])
    usual = rows[: len(spoken)].mean(axis=0) * is_centred
    data = _Data(
        offsets=rows[:, 1].copy(),
        wanted=np.array([*(LABELS[verdict.kind][0] for verdict in spoken), *(0.0 for _ in alone)]),
        weight=np.array([*_says(spoken), *(_PASSED_OVER_WEIGHT for _ in alone)]),
    )
    spreads = np.array([_SPREADS[name.partition(":")[0]] for name in names])
    found, foretold = _newton(rows - usual, spreads, data)
    # How far verdicts follow the scores, and how many are kept, is fitted in both and moves nothing: not a taste.
    plain = len(_PLAIN)
    _, without = _newton(rows[:, :plain], spreads[:plain], data)
    gain = float(np.sum(data.weight * (data.surprise(without) - data.surprise(foretold))))
    weights = []
    for place in range(plain, len(names)):
        has = _has(names[place], rows[: len(spoken), place])
        weights.append(
            Weight(
                name=names[place],
                weight=float(found[place]),
                usual=float(usual[place]),
                num=int(has.sum()),
                num_kept=int(data.wanted[: len(spoken)][has].sum()),
            )
        )
    return dataclasses.replace(
        taste, trust=1.0 - math.exp(-max(gain - _CHANCE_GAIN, 0.0) / 2.0), weights=tuple(weights)
    )


def _says(spoken: Sequence[Verdict]) -> list[float]:
    """How much each verdict says: by its kind and its age, counted from the newest."""
    newest_ms = spoken[0].at_unix_ms
    return [
        LABELS[verdict.kind][1] * 0.5 ** ((newest_ms - verdict.at_unix_ms) / _HALF_LIFE_MS)
        for verdict in spoken
    ]


def _has(name: str, values: Vector) -> npt.NDArray[np.bool_]:
    """Which moments have a thing: are of the kind, rest on the lane, are longer than usual."""
    threshold = {"lane": RESTS_ON, "kind": 1.0}.get(name.partition(":")[0], 0.0)
    return np.asarray(values >= threshold)


def tasted(taste: Taste, subject: Subject) -> Tasted:
    """A moment's score with the taste in it."""
    score = subject.score
    if taste.trust <= 0.0 or not taste.weights or not math.isfinite(score):
        return Tasted(score=score, moved=0.0)
    row = _row(subject, [weight.name for weight in taste.weights])
    shares = [
        weight.weight * (value - weight.usual) for weight, value in zip(taste.weights, row, strict=True)
    ]
    pull = MAX_INFLUENCE * taste.trust * math.tanh(sum(shares) / 2)
    moved = min(max(score + pull, 0.0), 1.0) - score
    if abs(moved) < 1e-6:
        return Tasted(score=score, moved=0.0)
    # What pulled hardest the way the whole went.
    _, like = max(
        zip(shares, taste.weights, strict=True),
        key=lambda pair: (math.copysign(1, moved) * pair[0], pair[1].name),
    )
    return Tasted(score=score + moved, moved=moved, like=like)


def _plain_s(duration_s: float) -> float:
    return min(max(duration_s, 1.0), 600.0) if math.isfinite(duration_s) else 30.0


def _logit(score: float) -> float:
    plain = min(max(score, 0.02), 0.98) if math.isfinite(score) else 0.5
    return math.log(plain / (1 - plain))


def _names(subjects: Sequence[Subject]) -> list[str]:
    """What is looked at: the commonest lanes and kinds, however many somebody made up."""
    lanes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for one in subjects:
        lanes.update(lane for lane, _ in one.lanes)
        kinds[one.kind] += 1
    return [
        *_PLAIN,
        "duration",
        *(f"lane:{name}" for name in _commonest(lanes, _MAX_LANES)),
        *(f"kind:{name}" for name in _commonest(kinds, _MAX_KINDS)),
    ]


def _commonest(counts: Mapping[str, int], most: int) -> list[str]:
    known = [name for name in counts if NAME.match(name)]
    return sorted(sorted(known, key=lambda name: (-counts[name], name))[:most])


def _row(subject: Subject, names: Sequence[str]) -> list[float]:
    """What a moment has of each."""
    duration_s = _plain_s((subject.end_ns - subject.start_ns) / SECOND_NS)
    has = {f"lane:{lane}": share for lane, share in subject.lanes if 0.0 <= share <= 1.0}
    has |= {"bias": 1.0, "score": _logit(subject.score), "duration": math.log2(duration_s / 30.0)}
    has[f"kind:{subject.kind}"] = 1.0
    return [has.get(name, 0.0) for name in names]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """What is fitted to: log odds before any taste, what was wanted, and how much that says."""

    offsets: Vector
    wanted: Vector
    weight: Vector

    def surprise(self, odds: Vector) -> Vector:
        return np.asarray(np.logaddexp(0.0, odds) - self.wanted * odds)

    def loss(self, odds: Vector, found: Vector, precision: Vector) -> float:
        return float(self.weight @ self.surprise(odds) + 0.5 * precision @ found**2)


def _newton(rows: Vector, spreads: Vector, data: _Data) -> tuple[Vector, Vector]:
    """The most probable weights; and for each row its log odds as foretold from all the other rows."""
    precision = 1.0 / spreads**2
    found, odds = np.zeros(rows.shape[1]), data.offsets
    value = data.loss(odds, found, precision)
    for _ in range(_MAX_NEWTON_STEPS):
        chance = _chance(odds)
        slope = rows.T @ (data.weight * (chance - data.wanted)) + precision * found
        step = np.linalg.solve(_curve(rows, chance, precision, data), slope)
        # The loss is convex: a step that is short enough makes it less.
        for size in (1.0, 0.5, 0.25, 0.125):
            odds_then = data.offsets + rows @ (found - size * step)
            less = data.loss(odds_then, found - size * step, precision)
            if less < value:
                break
        gain = value - less
        if gain <= 0.0:
            break
        found, odds, value = found - size * step, odds_then, less
        if gain < 1e-9:
            break
    chance = _chance(odds)
    # One Newton step without the row itself: nearly what a fit without it would foretell.
    reach = np.sum(rows @ np.linalg.inv(_curve(rows, chance, precision, data)) * rows, axis=1)
    hold = np.minimum(data.weight * chance * (1 - chance) * reach, 0.99)
    return found, odds + reach * data.weight * (chance - data.wanted) / (1 - hold)


def _curve(rows: Vector, chance: Vector, precision: Vector, data: _Data) -> Vector:
    bend = data.weight * chance * (1 - chance)
    return np.asarray((rows * bend[:, None]).T @ rows + np.diag(precision))


def _chance(odds: Vector) -> Vector:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))))
