"""When a moment is there while a stream runs: looks are made as the pipeline makes them, chunk by chunk.

Session time alone: hearing and looking take no time here. What they take of the clock is seen in the demo and in
tests of whole processes.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

from coordinator.app.working import look_for_moments
from coordinator.highlight.promise import is_promising
from coordinator.model.chat import ChatRow, Chatter
from coordinator.model.highlight import SIGNAL_RATE_HZ, Moment, SessionSignals, Track, Utterance
from coordinator.model.sessions import FeatureRow, LookState
from coordinator.pipeline.chatting import is_telling
from coordinator.pipeline.detect import WINDOW_NS
from coordinator.pipeline.windows import PROMISE_NS, due_look, window_of
from protos.timebase import SECOND_NS
from tests.bench.highlights_streams import Case
from tests.bench.measure import Result, percentile

FIGURES = (
    "live_share_with_chunk",
    "live_delay_p95_s",
    "live_delay_max_s",
    "live_num_moments",
    "live_looks_per_s",
)
# Chunks end in a pause, about every ten seconds.
CHUNK_S = (8.0, 12.0)
_MINUTE_S = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A moment, when its chunk had been heard, and when a look had found it; seconds of session time."""

    moment: Moment
    held_s: float
    found_s: float


def measure(result: Result, found_in: Sequence[Case]) -> None:
    """Run streams, and say how much later than its chunk each moment was there."""
    delays_s: list[float] = []
    num_looks, duration_s = 0, 0.0
    for number, case in enumerate(found_in):
        seen, looks = watched(case.signals, number)
        delays_s += [one.found_s - one.held_s for one in seen]
        num_looks, duration_s = num_looks + looks, duration_s + case.signals.duration_s
    result.figures["live_num_moments"] = float(len(delays_s))
    result.figures["live_share_with_chunk"] = round(sum(one <= 0 for one in delays_s) / len(delays_s), 3)
    result.figures["live_delay_p95_s"] = round(percentile(delays_s, 0.95), 1)
    result.figures["live_delay_max_s"] = round(max(delays_s), 1)
    result.figures["live_looks_per_s"] = round(num_looks / duration_s, 4)


def watched(signals: SessionSignals, seed: int) -> tuple[list[Seen], int]:
    """Run a stream; returns the moments that were there in the end, and how many looks were made."""
    first: list[tuple[Moment, float]] = []
    ends_s = _chunk_ends(signals.duration_s, seed)
    state = LookState(
        session_id="s", is_live=True, is_over=False, is_all_heard=False, until_ns=0, front_ns=0, pressed_ns=-1,
        promising_until_ns=0, queued_no=0, looked_no=0,
    )  # fmt: skip
    num_looks = 0
    for seq, end_s in enumerate(ends_s):
        start_s = ends_s[seq - 1] if seq else 0.0
        promising_ns = state.promising_until_ns
        if _is_promising(signals, start_s, end_s):
            promising_ns = max(promising_ns, round(end_s * SECOND_NS) + PROMISE_NS)
        state = dataclasses.replace(state, until_ns=round(end_s * SECOND_NS), promising_until_ns=promising_ns)
        if due_look(state) is None:
            continue
        num_looks += 1
        state = dataclasses.replace(state, looked_no=window_of(state.until_ns))
        since_s = max(0.0, end_s - WINDOW_NS / SECOND_NS)
        found = look_for_moments(cut(signals, since_s - since_s % 2.0, end_s), False)
        shift_s = since_s - since_s % 2.0
        first += [(_shifted(one, shift_s), end_s) for one in (*found.moments, *found.forming)]
    seen = []
    for moment in look_for_moments(signals, True).moments:
        times = [at_s for other, at_s in first if _is_same(moment, other)]
        held_s = next(end_s for end_s in ends_s if end_s >= min(moment.end_s, ends_s[-1]))
        seen.append(Seen(moment=moment, held_s=held_s, found_s=min(times, default=ends_s[-1] + _MINUTE_S)))
    return seen, num_looks


def cut(signals: SessionSignals, start_s: float, end_s: float) -> SessionSignals:
    """What is known of a stretch, on a line that begins with it."""
    first, last = round(start_s * SIGNAL_RATE_HZ), int(end_s * SIGNAL_RATE_HZ)
    return SessionSignals(
        duration_s=end_s - start_s,
        tracks=[
            Track(name=one.name, values=one.values[first:last], present=one.present[first:last])
            for one in signals.tracks
        ],
        utterances=[
            dataclasses.replace(one, start_s=one.start_s - start_s, end_s=min(one.end_s, end_s) - start_s)
            for one in signals.utterances
            if start_s <= one.start_s < end_s
        ],
        chat=[
            dataclasses.replace(one, at_s=one.at_s - start_s)
            for one in signals.chat
            if start_s <= one.at_s < end_s
        ],
        audiences=[dataclasses.replace(one, at_s=max(0.0, one.at_s - start_s)) for one in signals.audiences],
    )


def _is_promising(signals: SessionSignals, start_s: float, end_s: float) -> bool:
    # An utterance that began in the chunk before is words here, and was read there.
    said = [
        Utterance(
            start_s=max(one.start_s, start_s) - start_s,
            end_s=min(one.end_s, end_s) - start_s,
            text=one.text if one.start_s >= start_s else "",
        )
        for one in signals.utterances
        if one.end_s > start_s and one.start_s < end_s
    ]
    before_s = max(0.0, start_s - _MINUTE_S)
    if is_promising(_row(signals, start_s, end_s), [_row(signals, before_s, start_s)], said):
        return True
    return is_telling(_written(signals, start_s, end_s), _written(signals, before_s, start_s))


def _written(signals: SessionSignals, start_s: float, end_s: float) -> Chatter:
    return Chatter(
        lines=tuple(
            ChatRow(
                at_ns=round(one.at_s * SECOND_NS), text=one.text, chat=one.chat, author=one.author,
                kind=one.kind, count=one.count,
            )
            for one in signals.chat
            if start_s <= one.at_s < end_s
        )
    )  # fmt: skip


def _row(signals: SessionSignals, start_s: float, end_s: float) -> FeatureRow:
    first, last = round(start_s * SIGNAL_RATE_HZ), round(end_s * SIGNAL_RATE_HZ)
    return FeatureRow(
        lane=1, seq=0, start_ns=round(start_s * SECOND_NS), step_ns=SECOND_NS // SIGNAL_RATE_HZ,
        tracks={
            one.name: [
                float(value) if here else None
                for value, here in zip(one.values[first:last], one.present[first:last], strict=True)
            ]
            for one in signals.tracks
        },
    )  # fmt: skip


def _chunk_ends(duration_s: float, seed: int) -> Sequence[float]:
    chance, ends = random.Random(seed), [0.0]
    while ends[-1] < duration_s:
        ends.append(min(duration_s, round(ends[-1] + chance.uniform(*CHUNK_S), 1)))
    return ends[1:]


def _shifted(moment: Moment, by_s: float) -> Moment:
    return dataclasses.replace(
        moment, start_s=moment.start_s + by_s, end_s=moment.end_s + by_s, peak_s=moment.peak_s + by_s
    )


def _is_same(moment: Moment, other: Moment) -> bool:
    shared_s = min(moment.end_s, other.end_s) - max(moment.start_s, other.start_s)
    return shared_s > 0 and 2 * shared_s >= min(moment.end_s - moment.start_s, other.end_s - other.start_s)
