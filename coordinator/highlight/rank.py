"""Which moments are offered: best first, none twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from coordinator.model.highlight import Moment

MAX_OVERLAP: Final = 0.4  # of the shorter one


def best(moments: Iterable[Moment], *, top_k: int) -> list[Moment]:
    """At most `top_k`, highest score first; of two that share over 40 % of the shorter, the higher stays."""
    kept: list[Moment] = []
    for moment in sorted(moments, key=lambda one: (-one.score, one.start_s)):
        if len(kept) >= top_k:
            break
        if all(overlap(moment, other) <= MAX_OVERLAP for other in kept):
            kept.append(moment)
    return kept


def overlap(one: Moment, other: Moment) -> float:
    """Shared time over the shorter one's, 0-1."""
    shared_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    shorter_s = min(one.end_s - one.start_s, other.end_s - other.start_s)
    return max(0.0, shared_s) / max(shorter_s, 1e-9)
