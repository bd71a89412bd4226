"""Voices: talk, shouts, song, laughter and breath, from glottal pulses through formants and from hiss."""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt

from tests.sketches.m_reacts.people import Floats, Ints, Rng
from tests.sketches.sketch import RATE_HZ, Sound

STEP = 80  # contours are kept at 200 Hz
_RING = 320  # samples that one glottal pulse rings on
_SHIFTS = 4  # places of a pulse between two samples
_GROUPS = 14  # pulses of one group never touch, up to 700 Hz

# First four formants of a grown man, and the letters that call for them.
_VOWELS = {
    "a": (730, 1150, 2500, 3500),
    "e": (530, 1840, 2480, 3500),
    "i": (300, 2250, 2950, 3600),
    "o": (480, 900, 2450, 3400),
    "u": (330, 950, 2300, 3300),
    "y": (370, 2000, 2650, 3500),
    "A": (650, 1650, 2450, 3500),
    "@": (500, 1450, 2500, 3500),
}
_LETTERS = list(_VOWELS)
_HISS_BANDS = ((400, 2600), (1800, 4600), (3800, 7800))  # h and breath; sh, k; s, t
_ONSETS = {"s": (2, 0.5), "z": (2, 0.3), "t": (2, 0.4), "c": (1, 0.45), "k": (1, 0.4), "f": (1, 0.2)} | {
    "h": (0, 0.5), "p": (0, 0.35), "g": (1, 0.15), "d": (2, 0.15), "j": (1, 0.35), "q": (1, 0.4)
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def syllables(word: str) -> tuple[tuple[str, int], ...]:
    """(consonant letter before it, vowel number) of each syllable of a word, guessed from its spelling."""
    found = re.findall(r"([^aeiouy]*)([aeiouy]+)", word.lower().removesuffix("e") or "e")
    out = []
    for onset, vowel in found or [("", "u")]:
        letter = vowel[0] if len(vowel) == 1 or vowel[0] != "e" else "i"
        letter = "@" if letter == "e" and len(found) > 2 else letter
        out.append((onset[-1:] if onset else "", _LETTERS.index(letter)))
    return tuple(out)


def count(text: str) -> int:
    """Number of syllables."""
    return sum(len(syllables(w)) for w in text.split())


@functools.lru_cache(maxsize=1)
def hisses() -> npt.NDArray[np.float32]:
    """Three sorts of noise, 4 s each, of equal strength; the same for everyone."""
    rng = np.random.default_rng([71, 3])
    n = 4 * RATE_HZ
    freq = np.fft.rfftfreq(n, 1 / RATE_HZ)
    out = np.empty((3, n), np.float32)
    for k, (low, high) in enumerate(_HISS_BANDS):
        shape = 1 / (1 + (low / (freq + 1)) ** 4) / (1 + (freq / high) ** 6)
        y = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * shape, n)
        out[k] = y / y.std()
    return out


def even(y: Sound) -> Sound:
    """The same at strength 1 (root mean square)."""
    return np.asarray(y / np.float32(max(float(np.sqrt(np.mean(y * y))), 1e-6)), np.float32)


class Voice:
    """One throat: what a pulse sounds like in each vowel at three efforts, and how to utter with it."""

    def __init__(self, rng: Rng, pitch_hz: float, throat: float) -> None:
        self.rng = rng
        self.pitch_hz = pitch_hz
        rows = [
            self._ring(np.array(f) * throat, effort, k / _SHIFTS)
            for effort in range(3)
            for f in _VOWELS.values()
            for k in range(_SHIFTS)
        ]
        self.rings = np.array(rows, np.float32)
        self.lilt = float(rng.uniform(0.04, 0.2))
        self.airy = float(rng.uniform(0.01, 0.08))

    @staticmethod
    def _ring(formants: Floats, effort: int, shift: float) -> Floats:
        t = np.maximum(np.arange(_RING) - shift, 0) / RATE_HZ
        formants = formants * np.array([1 + 0.13 * effort, 1, 1, 1])
        strength = np.array([1, 0.32, 0.14, 0.07]) * np.array([1, 1.5, 2, 2.2]) ** effort
        width = np.array([70, 100, 150, 220])
        y = (
            strength[:, None]
            * np.exp(-np.pi * width[:, None] * t)
            * np.sin(2 * np.pi * formants[:, None] * t)
        ).sum(0)
        y -= 0.25 * np.exp(-t * 500) * np.sin(2 * np.pi * 130 * t)
        out: Floats = y * np.linspace(1, 0, _RING) ** 0.5
        return out

    def sound(self, pitch: Floats, amp: Floats, vowel: Ints, effort: int, hiss: Floats) -> Sound:
        """Sound contours at 200 Hz; `hiss` has one row for each sort of noise."""
        n = len(pitch)
        out = np.zeros(n * STEP + _RING, np.float32)
        phase = np.cumsum(pitch) * (STEP / RATE_HZ)
        pulses = np.interp(np.arange(1, int(phase[-1])), phase, np.arange(n))
        at = pulses * STEP + self.rng.normal(0, 0.6, len(pulses))
        step = pulses.astype(np.int64)
        strength = amp[step] * (1 + 0.09 * self.rng.standard_normal(len(pulses)))
        if effort == 2:  # a strained voice beats every other pulse
            strength[::2] *= 0.72
        keep = strength > 0.02
        at, step, strength = np.maximum(at[keep], 0), step[keep], strength[keep].astype(np.float32)
        whole = at.astype(np.int64)
        rows = (effort * len(_LETTERS) + vowel[step]) * _SHIFTS + ((at - whole) * _SHIFTS).astype(np.int64)
        reach = np.arange(_RING)
        for g in range(_GROUPS):
            out[whole[g::_GROUPS, None] + reach] += self.rings[rows[g::_GROUPS]] * strength[g::_GROUPS, None]
        pool = hisses()
        for k in range(3):
            if hiss[k].max() > 0:
                start = int(self.rng.integers(0, 2 * RATE_HZ))
                noise = np.resize(pool[k, start:], n * STEP)
                out[: n * STEP] += noise * np.repeat(hiss[k].astype(np.float32), STEP)
        return out[: n * STEP]

    def speak(self, text: str, length: float, energy: float, mood: str = "") -> Sound:
        """Say words within `length` seconds; the loudness of plain talk is 1 (root mean square)."""
        rng = self.rng
        sylls = [(w, k, *s) for w, word in enumerate(text.split()) for k, s in enumerate(syllables(word))]
        n = max(int(length * RATE_HZ / STEP), 8)
        words = np.array([s[0] for s in sylls])
        first = np.array([s[1] == 0 for s in sylls])
        stress = first * rng.uniform(0.3, 1, len(sylls)) * (rng.random(len(sylls)) < 0.65)
        weight = np.exp(rng.normal(0, 0.22, len(sylls))) * (1 + 0.5 * stress)
        weight[words == words[-1]] *= 1.25 + max(energy, 0) * 0.6
        edges = np.round(np.concatenate([[0], np.cumsum(weight)]) / weight.sum() * n).astype(np.int64)
        of = np.clip(np.searchsorted(edges, np.arange(n), side="right") - 1, 0, len(sylls) - 1)
        within = (np.arange(n) - edges[of]) / np.maximum(edges[of + 1] - edges[of], 1)
        pitch = self._melody(of, within, stress, energy, mood + "?" * text.endswith("?"))
        amp = np.clip(np.minimum(within / 0.22, (1.08 - within) / 0.3), 0.06, 1) ** 0.8
        amp *= (0.75 + 0.5 * stress[of]) * np.linspace(1.1, 0.75 + 0.2 * max(energy, 0), n)
        hiss = np.zeros((3, n))
        hiss[0] = amp * self.airy * (3 if mood == "cry" else 1)
        for (_, _, onset, _), a, b in zip(sylls, edges, edges[1:], strict=False):
            sort, strength = _ONSETS.get(onset, (0, 0.0))
            if strength and b > a + 4:
                cut = a + max(int((b - a) * 0.32), 3)
                amp[a:cut] *= 0.15
                hiss[sort, a:cut] += strength * np.hanning(cut - a + 2)[1:-1]
        vowel = np.array([s[3] for s in sylls])[of]
        effort = 0 if energy < 0.25 else 1 if energy < 0.65 else 2
        if mood == "cry":
            amp *= 1 + 0.35 * np.sin(np.cumsum(rng.normal(6, 1.5, n)) * 2 * np.pi / 200)
        y = self.sound(pitch, amp, vowel, effort, hiss)
        return even(y)

    def _melody(self, of: Ints, within: Floats, stress: Floats, energy: float, mood: str) -> Floats:
        n = len(of)
        rng = self.rng
        x = np.linspace(0, 1, n)
        if mood[:4] in ("sing", "crac"):
            notes = np.cumsum(rng.choice([-2, 0, 0, 2, 2, -4, 3, -1], len(stress)))
            semis = np.clip(notes, -5, 9)[of] + 0.35 * np.sin(2 * np.pi * 5.4 * np.arange(n) / 200) + 4
            if mood.startswith("crack"):  # the voice breaks on the last note
                semis = semis + np.where(x > 0.72, 10 + 3 * np.sin(x * 60), 0)
            return np.asarray(self.pitch_hz * 2 ** (semis / 12), np.float64)
        if mood.startswith("tts"):
            return np.asarray(self.pitch_hz * (1.05 - 0.1 * x + 0.06 * (of % 2)), np.float64)
        lift = 0.14 - 0.26 * x + (0.45 * np.clip((x - 0.8) / 0.2, 0, 1) if mood.endswith("?") else 0)
        bumps = self.lilt * (1.2 + max(energy, 0)) * stress[of] * np.sin(np.pi * np.clip(within, 0, 1)) * 1.6
        knots = np.arange(0, n + 40, 40)
        drift = np.interp(np.arange(n), knots, rng.normal(0, 0.07, len(knots)))
        octaves = lift + bumps + drift + 0.85 * energy + (0.12 if mood.startswith("cry") else 0)
        return np.asarray(np.clip(self.pitch_hz * 2**octaves, 60, 640), np.float64)

    def laugh(self, length: float, energy: float) -> Sound:
        """Ha-ha: bursts four to six a second, high at first, running out of air, then a drawn breath."""
        rng = self.rng
        n = max(int(length * 200), 40)
        pitch = np.full(n, self.pitch_hz * 1.5)
        amp, vowel, hiss = np.zeros(n), np.zeros(n, np.int64), np.zeros((3, n))
        t, bout = 0, 0
        sort = int(rng.choice([0, 1, 7]))
        while t < n - 8:
            step = int(200 / rng.uniform(4.2, 6.2))
            bout = 0 if rng.random() < 0.09 else bout + 1
            if bout == 0 and t:  # breath drawn in
                end = min(t + int(rng.uniform(50, 110)), n)
                hiss[0, t:end] += 0.3 * np.hanning(end - t + 2)[1:-1]
                t = end
                continue
            end = min(t + step, n)
            shape = np.hanning(end - t + 2)[1:-1]
            fall = (0.93**bout) * rng.uniform(0.7, 1.1)
            voiced = rng.random() < 0.55 + 0.4 * min(energy, 1)
            amp[t:end] = fall * shape**2 * (1.0 if voiced else 0.1)
            hiss[0, t:end] += fall * (0.18 if voiced else 0.45) * np.roll(shape, -step // 4)
            pitch[t:end] = self.pitch_hz * 2 ** (0.35 + 0.5 * energy - 0.05 * bout + rng.normal(0, 0.08))
            vowel[t:end] = sort
            t = end
        y = self.sound(np.clip(pitch, 70, 640), amp, vowel, 1 if energy < 0.8 else 2, hiss)
        return even(y)

    def cry_out(self, length: float) -> Sound:
        """A shout without words: one long open vowel that leaps up and sags."""
        n = max(int(length * 200), 30)
        x = np.linspace(0, 1, n)
        octaves = 0.8 + 0.35 * np.sin(np.pi * np.minimum(x * 1.6, 1)) - 0.3 * x + 0.02 * np.sin(x * n * 0.2)
        amp = np.minimum(x / 0.06, 1) * np.clip((1 - x) / 0.35, 0, 1)
        vowel = np.full(n, int(self.rng.choice([0, 3, 6])))
        pitch = np.clip(self.pitch_hz * 2**octaves, 80, 640)
        y = self.sound(pitch, amp, vowel, 2, np.array([amp * 0.08, amp * 0, amp * 0]))
        return even(y)
