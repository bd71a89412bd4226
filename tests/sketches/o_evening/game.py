"""The desktop's sound: game effects, music loops, crowd and air, friends and machine voices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.sketches.o_evening.bank import load
from tests.sketches.o_evening.voice import Tracks, coloured, utter, voice
from tests.sketches.o_evening.who import Plan, Throat
from tests.sketches.sketch import RATE_HZ, Sound

MINOR = (0, 2, 3, 5, 7, 8, 10)
MAJOR = (0, 2, 4, 5, 7, 9, 11)
BARS = 8
MUSIC = {
    "play": ("calm", -7),
    "fight": ("hot", 0),
    "menu": ("calm", -2),
    "talk": ("calm", -6),
    "brb": ("hot", 4),
}
AIR = {0.0: -30.0, 60: 0, 250: -4, 900: -16, 3000: -30, 8000: -50}
CROWD = {0.0: -30.0, 250: -8, 600: 0, 1400: -4, 3500: -16, 8000: -34}


def _tone(
    rng: np.random.Generator, seconds: float, hz: float, to_hz: float, decay: float, edge: float = 0.3
) -> Sound:
    """A gliding tone with a few overtones that dies away."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(np.geomspace(hz, to_hz, len(t))) / RATE_HZ + rng.uniform(0, 6)
    x = np.sin(phase) + edge * np.sin(2 * phase) + 0.6 * edge * np.sin(3 * phase)
    return (x * np.exp(-decay * t) * np.clip(t / 0.004, 0, 1)).astype(np.float32)


def _burst(
    rng: np.random.Generator, seconds: float, low: float, high: float, decay: float, rise: float = 0.003
) -> Sound:
    """A burst of noise within a band, rising over some time and dying away from there."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    x = coloured(len(t), rng, {low / 3: -36, low: 0, high: 0, min(high * 2, 8001): -30})
    shape = (
        np.clip(t / rise, 0, 1)
        * np.exp(-decay * np.maximum(t - rise, 0))
        * np.clip((seconds - t) / 0.03, 0, 1)
    )
    return (0.4 * x * shape).astype(np.float32)


def _tune(rng: np.random.Generator, hz: float, each: float, *steps: float) -> Sound:
    """A short tune of plucked notes, the last one held."""
    out = np.zeros(int((each * len(steps) + 1.6) * RATE_HZ), np.float32)
    for k, step in enumerate(steps):
        pitch, last = hz * 2 ** (round(step) / 12), k == len(steps) - 1
        add_at(out, k * each, _tone(rng, 1.5 if last else 0.5, pitch, pitch, 2.2 if last else 5), 1.0)
    return out


MAKERS: dict[str, Callable[..., Sound]] = {"noise": _burst, "tone": _tone, "tune": _tune}


def effects(rng: np.random.Generator, genre: str) -> dict[str, Sound]:
    """One-shot sounds, peaks at 0.9, another set for each streamer, after the word list."""
    bank: dict[str, Sound] = {}
    for row in load()["effects"]:
        name, _, layers = row.partition(" = ")
        out = np.zeros(8 * RATE_HZ, np.float32)
        for layer in layers.split(" + "):
            kind, gain, *ranges = layer.split()
            pairs = [[float(v) for v in x.split(":")] for x in ranges]
            numbers = [float(rng.uniform(x[0], x[-1])) for x in pairs]
            add_at(out, 0.0, MAKERS[kind](rng, *numbers), float(gain))
        out = out[: np.flatnonzero(out)[-1] + 1]
        bank[name] = out * np.float32(0.9 / np.abs(out).max())
    bank["crowd"] = bank["roar_of_crowd" if genre == "sports" else "rumble"]
    return bank


def _loop(rng: np.random.Generator, hot: bool) -> Sound:
    """Eight bars of music: chords, a bass, a tune, and drums; driving when hot. RMS 1."""
    beat = 60 / (rng.uniform(118, 172) if hot else rng.uniform(66, 108))
    scale = MINOR if hot or rng.random() < 0.5 else MAJOR
    n, root = int(BARS * 4 * beat * RATE_HZ), rng.uniform(98, 165)
    out = np.zeros(n + 3 * RATE_HZ, np.float32)

    def note(at: float, seconds: float, step: int, decay: float, gain: float) -> None:
        hz = float(root * 2 ** (step // 7 + scale[step % 7] / 12))
        add_at(out, at * beat, _tone(rng, seconds, hz, hz, decay), gain)

    drums = [(_burst(rng, 0.06, 4500, 7900, 60), 2, 0, 0.25), (_burst(rng, 0.2, 900, 5000, 18), 8, 4, 0.8)]
    drums.append((_tone(rng, 0.25, 130, 42, 14), 4 if hot else 8, 0, 0.7))
    drums = drums if rng.random() < (0.9 if hot else 0.55) else []
    for bar in range(BARS):
        chord = int(rng.choice([0, 3, 4, 5]))
        for third in (0, 2, 4):
            note(bar * 4, 4 * beat, chord + third, 0.35 / beat, 0.22)
        for k in range(8 if hot else 2):
            note(bar * 4 + k * (0.5 if hot else 2), 0.4, chord - 7, 5, 0.5)
        for k in range(16):
            if rng.random() < (0.4 if hot else 0.22):
                note(bar * 4 + k / 4, 0.45, chord + int(rng.integers(5, 13)), 6, 0.25)
            for sound, every, at, gain in drums:
                if k % every == at:
                    add_at(out, (bar * 4 + k / 4) * beat, sound, gain)
    out[: 3 * RATE_HZ] += out[n:]
    return out[:n] / np.float32(np.sqrt(np.mean(out[:n] ** 2)))


def add_at(out: Sound, at_s: float, x: Sound, gain: float) -> None:
    """Adds a sound at a time, cut at the end."""
    a = int(at_s * RATE_HZ)
    if 0 <= a < len(out):
        out[a : a + len(x)] += np.float32(gain) * x[: len(out) - a]


def _spread(out: Sound, start_s: float, end_s: float, x: Sound, db: float) -> None:
    """Adds a loop over a stretch, fading in, and out over half a second beyond it."""
    a, b = int(start_s * RATE_HZ), min(int((end_s + 0.5) * RATE_HZ), len(out))
    if b - a > RATE_HZ:
        env = np.full(b - a, 10 ** (db / 20), np.float32)
        fade = np.linspace(0, 1, RATE_HZ // 2, dtype=np.float32)
        env[: len(fade)] *= fade
        env[-len(fade) :] *= fade[::-1]
        out[a:b] += env * np.resize(np.roll(x, -a), b - a)


def _play(plan: Plan, out: Sound, bank: dict[str, Sound], rng: np.random.Generator) -> None:
    """The ordinary noises of playing, more of them in heat, some in bouts."""
    often = {row.split()[0]: [x.split(":") for x in row.split()[1:]] for row in load()["often"]}
    for scene in plan.scenes:
        heat, long = scene.size, scene.end_s - scene.at_s
        busy = (0.5 + heat) * (1.2 if scene.name == "fight" else 0.5)
        rates = often[plan.who.genre] if scene.name in ("play", "fight") else often.get(scene.name, [])
        for name, per_s in rates:
            for t in rng.uniform(scene.at_s, scene.end_s, rng.poisson(long * float(per_s) * busy)):
                for k in range(int(rng.integers(1, 6)) if name in ("shot", "swing", "step") else 1):
                    gain = float(rng.uniform(0.08, 0.5)) * (0.5 + 0.6 * heat) * (0.3 if name == "step" else 1)
                    add_at(out, float(t) + 0.13 * k, bank[name], gain)


def _backdrop(plan: Plan, out: Sound, rng: np.random.Generator) -> None:
    """Music by the scene, the air of the place, and what plays beside the game."""
    who, sports = plan.who, plan.who.genre == "sports"
    loops = {"calm": _loop(rng, False), "hot": _loop(rng, True)}
    air = coloured(12 * RATE_HZ, rng, CROWD if sports else AIR)
    for scene in plan.scenes:
        name, gain = MUSIC.get(scene.name, ("hot", 2))
        if not (sports and scene.name in ("play", "fight")):  # a match has its crowd instead
            _spread(out, scene.at_s, scene.end_s, loops[name], gain - 17 + who["music_db"] + 3 * scene.size)
        level = -36 if scene.name in ("menu", "talk", "brb") else -26 if sports else -31
        _spread(out, scene.at_s, scene.end_s, air, level + 6 * scene.size + float(rng.normal(0, 1.5)))
    if who["radio_db"] > -60:
        _spread(out, 0, plan.duration_s, _loop(rng, False), who["radio_db"] - 16)


def desktop(plan: Plan, bank: dict[str, Sound], rng: np.random.Generator) -> Sound:
    """All that comes out of the computer, its median second at the streamer's level."""
    n = round(plan.duration_s * RATE_HZ)
    out = np.zeros(n, np.float32)
    _backdrop(plan, out, rng)
    _play(plan, out, bank, rng)
    for cue in plan.cues:
        if not cue.name.startswith("mic_"):
            add_at(out, cue.at_s, bank[cue.name], 0.5 * 10 ** (cue.size / 20))
    if plan.others:
        tracks = Tracks(plan.duration_s)
        throat = Throat(float(rng.uniform(95, 220)), 2.0, float(rng.uniform(0.9, 1.2)), 0.05, 5.0)
        for line in plan.others:
            utter(tracks, line, throat, rng)
        out += voice(tracks, throat, rng, n) * np.float32(10 ** (rng.uniform(-20, -12) / 20))
    seconds = np.sqrt(np.mean(out[: n // RATE_HZ * RATE_HZ].reshape(-1, RATE_HZ) ** 2, 1))
    return squeeze(out * np.float32(10 ** (plan.who["game_db"] / 20) / (np.median(seconds) + 1e-6)), 0.95)


def squeeze(x: Sound, top: float) -> Sound:
    """Below half of the top left alone, above it bent so as never to pass the top."""
    over = np.flatnonzero(np.abs(x) > 0.5 * top)
    x[over] = np.sign(x[over]) * top * (0.5 + 0.5 * np.tanh(2 * np.abs(x[over]) / top - 1))
    return x
