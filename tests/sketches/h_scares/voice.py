"""A voice from controls at 100 Hz: pulses and noise through formants; talk, shouts, screams, laughter, breaths."""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt

from tests.sketches.h_scares.lore import Lore
from tests.sketches.sketch import RATE_HZ, Sound

HOP = RATE_HZ // 100
FFT = 512
# One row of a voice's score: seconds, pitch Hz, voicing, air, hiss, first three formants Hz.
Row = tuple[float, float, float, float, float, float, float, float]
SYLLABLE = re.compile(r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]+$)?")
HISSES, STOPS, HUMS = set("szfxhc"), set("ptkbdgq"), set("mnlrwv")


@functools.cache
def _pulse(harmonics: int, soft: float) -> Sound:
    """One period of a glottal pulse with no more harmonics than the rate can hold."""
    orders = np.arange(1, harmonics + 1)[:, None]
    turns = np.arange(2048)[None, :] / 2048
    period = np.sum(np.cos(2 * np.pi * orders * turns + 0.3 * orders) / orders**soft, axis=0)
    return np.asarray(period / np.sqrt(np.mean(period**2)), np.float32)


def _formed(sound: Sound, formants: npt.NDArray[np.float32]) -> Sound:
    """The sound through formants that move: one spectrum for each hop."""
    hops = len(formants)
    padded = np.concatenate([np.zeros(HOP // 2, np.float32), sound, np.zeros(2 * HOP, np.float32)])
    cut = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP)[::HOP][:hops]
    pieces = np.zeros((hops, FFT), np.float32)
    pieces[:, 96 : 96 + 2 * HOP] = cut * np.hanning(2 * HOP + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(pieces, axis=1)
    hz = np.fft.rfftfreq(FFT, 1 / RATE_HZ).astype(np.float32)[None, :]
    gain = np.full(spectrum.shape, 0.015, np.float32)
    for index, (part, width) in enumerate(((1.0, 85.0), (0.6, 120.0), (0.3, 170.0))):
        gain += np.float32(part) / (1 + ((hz - formants[:, index : index + 1]) / np.float32(width)) ** 2)
    gain += np.float32(0.1) / (1 + ((hz - np.float32(3900)) / np.float32(350)) ** 2)
    pieces = np.fft.irfft(spectrum * gain, axis=1).astype(np.float32)
    out = np.zeros((hops + 4, HOP), np.float32)
    for lag in range(4):
        piece = pieces[:, lag * HOP : (lag + 1) * HOP]
        out[lag : lag + hops, : piece.shape[1]] += piece
    start = 96 + HOP // 2
    return out.ravel()[start : start + len(sound)]


def render(rng: np.random.Generator, table: npt.NDArray[np.float32], rough: float, soft: float) -> Sound:
    """The sound of a score, its voiced parts at an RMS of about 1."""
    track = np.repeat(table[:, 1:], np.maximum(np.rint(table[:, 0] * 100).astype(int), 1), axis=0)
    track = np.concatenate([track, track[-1:].repeat(3, axis=0)])
    track[-3:, 1:4] = 0
    edged = np.concatenate([track[:1].repeat(2, axis=0), track, track[-1:].repeat(2, axis=0)])
    weights = np.array([0.1, 0.25, 0.3, 0.25, 0.1], np.float32)
    track = np.asarray(sum(weights[lag] * edged[lag : lag + len(track)] for lag in range(5)), np.float32)
    track[:, 0] *= 1 + 0.012 * np.convolve(rng.standard_normal(len(track)), np.full(5, 0.5), "same")
    hz, voiced, air, hiss = (np.repeat(track[:, index], HOP) for index in range(4))
    turns = np.cumsum(hz, dtype=np.float64) / RATE_HZ
    top = float(track[:, 0].max())
    pulse = _pulse(max(min(int(7600 / top), 45), 2), soft)[(turns * 2048).astype(np.int64) % 2048]
    noise = rng.standard_normal(len(hz)).astype(np.float32)
    if rough:
        # A strained throat: every other pulse is weaker, and all of them flutter.
        flutter = np.repeat(rng.standard_normal(len(track) * 2).astype(np.float32), HOP // 2)
        pulse = pulse * (1 + np.float32(rough) * (np.sin(np.pi * turns).astype(np.float32) + 0.6 * flutter))
    sound = _formed(pulse * voiced + noise * air, track[:, 4:7].astype(np.float32))
    sound /= np.float32(np.sqrt(np.mean(sound**2)) + 1e-6)
    sound[1:] += 0.6 * (hiss * noise)[1:] - 0.6 * (hiss * noise)[:-1]
    return sound


def _row(lore: Lore, seconds: float, hz: float, voiced: float, air: float, hiss: float, vowel: str) -> Row:
    first, second, third = lore.numbers("vowels", vowel)
    return seconds, hz, voiced, air, hiss, first, second, third


def _onset(lore: Lore, letter: str, hz: float, voiced: float, vowel: str) -> list[Row]:
    """The consonant before a vowel."""
    if letter in HISSES:
        return [_row(lore, 0.07, hz, 0.03 * voiced, 0.05, 0.5, vowel)]
    if letter in STOPS:
        return [_row(lore, 0.04, hz, 0, 0, 0, vowel), _row(lore, 0.015, hz, 0, 0.3, 0.35, vowel)]
    return [_row(lore, 0.05, hz, 0.35 * voiced, 0.02, 0, "nose")] if letter in HUMS else []


def talk(
    rng: np.random.Generator, lore: Lore, text: str, mood: str, pitch: float, melody: float, rate: float
) -> list[Row]:
    """The score of a line: syllables of its words, an accent on some, a fall (or a rise) at the end."""
    syllables = [part for word in text.split() for part in SYLLABLE.findall(word) or [word]]
    height, swing, pace, _, air, *_ = lore.numbers("moods", mood)
    slope, rate, voiced = 0.16 * melody * swing, rate * pace, float(air < 1)
    rising = text.split()[0] in ("what", "is", "who", "did", "are", "where", "which") and rng.random() < 0.6
    rows: list[Row] = []
    for index, part in enumerate(syllables):
        done, accent = index / max(len(syllables) - 1, 1), rng.random() < 0.35
        lift = 1 + slope * (0.6 - done + 0.9 * accent + rng.normal(0, 0.3) + 1.6 * (rising and done > 0.8))
        hz = pitch * height * max(lift, 0.6)
        vowel = next((letter for letter in part if letter in "aeiouy"), "a")
        rows += _onset(lore, part[0], hz, voiced, vowel)
        length = (0.11 + 0.05 * accent + 0.06 * (done == 1)) / rate * rng.uniform(0.75, 1.3)
        loud = rng.uniform(0.75, 1.1) * (1.15 if accent else 0.9) * (1.05 - 0.25 * done)
        rows.append(_row(lore, length / 2, hz, loud * voiced, air * loud, 0, vowel))
        rows.append(
            _row(lore, length / 2, hz * (0.97 - 0.05 * (done == 1)), 0.85 * loud * voiced, air, 0, vowel)
        )
        if rng.random() < 0.12:
            rows.append(_row(lore, 0.06 / rate, hz, 0, 0.02, 0, vowel))
    return rows


def _scream(rng: np.random.Generator, lore: Lore, pitch: float, steps: int) -> list[Row]:
    """Up within a tenth of a second, held with a tremble, down at the end."""
    rows: list[Row] = []
    top = pitch * rng.uniform(2.3, 3.6)
    for step in range(steps):
        bend = min(0.65 + 0.2 * step, 1.0) * (1 - max(step / steps - 0.7, 0))
        hz = min(top * bend * rng.uniform(0.96, 1.04), 1100)
        rows.append(_row(lore, 0.07, hz, 1.0 - 0.5 * step / steps, 0.25, 0.05, "open"))
    return [*rows, _row(lore, 0.15, top * 0.6, 0, 0.2, 0, "open")]


def _laugh(rng: np.random.Generator, lore: Lore, pitch: float, voiced: float, bursts: int) -> list[Row]:
    """Bursts of "ha", each a little lower; a breath drawn in between runs."""
    rows: list[Row] = []
    high, beat = rng.uniform(1.3, 2.2), rng.uniform(0.16, 0.24)
    for burst in range(bursts):
        fade = 1 - 0.55 * (burst % 7) / 7
        hz = pitch * high * (1.1 - 0.05 * (burst % 7)) * rng.uniform(0.94, 1.06)
        vowel = "e" if burst % 3 == 0 else "open"
        rows.append(_row(lore, beat * 0.42, hz, 0, 0.28 * fade, 0.04, vowel))
        rows.append(
            _row(lore, beat * 0.58, hz * 0.93, voiced * fade, 0.25 * fade + 0.3 * (1 - voiced), 0, vowel)
        )
        if burst % 7 == 6:
            rows.append(_row(lore, 0.3, hz, 0, 0.35, 0.12, "air"))
    return rows


def gesture(rng: np.random.Generator, lore: Lore, kind: str, pitch: float) -> tuple[list[Row], float, float]:
    """The score of a sound without words, its level in dB and its roughness."""
    head, *rest = lore.tables["gestures"][kind].split(";")
    level, rough, voiced, least, most = map(float, head.split())
    times = int(rng.integers(int(least), int(most) + 1))
    if kind == "scream":
        return _scream(rng, lore, pitch, times), level, rough
    if not rest:
        return _laugh(rng, lore, pitch, voiced, times), level, rough
    pitch, slow = pitch * rng.uniform(0.85, 1.2), rng.uniform(0.8, 1.3)
    rows: list[Row] = []
    for *numbers, vowel in map(str.split, rest):
        seconds, height, *parts = map(float, numbers)
        rows.append(_row(lore, seconds * slow, pitch * height, parts[0], parts[1], parts[2], vowel))
    return rows * times, level, rough
