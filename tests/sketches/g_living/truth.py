"""When moments begin and end, from when their signs are heard and seen."""

from __future__ import annotations

import numpy as np

from tests.sketches.g_living.desk import NOISES
from tests.sketches.g_living.plan import STEP_HZ, Beat, Persona, Track
from tests.sketches.g_living.voice import Utterance
from tests.sketches.guide import Sign, from_signs, kept_apart
from tests.sketches.sketch import Span

# More than this goes on in lively play only, however calm the rest of the game.
LIVELY = 0.5


def voiced(said: list[Utterance]) -> list[Sign]:
    """When the streamer or friends react, and when the streamer's voice is raised up to then.

    What is said when the reaction is over is calm talk.
    """
    return [(line.start_s, line.end_s) for line in said if line.tells]


def played(who: Persona, beats: list[Beat], activity: Track) -> list[Sign]:
    """When a game sounds busier around a peak than it does but for a twentieth of ordinary time."""
    if who.genre not in NOISES:
        return []
    at = np.arange(len(activity)) / STEP_HZ
    ordinary = ~np.any([(at >= b.start_s) & (at < b.end_s) for b in beats], axis=0)
    over = activity > max(LIVELY, float(np.percentile(activity[ordinary], 95)))
    signs: list[Sign] = []
    for beat in (b for b in beats if b.moment):
        peak, first, last = (int(t * STEP_HZ) for t in (beat.peak_s, beat.start_s, beat.react_s))
        before, after = ~over[first : peak + 1][::-1], ~over[peak : last + 1]
        if over[peak]:
            begin = peak + 1 - (int(np.argmax(before)) if before.any() else len(before))
            end = peak + (int(np.argmax(after)) if after.any() else len(after))
            signs.append((begin / STEP_HZ, end / STEP_HZ))
    return signs


def spans(
    beats: list[Beat], signs: list[Sign], duration_s: float
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """The moments by their signs and the decoys by their beats, in order and apart."""
    told: tuple[list[Span], list[Span]] = ([], [])
    for beat in beats:
        start_s, end_s = beat.start_s, beat.end_s
        if beat.moment:
            own = [sign for sign in signs if beat.start_s <= sign[0] < beat.end_s]
            start_s, end_s = from_signs(own, beat.peak_s, early_s=1.0, duration_s=duration_s, spare_s=0.01)
        told[not beat.moment].append(Span(start_s=round(start_s, 2), end_s=round(end_s, 2), kind=beat.kind))
    return kept_apart(*told, later_first=True)
