"""Where the moments of the bedroom begin and end, from the plan's times alone.

The phrases before the peak are said calmly, and so is what is said when the heat has gone: neither counts. A
laugh counts wherever it is, and a pan of the picture from where it begins, if it is faster than most play.
"""

from __future__ import annotations

import dataclasses

from tests.sketches.guide import from_all_signs
from tests.sketches.sketch import Span

RAISED = 0.3  # the heat from which a voice is clearly louder and higher than calm talk
ANSWERS_FOR = 0.5  # what is said in this share of the reaction answers the event even in a calm voice
PAN = 0.5  # the share of the fastest play that a pan has on top of play, at least, to be noticed


@dataclasses.dataclass(slots=True, kw_only=True)
class Moment:
    """A moment as it is laid out: where it lies, its peak, and the stretches in which a sign stands out."""

    span: Span
    peak_s: float
    shown: list[tuple[float, float]] = dataclasses.field(default_factory=list)

    def add(self, start_s: float, end_s: float) -> None:
        if end_s > start_s:
            self.shown.append((start_s, end_s))

    def say(self, start_s: float, end_s: float, heat: float) -> None:
        """A phrase of the reaction."""
        if heat >= RAISED or start_s < self.peak_s + ANSWERS_FOR * (self.span.end_s - self.peak_s):
            self.add(start_s, end_s)

    def told(self) -> Span:
        """From the first that stands out to the last."""
        start_s, end_s = from_all_signs(self.shown or [(self.peak_s, self.peak_s)])
        return Span(start_s=start_s, end_s=end_s, kind=self.span.kind)
