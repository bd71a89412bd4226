"""Voices from pitch marks and formant grains: talk, shouts, laughter, gasps, sighs, coughs, song."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from tests.sketches.o_evening.who import Line, Throat
from tests.sketches.sketch import RATE_HZ, Sound

STEPS_PER_S = 200
STEP = RATE_HZ // STEPS_PER_S
GRAIN = 320
BLOCK_S = 10
FORMANTS_HZ = {
    "a": (740, 1150, 2500, 3450),
    "e": (530, 1800, 2500, 3500),
    "i": (310, 2200, 2950, 3600),
    "o": (540, 880, 2420, 3300),
    "u": (330, 920, 2250, 3300),
    "n": (260, 1150, 2200, 3200),
}
VOWELS = "".join(FORMANTS_HZ)
TENSIONS = 3
TILT = (1.0, 0.42, 0.2, 0.1)
HISS = {0.0: -60.0, 2500: -30, 4200: 0, 7000: -2, 8000: -12}
AIR = {0.0: -40.0, 300: -12, 900: 0, 1800: -6, 3200: -8, 6000: -20, 8000: -30}
SCALE = (0, 2, 4, 7, 9, 12)
Table = npt.NDArray[np.float32]
PIECE = re.compile(r"([^aeiouy]*)([aeiouy]+)([^aeiouy]*$)?")


def spell(text: str) -> list[tuple[str, int, float]]:
    """Syllables of a text: the consonant before (s, p, m or none; comma: a pause), vowel, length."""
    out: list[tuple[str, int, float]] = []
    for word in text.lower().split():
        found = list(PIECE.finditer(re.sub(r"[^a-z0-9]", "", word)))
        if not found:
            out.append(("m", VOWELS.index("n"), 1.0))
        for k, m in enumerate(found):
            on = m.group(1)
            cls = (
                "s"
                if re.search("[sfzhcxv]", on)
                else "p"
                if re.search("[ptkbdgqj]", on)
                else "m"
                if on
                else ""
            )
            runs = len(m.group(2)) - len(set(m.group(2)))
            vowel = m.group(2)[0].replace("y", "i")
            length = 0.85 + 0.5 * runs + 0.12 * len(m.group(3) or "") + 0.25 * (k == 0)
            out.append((cls, VOWELS.index(vowel), length))
        if word[-1] in ",.?!":
            out.append((",", 0, 0.6 if word[-1] == "," else 1.0))
    return out


def seconds_of(text: str, pace: float) -> float:
    """How long a voice of that pace takes to say it."""
    return max(0.25, sum(x[2] for x in spell(text)) / pace)


class Tracks:
    """What a throat does over time, 200 steps a second: pitch, loudness, tension, vowels, hiss and breath."""

    def __init__(self, duration_s: float) -> None:
        n = int(duration_s * STEPS_PER_S) + 2
        self.pitch = np.full(n, 120.0)
        self.amp, self.tense, self.mix, self.hiss, self.breath = np.zeros((5, n), np.float32)
        self.vowel, self.to = np.zeros((2, n), np.int64)
        self.plain = np.zeros(n, np.bool_)

    def put(self, start_s: float, seconds: float) -> tuple[slice, npt.NDArray[np.float64]]:
        """The steps of a stretch, and 0 to 1 along it."""
        a = min(max(int(start_s * STEPS_PER_S), 0), len(self.amp))
        b = min(a + max(2, int(seconds * STEPS_PER_S)), len(self.amp))
        return slice(a, b), np.linspace(0, 1, b - a)


def utter(tr: Tracks, line: Line, who: Throat, rng: np.random.Generator) -> None:
    """Writes one line into the tracks."""
    gain = 10 ** (line.loud / 20)
    if line.kind == "laugh":
        _laugh(tr, line, who, rng, gain)
    elif line.kind in ("gasp", "sigh", "cough"):
        _air(tr, line, rng, gain)
    else:
        _words(tr, line, who, rng, gain)


def _words(tr: Tracks, line: Line, who: Throat, rng: np.random.Generator, gain: float) -> None:
    syllables = spell(line.text)
    unit = line.seconds / max(sum(x[2] for x in syllables), 0.1)
    t, before = line.start_s, syllables[0][1]
    tense = float(np.clip(line.loud / 14, 0, 1))
    rise = 4.0 if line.text.endswith("?") else -2.0
    wide = who.melody * (1 + tense)
    for k, (cls, vowel, length) in enumerate(syllables):
        x = k / len(syllables)
        span = length * unit * rng.uniform(0.85, 1.15)
        if cls != ",":
            sl, u = tr.put(t, span)
            semis = line.lift + wide * (0.6 - x) + rng.normal(0, 0.5 * wide) + (rise if x > 0.8 else 0) * u
            bend = rng.normal(0.3, 0.45) * wide + 3.0 * min(1.0, max(0.0, span - 0.35))
            semis += bend * np.sin(np.pi * u**0.8) + 0.15 * tense * np.sin(2 * np.pi * 6 * span * u)
            if line.kind == "sing":
                semis = SCALE[rng.integers(len(SCALE))] - 3 + 0.35 * np.sin(2 * np.pi * 5.5 * span * u)
            tr.pitch[sl] = who.pitch_hz * 2 ** (semis / 12)
            open_at = {"s": 0.35, "p": 0.22, "m": 0.05}.get(cls, 0.0)
            shape = np.clip((u - open_at) / 0.12, 0, 1) * np.clip((1 - u) / 0.2, 0, 1) ** 0.7
            if cls == "m":
                shape = np.where(u < 0.25, 0.35 * np.clip(u / 0.05, 0, 1), shape)
            accent = rng.uniform(0.65, 1.15) * (1 - 0.3 * x * (1 - tense))
            tr.amp[sl] = gain * accent * shape
            tr.tense[sl] = tense
            tr.vowel[sl], tr.to[sl], tr.mix[sl] = before, vowel, np.clip(u / 0.35, 0, 1)
            tr.breath[sl] = gain * who.breath * shape * (1 - 0.6 * tense)
            if cls == "s":
                tr.hiss[sl] = gain**0.7 * 0.13 * np.clip(1 - np.abs(u - 0.18) / 0.18, 0, 1)
            elif cls == "p":
                tr.hiss[sl] += gain**0.7 * 0.18 * np.clip(1 - np.abs(u - 0.2) / 0.06, 0, 1)
            tr.plain[sl] = abs(line.loud) < 3
            before = vowel
        t += span if cls != "," else length * unit
    if rng.random() < 0.4:
        sl, u = tr.put(line.start_s - 0.35, 0.3)
        tr.breath[sl] += 0.05 * np.sin(np.pi * u) ** 2


def _laugh(tr: Tracks, line: Line, who: Throat, rng: np.random.Generator, gain: float) -> None:
    """Bouts of falling ha-ha with an intake of breath between."""
    t, rate = line.start_s, rng.uniform(4.2, 6.2)
    while t < line.end_s - 0.3:
        top, notes = rng.uniform(4, 11), int(rng.integers(4, 11))
        for k in range(notes):
            if t > line.end_s:
                return
            sl, u = tr.put(t, 0.92 / rate)
            fade = 0.9**k * gain * rng.uniform(0.7, 1.1)
            voiced = np.clip((u - 0.3) / 0.1, 0, 1) * np.clip((0.9 - u) / 0.3, 0, 1)
            tr.pitch[sl] = who.pitch_hz * 2 ** ((top - 0.8 * k + 2 * np.sin(np.pi * u)) / 12)
            tr.amp[sl] = fade * voiced
            tr.breath[sl] = fade * (0.26 * np.clip(1 - np.abs(u - 0.2) / 0.25, 0, 1) + 0.06 * voiced)
            tr.tense[sl] = 0.3
            tr.vowel[sl] = tr.to[sl] = int(rng.choice([0, 0, 1]))
            t += rng.uniform(0.85, 1.2) / rate
        sl, u = tr.put(t + 0.05, 0.35)
        tr.breath[sl] = 0.22 * gain * np.sin(np.pi * u) ** 2 * u
        t += rng.uniform(0.45, 0.9)


def _air(tr: Tracks, line: Line, rng: np.random.Generator, gain: float) -> None:
    """A gasp draws in, a sigh lets out, a cough bursts two or three times."""
    if line.kind != "cough":
        sl, u = tr.put(line.start_s, line.seconds)
        tr.breath[sl] = 0.5 * gain * (u * np.sqrt(1 - u) if line.kind == "gasp" else np.sqrt(u) * (1 - u))
        return
    t = line.start_s
    while t < line.end_s:
        sl, u = tr.put(t, 0.28)
        burst = np.exp(-6 * u) * np.clip(u / 0.03, 0, 1)
        tr.breath[sl] = 1.0 * gain * burst
        tr.amp[sl] = 0.9 * gain * burst * (u > 0.1)
        tr.pitch[sl], tr.tense[sl] = 140 - 50 * u, 1.0
        t += rng.uniform(0.3, 0.5)


def _grains(who: Throat) -> Table:
    """One glottal pulse through the tract, for each vowel at each tension."""
    t = np.arange(GRAIN) / RATE_HZ
    out = np.zeros((len(VOWELS), TENSIONS, GRAIN), np.float32)
    for v, name in enumerate(VOWELS):
        for k in range(TENSIONS):
            for j, hz in enumerate(FORMANTS_HZ[name]):
                tilt = TILT[j] * (1 + 0.75 * k * (j > 0)) * (0.35 if name == "n" and j else 1)
                up = who.tract * (1 + 0.14 * k * (j == 0 and name != "n"))
                out[v, k] += tilt * np.exp(-np.pi * (70 + 30 * j) * t) * np.sin(2 * np.pi * hz * up * t)
            out[v, k] *= np.clip(t / 0.0004, 0, 1) * np.clip((t[-1] - t) / 0.003, 0, 1)
    return out


def coloured(n: int, rng: np.random.Generator, points: dict[float, float]) -> Sound:
    """Noise with a spectrum through the given (Hz, dB) points, RMS 1."""
    spec = np.fft.rfft(rng.standard_normal(n, np.float32))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    spec *= 10 ** (np.interp(hz, list(points), list(points.values())) / 20)
    x = np.fft.irfft(spec, n)
    return np.asarray(x / np.sqrt(np.mean(x**2)), np.float32)


def _ramp(track: Table, n: int) -> Sound:
    """A track drawn out to samples, in straight lines."""
    r = np.linspace(0, 1, STEP, endpoint=False, dtype=np.float32)
    out: Sound = (track[:-1, None] + np.diff(track)[:, None] * r).ravel()
    return out[:n]


def voice(tr: Tracks, who: Throat, rng: np.random.Generator, n: int) -> Sound:
    """The sound of the tracks, n samples, plain speech at about RMS 1."""
    out = np.zeros(n + GRAIN, np.float32)
    wobble = 1 + 0.012 * rng.standard_normal(len(tr.pitch))
    beats = np.concatenate([[0.0], np.cumsum(np.clip(tr.pitch * wobble, 60, 900) / STEPS_PER_S)])
    marks = np.interp(np.arange(1, int(beats[-1])), beats, np.arange(len(beats)) * float(STEP))
    at = np.minimum((marks / STEP).astype(np.int64), len(tr.amp) - 1)
    keep = (tr.amp[at] > 1e-3) & (marks < n)
    marks, at = marks[keep].astype(np.int64), at[keep]
    rough = 1 - 0.35 * (np.arange(len(at)) % 2) * (tr.tense[at] > 0.6)
    amp = tr.amp[at] * rough * rng.uniform(0.92, 1.08, len(at))
    level = np.minimum((tr.tense[at] * TENSIONS).astype(np.int64), TENSIONS - 1)
    table, grain = _grains(who), np.arange(GRAIN)
    for i in range(0, len(at), 4000):
        s = slice(i, i + 4000)
        w = tr.mix[at[s], None]
        rows = table[tr.vowel[at[s]], level[s]] * (1 - w) + table[tr.to[at[s]], level[s]] * w
        where = (marks[s, None] - marks[i] + grain).ravel()
        part = np.bincount(where, (rows * amp[s, None].astype(np.float32)).ravel())
        out[marks[i] : marks[i] + len(part)] += part[: len(out) - marks[i]]
    noises = [
        (tr.hiss, coloured(BLOCK_S * RATE_HZ, rng, HISS)),
        (tr.breath, coloured(BLOCK_S * RATE_HZ, rng, AIR)),
    ]
    per = BLOCK_S * STEPS_PER_S
    for i in range(0, len(tr.amp) - 1, per):
        for track, noise in noises:
            piece = track[i : i + per + 1]
            if piece.max() > 0 and i * STEP < n:
                x = _ramp(piece, min(BLOCK_S * RATE_HZ, n - i * STEP))
                out[i * STEP : i * STEP + len(x)] += x * noise[: len(x)]
    usual = np.flatnonzero(tr.plain[: n // STEP])
    blocks = np.mean(out[: n // STEP * STEP].reshape(-1, STEP)[usual] ** 2, 1) if len(usual) else np.ones(1)
    out *= np.float32(1 / (np.sqrt(np.mean(blocks)) + 1e-6))
    return out[:n]
