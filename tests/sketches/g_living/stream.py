"""Streams as they are: long stretches of nothing much, moments of all sizes, hard decoys next to easy ones."""

from __future__ import annotations

import functools

import numpy as np

from tests.sketches.g_living import desk, plan, talk, view
from tests.sketches.g_living.mic import microphone
from tests.sketches.g_living.plan import Persona, Rng
from tests.sketches.g_living.voice import Throat, Tracks, Utterance, render, speak
from tests.sketches.g_living.words import Phrases, chat, segments
from tests.sketches.sketch import RATE_HZ, Sketch, Sound, Span


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream; the same seed and length give the same stream.

    A moment's span is the middle of what three editors would cut, a decoy's is from its first sign to its last.
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
    desktop = desk.desktop(chance[4], who, voices, beats, activity)
    own = Throat(pitch_hz=who.pitch_hz, tract=who.tract, rate=who.rate, swing=who.drive)
    mic = microphone(chance[5], who, _voices(chance[5], [own], said, num), desktop, beats, activity)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=functools.partial(view.draw, seed, who, beats, said, activity),
        segs=segments(chance[6], words, who, said),
        chat=chat(chance[7], words, who, beats, duration_s),
        num_viewers=who.viewers,
        moments=tuple(talk.cut(chance[6], b, said) for b in beats if b.moment),
        decoys=tuple(
            Span(start_s=round(b.start_s, 2), end_s=round(b.end_s, 2), kind=b.kind)
            for b in beats
            if not b.moment
        ),
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
