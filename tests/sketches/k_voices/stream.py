"""Friends in a voice call at party, co-op and social-deduction games; everybody talks over one another."""

from __future__ import annotations

import numpy as np

from tests.sketches.k_voices.game import effect, hum, tune
from tests.sketches.k_voices.picture import make_frames
from tests.sketches.k_voices.plan import Plan, draw_plan
from tests.sketches.k_voices.script import Cast, draw_cast
from tests.sketches.k_voices.voice import utter
from tests.sketches.k_voices.words import make_chat, make_segs
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sketch, Sound

_MUSIC_GAIN = {"lobby": 1.0, "loading": 0.9, "play": 0.6, "meeting": 0.35, "result": 0.9}


def _add(track: Sound, at_s: float, wave: Sound, gain: float) -> None:
    """The wave into the track, cut where the track ends."""
    first = max(0, int(at_s * RATE_HZ))
    part = track[first : first + len(wave)]
    part += np.float32(gain) * wave[: len(part)]


def _db(level: float) -> float:
    return float(10 ** (level / 20))


def _voices(
    cast: Cast, plan: Plan, mic: Sound, desktop: Sound, levels: tuple[float, float], seed: int
) -> None:
    """Every line into its track: the streamer into the microphone, the others into the desktop sound."""
    rng = np.random.default_rng([seed, 7])
    for line in plan.lines:
        wave = utter(cast.voices[line.who], line, rng)
        if line.who == 0:
            _add(mic, line.at_s, wave, levels[0] / cast.voices[0].gain)
            continue
        wave[1:] -= 0.6 * wave[:-1]  # a headset and the call's codec: little below the voice, no deep bass
        _add(desktop, line.at_s, wave, 2.0 * levels[1])


def _game(plan: Plan, desktop: Sound, level: float, seed: int) -> None:
    """Music by phase, wind or a room behind it, effects on top."""
    rng = np.random.default_rng([seed, 8])
    moods = {"lobby": "lobby", "loading": "loading", "play": "play_tense" if rng.random() < 0.5 else "play"}
    loops = {phase: tune(rng, mood) for phase, mood in moods.items()}
    loops |= {"meeting": tune(rng, "meeting"), "result": loops["lobby"]}
    music = level * float(rng.uniform(0.0, 0.7)) if rng.random() < 0.85 else 0.0
    wind = hum(rng, low=bool(rng.random() < 0.5)) * np.float32(level * rng.uniform(0.02, 0.12))
    for start, end, phase in plan.phases:
        first, last = int(start * RATE_HZ), min(len(desktop), int(end * RATE_HZ))
        part = np.resize(loops[phase], last - first) * np.float32(music * _MUSIC_GAIN[phase])
        edge = min(4000, len(part) // 3)
        part[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
        part[len(part) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
        desktop[first:last] += part
        if phase in ("play", "meeting"):
            desktop[first:last] += np.resize(wind, last - first)
    loud = level * float(rng.uniform(1.5, 5.0))
    for cue in plan.cues["game"]:
        _add(desktop, cue.at_s, effect(cue.name, rng), loud * cue.strength)


def _desk(plan: Plan, mic: Sound, level: float, seed: int, duration_s: float) -> None:
    """The streamer's room: fan and hiss, keys and clicks, thumps on the desk."""
    rng = np.random.default_rng([seed, 9])
    floor = level * _db(float(rng.uniform(-45, -18)))
    mic += np.resize(hum(rng, low=bool(rng.random() < 0.6)) * np.float32(floor), len(mic))
    keys = level * float(rng.uniform(0, 0.5)) * (rng.random() < 0.7)
    clicks = [effect("key", rng) for _ in range(8)]
    for start, end, phase in plan.phases:
        rate = 2.5 if phase == "play" else 0.4
        for at in rng.uniform(start, end, rng.poisson(rate * (end - start))):
            _add(mic, float(at), clicks[int(rng.integers(8))], keys * float(rng.uniform(0.3, 1)))
    for cue in plan.cues["mic"]:
        _add(mic, cue.at_s, effect("thump", rng), 9.0 * level * cue.strength)


def _finish(track: Sound, rng: np.random.Generator) -> Sound:
    """What a limiter or an overdriven input leaves of the peaks."""
    if rng.random() < 0.6:
        ceiling = np.float32(rng.uniform(0.6, 0.95))
        np.tanh(np.divide(track, ceiling, out=track), out=track)
        track *= ceiling
    return np.clip(track, -1, 1, out=track)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream of the streamer who has this seed."""
    cast = draw_cast(seed)
    plan = draw_plan(cast, seed, duration_s)
    rng = np.random.default_rng([seed, 10])
    num = round(RATE_HZ * duration_s)
    mic, desktop = np.zeros(num, np.float32), np.zeros(num, np.float32)
    own, others = _db(float(rng.uniform(-34, -19))), _db(float(rng.uniform(-36, -22)))
    _voices(cast, plan, mic, desktop, (own, others), seed)
    _game(plan, desktop, others * _db(float(rng.uniform(-6, 6))), seed)
    _desk(plan, mic, own, seed, duration_s)
    desktop = _finish(desktop, rng)
    leaks = bool(rng.random() < 0.4)
    if leaks:  # loudspeakers instead of headphones: some milliseconds late and dull
        leak, late = np.float32(_db(float(rng.uniform(-28, -8)))), int(rng.integers(40, 200))
        for shift in (0, 1, 2):
            mic[late + shift :] += leak / 3 * desktop[: num - late - shift]
    mic = _finish(mic, rng)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=make_frames(cast, plan, seed, round(FRAMES_PER_S * duration_s)),
        segs=tuple(make_segs(plan, seed, leaks)),
        chat=tuple(make_chat(cast, plan, seed, duration_s)),
        num_viewers=cast.num_viewers,
        moments=tuple(plan.moments),
        decoys=tuple(plan.decoys),
    )
