"""The moments of a session, from everything known of it so far.

Pure: same input, same output. Meant to be called again and again while the session runs; what lies a little
behind the newest second stays as it was found, because every reference is causal and every window short.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from coordinator.highlight import decoys, rank, segment
from coordinator.highlight.columns import columns
from coordinator.highlight.evidence import evidence_of
from coordinator.highlight.fuse import Weights, agreed, fuse, shipped_weights, widened, with_events
from coordinator.highlight.kinds import kind_of
from coordinator.highlight.lanes import Lane, Lanes, build_lanes
from coordinator.highlight.likely import likely
from coordinator.highlight.normalise import Curve, smooth
from coordinator.highlight.text import spoken_after
from coordinator.model.highlight import MAX_MOMENT_S, SIGNAL_RATE_HZ, Evidence, Moment, SessionSignals

MAX_SESSION_S: Final = 48 * 3600.0
# The merge gap of 3 s and what smoothing reaches; what nets see beyond seldom moves an end.
SETTLE_S: Final = 5.0
MARKER_BEFORE_S: Final = 25.0
MARKER_AFTER_S: Final = 5.0
FULL_AFTER_STRENGTH: Final = 8.0  # words of this strength in 48 s are two thirds of certainty
WORDS_TAIL_S: Final = 15.0  # words alone do not know when: leave room
# By the fitted curve, chosen on streams that it was not fitted to.
START_AT: Final = 0.05
KEEP_ABOVE: Final = 0.05
LEAST_SCORE: Final = 0.15
CORE_SHARE: Final = 0.5
SECOND_STEPS: Final = 6  # to each side of the highest: what happens with a shout, not what is said around it
SMOOTH_STEPS: Final = 3  # to each side: what one step doubts does not divide a moment
# The first and the last of a moment tell of themselves less clearly; chosen among 0 to 1 s by makers left out.
PRE_ROLL_S: Final = 0.5
TAIL_S: Final = 0.5
CHAT_START_AT: Final = 0.22  # a chat alone, step by step
TOLD_START_AT: Final = 0.05  # one clear sentence; rank decides


def detect(signals: SessionSignals, *, top_k: int, weights: Weights | None = None) -> list[Moment]:
    """The best moments of a session, best first.

    Args:
        signals: everything known so far; lanes that are missing are simply not counted.
        top_k: how many at most.
        weights: other numbers than the shipped ones, for experiments.

    Returns:
        At most `top_k` moments of 8 to 60 s (shorter only if the session is), scores 0-1 and comparable between
        sessions, each with evidence whose weights add up to 1. Empty when nothing stood out: ask `explain_empty`.
    """
    if top_k <= 0 or not _is_usable(signals.duration_s):
        return []
    lanes = build_lanes(signals)
    chosen = weights or shipped_weights()
    found = _timed(signals, lanes, chosen) if lanes.is_timed else _told(signals, lanes, chosen)
    return rank.best(_marked(signals, found), top_k=top_k)


def settled(moments: Sequence[Moment], now_s: float) -> list[Moment]:
    """Those that ended long enough before `now_s` that what comes later will hardly change them, in the same order.

    Where there is a chat, its answers arrive 5 to 10 s late and may still move a score, seldom a span.

    Args:
        now_s: up to where all lanes are known, the slowest (speech) included; not the clock.
    """
    return [moment for moment in moments if moment.end_s <= now_s - SETTLE_S]


def explain_empty(signals: SessionSignals) -> str:
    """Why `detect` found nothing, in one sentence for the user."""
    if not _is_usable(signals.duration_s):
        return "there is nothing to look at yet"
    lanes = build_lanes(signals)
    reasons: list[str] = []
    by_name = {lane.name: lane for lane in lanes.lanes}
    if not signals.utterances:
        reasons.append("no speech was heard")
    elif not any(cue.strength > 0 for cue in lanes.cues):
        reasons.append(f"none of the {len(signals.utterances)} things said sounded like a moment")
    for name, what, unit in (("crowd", "background noise", "dB"), ("loudness", "loudness", "dB")):
        if name in by_name:
            highest = max(float(by_name[name].measure[by_name[name].present].max(initial=0.0)), 0.0)
            reasons.append(f"{what} never rose more than {math.ceil(highest)} {unit}")
    if "motion" in by_name and float(by_name["motion"].activation.max(initial=0.0)) < 0.2:
        reasons.append("the picture stayed as restless as it always was")
    if signals.chat and ("chat" not in by_name or float(by_name["chat"].activation.max(initial=0.0)) < 0.2):
        reasons.append("chat did not react")
    if not by_name and (signals.tracks or signals.chat):
        reasons.append("the session is too short to know what is usual")
    elif not by_name:
        reasons.append("no sound, picture or chat signal was received")
    sentence = ", and ".join((", ".join(reasons[:-1]), reasons[-1])) if len(reasons) > 1 else reasons[0]
    if any(float(lane.activation.max(initial=0.0)) > 0.3 for lane in lanes.lanes):
        sentence += "; what did stand out stood alone, or was an advert or music"
    return sentence


def _is_usable(duration_s: float) -> bool:
    return math.isfinite(duration_s) and 1.0 <= duration_s <= MAX_SESSION_S


def _timed(signals: SessionSignals, lanes: Lanes, weights: Weights) -> list[Moment]:
    """Sound or picture say when: spans of the fitted curve, scored by what it and the vote agree on."""
    told = likely(columns(lanes, signals.utterances))
    found = scored_spans(lanes, told.sure, told.right, weights)
    scored = [span for span in found if span.score >= LEAST_SCORE]
    return _spanned(
        signals, lanes, weights, scored, widened(lanes.lanes), pre_roll_s=PRE_ROLL_S, tail_s=TAIL_S
    )


def scored_spans(lanes: Lanes, sure: Curve, right: Curve, weights: Weights) -> list[segment.Span]:
    """Spans of the fitted curve, each scored by what it and the vote agree on; the weak ones, too.

    Args:
        sure: how surely each step is part of a moment, 0-1, shape (num_steps,): says where moments begin and end.
        right: how often that is so, 0-1, shape (num_steps,): says what they score.
    """
    steady = smooth(sure, np.ones(sure.size, dtype=bool), SMOOTH_STEPS)
    found = segment.spans_above(
        with_events(steady, lanes), start_at=START_AT, keep_above=KEEP_ABOVE, core_share=CORE_SHARE
    )
    both = agreed(right, lanes, weights)
    return [segment.rescored(span, both, _seconded(span, both, lanes)) for span in found]


def _seconded(span: segment.Span, curve: Curve, lanes: Lanes) -> float:
    """What is left of a span's score, in which somebody may shout while nothing else happens."""
    peak = span.first + int(curve[span.first : span.last].argmax())
    first, last = max(span.first, peak - SECOND_STEPS), min(span.last, peak + SECOND_STEPS + 1)
    return decoys.lone_voice(lanes.lanes, first, last)


def _told(signals: SessionSignals, lanes: Lanes, weights: Weights) -> list[Moment]:
    """Only words or chat: words come late and last long, so spans are wide around the first of a burst."""
    # How many write says when, beside a sound; alone it is the usual recipe, which takes every flood for a moment.
    lanes = dataclasses.replace(
        lanes, lanes=tuple(lane for lane in lanes.lanes if lane.name not in ("rate", "turnout"))
    )
    if not any(lane.name == "words" for lane in lanes.lanes):
        return _answered(signals, lanes, weights)
    told = tuple(_told_lane(lane, lanes) for lane in lanes.lanes)
    lanes = dataclasses.replace(lanes, lanes=told)
    curve = fuse(lanes, weights)
    moments: list[Moment] = []
    for span in segment.bursts(curve, start_at=TOLD_START_AT):
        peak_s = span.peak / SIGNAL_RATE_HZ
        start_s = peak_s - segment.WORDS_PRE_ROLL_S
        latest_s = start_s + MAX_MOMENT_S
        said_s = [
            cue.end_s for cue in lanes.cues if cue.strength > 0.2 and peak_s - 2.0 <= cue.start_s <= latest_s
        ]
        end_s = min(max(said_s, default=peak_s) + WORDS_TAIL_S, latest_s)
        start_s, end_s = segment.fit_s(start_s, end_s, peak_s, signals.duration_s)
        last = max(span.last, min(int(end_s * SIGNAL_RATE_HZ), lanes.num_steps))
        kind = kind_of(lanes, lanes.lanes, weights, span.first, last)
        evidence = evidence_of(lanes, lanes.lanes, weights, span.first, last)
        moments.append(_moment(start_s, end_s, span, kind, evidence))
    return moments


def _answered(signals: SessionSignals, lanes: Lanes, weights: Weights) -> list[Moment]:
    """A chat alone: spans of what it answered."""
    found = segment.spans_above(
        fuse(lanes, weights), start_at=CHAT_START_AT, keep_above=weights.keep_above, has_many=False
    )
    return _spanned(
        signals,
        lanes,
        weights,
        found,
        widened(lanes.lanes, 0),
        pre_roll_s=segment.PRE_ROLL_S,
        tail_s=segment.TAIL_S,
    )


def _spanned(
    signals: SessionSignals,
    lanes: Lanes,
    weights: Weights,
    found: Sequence[segment.Span],
    voters: Sequence[Lane],
    *,
    pre_roll_s: float,
    tail_s: float,
) -> list[Moment]:
    """Moments of spans; one that no lane can say why is left out."""
    moments: list[Moment] = []
    for span in found:
        evidence = evidence_of(lanes, voters, weights, span.first, span.last)
        if not evidence:
            continue
        kind = kind_of(lanes, voters, weights, span.first, span.last)
        start_s, end_s = segment.bounds_s(span, signals.duration_s, pre_roll_s=pre_roll_s, tail_s=tail_s)
        moments.append(_moment(start_s, end_s, span, kind, evidence))
    return moments


def _told_lane(lane: Lane, lanes: Lanes) -> Lane:
    if lane.name != "words":
        return lane
    level: Curve = spoken_after(lanes.cues, lanes.num_steps)
    return dataclasses.replace(lane, activation=-np.expm1(-level / FULL_AFTER_STRENGTH), measure=level)


def _marked(signals: SessionSignals, moments: list[Moment]) -> list[Moment]:
    """A press outranks everything: it lifts the moment it belongs to, or makes one."""
    marked = list(moments)
    for marker_s in sorted(signals.markers_s):
        if not 0 <= marker_s <= signals.duration_s:
            continue
        # A press is about the best of what was just seen, never about what comes after it.
        just_seen = [
            (one.score, at)
            for at, one in enumerate(marked)
            if one.peak_s - 2.0 <= marker_s <= one.end_s + MARKER_BEFORE_S
        ]
        index = max(just_seen)[1] if just_seen else None
        press = Evidence(lane="marker", weight=1.0, note="the streamer marked it")
        if index is None:
            start_s, end_s = segment.fit_s(
                marker_s - MARKER_BEFORE_S, marker_s + MARKER_AFTER_S, marker_s, signals.duration_s
            )
            marked.append(
                Moment(
                    start_s=start_s, end_s=end_s, peak_s=marker_s, score=1.0, kind="marker", evidence=(press,)
                )
            )
        elif marked[index].evidence[0].lane != "marker":
            rest = tuple(dataclasses.replace(one, weight=one.weight / 2) for one in marked[index].evidence)
            evidence = (dataclasses.replace(press, weight=1.0 - sum(one.weight for one in rest)), *rest)
            marked[index] = dataclasses.replace(marked[index], score=1.0, evidence=evidence)
    return marked


def _moment(
    start_s: float, end_s: float, span: segment.Span, kind: str, evidence: tuple[Evidence, ...]
) -> Moment:
    return Moment(
        start_s=round(start_s, 3),
        end_s=round(end_s, 3),
        peak_s=round(min(max(span.peak / SIGNAL_RATE_HZ, start_s), end_s), 3),
        score=round(min(span.score, 0.99), 4),
        kind=kind,
        evidence=evidence,
    )
