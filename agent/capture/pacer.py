"""When the next frame is due. A missed tick is skipped, never made up for: frames do not burst.

Pure: time comes in as an argument. Used by the `capture-video` thread.
"""

from __future__ import annotations

import dataclasses

from protos.timebase import SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One turn of the pacer: which, when it is due, and how many were missed before it."""

    index: int
    due_ns: int
    num_skipped: int


class Pacer:
    """Ticks at `start_ns + index / frame_rate`, computed from the index so that rounding never adds up.

    Args:
        frame_rate: ticks a second.
        start_ns: monotonic time of tick 0.
    """

    def __init__(self, frame_rate: int, start_ns: int) -> None:
        self.frame_rate = frame_rate
        self._start_ns = start_ns
        self._next_index = 0

    def next_tick(self, now_ns: int) -> Tick:
        """The tick to wait for. One that is due but less than its own length late is still taken.

        A tick later than that is skipped: its picture would be that of the next one.
        """
        current = ((now_ns - self._start_ns) * self.frame_rate) // SECOND_NS
        index = max(self._next_index, current)
        num_skipped = index - self._next_index
        self._next_index = index + 1
        return Tick(index=index, due_ns=self.due_ns(index), num_skipped=num_skipped)

    def due_ns(self, index: int) -> int:
        """Monotonic time of a tick."""
        return self._start_ns + index * SECOND_NS // self.frame_rate
