"""What only looks like a moment: music, adverts, raids, shouting about nothing.

Music is taken out of the lanes before they vote; the others are weighed after the vote, by what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from coordinator.highlight.normalise import Curve, Mask, ramp, smooth
from coordinator.highlight.text import Cue, selling

if TYPE_CHECKING:
    from coordinator.highlight.lanes import Lane

MUSIC_TONALITY_DB: Final = 9.0  # measured: steady chords 19-22, a voice over music 7-8, voices 3-6, noise 2.7
TONAL_DB: Final = (3.5, 4.5)  # from here on less of it is a crowd, and from there on nothing
SALES_PHRASES: Final = 2.0  # as many within seconds are an advert
LONE_CHAT_FACTOR: Final = 0.6
LONE_VOICE_FACTOR: Final = 0.3
_VOICE_LANES: Final = ("voice", "loudness", "flux", "rate")
# Less than this of anything else is nothing at all; from the second on, a shout is about something.
_LEAST_SECOND: Final = (0.05, 0.2)


def music(tracks: Mapping[str, tuple[Curve, Mask]], lanes: Sequence[str], num_steps: int) -> Curve:
    """How surely music plays at each step, 0-1: partials that stay in place for seconds."""
    heard = np.zeros(num_steps)
    for lane in lanes:
        if f"{lane}_tonality_db" in tracks:
            tonality_db, measured = tracks[f"{lane}_tonality_db"]
            heard = np.maximum(heard, ramp(smooth(tonality_db, measured, 4), 5.5, MUSIC_TONALITY_DB + 2.0))
    return heard


def innocence(lanes: Sequence[Lane], cues: Sequence[Cue], num_steps: int) -> Curve:
    """What is left of the score at each step, 0-1, once the known decoys have been considered."""
    by_name = {lane.name: lane for lane in lanes}
    kept = 1.0 - 0.9 * np.clip(selling(cues, num_steps) / SALES_PHRASES, 0.0, 1.0)
    kept *= _unless_seconded(by_name, ("chat", "turnout"), LONE_CHAT_FACTOR)  # a raid
    return kept


def lone_voice(lanes: Sequence[Lane], first: int, last: int) -> float:
    """What is left of the score of steps [first, last), where somebody shouts and nothing else happens at all.

    Only where something else would have shown: a microphone alone is believed.
    """
    others = [lane for lane in lanes if lane.name not in _VOICE_LANES]
    if not any(bool(lane.present[first:last].any()) for lane in others):
        return 1.0
    loudest = max((_loudest(lane, first, last) for lane in lanes if lane.name in _VOICE_LANES), default=0.0)
    seconded = max(_loudest(lane, first, last) for lane in others)
    alone = np.interp(loudest, (0.2, 0.5), (0.0, 1.0)) * np.interp(seconded, _LEAST_SECOND, (1.0, 0.0))
    return 1.0 - (1.0 - LONE_VOICE_FACTOR) * float(alone)


def _loudest(lane: Lane, first: int, last: int) -> float:
    return float((lane.activation[first:last] * lane.present[first:last]).max(initial=0.0))


def _unless_seconded(by_name: Mapping[str, Lane], suspects: Sequence[str], factor: float) -> Curve | float:
    """`factor` where a suspect speaks and nobody else does, though others were there to speak; else 1."""
    speaking = [by_name[name].activation for name in suspects if name in by_name]
    others = [lane for name, lane in by_name.items() if name not in suspects]
    if not speaking or not others:
        return 1.0
    loudest = np.maximum.reduce(speaking)
    seconded = np.maximum.reduce([lane.activation for lane in others])
    can_second = np.logical_or.reduce([lane.present for lane in others])
    alone = ramp(loudest, 0.2, 0.5) * (1.0 - ramp(seconded, 0.15, 0.35)) * can_second
    left: Curve = 1.0 - (1.0 - factor) * alone
    return left
