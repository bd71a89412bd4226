"""Sounds of the desktop and the room: engines, feet, music, crashes, chimes, applause, key presses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.sketches.i_laps.cast import Cast, pools
from tests.sketches.i_laps.track import CUTSCENE, DRIVE, LOAD, MENU, RESULT, VIDEO, Track
from tests.sketches.sketch import RATE_HZ, Sound

Curve = npt.NDArray[np.float64]
_STEP = RATE_HZ // 10
_BLOCK = 600  # tenths of a second of engine made at a time, to save memory


def effect_sound(name: str, rng: np.random.Generator) -> Sound:
    """One game or room sound, a little different in each stream."""
    layers = next(x for x in pools()["sounds"] if x.startswith(name + ":")).split(": ")[1].split(", ")
    out, pitch = np.zeros(5 * RATE_HZ, np.float32), rng.uniform(0.85, 1.2)
    for kind, *numbers in map(str.split, layers):
        low, high, length_s, delay_s, gain = map(float, numbers)
        t = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
        shape = gain * np.exp(-3.5 * t / length_s)
        if kind == "crowd":
            shape = gain * np.sin(np.pi * (t / length_s) ** 0.5) * (1 + 0.3 * np.sin(33 * t))
        if kind == "tone":
            phase = np.cumsum(np.geomspace(low * pitch, high * pitch, len(t))) * 2 * np.pi / RATE_HZ
            wave = np.sin(phase) + 0.3 * np.sin(2 * phase) + 0.15 * np.sin(3 * phase)
        else:
            wave = band_noise(len(t), low * pitch, high * pitch, rng)
        first = int(delay_s * RATE_HZ)
        out[first : first + len(t)] += wave * shape
    return out[: int(np.flatnonzero(out)[-1]) + 1]


def band_noise(count: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> Curve:
    """Noise of a band, at an RMS of one third; its ends meet."""
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    shape = 1 / (1 + (low_hz / (hz + 1)) ** 4) / (1 + (hz / high_hz) ** 4)
    wave = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * shape, count)
    return np.asarray(wave * (0.33 / np.sqrt(np.mean(wave**2))))


def ramp(values: npt.NDArray[Any], length: int) -> Sound:
    """Values at each tenth of a second, drawn out to samples along straight lines."""
    low = values.astype(np.float32)
    lines = low[:-1, None] + np.diff(low)[:, None] * (np.arange(_STEP, dtype=np.float32) / _STEP)
    return np.asarray(lines.ravel()[:length])


def put(out: Sound, sounds: list[tuple[str, float, float]], rng: np.random.Generator) -> None:
    """Add sounds (name, second, gain) to what is there."""
    made = {name: effect_sound(name, rng) for name in dict.fromkeys(name for name, _, _ in sounds)}
    for name, at_s, gain in sounds:
        here = slice(int(at_s * RATE_HZ), int(at_s * RATE_HZ) + len(made[name]))
        if here.start >= 0:
            out[here] += np.float32(gain) * made[name][: len(out[here])]


def engine(out: Sound, cast: Cast, track: Track, rng: np.random.Generator) -> None:
    """Add the own engine through its gears, a rival's nearby, tyres and wind."""
    gears = int(rng.integers(1, 3)) if cast.game == "kart" else int(rng.integers(4, 7))
    low = {"sim": 55, "rally": 48, "kart": 95}[cast.game] * rng.uniform(0.8, 1.25)
    speed, on = np.clip(track.speed, 0, 1.3), track.mode == DRIVE
    turns = 0.55 + 0.45 * ((speed * gears) % 1.0) * (speed < 1) - 0.25 * (speed < 0.04)
    pushing = np.clip(0.55 + 4 * np.gradient(speed) + 0.3 * (speed > 0.9), 0.25, 1) * on
    orders, angle = np.arange(1, 25)[:, None], np.linspace(0, 2 * np.pi, 2048, endpoint=False)
    sizes = rng.lognormal(0, 0.8, (24, 1)) / orders**0.9 * np.where(orders % 2 == 0, 1.6, 0.7)
    cycle = (sizes * np.sin(orders * angle + rng.uniform(0, 6, (24, 1)))).sum(0)
    cycle = np.tanh(cycle / np.std(cycle)).astype(np.float32)
    slip = np.clip(np.abs(track.bend) - 0.55, 0, 1) * speed
    wind, blow = band_noise(_BLOCK * _STEP, 90, 1400, rng), on * (0.05 + 0.4 * speed**2 + 0.5 * slip)
    pitch, near = rng.uniform(0.85, 1.2), 1 - np.abs(2 * track.rival - 1)
    motors = [(low * turns, 0.4 * pushing), (low * turns * pitch + 3 * track.rival, 0.22 * pushing * near)]
    phases = [0.0, 0.0]
    for begin in range(0, -(-len(out) // _STEP), _BLOCK):
        here, part = slice(begin, begin + _BLOCK + 1), out[begin * _STEP : (begin + _BLOCK) * _STEP]
        for voice, (hz, gain) in enumerate(motors):
            turn = np.cumsum(ramp(2 * hz[here], len(part)), dtype=np.float64) / RATE_HZ + phases[voice]
            phases[voice] = turn[-1] % 1.0
            part += cycle[(turn * 2048).astype(np.int32) & 2047] * ramp(gain[here], len(part))
        part += wind[: len(part)].astype(np.float32) * ramp(blow[here], len(part))


def feet(track: Track, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """A runner's steps and hops."""
    ground, on = track.height == 0, track.mode == DRIVE
    hops = np.flatnonzero(~ground[1:] & ground[:-1] & on[1:])
    steps = np.flatnonzero(np.diff((np.cumsum(track.speed * ground * on) / 3.2).astype(int)))
    sounds = [("hop", i / 10, 0.9) for i in hops.tolist()]
    return sounds + [("step", i / 10 + rng.uniform(0, 0.05), rng.uniform(0.5, 1)) for i in steps.tolist()]


def music(rng: np.random.Generator) -> Sound:
    """A loop of eight bars: bass, chords, a tune, drums; at an RMS of about a quarter."""
    beat = int(RATE_HZ * 60 / rng.uniform(95, 178))
    out = np.zeros(36 * beat, np.float32)
    scale = np.array([0, 2, 3, 5, 7, 8, 10] if rng.random() < 0.5 else [0, 2, 4, 5, 7, 9, 11])
    root, roots, figure = int(rng.integers(40, 52)), rng.permutation([0, 3, 4, 5]), rng.integers(0, 7, 16)
    bright, drums = rng.uniform(0.2, 0.9), rng.random() < 0.85
    hits = []
    for half in range(64):
        at, degree = half * beat // 2, int(roots[half // 16])
        notes = [(0, 0, 0.4)] * (half % 2 == 0) + [(figure[half % 16], 24, 0.25)] * (rng.random() < 0.8)
        notes += [(k, 12, 0.2) for k in (0, 2, 4)] * (half % 8 == 0)
        for step, up, gain in notes:
            t = np.arange(int(beat * (1.6 if half % 8 == 0 else 0.9))) / RATE_HZ
            turn = 2 * np.pi * 8.18 * 2 ** ((scale[(degree + step) % 7] + root + up) / 12) * t
            wave = np.sin(turn) + bright * (np.sin(2 * turn) / 2 + np.sin(3 * turn) / 3)
            out[at : at + len(t)] += gain * wave * np.exp(-4 * t) * np.minimum(1, t / 0.01)
        hits += [("key", at / RATE_HZ, 0.3 * drums), ("thump", at / RATE_HZ, 0.8 * drums * (half % 4 == 0))]
    put(out, hits, rng)
    out = out[: 32 * beat]
    return np.asarray(out * (0.25 / np.sqrt(np.mean(out**2))))


def scene_music(cast: Cast, track: Track, length: int, rng: np.random.Generator) -> Sound:
    """The music of the level, and another of the menus; others in cutscenes and videos."""
    out = np.zeros(length, np.float32)
    # Scores swell and sink: a level, every twenty seconds or so, a few decibels off the last.
    tenths, levels = np.arange(len(track.mode)), rng.normal(0, 3.5, len(track.mode) // 200 + 2)
    swell = 10 ** ((cast.music_db + np.interp(tenths, 200 * np.arange(len(levels)), levels)) / 20)
    for modes, gain in (((DRIVE,), 1.0), ((MENU, LOAD, RESULT), 0.8), ((CUTSCENE,), 1.5), ((VIDEO,), 0.5)):
        heard = gain * swell * np.isin(track.mode, modes)
        if heard.any():
            out += np.resize(music(rng), length) * ramp(heard, length)
    return out
