"""Streamers with a taste that nobody is told, and moments as a detector would score them. Seeded."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from protos.taste import Subject, Verdict

KINDS = ("score", "funny", "play", "reaction", "action", "voice", "loud")
LANES = ("words", "chat", "crowd", "motion", "voice", "loudness")
_LANE_OF_KIND = {"score": 0, "funny": 1, "play": 0, "reaction": 1, "action": 3, "voice": 4, "loud": 5}
_FIRST_UNIX_MS = 1_750_000_000_000


def moments_of(rng: np.random.Generator, num: int, *, name: str = "moment") -> list[Subject]:
    """Moments of one session, of any kind, length and score."""
    found = []
    for index in range(num):
        kind = KINDS[rng.integers(len(KINDS))]
        alike = np.full(len(LANES), 0.5)
        alike[_LANE_OF_KIND[kind]] += 1.5
        start_ns = index * 60_000_000_000
        found.append(
            Subject(
                moment_id=f"{name}{index}",
                session_id="a" * 32,
                start_ns=start_ns,
                end_ns=start_ns + int(rng.uniform(8, 60) * 1e9),
                kind=kind,
                score=float(np.clip(rng.beta(5, 3), 0.05, 0.99)),
                lanes=tuple(zip(LANES, (float(share) for share in rng.dirichlet(alike)), strict=True)),
            )
        )
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Streamer:
    """Keeps by kind, lane and length, and by the score as everybody does; answers with noise."""

    kinds: dict[str, float]
    lanes: dict[str, float]
    duration: float

    def chance(self, moment: Subject) -> float:
        """How probably this one is kept."""
        duration_s = (moment.end_ns - moment.start_ns) / 1e9
        odds = self.kinds.get(moment.kind, 0.0) + self.duration * math.log2(duration_s / 30)
        odds += sum(self.lanes.get(lane, 0.0) * (share - 1 / len(LANES)) for lane, share in moment.lanes)
        odds += math.log(moment.score / (1 - moment.score)) - 0.8
        return 1 / (1 + math.exp(-odds))


def any_streamer(rng: np.random.Generator) -> Streamer:
    """Likes some kinds and lanes, dislikes others, and does not care about the rest."""
    return Streamer(
        kinds=dict(zip(KINDS, (float(one) for one in rng.choice([-1.5, 0, 1.5], len(KINDS))), strict=True)),
        lanes=dict(zip(LANES, (float(one) for one in rng.choice([-2, 0, 0, 2], len(LANES))), strict=True)),
        duration=float(rng.choice([-0.7, 0, 0.7])),
    )


def verdicts_on(
    rng: np.random.Generator, moments: Sequence[Subject], chances: Sequence[float]
) -> list[Verdict]:
    """One verdict on each: kept by its chance, else deleted or skipped."""
    return [
        Verdict(
            verdict_id=f"{index:032x}",
            kind="keep" if rng.random() < chance else ("delete" if rng.random() < 0.5 else "skip"),
            subject=moment,
            at_unix_ms=_FIRST_UNIX_MS + index * 60_000,
        )
        for index, (moment, chance) in enumerate(zip(moments, chances, strict=True))
    ]


def average_precision(scores: Sequence[float], wanted: Sequence[bool]) -> float:
    """Of a list that is ordered by these scores."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.asarray(wanted, dtype=float)[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / max(1.0, hits.sum()))
