"""Voices: talk, shouts, laughter and breath from tables of glottal periods shaped by formants."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.l_ranked.who import Who, table
from tests.sketches.sketch import RATE_HZ, Sound

Cells = npt.NDArray[np.float64]
_FORMANTS_HZ = np.array([
    [730, 1090, 2440], [530, 1840, 2480], [390, 1990, 2550], [270, 2290, 3010],
    [570, 840, 2410], [300, 870, 2240], [500, 1400, 2400], [640, 1190, 2390],
])  # fmt: skip
_LETTERS = dict(zip("aáäeéiíyoóöuúü", (0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 4, 7, 5, 5), strict=True))
_SYLLABLE = re.compile(r"([^aeiouyáéíóúäöü]*)([aeiouyáéíóúäöü]+)")
_HISSES, _STOPS = re.compile("[sfhzßvcx]"), re.compile("[tkpbdgq]")
_BINS, _RATIO, _LOWEST_HZ, _PERIOD = 30, 1.1, 62.0, 512


class Style(NamedTuple):
    """How something is said: pitch and tempo relative to talk, liveliness of pitch, effort 0-2, level in dB."""

    pitch: float
    swing: float
    effort: int
    tempo: float
    gain_db: float
    rough: float


STYLES = {name: Style(row[0], row[1], int(row[2]), *row[3:]) for name, row in table("styles").items()}


def shaped_noise(rng: np.random.Generator, n: int, low_hz: float, high_hz: float, tilt: float = 0.0) -> Sound:
    """A loop of noise between two frequencies, RMS 1; tilt is the power of 1 / f of its amplitude."""
    f = np.fft.rfftfreq(n, 1 / RATE_HZ)
    gain = 1 / (1 + (low_hz / np.maximum(f, 1)) ** 4) / (1 + (f / high_hz) ** 4) * np.maximum(f, 20) ** -tilt
    x = np.fft.irfft(gain * np.exp(2j * np.pi * rng.random(len(f))), n)
    return np.asarray(x / x.std(), np.float32)


class Throat:
    """One person's voice."""

    def __init__(self, rng: np.random.Generator, pitch_hz: float, tract: float, breath: float) -> None:
        self._rng, self.pitch_hz, self._breath = rng, pitch_hz, breath
        self._hiss = shaped_noise(rng, 1 << 16, 2500, 7500)
        self._puff = shaped_noise(rng, 1 << 16, 500, 3500, 0.5)
        self._wobble = shaped_noise(rng, 1 << 16, 3, 14)
        self._tables = self._make_tables(tract).ravel()

    @staticmethod
    def _make_tables(tract: float) -> Sound:
        """Periods by effort, pitch and vowel, each with the harmonics that fit below 7.5 kHz."""
        formants = np.concatenate([_FORMANTS_HZ, np.full((len(_FORMANTS_HZ), 1), 3500)], 1) * tract
        tables = np.zeros((3, _BINS, len(formants), _PERIOD), np.float32)
        turn = np.arange(_PERIOD) / _PERIOD
        for b in range(_BINS):
            f0 = _LOWEST_HZ * _RATIO**b
            f = f0 * np.arange(1, max(int(7500 / f0 / _RATIO), 2))
            waves = np.exp(2j * np.pi * np.outer(f / f0, turn))
            for effort, tilt in enumerate((1.9, 1.35, 0.85)):
                ratio = f / (formants * (1.0, 1.0, 1.12)[effort])[:, :, None]
                resonance = np.prod(1 / (1 - ratio**2 + 1j * ratio * 0.16), 1)
                x = ((resonance * (f / 300 + 0.3) ** -(tilt - 0.9)) @ waves).real
                tables[effort, b] = x / x.std(1, keepdims=True)
        return tables

    def _rows(self, effort: int, f0: Cells, vowel: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        b = np.clip(np.round(np.log(f0 / _LOWEST_HZ) / np.log(_RATIO)), 0, _BINS - 1).astype(np.int64)
        return np.asarray(((effort * _BINS + b) * len(_FORMANTS_HZ) + vowel) * _PERIOD)

    def _loop(self, loop: Sound, n: int) -> Sound:
        at = int(self._rng.integers(len(loop)))
        return np.resize(np.roll(loop, -at), n)

    def _render(self, cells: Cells, effort: int, rough: float) -> Sound:
        """Sound of syllables; each row: seconds, level, pitch at its start and end, vowel, next vowel, onset."""
        lens = np.maximum((cells[:, 0] * RATE_HZ).astype(np.int64), 8)
        n = int(lens.sum())
        which = np.repeat(np.arange(len(cells)), lens)
        u = ((np.arange(n) - np.repeat(np.cumsum(lens) - lens, lens)) / lens[which]).astype(np.float32)
        onset = cells[:, 6].astype(np.int64)
        gaps = np.array([0.0, 0.34, 0.24, 0.22], np.float32)[onset]
        starts, ends, levels = (cells[:, i].astype(np.float32) for i in (2, 3, 1))
        f0 = starts[which] + (ends - starts)[which] * u
        f0 *= 1 + (0.008 + 0.02 * rough) * self._loop(self._wobble, n)
        at = (np.cumsum(f0, dtype=np.float64) * (_PERIOD / RATE_HZ)).astype(np.int64) % _PERIOD
        mean_f0 = (cells[:, 2] + cells[:, 3]) / 2
        first = self._tables[self._rows(effort, mean_f0, cells[:, 4].astype(np.int64))[which] + at]
        last = self._tables[self._rows(effort, mean_f0, cells[:, 5].astype(np.int64))[which] + at]
        x = first + (last - first) * (u * u)
        gap = gaps[which]
        v = (u - gap) / (1 - gap)
        env = 0.1 + 0.9 * np.clip(v * 7, 0, 1) * np.clip((1 - v) * 3.2, 0, 1)
        kind = onset[which]
        env[v < 0] = 0
        env[(v < 0) & (kind == 3)] = 0.28
        if rough:
            x *= 1 + rough * np.sign(np.sin(np.arange(n, dtype=np.float32) * (2 * np.pi * 58 / RATE_HZ)))
        x = x * env + self._loop(self._puff, n) * env * (self._breath + 0.2 * rough)
        hiss = np.where(kind == 1, np.sin(np.pi * np.clip(u / 0.4, 0, 1)) * 0.42, 0)
        hiss += np.where(kind == 2, np.exp(-np.abs(v) * 14) * 0.5 * (v > -0.05), 0)
        x += self._loop(self._hiss, n) * hiss
        return np.asarray(x * levels[which], np.float32)

    def speak(self, text: str, style_name: str, syllables: float) -> Sound:
        """Speech of a text, near RMS 1 for plain talk, with a breath before it now and then."""
        style, rng = STYLES[style_name], self._rng
        rows: list[list[float]] = []
        for word in text.lower().replace(",", " , ").split():
            if word == ",":
                rows.append([rng.uniform(0.1, 0.3), 0, 1, 1, 6, 6, 0])
                continue
            stress = rng.integers(0, 2)
            parts = _SYLLABLE.findall(word) or [(word, "e")]
            for i, (head, vowels) in enumerate(parts):
                onset = 1 if _HISSES.search(head) else 2 if _STOPS.search(head) else 3 * bool(head)
                lift = 1 + style.swing * (rng.normal(0, 0.5) + (0.8 if i == stress or len(parts) == 1 else 0))
                stretch = 1 + 0.55 * (len(vowels) - 1 if len(vowels) > 2 else 0)
                seconds = rng.gamma(14, 1 / 14) * stretch * (1.25 if onset else 0.9) / syllables / style.tempo
                level = rng.uniform(0.65, 1.1) * (1.15 if i == stress else 0.95)
                vowel = _LETTERS.get(vowels[0], 6)
                end = _LETTERS.get(vowels[-1], 6) if len(vowels) > 1 else int(rng.choice([vowel, 6]))
                glide = lift * rng.normal(0.97, style.swing / 3)
                rows.append([seconds, level, lift, glide, vowel, end, onset])
        cells = np.array(rows)
        fall = np.linspace(1.06, 0.9, len(cells)) if style.effort < 2 else np.linspace(0.92, 1.0, len(cells))
        cells[:, 2:4] = np.clip(cells[:, 2:4] * fall[:, None] * self.pitch_hz * style.pitch, 60, 1000)
        cells[-1, 0] *= 1.3
        x = self._render(cells, style.effort, style.rough * rng.uniform(0.4, 1.2)) * 1.5
        breath = self.breathe(0.3, 0.12) if rng.random() < 0.35 else np.zeros(0, np.float32)
        return np.concatenate([breath, x])

    def laugh(self, strength: float) -> Sound:
        """A laugh: quick falling 'ha's that tire, in one or two bouts with a breath drawn between."""
        rng, bouts = self._rng, []
        for _ in range(1 if strength < 0.5 else int(rng.integers(1, 4))):
            k = int(rng.integers(3, 5 + int(8 * strength)))
            cells = np.zeros((k, 7))
            cells[:, 0] = rng.normal(0.19, 0.02, k).clip(0.12) * np.linspace(0.92, 1.15, k)
            cells[:, 1] = np.linspace(1.15, 0.35, k) * rng.uniform(0.8, 1.2, k)
            cells[:, 2] = self.pitch_hz * np.linspace(1.5 + 0.8 * strength, 1.15, k) * rng.normal(1, 0.06, k)
            cells[:, 3] = cells[:, 2] * 0.82
            cells[:, 4:6] = rng.choice([0, 1, 7])
            cells[:, 6] = 1
            bouts.append(self._render(cells, 1 + (strength > 0.6), 0.15))
            bouts.append(self.breathe(rng.uniform(0.3, 0.6), 0.4))
        return np.concatenate(bouts) * np.float32(1.1 + 1.3 * strength)

    def breathe(self, seconds: float, level: float) -> Sound:
        """An audible breath."""
        n = int(seconds * RATE_HZ)
        swell = np.sin(np.pi * np.linspace(0, 1, n, dtype=np.float32) ** 1.6)
        return np.asarray(self._loop(self._puff, n) * swell * level, np.float32)

    def cough(self) -> Sound:
        """A double cough, a loud puff each with a rough end."""
        cells = np.tile([0.32, 1.6, self.pitch_hz * 1.3, self.pitch_hz * 0.8, 6, 0, 2], (2, 1))
        x = self._render(cells, 2, 0.6)
        return x + self._loop(self._puff, len(x)) * np.abs(x) * 0.8


def streamer_style(who: Who, style: str, rng: np.random.Generator) -> str:
    """The style a temperament turns a wish to shout into: the calm come down the ladder, the wild go up."""
    ladder = ["flat", "talk", "excited", "shout", "scream"]
    if style not in ladder[2:]:
        return style
    shift = int(np.floor((who.temper - 0.5) * 2.6 + rng.uniform(0.1, 0.95)))
    return ladder[int(np.clip(ladder.index(style) + shift, 1, 4))]
