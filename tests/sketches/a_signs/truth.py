"""What of an event stands out in the stream, and so where a moment begins and ends.

All from the plan. A lead-in stirs no more than mood and play do by themselves, but a crowd that swells is
heard: the rest of the time there is none. What is said before the peak is said as calmly as any talk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tests.sketches.guide import from_all_signs
from tests.sketches.sketch import FRAMES_PER_S, Span

SHAPE = (
    0.0,
    0.25,
    1.0,
    0.9,
    0.2,
)  # of each sign: at the start, the peak, 0.4 s later, where it calms, at the end
# The strength from which a sign stands out: above any mood, the pace of most play, its blows, its hum.
VOICE, PICTURE, BOOM, CROWD = 0.3, 0.3, 0.3, 0.15


class Event(NamedTuple):
    """When it starts, peaks, calms and ends; the strength of each sign, 0 to 1."""

    kind: str
    times_s: tuple[float, ...]
    signs: dict[str, float]
    sound: str

    def knots_s(self) -> tuple[float, ...]:
        """The times of `SHAPE`."""
        start_s, peak_s, *later_s = self.times_s
        return start_s, peak_s, peak_s + 0.4, *later_s

    def above(self, sign: str, level: float) -> tuple[float, float]:
        """From when until when a sign is at least so strong."""
        share, knots_s = level / self.signs[sign], self.knots_s()
        until_s = np.interp(share, SHAPE[:1:-1], knots_s[:1:-1])
        return float(np.interp(share, SHAPE[:3], knots_s[:3])), float(until_s)


class Phrase(NamedTuple):
    """What one breath says, arousal from 0 to 1; a laugh has no words."""

    start_s: float
    end_s: float
    text: str
    arousal: float


def _shown(
    event: Event, phrases: Sequence[Phrase], blows_s: Sequence[float], said: str
) -> Iterator[tuple[float, float]]:
    """Each stretch in which a sign is above the ordinary; `said` holds the words of the reaction."""
    _, peak_s, calm_s, end_s = event.times_s
    near = [phrase for phrase in phrases if peak_s <= phrase.start_s < end_s]
    if "voice" in event.signs:
        from_s, until_s = event.above("voice", VOICE)
        yield from ((p.start_s, p.end_s) for p in near if p.text and from_s <= p.start_s <= until_s)
    if "words" in event.signs:  # said in an ordinary voice they soon are ordinary talk
        answers = [p for p in near if p.text and p.start_s < calm_s]
        yield from ((p.start_s, p.end_s) for p in answers if f"|{p.text}" in f"|{said}")
    if "laughter" in event.signs:
        merry = [p for p in near if not p.text and p.arousal == event.signs["laughter"]]
        yield from ((p.start_s, p.end_s) for p in merry)
    if "picture" in event.signs:
        yield event.above("picture", PICTURE)
    if "desktop" in event.signs and event.sound == "crowd":
        yield event.above("desktop", CROWD)
    elif "desktop" in event.signs and event.sound == "horn":
        yield peak_s, peak_s + 1.5
    elif "desktop" in event.signs:
        from_s, until_s = event.above("desktop", BOOM)
        yield from ((at_s, at_s + 0.3) for at_s in blows_s if from_s <= at_s <= until_s)


def moment(event: Event, phrases: Sequence[Phrase], blows: Sequence[int], said: str) -> Span:
    """From the first that stands out to the last; `blows` are the pictures at which one falls."""
    shown = list(_shown(event, phrases, [now / FRAMES_PER_S for now in blows], said))
    start_s, end_s = from_all_signs(shown or [event.times_s[1:3]])
    return Span(start_s=start_s, end_s=end_s, kind=event.kind)
