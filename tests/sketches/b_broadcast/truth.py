"""Where the moments of a broadcast begin and end, from the plan's curves, shots and utterances alone.

A sign counts while its curve lies clearly above what the stream does by itself; a laugh, a horn and a boom
count wherever they are. Tense words in an ordinary voice, more talk than before and a replay do not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tests.sketches.guide import from_all_signs
from tests.sketches.sketch import FRAMES_PER_S, Span

Curve = npt.NDArray[np.float64]
ABOVE = 0.1  # how far above nearly all that is usual a curve must be
HUSHED = 0.4  # 2 dB below the usual voice
ANSWERS_FOR = 0.4  # words of the reaction in an ordinary voice are talk again after this share of it


def usual(curves: Mapping[str, Curve]) -> dict[str, float]:
    """What each curve seldom exceeds; of `curves` before anything happens."""
    return {name: float(np.quantile(curve, 0.95)) for name, curve in curves.items()}


@dataclasses.dataclass(slots=True, kw_only=True)
class Moment:
    """A moment as it is laid out: where it lies, its peak, and the stretches in which a sign stands out."""

    span: Span
    peak_s: float
    signs: set[str]
    shown: list[tuple[float, float]] = dataclasses.field(default_factory=list)

    def lift(self, curve: Curve, level: float) -> None:
        """This sign's own curve counts from where it first reaches a level until where it last does."""
        if (above := np.flatnonzero(curve >= level)).size:
            self.shown.append((above[0] / FRAMES_PER_S, (above[-1] + 1) / FRAMES_PER_S))

    def hear(self, start_s: float, end_s: float, topic: str, *, is_turned: bool) -> None:
        """An utterance; is the voice raised or hushed?"""
        answered_s = self.peak_s + ANSWERS_FOR * (self.span.end_s - self.peak_s)
        is_answer = "words" in self.signs and topic == self.span.kind and start_s < answered_s
        is_voice = "voice" in self.signs and is_turned
        if self.span.start_s <= start_s < self.span.end_s and (is_voice or is_answer):
            self.shown.append((start_s, end_s))

    def told(self) -> Span:
        """From the first that stands out to the last."""
        start_s, end_s = from_all_signs(self.shown or [(self.peak_s, self.span.end_s)])
        return Span(start_s=round(start_s, 2), end_s=round(end_s, 2), kind=self.span.kind)
