"""An ordinary evening of a gaming streamer: play, fights, chat, a few moments, much that looks so."""

from __future__ import annotations

import numpy as np

from tests.sketches.o_evening import game
from tests.sketches.o_evening.bank import Bank
from tests.sketches.o_evening.picture import Reel
from tests.sketches.o_evening.plan import plan_evening
from tests.sketches.o_evening.voice import Tracks, coloured, utter, voice
from tests.sketches.o_evening.who import Plan, draw_persona
from tests.sketches.o_evening.words import chatter, segments
from tests.sketches.sketch import RATE_HZ, Sketch, Sound

ECHOES_S = (0.011, 0.023, 0.041)
SHIFT = 61


def _gated(x: Sound, tracks: Tracks) -> Sound:
    """A noise gate: shut where nothing has been voiced for a while."""
    hold = 40
    voiced = (tracks.amp + tracks.breath > 0.03).astype(np.float64)
    wide = np.convolve(voiced, np.ones(2 * hold), "same") > 0
    soft = np.convolve(wide, np.ones(9) / 9, "same").astype(np.float32)
    step = RATE_HZ // 200
    k = len(x) // step
    x[: k * step].reshape(k, step)[:] *= soft[:k, None]
    x[k * step :] *= soft[-1]
    return x


def _microphone(plan: Plan, bank: dict[str, Sound], desktop: Sound, rng: np.random.Generator) -> Sound:
    """Voice, room, bumps and keys, hiss and hum, and what leaks from the speakers."""
    who, n = plan.who, len(desktop)
    tracks = Tracks(plan.duration_s)
    for line in plan.lines:
        utter(tracks, line, who.throat, rng)
    level = 10 ** (who["speech_db"] / 20)
    out = voice(tracks, who.throat, rng, n) * np.float32(level)
    if who["echo"]:
        dry = out.copy()
        for k, late in enumerate(ECHOES_S):
            shift = int(late * RATE_HZ)
            out[shift:] += np.float32(who["echo"] * 0.7**k) * dry[:-shift]
    for cue in plan.cues:
        if cue.name.startswith("mic_"):
            game.add_at(out, cue.at_s, bank[cue.name], 3 * level * 10 ** (cue.size / 20))
    for t in rng.uniform(0, plan.duration_s, rng.poisson(who["keys_per_s"] * plan.duration_s)):
        game.add_at(out, float(t), bank["mic_key"], level * float(rng.uniform(0.05, 0.5)))
    if who["leak_db"] > -60:
        leak = np.float32(10 ** (who["leak_db"] / 20))
        out[SHIFT:] += leak * 0.5 * (desktop[:-SHIFT] + desktop[1 : 1 - SHIFT])
    floor = coloured(10 * RATE_HZ, rng, {0: -20, 80: 0, 400: -6, 2000: -14, 8000: -20})
    t = np.arange(len(floor)) / RATE_HZ
    floor += np.float32(who["hum"]) * np.sin(2 * np.pi * 100 * t).astype(np.float32)
    out += np.float32(10 ** (who["floor_db"] / 20)) * np.resize(floor, n)
    if who.has("gate"):
        out = _gated(out, tracks)
    return game.squeeze(out, who["clip"])


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream; each seed is another streamer."""
    rng = np.random.default_rng([seed, 0])
    bank = Bank("".join(rng.choice(list("abdegiklmnoprstuvz"), int(rng.integers(3, 6)))))
    who = draw_persona(rng, bank)
    plan = plan_evening(who, duration_s, bank, np.random.default_rng([seed, 1]))
    rng = np.random.default_rng([seed, 2])
    sounds = game.effects(rng, who.genre)
    desktop = game.desktop(plan, sounds, rng)
    mic = _microphone(plan, sounds, desktop, np.random.default_rng([seed, 3]))
    reel = Reel(plan, mic, np.random.default_rng([seed, 4]))
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=lambda: reel.frames(seed),
        segs=segments(plan, bank, np.random.default_rng([seed, 5])),
        chat=chatter(plan, bank, np.random.default_rng([seed, 6])),
        num_viewers=who.viewers,
        moments=tuple(plan.moments),
        decoys=tuple(plan.decoys),
    )
