"""Streams of a streamer who plays horror and survival games alone: quiet dread, jump scares, chases, deaths, relief."""

from __future__ import annotations

import numpy as np

from tests.sketches.h_scares.chat import converse
from tests.sketches.h_scares.game import play
from tests.sketches.h_scares.lore import load
from tests.sketches.h_scares.picture import Film, loudness
from tests.sketches.h_scares.plan import draw_persona, draw_plan
from tests.sketches.h_scares.talk import perform, recognise, room
from tests.sketches.h_scares.truth import spans_of
from tests.sketches.sketch import RATE_HZ, Sketch


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream by one streamer."""
    who, what, talk, game, chat, ears = (np.random.default_rng([seed, k]) for k in range(6))
    lore = load()
    persona = draw_persona(who, lore)
    plan = draw_plan(what, lore, persona, duration_s)
    mic = np.zeros(round(duration_s * RATE_HZ), np.float32)
    booth = perform(talk, persona, lore, plan, mic)
    moments, decoys = spans_of(lore, plan, booth, duration_s)
    loud = loudness(mic, duration_s, persona["mic_db"])
    room(talk, booth)
    desktop, near = play(game, persona, lore, plan, duration_s)
    mic += near
    if persona["leaks"]:
        # The loudspeakers reach the microphone a little later.
        mic[160:] += desktop[:-160] * np.float32(10 ** (persona["leak_db"] / 20))
    # A limiter: quiet sound passes, a scream is squashed near full scale.
    mic = np.tanh(mic * np.float32(1.05), out=mic)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=Film(seed, persona, plan, duration_s, loud).frames,
        segs=recognise(ears, persona, lore, booth),
        chat=converse(chat, persona, lore, plan, duration_s),
        num_viewers=int(persona["viewers"]),
        moments=moments,
        decoys=decoys,
    )
