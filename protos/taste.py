"""What a streamer did with moments: verdicts, as both sides keep them. Pure.

The model that is fitted to them is `protos/taste_model.py`; both sides compute the same.
"""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Final, Literal

VerdictKind = Literal["keep", "skip", "extend", "delete", "undo"]
VERDICT_KINDS: Final[tuple[VerdictKind, ...]] = ("keep", "skip", "extend", "delete", "undo")
# Of each kind that says whether a moment is wanted: 1 or 0, and how much it says.
LABELS: Final[dict[str, tuple[float, float]]] = {
    "keep": (1.0, 1.0),
    "extend": (1.0, 0.5),
    "skip": (0.0, 0.7),
    "delete": (0.0, 1.0),
}

# The lane of the evidence that says what a taste did to a score.
LANE: Final = "taste"
NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,32}\Z")
MAX_LANES: Final = 32
MAX_ROLL_S: Final = 5.0
MIN_ROLL_S: Final = -2.0
_MIN_EXTENDS: Final = 3
_NEWEST_EXTENDS: Final = 50
# What no lane of a detector is: they move a score that is there already.
_MOVERS: Final = frozenset({LANE, "llm"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A moment as it was found, which is what a verdict is about.

    Attributes:
        score: without what a taste added to it.
        lanes: shares of the score, by lane.
    """

    moment_id: str
    session_id: str
    start_ns: int
    end_ns: int
    kind: str
    score: float
    lanes: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the streamer did with a moment; the same id is the same verdict.

    Attributes:
        kind: `undo`: what was said of the moment before counts no longer.
        before_s, after_s: of `extend`: how much more than the moment the clip shows; less than 0: less. None: that
            end was not moved.
    """

    verdict_id: str
    kind: VerdictKind
    subject: Subject
    at_unix_ms: int
    before_s: float | None = None
    after_s: float | None = None


def plain_lanes(evidence: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """The detector's own lanes of a moment's evidence, in one order; what is no share is left out."""
    found: dict[str, float] = {}
    for lane, weight in evidence:
        if lane not in _MOVERS and NAME.match(lane) and math.isfinite(weight):
            found[lane] = min(max(weight, 0.0), 1.0)
    return tuple(sorted(found.items())[:MAX_LANES])


def plain_score(score: float, evidence: Iterable[tuple[str, float]]) -> float:
    """A score without what a taste added to it."""
    moved = sum(weight for lane, weight in evidence if lane == LANE and math.isfinite(weight))
    return min(max(score - moved, 0.0), 1.0) if math.isfinite(score) else 0.0


def newest_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Each verdict once, in an order that depends on nothing but themselves."""
    by_id = {verdict.verdict_id: verdict for verdict in sorted(verdicts, key=_age)}
    return sorted(by_id.values(), key=_age, reverse=True)


def last_words(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Of each moment what was said last, `undo` left out; newest first."""
    return last_of_ordered(newest_first(verdicts))


def last_of_ordered(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """As `last_words`, of verdicts that are in the order of `newest_first`."""
    last: dict[str, Verdict] = {}
    for verdict in verdicts:
        last.setdefault(verdict.subject.moment_id, verdict)
    return [verdict for verdict in last.values() if verdict.kind in LABELS]


def passed_over(subjects: Iterable[Subject], verdicts: Sequence[Verdict]) -> list[Subject]:
    """Moments that stood above a kept one of their session, and were left alone; at most as many as were kept.

    What stood below may never have been seen: that nothing was done with it says nothing.
    """
    said = {verdict.subject.moment_id for verdict in verdicts}
    subjects = list(subjects)
    if not subjects:
        return []
    lowest: dict[str, float] = {}
    num_kept = 0
    for verdict in last_words(verdicts):
        if verdict.kind in ("keep", "extend"):
            one = verdict.subject
            lowest[one.session_id] = min(lowest.get(one.session_id, math.inf), one.score)
            num_kept += 1
    above = [
        one
        for one in subjects
        if one.moment_id not in said and one.score > lowest.get(one.session_id, math.inf)
    ]
    above.sort(key=lambda one: (-one.score, one.moment_id))
    return above[:num_kept]


def roll_s(verdicts: Sequence[Verdict], name: Literal["before_s", "after_s"]) -> float:
    """What ends were moved by, in the middle, over the newest verdict of each moment."""
    last: dict[str, float] = {}
    for verdict in verdicts:
        moved_s = getattr(verdict, name)
        if verdict.kind == "extend" and moved_s is not None and math.isfinite(moved_s):
            last.setdefault(verdict.subject.moment_id, moved_s)
    moved = list(last.values())[:_NEWEST_EXTENDS]
    if len(moved) < _MIN_EXTENDS:
        return 0.0
    return round(min(max(statistics.median(moved), MIN_ROLL_S), MAX_ROLL_S), 2)


def _age(verdict: Verdict) -> tuple[int, str]:
    return verdict.at_unix_ms, verdict.verdict_id
