"""A voice made of glottal pulses, each ringing through formants, and of breath noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.sketches.p_variety.script import TONES, Streamer
from tests.sketches.sketch import RATE_HZ, Sound

Floats = npt.NDArray[np.float64]

STEP_S = 0.005
RING, PARTS = 288, 4
FORMANTS_HZ = np.array(
    [
        (290, 2250, 2900, 3600), (450, 1900, 2550, 3500), (720, 1200, 2500, 3500), (500, 880, 2400, 3400),
        (330, 800, 2250, 3300), (510, 1500, 2500, 3500), (680, 1700, 2450, 3500),
    ]
)  # fmt: skip
WIDTHS_HZ = np.array([70.0, 100.0, 140.0, 200.0])
PARTS_DB = np.array([(0, -17, -28, -38), (0, -9, -18, -27), (0, -2, -7, -14)])
OPEN = 2


def shaped_noise(rng: np.random.Generator, length: int, low_hz: float, high_hz: float) -> Sound:
    """Noise between two frequencies with soft edges, its deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.fft.rfftfreq(length, 1 / RATE_HZ) + 1.0
    spectrum *= 1 / (1 + (low_hz / hz) ** 4) / (1 + (hz / high_hz) ** 4)
    out = np.fft.irfft(spectrum, length)
    return np.asarray(out / (out.std() + 1e-9), np.float32)


def smooth(values: Floats, steps: int) -> Floats:
    """A moving mean that keeps the length."""
    steps = max(1, min(steps, len(values)))
    return np.convolve(values, np.ones(steps) / steps, mode="same")


class Voice:
    """One person's voice. What it gives has a deviation near 1 in usual speech; gain is for others to set."""

    def __init__(self, f0_hz: float, tract: float, breath: float, rng: np.random.Generator) -> None:
        self.f0_hz, self.breath, self.rng = f0_hz, breath, rng
        t = (np.arange(RING)[None, :] - np.arange(PARTS)[:, None] / PARTS) / RATE_HZ
        rings = np.zeros((len(FORMANTS_HZ), len(PARTS_DB), PARTS, RING))
        for v, row in enumerate(FORMANTS_HZ):
            for k, parts in enumerate(PARTS_DB):
                for hz, width, db in zip(row * tract, WIDTHS_HZ, parts, strict=True):
                    wave = np.exp(-np.pi * width * t) * np.sin(2 * np.pi * hz * t)
                    rings[v, k] += 10 ** (db / 20) * wave * (t >= 0)
        rings *= np.minimum(1.0, np.arange(RING)[::-1] / 60.0)
        self.rings = rings / np.sqrt((rings**2).sum(-1, keepdims=True)) * 11.0
        self.airy = shaped_noise(rng, 1 << 16, 500, 5000)
        self.hissy = shaped_noise(rng, 1 << 15, 2800, 7500)

    def noise(self, pool: Sound, length: int) -> Sound:
        """A stretch of a noise from anywhere in it."""
        at = int(self.rng.integers(len(pool)))
        return np.take(pool, np.arange(at, at + length), mode="wrap")

    def sound(
        self, f0: Floats, amp: Floats, vowel: npt.NDArray[np.int64], tension: int, breath: float
    ) -> Sound:
        """The voice along its controls (one each 5 ms)."""
        length = int(len(f0) * STEP_S * RATE_HZ)
        out = np.zeros(length + RING + 1)
        grid = np.arange(len(f0)) * STEP_S
        turns = np.cumsum(f0 * STEP_S)
        at = np.interp(np.arange(1, int(turns[-1])), turns, grid) if turns[-1] > 2 else np.zeros(0)
        at += self.rng.standard_normal(len(at)) * 0.00004 * (1 + tension)
        loud = np.interp(at, grid, amp) * np.sqrt(120.0 / np.interp(at, grid, f0))
        loud *= 1 + 0.08 * (1 + 2 * (tension == 2)) * self.rng.standard_normal(len(at))
        keep = (loud > 0.01) & (at > 0)
        at, loud = at[keep], loud[keep]
        if len(at):
            spot = at * RATE_HZ
            first = spot.astype(np.int64)
            part = ((spot - first) * PARTS).astype(np.int64)
            heard = vowel[np.minimum((at / STEP_S).astype(np.int64), len(vowel) - 1)]
            rings = self.rings[heard, tension, part] * loud[:, None]
            where = first[:, None] + np.arange(RING)[None, :]
            out += np.bincount(where.ravel(), rings.ravel(), minlength=len(out))[: len(out)]
        out = out[:length]
        if breath > 0:
            level = np.interp(np.arange(length) / RATE_HZ, grid, amp)
            out += breath * level * self.noise(self.airy, length)
        return out.astype(np.float32)

    def speak(self, for_s: float, syllables: int, tone: str, spread: float = 1.0) -> Sound:
        """Speech of so many syllables in a tone; `spread` is how far the voice goes from its usual."""
        kind, rng = TONES[tone], self.rng
        steps = int(for_s / STEP_S)
        pitch = float(np.clip(1 + (kind.pitch - 1) * spread, 0.6, 3.0))
        lengths = rng.gamma(6.0, 1.0, syllables) * (1 + 0.5 * (np.arange(syllables) % 7 == 6))
        ends = np.cumsum(lengths) / lengths.sum() * steps
        starts = np.concatenate([[0.0], ends[:-1]])
        amp, bend = np.zeros(steps), np.zeros(steps)
        vowel = np.zeros(steps, np.int64)
        stress = rng.uniform(0.55, 1.15, syllables) * (1 + 0.3 * (rng.random(syllables) < 0.3))
        for k, (a, b) in enumerate(zip(starts.astype(int), ends.astype(int), strict=True)):
            rest = 0.35 if k % 7 == 6 else rng.uniform(0.0, 0.12)
            vowel[a:b] = rng.integers(len(FORMANTS_HZ))
            amp[a + 1 : a + max(2, int((b - a) * (1 - rest)))] = stress[k]
            bend[a:b] = (stress[k] - 0.85) * 1.2 + 0.4 * rng.standard_normal()
        slope = np.linspace(0.06, -0.08, steps) * (3.5 if tone == "groan" else 1.0)
        quiver = (
            0.02 * np.sin(np.arange(steps) * STEP_S * 2 * np.pi * 5.2) * (tone in ("moved", "coo", "groan"))
        )
        f0 = self.f0_hz * pitch * np.exp(slope + quiver + 1.7 * kind.swing * spread * smooth(bend, 18))
        if tone == "giggle":
            amp = amp * (0.55 + 0.45 * np.sin(np.arange(steps) * STEP_S * 2 * np.pi * rng.uniform(4.5, 6)))
        amp = smooth(np.maximum(amp, 0.0), 7)
        if rng.random() < 0.5:
            amp[-min(steps, 50) :] *= np.linspace(1, 0.3, min(steps, 50))
        out = self.sound(np.clip(f0, 60, 900), amp, vowel, kind.tension, self.breath * kind.breath)
        self._consonants(out, starts)
        return out

    def _consonants(self, out: Sound, starts: Floats) -> None:
        for at in starts[self.rng.random(len(starts)) < 0.45]:
            first, length = int(at * STEP_S * RATE_HZ), int(self.rng.uniform(0.03, 0.09) * RATE_HZ)
            part = out[first : first + length]
            bump = np.hanning(len(part)) if len(part) > 2 else np.zeros(len(part))
            part += (self.rng.uniform(0.1, 0.5) * bump * self.noise(self.hissy, len(part))).astype(np.float32)

    def laugh(self, for_s: float, style: str, strength: float) -> Sound:
        """Laughter: bouts of short calls that fall in pitch and level, with a breath drawn between them."""
        rng, steps = self.rng, int(for_s / STEP_S)
        t = np.arange(steps) * STEP_S
        amp, f0 = np.zeros(steps), np.full(steps, self.f0_hz)
        at = 0.0
        while at < for_s - 0.15:
            calls, rate = int(rng.integers(4, 10)), rng.uniform(4.3, 6.2)
            high = rng.uniform(1.3, 1.9) + 0.25 * strength
            for k in range(calls):
                a = at + k / rate
                on = (t >= a) & (t < a + 0.62 / rate)
                amp[on] = (1.1 - 0.07 * k) * rng.uniform(0.8, 1.2)
                f0[on] = self.f0_hz * high * (1 - 0.045 * k) * (1.1 - 0.25 * (t[on] - a) * rate)
            at += calls / rate + rng.uniform(0.25, 0.6)
        voiced = {"open": 1.0, "wheeze": 0.25, "snort": 0.7}[style]
        amp = smooth(amp, 6)
        vowel = np.full(steps, int(rng.choice([1, 2, 5, 6])))
        out = self.sound(np.clip(f0, 80, 800), amp * voiced, vowel, 1, self.breath)
        air = np.repeat(amp, int(STEP_S * RATE_HZ))[: len(out)]
        air *= {"open": 0.25, "wheeze": 0.8, "snort": 0.45}[style]
        out += (air * self.noise(self.airy, len(out))).astype(np.float32)
        return out

    def cry(self, name: str, for_s: float, spread: float) -> Sound:
        """A scream, gasp, sigh, sniff or cough."""
        steps, rng = int(for_s / STEP_S), self.rng
        t = np.linspace(0, 1, steps)
        if name == "scream":
            arc = (1.5 + 1.4 * min(1.3, spread)) * (1 + 0.25 * np.sin(np.pi * t) - 0.2 * t)
            amp = np.minimum(1, t * 14) * np.minimum(1, (1 - t) * 5) * 1.1
            wild = 1 + 0.03 * smooth(rng.standard_normal(steps) * 4, 6)
            return self.sound(np.clip(self.f0_hz * arc * wild, 120, 1000), amp, np.full(steps, OPEN), 2, 0.2)
        shape = {
            "gasp": t**0.7 * (t < 0.85),
            "sigh": np.sin(np.pi * t**0.6),
            "sniff": np.sin(np.pi * t) ** 2,
        }.get(name, np.exp(-t * 6))
        length = int(steps * STEP_S * RATE_HZ)
        level = np.interp(np.arange(length), np.linspace(0, length, steps), shape)
        gain = {"gasp": 0.55, "sigh": 0.25, "sniff": 0.3}.get(name, 1.6)
        out = gain * level * self.noise(self.hissy if name == "sniff" else self.airy, length)
        if name == "cough":
            out += 0.9 * self.sound(
                np.full(steps, self.f0_hz * 1.2), shape * (t < 0.6), np.full(steps, 5), 2, 0.3
            )
        return np.asarray(out, np.float32)


def voice_gain(who: Streamer, tone: str, force: float) -> float:
    """How loud a tone is in the microphone of a streamer, whose compressor takes a part of it."""
    stretch = who.spread * (0.5 + 0.5 * force)
    return float(who.level * 10 ** (TONES[tone].gain_db * stretch * (1 - 0.6 * who.squash) / 20))
