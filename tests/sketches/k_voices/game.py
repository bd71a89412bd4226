"""The game's sound: loops of music, ambience, effects, stings and alerts."""

from __future__ import annotations

import numpy as np

from tests.sketches.k_voices.script import script
from tests.sketches.sketch import RATE_HZ, Sound

ROUTINE = {"lobby": ("blip", "step", "pop"), "loading": ("blip",), "meeting": ("blip", "ding")}
ROUTINE |= {
    "play": ("step", "step", "pop", "ding", "blip", "boom", "thump"),
    "result": ("pop", "blip", "ding"),
}
_NOISE = np.random.default_rng([0, 1]).standard_normal(4 * RATE_HZ, dtype=np.float32)


def _note(length_s: float, start_hz: float, end_hz: float, noise: float, colour: float) -> Sound:
    """One struck tone; its noise is as bright as its pitch."""
    num = int(length_s * RATE_HZ)
    turns = np.cumsum(np.linspace(start_hz, end_hz, num) * (2 * np.pi / RATE_HZ))
    tone = np.sin(turns) + colour * (0.5 * np.sin(2 * turns) + 0.3 * np.sin(3 * turns))
    if noise > 0:
        width = max(1, int(4000 / (start_hz + end_hz)))
        rough = np.convolve(_NOISE[:num], np.ones(width) / width**0.5, mode="same")
        tone = (1 - noise) * tone + noise * rough
    fade = np.exp(-4.0 * np.arange(num) / num) * np.minimum(1, np.arange(num) / 40)
    return np.asarray(tone * fade, np.float32)


def effect(name: str, rng: np.random.Generator) -> Sound:
    """A sound of the game, the call or the desk, never twice quite the same; its peak is about 1."""
    tune, colour = float(rng.uniform(0.9, 1.1)), float(rng.uniform(0.2, 0.8))
    rows = script().effects.get(name) or _flourish(name, rng)
    out = np.zeros(int((max(row[0] + row[1] for row in rows) + 0.01) * RATE_HZ), np.float32)
    for at, length, start_hz, end_hz, noise, gain in rows:
        wave = _note(length * tune if length > 1 else length, start_hz * tune, end_hz * tune, noise, colour)
        first = int(at * RATE_HZ)
        part = out[first : first + len(wave)]
        part += gain * wave[: len(part)]
    return out


def _flourish(name: str, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """A fanfare or an alert's chime: a few rising notes, the last one held."""
    num = int(rng.integers(4, 8)) if name == "fanfare" else int(rng.integers(2, 5))
    base, beat = float(rng.uniform(300, 560)), float(rng.uniform(0.09, 0.18))
    steps = np.sort(rng.choice([0, 4, 7, 12, 16, 19, 24], num, replace=False))
    notes = [base * 2 ** (int(step) / 12) for step in steps]
    return [(i * beat, 1.6 if i == num - 1 else 0.3, hz, hz, 0.0, 0.6) for i, hz in enumerate(notes)]


def tune(rng: np.random.Generator, mood: str) -> Sound:
    """A loop of music, some ten to twenty seconds: bass, plucked chords, a melody, drums; RMS 1."""
    calm, tense = mood == "loading", mood in ("meeting", "play_tense")
    beat = 60 / float(rng.uniform(62, 85) if calm else rng.uniform(95, 150))
    root = float(rng.uniform(100, 180))
    third = 3 if tense or rng.random() < 0.3 else 4
    chords = rng.permutation([0, 5, 7, 9 if third == 4 else 8])
    num_beats = 16 if calm else 32
    out = np.zeros(int(num_beats * beat * RATE_HZ), np.float32)
    drums, lead = rng.random() < (0.2 if calm else 0.7), rng.random(num_beats * 2) < (0.25 if tense else 0.55)
    colours = rng.uniform(0.1, 0.9, 3)
    scale = np.array([0, 2, third, 5, 7, 9 if third == 4 else 8, 12])

    def put(at: float, wave: Sound, gain: float) -> None:
        part = out[int(at * RATE_HZ) :][: len(wave)]
        part += gain * wave[: len(part)]

    for i in range(num_beats * 2):
        chord = root * 2 ** (int(chords[i // (num_beats // 2) % 4]) / 12)
        at = i * beat / 2
        if i % 4 == 0:
            put(at, _note(beat * 1.8, chord / 2, chord / 2, 0, float(colours[0])), 1.0)
        if i % 2 == 0 or not calm:
            pitch = chord * 2 ** ((0, third, 7, 12)[i % 4] / 12)
            put(at, _note(beat, 2 * pitch, 2 * pitch, 0, float(colours[1])), 0.4)
        if lead[i]:
            pitch = root * 4 * 2 ** (int(rng.choice(scale)) / 12)
            put(at, _note(beat, pitch, pitch, 0, float(colours[2])), 0.35)
        if drums:
            put(at, _note(0.06, 3500, 3000, 0.95, 0), 0.3 if i % 2 else 0.15)
            if i % 4 == 0:
                put(at, _note(0.2, 95, 45, 0.1, 0), 1.1)
    return out / np.float32(out.std() + 1e-6)


def hum(rng: np.random.Generator, low: bool) -> Sound:
    """Some seconds of steady noise that tile without a seam: a room, or the wind of a game; RMS 1."""
    num = 1 << 17
    freqs = np.fft.rfftfreq(num, 1 / RATE_HZ)
    shape = (1 + freqs / (120 if low else 500)) ** -float(rng.uniform(0.7, 1.3)) * (freqs > 30)
    for harmonic in range(1, 4):
        shape += rng.uniform(0, 6) * (np.abs(freqs - harmonic * 50) < 0.2)
    spectrum = shape * np.exp(2j * np.pi * rng.random(len(freqs)))
    wave = np.fft.irfft(spectrum, n=num)
    return np.asarray(wave / wave.std(), np.float32)
