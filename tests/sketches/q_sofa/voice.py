"""A voice from pulses and formants: sentences in several styles, and laughter."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from tests.sketches.q_sofa.people import Voice
from tests.sketches.q_sofa.signs import STYLES
from tests.sketches.sketch import RATE_HZ, Sound

# Formants of six vowels and of two hissing sounds, in Hz.
VOWELS = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (290, 2200, 3000),
    (570, 900, 2400),
    (320, 900, 2250),
    (500, 1450, 2450),
)
TAIL = 700
LAUGH_DB = 5.0

Spectrum = npt.NDArray[np.complex64]


class Throat:
    """Makes the sounds of one voice; the filters are worked out once for each vowel, brightness and size."""

    def __init__(self, voice: Voice, temper: float, rng: np.random.Generator) -> None:
        self._voice = voice
        self._temper = temper
        self._rng = rng
        self._filters: dict[tuple[int, int, int], Spectrum] = {}

    def _filter(self, vowel: int, bright: int, size: int) -> Spectrum:
        """Three formants and a fourth, on a slope that is flatter the brighter the voice is (0 to 3)."""
        key = (vowel, bright, size)
        if key not in self._filters:
            hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
            z = np.exp(-2j * np.pi * hz / RATE_HZ)
            slope = (0.97, 0.93, 0.84, 0.68)[bright]
            out = (1 - slope) / (1 - slope * z)
            for k, formant in enumerate((*VOWELS[vowel], 3600)):
                width = 60 + 45 * k + 12 * bright
                r = math.exp(-math.pi * width / RATE_HZ)
                angle = 2 * math.pi * formant * self._voice.mouth / RATE_HZ
                gain = 1 - 2 * r * math.cos(angle) + r * r
                out = out * gain / (1 - 2 * r * math.cos(angle) * z + r * r * z * z)
            self._filters[key] = out.astype(np.complex64)
        return self._filters[key]

    def _sound(self, source: Sound, one: int, two: int, bright: int) -> Sound:
        """A stretch of source through a mouth that moves from one vowel to another."""
        size = 1 << (len(source) + TAIL - 1).bit_length()
        spectrum = np.fft.rfft(source, size)
        first = np.fft.irfft(spectrum * self._filter(one, bright, size), size)[: len(source) + TAIL]
        second = np.fft.irfft(spectrum * self._filter(two, bright, size), size)[: len(source) + TAIL]
        way = np.clip(np.linspace(-0.3, 1.3, len(first), dtype=np.float32), 0, 1)
        return np.asarray(first + way * (second - first), dtype=np.float32)

    def _pulses(self, pitch: Sound, breath: float, rough: float) -> Sound:
        """A pulse at each turn of the pitch, with a little irregularity, and breath over it."""
        rng = self._rng
        wobble = 1 + rough * np.repeat(rng.standard_normal(len(pitch) // 90 + 1), 90)[: len(pitch)]
        turns = np.cumsum(pitch * wobble / RATE_HZ)
        at = np.nonzero(np.diff(np.floor(turns)))[0]
        out = np.asarray(breath * rng.standard_normal(len(pitch), dtype=np.float32))
        size = np.sqrt(RATE_HZ / np.maximum(pitch[at], 40)) * (1 + 4 * rough * rng.standard_normal(len(at)))
        out[at] += size
        return out.astype(np.float32)

    def say(self, length_s: float, count: int, style: str, power: float) -> Sound:
        """So many syllables in that time; the level is about 1 (RMS) in a calm voice."""
        rng = self._rng
        times, moves, level, _, breath, bright, rough = STYLES[style]
        # What a style takes from the usual grows with the temper of the person and the power of the sign.
        far = self._temper * (0.35 + 0.65 * power)
        times, level, bright = 1 + (times - 1) * far, level * far, bright * far
        moves = 0.08 + (moves - 0.08) * far
        total = round(length_s * RATE_HZ)
        x = np.linspace(0, 1, max(total, 2))
        bends = rng.normal(0, moves, count + 2)
        drop = 1.08 - 0.2 * x if style != "groan" else 1.25 - 0.6 * x
        pitch = (
            self._voice.pitch_hz * times * drop * np.exp(np.interp(x, np.linspace(0, 1, count + 2), bends))
        )
        noise = self._voice.breath * breath * (1 + 2 * (style == "tense"))
        source = self._pulses(pitch.astype(np.float32), noise, self._voice.rough * rough)
        out = np.zeros(total + TAIL, dtype=np.float32)
        edges = np.cumsum(np.concatenate(([0.0], rng.uniform(0.6, 1.4, count))))
        edges = np.round(edges / edges[-1] * total).astype(int)
        vowel = int(rng.integers(0, 6))
        shade = int(np.clip(round(1 + 2 * bright), 0, 3))
        for a, b in itertools.pairwise(edges):
            if b - a < 40:
                continue
            onset = min((b - a) // 3, int(rng.uniform(200, 900)))
            shape = np.minimum(np.arange(b - a) / max(onset, 1), (b - a - np.arange(b - a)) / max(500, onset))
            stress = rng.uniform(0.55, 1.15)
            chunk = source[a:b] * (np.clip(shape, 0, 1) * stress).astype(np.float32)
            following = int(rng.integers(0, 6))
            out[a : b + TAIL] += self._sound(chunk, vowel, following, shade)
            vowel = following
            if rng.random() < 0.4:
                hiss = rng.standard_normal(onset, dtype=np.float32)
                out[a : a + onset - 1] += np.float32(rng.uniform(0.05, 0.25)) * np.diff(hiss)
        return _levelled(out[:total], level)

    def laugh(self, length_s: float, power: float) -> Sound:
        """Bouts of "ha", each falling in pitch and level, with breath drawn in between."""
        rng = self._rng
        total = round(length_s * RATE_HZ)
        out = np.zeros(total + TAIL, dtype=np.float32)
        far = self._temper * (0.4 + 0.6 * power)
        speed = float(rng.uniform(4.3, 5.6))
        top = self._voice.pitch_hz * (1 + far * rng.uniform(0.5, 1.1))
        vowel = int(rng.choice([0, 0, 1, 5]))
        t, k, bout = 0, 0, int(rng.integers(4, 11))
        while t < total - 1500:
            size = min(int(RATE_HZ / speed * rng.uniform(0.85, 1.15)), total - t)
            fall = 1 - 0.45 * k / bout
            pitch = np.full(size, top * fall, dtype=np.float32) * np.linspace(
                1.06, 0.94, size, dtype=np.float32
            )
            ramp = np.arange(size) / size
            voiced = np.clip(np.minimum((ramp - 0.25) * 9, (0.85 - ramp) * 7), 0, 1)
            pulses = self._pulses(pitch, 0.25, self._voice.rough * 2) * voiced.astype(np.float32)
            pulses += 0.3 * rng.standard_normal(size, dtype=np.float32) * (ramp < 0.35)
            out[t : t + size + TAIL] += np.float32(fall) * self._sound(pulses, vowel, vowel, 1)
            t, k = t + size, k + 1
            if k >= bout:
                drawn = min(int(rng.uniform(0.2, 0.5) * RATE_HZ), total - t)
                air = 0.04 * np.diff(rng.standard_normal(drawn + 1, dtype=np.float32))
                out[t : t + drawn] += air * np.hanning(drawn)
                t, k, bout = t + drawn, 0, int(rng.integers(3, 9))
                top *= 0.92
        return _levelled(out[:total], LAUGH_DB * far - 1.0)


def _levelled(sound: Sound, level_db: float) -> Sound:
    """The sound with that level where it is heard."""
    loud = float(np.sqrt(np.mean(np.square(sound)) + 1e-12))
    return np.asarray(sound * np.float32(10 ** (level_db / 20) / loud), dtype=np.float32)
