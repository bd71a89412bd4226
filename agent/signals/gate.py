"""A cheap, causal guess at what may be worth keeping, so that it is pinned before the ring drops it.

Loudness, voice and motion are each measured against their own last minute; where at least two rise together
and stay up, that span is a candidate. It errs on the side of keeping: the coordinator judges with the words.
Used under one lock, from whichever thread has a sample.
"""

from __future__ import annotations

import collections
import dataclasses
import threading

import numpy as np

from agent.model.media import SignalSample
from agent.signals.grid import STEP_NS
from agent.signals.loudness import SILENCE_DB
from protos.timebase import SECOND_NS

_HISTORY_STEPS = 120  # a minute
_MIN_HISTORY_STEPS = 20
_ENTER_SCORE = 1.5
_LEAVE_SCORE = 0.7
_LEAVE_SHARE = 0.35  # of its peak: what stays a little livelier afterwards is not the event
_Z_MAX = 4.0
_Z_RISEN = 1.5
_HOLD_STEPS = 4  # 2 s below the threshold end a span; a candidate is known within 3 s of its end
_MAX_SPAN_NS = 30 * SECOND_NS
_BEFORE_NS = 10 * SECOND_NS
_AFTER_NS = 3 * SECOND_NS
# A step is judged when a later one begins, or all its signals are there.
_MAX_OPEN_STEPS = 4
# The least spread each signal is measured by, so that a still lane does not turn noise into peaks.
_FLOORS = {"mic_loudness_db": 2.0, "desktop_loudness_db": 2.0, "voice": 0.25, "motion": 0.01}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A span that may be worth keeping, with its margins, on the session's line.

    Attributes:
        peak_ns: where its score was highest.
        score: 0 and up; 1.5 is where a span begins.
        lanes: the signals that rose.
    """

    start_ns: int
    end_ns: int
    peak_ns: int
    score: float
    lanes: tuple[str, ...]


class Gate:
    """Signals in, candidates out.

    Args:
        num_signals: how many signals each half second has; a step with as many is judged at once.
    """

    def __init__(self, num_signals: int = 4) -> None:
        self._num_signals = num_signals
        self._lock = threading.Lock()
        self._open: dict[int, dict[str, float]] = {}
        self._judged_ns = -1
        self._expected: set[str] = set()
        self._history: dict[str, collections.deque[float]] = {}
        self._span: _Span | None = None

    def feed(self, sample: SignalSample) -> list[Candidate]:
        """Take one sample; returns the candidates that ended with it, mostly none. Any thread."""
        with self._lock:
            if sample.at_ns <= self._judged_ns:
                self._expected.add(sample.name)  # it is back, or slower than the others: wait for it again
                return []
            self._open.setdefault(sample.at_ns, {})[sample.name] = sample.value
            candidates: list[Candidate] = []
            for at_ns in sorted(self._open):
                names = self._open[at_ns].keys()
                # A signal that has gone (a microphone pulled out) is waited for once, not at every step.
                is_complete = len(names) >= self._num_signals or (
                    bool(self._expected) and self._expected <= names
                )
                if not is_complete and len(self._open) <= _MAX_OPEN_STEPS:
                    break
                self._judged_ns = at_ns
                self._expected = set(names)
                candidates += self._judge(at_ns, self._open.pop(at_ns))
            return candidates

    def flush(self) -> list[Candidate]:
        """Judge what is open and end the span that is running: the session ends."""
        with self._lock:
            candidates: list[Candidate] = []
            for at_ns in sorted(self._open):
                candidates += self._judge(at_ns, self._open.pop(at_ns))
            span, self._span = self._span, None
            return candidates + ([span.candidate()] if span is not None else [])

    def _judge(self, at_ns: int, values: dict[str, float]) -> list[Candidate]:
        rises = {name: self._rise(name, value) for name, value in values.items()}
        score, lanes = fused_score(rises)
        if self._span is None:
            if score >= _ENTER_SCORE and len(lanes) >= 2:
                self._span = _Span(at_ns, score, lanes)
            return []
        self._span.add(at_ns, score, lanes)
        if not self._span.is_over(at_ns):
            return []
        candidate = self._span.candidate()
        self._span = None
        return [candidate]

    def _rise(self, name: str, value: float) -> float:
        """How far above its own last minute, in robust standard deviations, 0 to 4."""
        history = self._history.setdefault(name, collections.deque(maxlen=_HISTORY_STEPS))
        rise = 0.0
        if len(history) >= _MIN_HISTORY_STEPS:
            past = np.asarray(history)
            middle = float(np.median(past))
            spread = max(_FLOORS.get(name, 1e-6), 1.4826 * float(np.median(np.abs(past - middle))))
            rise = min(_Z_MAX, max(0.0, (value - middle) / spread))
        history.append(max(value, SILENCE_DB))
        return rise


class _Span:
    """A candidate that is still going on."""

    def __init__(self, at_ns: int, score: float, lanes: tuple[str, ...]) -> None:
        self.start_ns = at_ns - STEP_NS
        self.last_up_ns = self.peak_ns = at_ns
        self.peak_score = score
        self.lanes = set(lanes)

    def add(self, at_ns: int, score: float, lanes: tuple[str, ...]) -> None:
        if score >= max(_LEAVE_SCORE, _LEAVE_SHARE * self.peak_score):
            self.last_up_ns = at_ns
            self.lanes.update(lanes)
        if score > self.peak_score:
            self.peak_score, self.peak_ns = score, at_ns

    def is_over(self, at_ns: int) -> bool:
        is_down = at_ns - self.last_up_ns >= _HOLD_STEPS * STEP_NS
        return is_down or at_ns - self.start_ns >= _MAX_SPAN_NS

    def candidate(self) -> Candidate:
        return Candidate(
            start_ns=max(0, self.start_ns - _BEFORE_NS),
            end_ns=self.last_up_ns + _AFTER_NS,
            peak_ns=self.peak_ns,
            score=round(self.peak_score, 3),
            lanes=tuple(sorted(self.lanes)),
        )


def fused_score(rises: dict[str, float]) -> tuple[float, tuple[str, ...]]:
    """The mean rise of loudness, voice and motion, and the groups that rose clearly.

    A lane that is not there takes no part: a stream without a microphone is judged by the rest.
    """
    groups: dict[str, float] = {}
    for name, rise in rises.items():
        group = "loudness" if name.endswith("_loudness_db") else name
        groups[group] = max(groups.get(group, 0.0), rise)
    if not groups:
        return 0.0, ()
    score = sum(groups.values()) / len(groups)
    return score, tuple(sorted(group for group, rise in groups.items() if rise >= _Z_RISEN))
