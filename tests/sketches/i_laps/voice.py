"""Voices: a score of 16 ms frames (pitch, vowels, hisses) written by talk, laughter, gasps, and played as sound."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.i_laps.cast import Speaker, pools
from tests.sketches.sketch import RATE_HZ, Sound

HOP = 256
WINDOW = 2 * HOP
FRAME_S = HOP / RATE_HZ
_BLOCK = 512  # frames played at a time: 8 s, small enough to stay in memory, large enough to be quick

_VOWELS = "aeiouym"
_FORMANTS = np.array([[760, 530, 300, 520, 340, 450, 260], [1250, 1850, 2250, 900, 950, 1500, 1050]])
_HISSES = "sxfhp"
_BANDS = ((5800, 1300), (3200, 1000), (4600, 2600), (1500, 1100), (1300, 2200))
_HISS_OF = dict(zip("szcfvjxhptkbdgqwmn", "sssffxxhppppppphmm", strict=True))
_PLAIN = str.maketrans("äöüßáéíóúñ", "aousaeioun")


class _Syllable(NamedTuple):
    onset: str
    vowel: str
    length_s: float
    semis: float
    gain: float
    effort: float
    breath: float


@functools.cache
def manners() -> dict[str, list[float]]:
    """The ways of speaking, by name: semitones, melody, rate, gain, effort, breath."""
    return {line.split()[0]: list(map(float, line.split()[1:])) for line in pools()["manners"]}


class Score:
    """What one voice does in each frame."""

    def __init__(self, duration_s: float, speaker: Speaker, rng: np.random.Generator) -> None:
        self.count = int(duration_s / FRAME_S) + 4
        self.speaker, self.rng = speaker, rng
        self.pitch = np.full(self.count, speaker.pitch_hz, np.float32)
        self.voiced = np.zeros((self.count, 2 * len(_VOWELS)), np.float32)
        self.noise = np.zeros((self.count, len(_HISSES)), np.float32)

    def say(self, start_s: float, text: str, manner: str) -> float:
        """Write a sentence from start_s on; gives where it ends."""
        rng, who = self.rng, self.speaker
        up, melody, rate, gain_db, effort, breath = manners()[manner]
        parts, plan = syllables_of(text), []
        for i, (onset, vowel) in enumerate(parts):
            along = (i + 1) / len(parts)
            accent = rng.normal(1.5, 1.6) - 3.0 * along - 3.0 * (along > 0.85)
            length = rng.lognormal(0, 0.28) / (who.rate * rate) * (1.5 if along == 1.0 else 1.0)
            semis = up * (0.6 + 0.4 * who.dynamic) + accent * melody * who.melody
            loud = 10 ** (gain_db * who.dynamic / 20) * rng.lognormal(0, 0.25) * (1.1 - 0.35 * along)
            wet = max(who.breath, breath)
            plan.append(_Syllable(onset, vowel, min(length, 1.6), semis, loud, effort, wet))
        return self._write(start_s, plan)

    def laugh(self, start_s: float, size: float) -> float:
        """Write laughter: bursts of one vowel, high and falling, breath between; size 0 a chuckle, 1 a fit."""
        rng, plan = self.rng, []
        vowel, count = str(rng.choice(list("aei"))), int(rng.integers(3, 6) + size * 9)
        gain, bout = 10 ** ((-5 + 14 * size) * self.speaker.dynamic / 20), int(rng.integers(4, 8))
        for i in range(count):
            length = rng.uniform(0.17, 0.22) + 0.25 * (i > 0 and i % bout == 0)
            loud, semis = gain * (1 - 0.6 * i / count), 5 + 7 * size - 0.9 * (i % bout) + rng.normal()
            plan.append(_Syllable("h", vowel, length, semis, loud, 0.6 * size, 0.6))
        return self._write(start_s, plan)

    def puff(self, start_s: float, length_s: float, gain: float, *, inward: bool = False) -> float:
        """Write a breath: a gasp swells (inward), a sigh dies away."""
        first = int(start_s / FRAME_S)
        last = min(self.count, first + max(2, int(length_s / FRAME_S)))
        shape = gain * np.linspace(0.1, 1.0, max(0, last - first)) ** 1.5
        self.noise[first:last, _HISSES.index("h")] += shape if inward else shape[::-1]
        return start_s + length_s

    def groan(self, start_s: float, gain: float) -> float:
        """Write one long low vowel."""
        return self._write(start_s, [_Syllable("", "y", self.rng.uniform(0.6, 1.6), 1.0, gain, 0.3, 0.3)])

    def cough(self, start_s: float, gain: float) -> float:
        """Write two to four short bursts of throat."""
        for _ in range(int(self.rng.integers(2, 5))):
            self.puff(start_s, 0.22, 3.0 * gain)
            start_s = 0.12 + self._write(start_s + 0.02, [_Syllable("p", "y", 0.2, 4.0, gain, 0.8, 1.0)])
        return start_s

    def _write(self, start_s: float, plan: list[_Syllable]) -> float:
        ends_s = start_s + np.cumsum([part.length_s for part in plan])
        edges = (np.array([start_s, *ends_s]) / FRAME_S).astype(int)
        for part, first, last in zip(plan, edges, edges[1:], strict=False):
            if last < self.count - 4:
                self._write_one(part, first, max(last, first + 3))
        here = slice(edges[0], min(edges[-1] + 1, self.count))
        at = np.arange(here.start, max(here.start, here.stop))
        semis = np.interp(at, (edges[:-1] + edges[1:]) / 2, [part.semis for part in plan])
        shaky = 1 + self.rng.normal(0, 0.006 + 0.025 * plan[0].effort, len(at))
        self.pitch[here] = np.clip(self.speaker.pitch_hz * 2 ** (semis / 12) * shaky, 55, 1100)
        return float(ends_s[-1])

    def _write_one(self, part: _Syllable, first: int, last: int) -> None:
        lead = min(last - first - 2, 3 if part.onset else 0)
        if part.onset == "m":
            self.voiced[first : first + lead, _VOWELS.index("m")] = 0.5 * part.gain
        elif part.onset:
            begin = first + lead - 1 if part.onset == "p" else first
            loud = part.gain * (0.9 if part.onset in "sx" else 0.5)
            self.noise[begin : first + lead, _HISSES.index(part.onset)] = loud
        body = np.sin(np.linspace(0.35, np.pi - 0.12, last - first - lead)) ** 0.6 * part.gain
        here, place = slice(first + lead, last), _VOWELS.index(part.vowel)
        self.voiced[here, place] = body * (1 - part.effort) * (1 - 0.7 * part.breath)
        self.voiced[here, place + len(_VOWELS)] = body * part.effort
        self.noise[here, _HISSES.index("h")] += 0.35 * part.breath * body

    def play(self, length: int) -> Sound:
        """The sound of the whole score; plain talk comes out at an RMS of about one tenth."""
        out = np.zeros(self.count * HOP + WINDOW, np.float32)
        window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
        hissing = np.fft.rfft(self.rng.standard_normal((_BLOCK, WINDOW), np.float32) * np.sqrt(window))
        voice_table, hiss_table = _tables(self.speaker.tract)
        for begin in range(0, self.count, _BLOCK):
            here = slice(begin, min(begin + _BLOCK, self.count))
            voiced, noise = self.voiced[here], self.noise[here]
            if not voiced.any() and not noise.any():
                continue
            steps = np.repeat(np.append(self.pitch[here], self.pitch[here][-1]) / RATE_HZ, HOP)
            saw = (2 * (np.cumsum(steps, dtype=np.float64) % 1.0) - 1).astype(np.float32)
            pieces = np.lib.stride_tricks.sliding_window_view(saw, WINDOW)[::HOP] * window
            spectrum = np.fft.rfft(pieces) * (voiced @ voice_table)
            spectrum += hissing[self.rng.permutation(_BLOCK)[: len(noise)]] * (noise @ hiss_table)
            waves = np.fft.irfft(spectrum, WINDOW)
            for half in (0, HOP):
                at = begin * HOP + half
                out[at : at + len(waves) * HOP] += waves[:, half : half + HOP].ravel()
        return np.asarray(out[:length])

    def loudness(self, count: int) -> npt.NDArray[np.float32]:
        """How loud the voice is in each of count tenths of a second."""
        sums = np.cumsum(np.append(0.0, self.voiced.sum(1) + self.noise.sum(1)))
        at = np.minimum((np.arange(count) * 0.1 / FRAME_S).astype(int), self.count - 6)
        return np.asarray((sums[at + 6] - sums[at]) / 6, np.float32)


def syllables_of(text: str) -> list[tuple[str, str]]:
    """The syllables of some words as (hiss before it, vowel)."""
    found = []
    for word in re.sub(r"[^a-z ]", "", text.lower().translate(_PLAIN)).split():
        spelt = word[:-1] if len(word) > 3 and word.endswith("e") else word
        for before, vowel in re.findall(r"([^aeiouy]*)([aeiouy])[aeiouy]*", spelt) or [("h", "y")]:
            found.append((_HISS_OF.get(before[:1], ""), vowel))
    return found or [("", "y")]


@functools.cache
def _tables(tract: float) -> tuple[Sound, Sound]:
    """Spectra of the vowels (soft, then pressed) and of the hisses for a vocal tract of this scale."""
    hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ) + 1.0
    rows = []
    for pressed in (0, 1):
        tilt = np.maximum(hz / 600, 1.0) ** (0.4 * pressed - 0.5) * (hz > 70)
        for low, high in _FORMANTS.T * tract:
            formants = ((low * (1 + 0.2 * pressed), 60, 1.0), (high, 95, 0.6), (2550 * tract, 130, 0.36))
            rows.append(tilt * sum(size / np.hypot(1, (hz - at) / wide) for at, wide, size in formants))
    voiced = np.array(rows)
    voiced *= 0.07 / np.sqrt(np.mean(voiced**2 / hz * 100, axis=1, keepdims=True))
    hisses = np.array([np.exp(-0.5 * ((hz - c) / w) ** 2) for c, w in _BANDS])
    hisses *= 0.09 / np.sqrt(np.mean(hisses**2, axis=1, keepdims=True))
    return voiced.astype(np.float32), hisses.astype(np.float32)
