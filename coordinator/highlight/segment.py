"""From a curve to spans of 8 to 60 s, and from those to what is cut: lead-in, breaths."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from coordinator.highlight.normalise import Curve
from coordinator.model.highlight import MAX_MOMENT_S, MIN_MOMENT_S, SIGNAL_RATE_HZ, Moment, Utterance

MERGE_GAP_S: Final = 3.0
SNAP_S: Final = 1.5
LEAST_PAUSE_S: Final = 0.2
BREATH_S: Final = 0.25
TAIL_S: Final = 1.5
CORE_SHARE: Final = 0.35  # of the peak; what is fainter is no longer the moment
PRE_ROLL_S: Final = 1.0
# What fourteen authors of streams cut before the first sign of a moment and after its last, medians (ADR 49).
LEAD_IN_S: Final = {"clutch": 4.0, "hype": 4.0, "funny": 6.0, "rage": 6.0, "wholesome": 6.0}
DEFAULT_LEAD_IN_S: Final = 5.5
LEAD_OUT_S: Final = 1.5
WORDS_PRE_ROLL_S: Final = (
    24.0  # the first word that says so comes late; chosen on commentary among 16, 20, 22, 24, 26
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Good places to cut: a breath before speech begins, and after it ends; sorted.

    A start is only ever snapped to a beginning and an end to an ending, so that the next words do not move it.
    """

    starts_s: tuple[float, ...] = ()
    ends_s: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of steps [first, last) over which the score stayed up, and where it was highest."""

    first: int
    last: int
    peak: int
    score: float


def spans_above(
    curve: Curve,
    *,
    start_at: float,
    keep_above: float,
    has_many: bool = True,
    core_share: float = CORE_SHARE,
) -> list[Span]:
    """Stretches that reach `start_at` and stay above `keep_above`; gaps under 3 s are bridged, 60 s is the most.

    A stretch may hold several moments (`has_many`), with 3 s of hardly anything between them; a chat's never does,
    for it goes on talking of one. A stretch over 60 s is divided at its lowest point past the peak's first 8 s, so
    that each part keeps its own peak.
    """
    open_gap = int(MERGE_GAP_S * SIGNAL_RATE_HZ)
    runs: list[tuple[int, int]] = []
    for first, last in _runs(curve > keep_above):
        if float(curve[first:last].max()) < start_at:
            continue
        if runs and first - runs[-1][1] < open_gap:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    longest = int((MAX_MOMENT_S - 10.0) * SIGNAL_RATE_HZ)
    spans: list[Span] = []
    for first, last in runs:
        parts = _divided(curve, first, last, longest)
        while parts:
            part_first, part_last = parts.pop()
            peak = part_first + int(curve[part_first:part_last].argmax())
            if curve[peak] < start_at:
                continue
            core_first, core_last = _core(curve, part_first, part_last, peak, core_share)
            spans.append(Span(first=core_first, last=core_last, peak=peak, score=float(curve[peak])))
            if not has_many:
                continue
            # What rises again beyond 3 s of hardly anything is another moment.
            gap = int(MERGE_GAP_S * SIGNAL_RATE_HZ)
            rest = ((part_first, core_first - gap), (core_last + gap, part_last))
            parts += [(begin, end) for begin, end in rest if end > begin]
    return sorted(spans, key=lambda span: span.first)


def rescored(span: Span, curve: Curve, factor: float) -> Span:
    """The same span with so much of the highest score that `curve` has within, and its place."""
    peak = span.first + int(curve[span.first : span.last].argmax())
    return dataclasses.replace(span, peak=peak, score=factor * float(curve[peak]))


def bursts(curve: Curve, *, start_at: float, least_gap_s: float = MAX_MOMENT_S) -> list[Span]:
    """Peaks of a slow curve, best first, none within `least_gap_s` of a higher one."""
    left = curve.copy()
    gap = int(least_gap_s * SIGNAL_RATE_HZ)
    spans: list[Span] = []
    while left.size:
        peak = int(left.argmax())
        if left[peak] < start_at:
            break
        spans.append(Span(first=peak, last=peak + 1, peak=peak, score=float(left[peak])))
        left[max(0, peak - gap) : peak + gap + 1] = -1.0
    return spans


def bounds_s(
    span: Span, duration_s: float, *, pre_roll_s: float = PRE_ROLL_S, tail_s: float = TAIL_S
) -> tuple[float, float]:
    """Start and end in seconds: 8 to 60 s, inside the session.

    Args:
        pre_roll_s, tail_s: what is added before and after the span.
    """
    start_s = span.first / SIGNAL_RATE_HZ - pre_roll_s
    end_s = span.last / SIGNAL_RATE_HZ + tail_s
    return fit_s(start_s, end_s, span.peak / SIGNAL_RATE_HZ, duration_s)


def fit_s(start_s: float, end_s: float, peak_s: float, duration_s: float) -> tuple[float, float]:
    """The nearest span of 8 to 60 s (or the whole of a shorter session) inside the session that holds the peak."""
    start_s, end_s = max(0.0, start_s), min(duration_s, end_s)
    if end_s - start_s > MAX_MOMENT_S:
        start_s = max(start_s, min(peak_s - 0.4 * MAX_MOMENT_S, end_s - MAX_MOMENT_S))
        end_s = start_s + MAX_MOMENT_S
    if end_s - start_s < MIN_MOMENT_S:
        missing_s = MIN_MOMENT_S - (end_s - start_s)
        start_s = max(0.0, start_s - 0.6 * missing_s)
        end_s = min(duration_s, start_s + MIN_MOMENT_S)
        start_s = max(0.0, end_s - MIN_MOMENT_S)
    return start_s, end_s


def as_cut(moment: Moment, pauses: Pauses, duration_s: float) -> Moment:
    """The moment as a clip is cut of it: with some of what led to it and a breath after it, between words, within 60 s.

    `detect` says when it happened; a viewer wants to see why. A press says itself what is cut.

    Args:
        pauses: where speech begins and ends.
        duration_s: of the session up to now.
    """
    if moment.kind == "marker":
        return moment
    end_s = _snapped(moment.end_s + LEAD_OUT_S, pauses.ends_s)
    end_s = max(moment.end_s, min(end_s, duration_s, moment.start_s + MAX_MOMENT_S))
    start_s = _snapped(moment.start_s - LEAD_IN_S.get(moment.kind, DEFAULT_LEAD_IN_S), pauses.starts_s)
    start_s = max(0.0, min(moment.start_s, max(start_s, end_s - MAX_MOMENT_S)))
    return dataclasses.replace(moment, start_s=round(start_s, 3), end_s=round(end_s, 3))


def pauses_of(utterances: Sequence[Utterance]) -> Pauses:
    """Where speech begins and ends. A gap under 0.2 s is none."""
    starts: list[float] = []
    ends: list[float] = []
    spoken_to_s = -1.0
    for utterance in sorted(utterances, key=lambda one: one.start_s):
        if utterance.start_s - spoken_to_s >= LEAST_PAUSE_S:
            starts.append(utterance.start_s - BREATH_S)
            if spoken_to_s >= 0:
                ends.append(spoken_to_s + BREATH_S)
        spoken_to_s = max(spoken_to_s, utterance.end_s)
    if spoken_to_s >= 0:
        ends.append(spoken_to_s + BREATH_S)
    return Pauses(starts_s=tuple(starts), ends_s=tuple(ends))


def _snapped(at_s: float, pauses: Sequence[float]) -> float:
    if not pauses:
        return at_s
    index = int(np.searchsorted(pauses, at_s))
    near = [pause for pause in pauses[max(0, index - 1) : index + 1] if abs(pause - at_s) <= SNAP_S]
    return min(near, key=lambda pause: abs(pause - at_s)) if near else at_s


def _runs(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _core(curve: Curve, first: int, last: int, peak: int, core_share: float) -> tuple[int, int]:
    """The part round the peak that stays above a share of it; what is 3 s apart from it is another matter."""
    strong = np.flatnonzero(curve[first:last] >= core_share * curve[peak]) + first
    breaks = np.flatnonzero(np.diff(strong) > MERGE_GAP_S * SIGNAL_RATE_HZ)
    at = int(np.searchsorted(strong, peak))
    begin = max((int(strong[index + 1]) for index in breaks if index + 1 <= at), default=int(strong[0]))
    end = min((int(strong[index]) for index in breaks if index >= at), default=int(strong[-1]))
    return begin, end + 1


def _divided(curve: Curve, first: int, last: int, longest: int) -> list[tuple[int, int]]:
    """Cut a run into parts of at most `longest` steps, each cut at the lowest step of the second half of the room."""
    parts: list[tuple[int, int]] = []
    while last - first > longest:
        from_step = first + longest // 2
        cut = from_step + int(curve[from_step : first + longest].argmin())
        parts.append((first, cut))
        first = cut
    parts.append((first, last))
    return parts
