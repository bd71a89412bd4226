"""Which part of the session a press wants, and what that means beside the clip before it. Pure.

Times are on the session's line. A start of exactly 0 means everything there is; a start before 0 means that more
was asked for than there has been, which the clip then says.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from protos.timebase import SECOND_NS

OverlapPolicy = Literal["extend", "overlap", "new"]
# Less than this of new footage is no clip of its own.
_MIN_NEW_NS = SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a clip shall show: [start, end)."""

    start_ns: int
    end_ns: int

    @property
    def is_everything(self) -> bool:
        """Was everything there is asked for?"""
        return self.start_ns == 0

    def joined(self, other: Window) -> Window:
        """From the earlier start to the later end of both."""
        is_everything = self.is_everything or other.is_everything
        return Window(
            start_ns=0 if is_everything else min(self.start_ns, other.start_ns),
            end_ns=max(self.end_ns, other.end_ns),
        )

    def from_on(self, floor_ns: int) -> Window:
        """The part of it that is not before `floor_ns`."""
        if not self.is_everything and self.start_ns >= floor_ns:
            return self
        return Window(start_ns=max(self.start_ns, floor_ns), end_ns=self.end_ns)


def is_joined_to_last(policy: OverlapPolicy, wanted: Window, last: Window | None) -> bool:
    """Does a new press belong to the last clip instead of making its own?"""
    if last is None or policy == "overlap":
        return False
    if policy == "extend":
        return wanted.start_ns <= last.end_ns
    return wanted.end_ns - last.end_ns < _MIN_NEW_NS
