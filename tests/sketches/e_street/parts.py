"""What e_street is made of: voices, laughter, signals, music, beds of noise, and the table beside it.

Invariant: every draw comes from the generator that is handed in, in the order of the text.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import RATE_HZ, Sound

Floats = npt.NDArray[np.floating]
Rng = np.random.Generator
HOP = 256  # a sound's spectrum is steered every 16 ms
FREQS_HZ = np.fft.rfftfreq(2 * HOP, 1 / RATE_HZ)
WINDOW = np.sin(np.pi * (np.arange(2 * HOP) + 0.5) / (2 * HOP)).astype(np.float32)
BANDS_HZ = 55 * 2 ** (0.5 * np.arange(15))
VOWELS_HZ = np.array(
    [(730, 1090, 2440), (530, 1840, 2480), (390, 1990, 2550), (300, 2300, 3010), (570, 840, 2410)]
)


@functools.cache
def table() -> dict[str, tuple[str, ...]]:
    """Sections of the text beside this file: name to entries."""
    sections: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in pathlib.Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and "|" not in line and line != "[Music]":
            name = line[1:-1]
        elif not line.startswith("# "):
            sections[name] = sections.get(name, ()) + tuple(line.split(" | "))
    return sections


@functools.cache
def rows(section: str) -> dict[str, list[str]]:
    """A section read as a table: first word of a row to the others."""
    return {row.split()[0]: row.split()[1:] for row in table()[section]}


def shape(source: Sound, gains: Floats) -> Sound:
    """Give each 32 ms frame of a sound (hop 16 ms) its own spectrum; gains: (frames, 257)."""
    padded = np.zeros((len(gains) + 1) * HOP, np.float32)
    padded[: len(source)] = source[: len(padded)]
    rows = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP)[::HOP] * WINDOW
    rows = (np.fft.irfft(np.fft.rfft(rows) * gains.astype(np.float32)) * WINDOW).astype(np.float32)
    out = np.zeros((len(gains) + 1, HOP), np.float32)
    out[:-1] += rows[:, :HOP]
    out[1:] += rows[:, HOP:]
    return out.reshape(-1)[: len(source)]


@dataclasses.dataclass(frozen=True, slots=True)
class Voice:
    """A speaker.

    Attributes:
        tract: length of the vocal tract; 1 is an adult man.
        melody: how far the pitch moves, in semitones.
        gain_db: how much louder than the streamer.
    """

    pitch_hz: float
    tract: float
    syllables_hz: float
    melody: float
    breath: float
    gain_db: float = 0.0

    @classmethod
    def draw(cls, rng: Rng, gain_db: float = 0.0) -> Voice:
        """Anybody, so many dB louder than the streamer."""
        pitch_hz = float(np.exp(rng.normal(np.log(rng.choice([115, 205])), 0.16)))
        tract = (pitch_hz / 115) ** 0.3 * float(rng.normal(1, 0.04))
        return cls(
            pitch_hz, tract, rng.uniform(3.9, 6.3), rng.uniform(0.8, 3.2), rng.uniform(0, 0.15), gain_db
        )

    def sound(self, rng: Rng, num: int, mood: Sequence[str], *, is_laugh: bool = False) -> Sound:
        """Speak (or laugh) so many syllables; the level follows the mood's effort and the distance."""
        rate, semitones, effort_db, melody, breath = map(float, mood)
        lengths_s = rng.lognormal(0, 0.1 if is_laugh else 0.28, num)
        lengths_s = lengths_s / (rng.uniform(4.3, 6) if is_laugh else self.syllables_hz * rate)
        edges_s = np.concatenate(([0.0], np.cumsum(lengths_s)))
        at_s = np.arange(int(edges_s[-1] * RATE_HZ / HOP) + 2) * HOP / RATE_HZ
        now = np.clip(np.searchsorted(edges_s, at_s, "right") - 1, 0, num - 1)  # the syllable at each hop
        phase, through = np.clip((at_s - edges_s[now]) / lengths_s[now], 0, 1), at_s / edges_s[-1]
        accents = rng.normal(0, melody * self.melody, num)
        fall = 6 * np.sin(2.2 * through + 0.6) if is_laugh else -3 * through + 1.5
        wobble = 0.3 * rng.normal(size=len(at_s))
        pitch_hz = self.pitch_hz * 2 ** ((semitones + accents[now] + fall + wobble) / 12)
        is_noisy = phase < (0.5 if is_laugh else 0.28 * (rng.random(num) < 0.6)[now])
        stress = rng.lognormal(0, 0.3, num)[now] * (np.exp(-1.6 * through) if is_laugh else 1)
        buzz = np.where(is_noisy, 0.02, np.sin(np.pi * np.clip(phase, 0.06, 0.97)) ** 0.6) * stress
        hiss = (self.breath + breath) * (0.15 + 0.5 * is_noisy) * stress + 0.12 * is_noisy * stress
        vowels = np.full(num, rng.integers(2)) if is_laugh else rng.integers(5, size=num)
        gains = self._spectra(VOWELS_HZ[vowels][now], effort_db)
        if not is_laugh:
            sibilant = 0.5 * np.exp(-(((FREQS_HZ - 4800) / 2000) ** 2)) + 0.05
            gains = np.where(is_noisy[:, None], sibilant, gains)
        hops, fine = np.arange(len(at_s)), np.arange(len(at_s) * HOP) / HOP
        turns = np.cumsum(np.interp(fine, hops, pitch_hz)) / RATE_HZ
        source = (2 * (turns % 1) - 1) * np.interp(fine, hops, buzz)
        source += rng.standard_normal(len(fine), np.float32) * np.interp(fine, hops, hiss)
        out = shape(source.astype(np.float32), gains)
        level_db = effort_db + self.gain_db + rng.normal(0, 2.5) - 26
        return np.asarray(out * (10 ** (level_db / 20) / (np.sqrt(np.mean(out**2)) + 1e-9)), np.float32)

    def _spectra(self, formants_hz: Floats, effort_db: float) -> Floats:
        """The throat's gains at each hop, shape (hops, 257); who shouts opens the mouth and is brighter."""
        gains = np.full((len(formants_hz), len(FREQS_HZ)), 0.02)
        for place, (width_hz, weight) in enumerate(((90, 1.0), (130, 0.6), (190, 0.35))):
            opened = 1 + 0.02 * max(effort_db, 0) * (place == 0)
            centre_hz = (formants_hz[:, place] * self.tract * opened)[:, None]
            gains += weight / (1 + ((FREQS_HZ - centre_hz) / width_hz) ** 2)
        gains *= (np.maximum(FREQS_HZ, 100) / 500) ** (-0.55 + 0.05 * effort_db)
        return gains


def tone(rng: Rng, name: str, length_s: float) -> Sound:
    """A signal out of the table of tones, as long as asked, about -26 dB."""
    base_hz, steps, note, decay, sweep_hz, rate_hz = rows("tones")[name]
    note_s = float(note)
    at_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    scale = np.array([float(step) for step in steps.split(",")])
    step = scale[(at_s / note_s).astype(int) % len(scale)]
    is_heard = step < 99
    pitch_hz = float(base_hz) * 2 ** (step * is_heard / 12 + rng.normal(0, 0.2))
    pitch_hz = pitch_hz + float(sweep_hz) * np.sin(6.283 * float(rate_hz) * at_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    wave = sum(np.sin(h * phase) * a for h, a in enumerate(rng.dirichlet(np.ones(4)) + 0.1, 1))
    gate = is_heard * np.exp(-float(decay) * (at_s % note_s)) * np.minimum(1, 200 * (at_s % note_s))
    return np.asarray(0.1 * wave * gate * np.minimum(1, (length_s - at_s) * 8), np.float32)


def music(rng: Rng, length_s: float) -> Sound:
    """Eight bars of chords, bass, tune and perhaps drums, again and again, about -26 dB."""
    beat_s = 60 / rng.uniform(70, 150)
    size = int(32 * beat_s * RATE_HZ)
    loop = np.zeros(size, np.float32)
    root_hz = rng.uniform(90, 150)
    scale = np.array([0, 2, 4, 5, 7, 9, 11] if rng.random() < 0.6 else [0, 2, 3, 5, 7, 8, 10])
    harmonics = np.arange(1, 5)
    weights, decay = 1 / harmonics ** rng.uniform(0.7, 2), rng.uniform(1.5, 6)
    degree = 0
    for beat in range(32):
        degree = int(rng.choice([0, 3, 4, 5])) if beat % 4 == 0 else degree
        chord = [(degree + step, 1.0) for step in (0, 2, 4)] if beat % 2 == 0 else []
        tune = [(int(rng.integers(7, 14)), 1.4)] * int(rng.random() < 0.6)
        for place, loud in [*chord, *tune, (degree - 7, 1.2)]:
            pitch_hz = root_hz * 2 ** ((12 * (place // 7) + scale[place % 7] + 12) / 12)
            start = int((beat + 0.02 * rng.random()) * beat_s * RATE_HZ)
            at_s = np.arange(min(int(2 * beat_s * RATE_HZ), size - start)) / RATE_HZ
            wave = weights @ np.sin(2 * np.pi * pitch_hz * np.outer(harmonics, at_s))
            note = loud * np.exp(-decay * at_s) * np.minimum(1, 150 * at_s) * wave
            loop[start : start + len(at_s)] += note
    if rng.random() < 0.6:
        at_s = np.arange(int(beat_s * RATE_HZ)) / RATE_HZ
        for beat in range(31):
            is_drum = beat % 2 == 0
            hit = np.sin(300 * np.exp(-20 * at_s)) if is_drum else rng.standard_normal(len(at_s)) * 0.6
            loop[int(beat * beat_s * RATE_HZ) :][: len(at_s)] += 2 * hit * np.exp(-14 * at_s)
    loop *= 0.05 / (np.sqrt(np.mean(loop**2)) + 1e-9)
    num = int(length_s * RATE_HZ)
    fade = np.minimum(1, np.minimum(np.arange(num), np.arange(num)[::-1]) / 8000)
    return (np.resize(loop, num) * fade).astype(np.float32)


class Bed:
    """Every noise of one track: powers of half-octave bands over time, made sound at the end."""

    def __init__(self, rng: Rng, duration_s: float) -> None:
        self.rng, self.num_frames = rng, int(duration_s * RATE_HZ / HOP) + 2
        self.power = np.full((self.num_frames, len(BANDS_HZ)), 10.0 ** rng.uniform(-8, -6.6), np.float32)
        places = np.log2(np.maximum(FREQS_HZ, 40) / BANDS_HZ[0]) * 2
        distance = np.abs(places[None] - np.arange(len(BANDS_HZ))[:, None])
        self.widen = np.maximum(0, 1 - distance).astype(np.float32)

    def add(self, name: str, start_s: float, end_s: float, level_db: float) -> None:
        """A noise out of the table between two times; level in dB of full scale, about, while it sounds."""
        centre, width, pattern, rate = rows("noises")[name]
        first, last = (int(np.clip(at_s * RATE_HZ / HOP, 0, self.num_frames)) for at_s in (start_s, end_s))
        num = last - first
        if num < 3:
            return
        centre_hz = float(centre) * self.rng.uniform(0.85, 1.2)
        profile = np.exp(-((np.log2(BANDS_HZ / centre_hz) / float(width)) ** 2))
        profile /= np.mean(profile @ self.widen)
        swell = self._swell(pattern, float(rate), num)
        if pattern != "decay":
            frames = np.arange(num)
            swell = swell * np.minimum(1, np.minimum(frames + 1, frames[::-1] + 1) / 12)
        self.power[first:last] += np.outer(swell, profile).astype(np.float32) * 10 ** (level_db / 10)

    def _swell(self, pattern: str, rate_hz: float, num: int) -> Floats:
        """How strong a noise is in each of so many frames, 1 on average, about."""
        at_s = np.arange(num) * HOP / RATE_HZ
        length_s = at_s[-1]
        if pattern == "gust":
            knots = self.rng.gamma(1.1, 1, int(length_s * rate_hz) + 3)
            return np.interp(at_s * rate_hz, np.arange(len(knots)), knots)
        if pattern == "burst":
            rests = self.rng.lognormal(-0.06, 0.35, int(length_s * rate_hz * 2) + 2)
            hits_s = np.cumsum(rests) / rate_hz
            hits_s = hits_s[hits_s < length_s]
            swell = np.zeros(num)
            swell[(hits_s * RATE_HZ / HOP).astype(int)] = self.rng.gamma(3, 2, len(hits_s))
            return np.convolve(swell, np.exp(-np.arange(24) / self.rng.uniform(2, 7)))[:num]
        through = at_s / length_s
        if pattern == "swell":
            return np.asarray(2 * np.sin(np.pi * through) ** 2)
        return np.asarray(4 * np.exp(-5 * through)) if pattern == "decay" else np.ones(num)

    def sound(self, num: int) -> Sound:
        """The whole bed, so many samples."""
        return shape(self.rng.standard_normal(num, np.float32), np.sqrt(self.power @ self.widen))
