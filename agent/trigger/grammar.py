"""What the key events of one trigger mean: a tap, a double, a triple, once more, a hold. Pure: times in, steps out.

Key-down saves the last seconds at once. A second key-down within 400 ms of the first grows the same clip to the
longer length, a third to everything there is. From then to 15 s after its last event a press extends the same
clip's end to now. A key held over 600 ms is a hold: the clip that its key-down began becomes key-down to release.
The same for a hotkey, a Stream Deck, a command, a spoken word and a line of chat; each has a grammar of its own.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from protos.timebase import MILLISECOND_NS, SECOND_NS

QUICK_NS = 400 * MILLISECOND_NS
HOLD_NS = 600 * MILLISECOND_NS
EXTEND_NS = 15 * SECOND_NS
# The start of CLOCK_MONOTONIC lies before any recording's.
EVERYTHING_NS = 0

StepKind = Literal["begin", "grow", "extend", "hold"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PressLengths:
    """How far back a press and a double press reach; 0: everything."""

    press_ns: int
    double_ns: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an event does to the trigger's clip; times on CLOCK_MONOTONIC.

    `begin`: a new clip of [start, end). `grow`, `extend`: the same clip reaches at least from start to end.
    `hold`: the same clip becomes [start, end).
    """

    kind: StepKind
    start_ns: int
    end_ns: int


class PressGrammar:
    """One trigger's key, down and up. Owned by whoever feeds it, one event at a time.

    Events that are told late (two clients, one key) count as of the newest event told before.
    """

    def __init__(self, lengths: PressLengths) -> None:
        self._lengths = lengths
        self._newest_ns = 0
        self._touched_ns: int | None = None
        self._series_ns = 0
        self._last_down_ns = 0
        self._num_quick = 0
        self._down: Step | None = None
        self._down_ns = 0

    def key_down(self, at_ns: int) -> Step:
        """The key went down."""
        at_ns = self._in_order(at_ns)
        step = self._step_of_press(at_ns)
        self._down, self._down_ns = step, at_ns
        self._last_down_ns = self._touched_ns = at_ns
        return step

    def key_up(self, at_ns: int) -> Step | None:
        """The key came up; None when that changes nothing. A trigger without key-up simply has no hold."""
        at_ns = self._in_order(at_ns)
        down, self._down = self._down, None
        if down is None or at_ns - self._down_ns <= HOLD_NS:
            return None
        self._touched_ns = at_ns
        kind: StepKind = "hold" if down.kind == "begin" else "extend"
        return Step(kind=kind, start_ns=self._down_ns, end_ns=at_ns)

    def _in_order(self, at_ns: int) -> int:
        self._newest_ns = max(self._newest_ns, at_ns)
        return self._newest_ns

    def _step_of_press(self, at_ns: int) -> Step:
        is_same_clip = self._touched_ns is not None and at_ns - self._touched_ns <= EXTEND_NS
        is_quick = is_same_clip and self._num_quick > 0 and at_ns - self._last_down_ns <= QUICK_NS
        if is_quick:
            self._num_quick += 1
            if self._num_quick <= 3:
                return Step(kind="grow", start_ns=self._grown_start_ns(), end_ns=self._series_ns)
            return Step(kind="extend", start_ns=at_ns, end_ns=at_ns)
        self._series_ns, self._num_quick = at_ns, 1
        if is_same_clip:
            return Step(kind="extend", start_ns=at_ns, end_ns=at_ns)
        return Step(kind="begin", start_ns=_before(at_ns, self._lengths.press_ns), end_ns=at_ns)

    def _grown_start_ns(self) -> int:
        press_ns, double_ns = self._lengths.press_ns, self._lengths.double_ns
        is_longer = double_ns > press_ns > 0
        return _before(self._series_ns, double_ns if is_longer and self._num_quick == 2 else 0)


def _before(end_ns: int, length_ns: int) -> int:
    # Before the clock began is before every recording, yet no wish for everything.
    return max(EVERYTHING_NS + 1, end_ns - length_ns) if length_ns else EVERYTHING_NS
