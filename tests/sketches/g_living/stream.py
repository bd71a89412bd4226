"""Streams as they are: long stretches of nothing much, moments of all sizes, hard decoys next to easy ones."""

from __future__ import annotations

import functools

import numpy as np

from tests.sketches.g_living import desk, plan, talk, truth, view
from tests.sketches.g_living.mic import microphone
from tests.sketches.g_living.plan import Persona, Rng
from tests.sketches.g_living.voice import Throat, Tracks, Utterance, render, speak
from tests.sketches.g_living.words import Phrases, chat, segments
from tests.sketches.sketch import RATE_HZ, Sketch, Sound


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream; the same seed and length give the same stream.

    A moment's span is from its first sign to its last in sound or picture, a decoy's is that of its beat.
    """
    chance = [np.random.default_rng([seed, part]) for part in range(8)]
    num = round(RATE_HZ * duration_s)
    who = plan.draw_persona(chance[0])
    beats = plan.plan(chance[1], who, duration_s)
    activity = plan.action(chance[2], who, beats, duration_s)
    words = Phrases()
    said = talk.streamer(chance[3], words, who, beats, duration_s)
    around = talk.others(chance[3], words, who, beats, duration_s)
    voices = _voices(chance[4], _cast(chance[4]), around, num)
    desktop, signs = desk.desktop(chance[4], who, voices, beats, activity)
    own = _voices(chance[5], [talk.throat(who)], said, num)
    mic = microphone(chance[5], who, own, desktop, beats, activity)
    signs += view.Director(np.random.default_rng([seed, view.CHANCE]), who, beats, said, activity).signs
    signs += truth.voiced([*said, *around]) + truth.played(who, beats, activity)
    moments, decoys = truth.spans(beats, signs, duration_s)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=functools.partial(view.draw, seed, who, beats, said, activity),
        segs=segments(chance[6], words, who, said),
        chat=chat(chance[7], words, who, beats, duration_s),
        num_viewers=who.viewers,
        moments=moments,
        decoys=decoys,
    )


def _cast(rng: Rng) -> list[Throat]:
    """Three voices for the desktop sound."""
    return [
        Throat(
            pitch_hz=float(rng.uniform(90, 240)),
            tract=float(rng.uniform(0.95, 1.2)),
            rate=float(rng.uniform(4, 6)),
            swing=float(rng.uniform(0.2, 0.8)),
        )
        for _ in range(3)
    ]


def _voices(rng: Rng, cast: list[Throat], said: list[Utterance], num: int) -> Sound:
    tracks = Tracks(num)
    for line in said:
        speak(tracks, rng, cast[int(rng.integers(len(cast)))], line)
    return render(tracks, rng)


def persona(seed: int) -> Persona:
    """Who streams under a seed, for looking at what was made."""
    return plan.draw_persona(np.random.default_rng([seed, 0]))
