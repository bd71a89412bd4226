"""Voices of a stream from a workshop: talk, shouts, laughs, gasps, barks, as syllables through formants."""

import re
from typing import NamedTuple

import numpy as np

from tests.sketches.j_workshop.words import TABLES, Curve, Rng
from tests.sketches.sketch import RATE_HZ, Sound

HOP = 256
_SIZE = 2 * HOP
_HZ = np.fft.rfftfreq(_SIZE, 1.0 / RATE_HZ).astype(np.float32)
_WINDOW = np.sqrt(np.hanning(_SIZE + 1)[:-1]).astype(np.float32)
_VOWELS = {name: np.array(numbers, float) for name, numbers in TABLES["vowels"].items()}
_MOUTHS = np.stack(list(_VOWELS.values()))
STYLES = {name: np.array(numbers, float) for name, numbers in TABLES["styles"].items()}


class Voice(NamedTuple):
    """One throat."""

    f0_hz: float
    lively: float
    formants: float
    syllables_hz: float
    breath: float


def blend(manner: str, heat: float, limit: float) -> Curve:
    """A way to speak by somebody cooler (heat below 1) or hotter, its level held down by a limiter."""
    style = STYLES[manner]
    if style[5] > 0.0:
        style = STYLES["talk"] + heat * (style - STYLES["talk"])
    return np.append(style[:5], style[5] * limit)


def _render(rng: Rng, syllables: Curve, vowels: Curve, manner: tuple[float, ...]) -> Sound:
    """Sound of syllables: a saw and breath, shaped by moving formants.

    The rows of syllables: length, share that is consonant, its noise (0 voiced to 1) and hiss in Hz,
    pitch, what the pitch glides to, level. The manner: tilt, breath, roughness, level in dB over talk.
    """
    tilt, breath, rough, gain_db = manner
    # A loud mouth is a wide mouth: its first formant rises.
    vowels = vowels * np.array([1.0 + 0.02 * max(0.0, gain_db), 1.0, 1.0])
    ends = np.cumsum(syllables[0])
    num = max(4, int(np.ceil(ends[-1] * RATE_HZ / HOP)))
    at = (np.arange(num) + 0.5) * HOP / RATE_HZ
    index = np.minimum(np.searchsorted(ends, at), ends.size - 1)
    length, share, noise, hiss, pitch, slide, level = syllables[:, index]
    inside = np.clip(1.0 - (ends[index] - at) / length, 0.0, 1.0)
    onset = inside < share
    hump = np.sin(np.pi * np.clip(0.12 + 0.88 * inside, 0.0, 1.0)) ** 0.7 * level
    noise = np.where(onset, noise, breath)
    smooth = np.array([0.25, 0.5, 0.25])
    voiced = np.convolve(hump * np.where(onset, 0.5 * (1.0 - noise), 1.0), smooth, "same")
    hissed = np.convolve(hump * noise * np.where(onset, 0.55, 0.4), smooth, "same")
    f0 = np.convolve(np.pad(pitch * slide**inside, 3, mode="edge"), np.ones(7) / 7.0, "valid")
    f0 *= 1.0 + 0.012 * rng.standard_normal(num) + 0.05 * rough * rng.standard_normal(num)
    ticks = np.arange((num + 1) * HOP) / HOP - 1.0
    phase = np.cumsum(np.interp(ticks, np.arange(num), f0)) / RATE_HZ
    # A hoarse throat sounds every second pulse weaker.
    saw = (2.0 * (phase % 1.0) - 1.0) * (1.0 - 0.45 * rough * (phase % 2.0 < 1.0))
    source = np.interp(ticks, np.arange(num), voiced) * saw
    source += np.interp(ticks, np.arange(num), hissed) * rng.standard_normal(ticks.size)
    windows = np.lib.stride_tricks.sliding_window_view(source.astype(np.float32), _SIZE)[::HOP]
    spectra = np.fft.rfft(windows * _WINDOW) * _shape(vowels[index], np.where(onset, hiss, 0.0), tilt)
    pieces = np.fft.irfft(spectra).astype(np.float32) * _WINDOW
    out = np.zeros((pieces.shape[0] + 1, HOP), np.float32)
    out[:-1] += pieces[:, :HOP]
    out[1:] += pieces[:, HOP:]
    # The level is that of the sounding part, pauses left out.
    loud = np.sort(np.square(out).mean(1))[out.shape[0] // 3 :].mean()
    return out.reshape(-1) * np.float32(10.0 ** (gain_db / 20.0) / np.sqrt(loud + 1e-12))


def _shape(vowels: Curve, hiss: Curve, tilt: float) -> Sound:
    """Gain of each frame and frequency: three formants, or the hiss of a consonant."""
    gain = np.full((hiss.size, _HZ.size), 0.015, np.float32)
    for row, width, peak in zip(vowels.T, (90.0, 130.0, 220.0), (1.0, 0.6, 0.3), strict=True):
        centre = np.convolve(np.pad(row, 2, mode="edge"), np.ones(5) / 5, "valid").astype(np.float32)
        gain += np.float32(peak) / (1.0 + ((_HZ - centre[:, None]) / np.float32(width)) ** 2)
    some = hiss > 0.0
    gain[some] = 0.22 / (1.0 + ((_HZ - hiss[some, None]) / 1400.0) ** 2)
    gain *= np.clip(_HZ / 700.0, 0.2, 5.0) ** tilt * (_HZ > 70.0)
    return gain


def _counted(text: str) -> list[int]:
    """Syllables of each word, near enough."""
    return [max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e\W*$", "", word)))) for word in text.split()]


def speak(rng: Rng, voice: Voice, text: str, style: Curve) -> Sound:
    """The words said in a style; RMS 1 is plain talk."""
    pitch, swing, haste, breath, tilt, gain_db = style
    counts = _counted(text)
    num = sum(counts)
    words = np.repeat(np.arange(len(counts)), counts)
    stress = rng.random(num) < 0.32
    commas = np.array([word.endswith(",") for word in text.split()])
    length = rng.lognormal(0.0, 0.25, num) / (voice.syllables_hz * haste) * np.where(stress, 1.25, 0.92)
    length[-1] *= 1.5
    # A shout is drawn out on its stressed vowels.
    length *= np.where(stress & (gain_db > 8.0), rng.uniform(1.2, 2.2), 1.0)
    pause = np.r_[words[1:] != words[:-1], True] & commas[words]
    fall = np.linspace(0.12, -0.14, num)
    semis = 12.0 * voice.lively * swing * (fall + 0.16 * stress + rng.normal(0.0, 0.07, num))
    semis[-1] += rng.choice([-2.0, -3.0, 2.5])
    kind = rng.random(num)
    rows = [
        np.where(pause, length + rng.uniform(0.1, 0.35), length),
        rng.uniform(0.18, 0.42, num),
        np.where(kind < 0.45, rng.uniform(0.6, 1.0, num), 0.08),
        np.where(kind < 0.3, rng.uniform(2500.0, 6500.0, num), 0.0),
        voice.f0_hz * pitch * 2.0 ** (semis / 12.0),
        rng.uniform(0.9, 1.04, num),
        rng.lognormal(0.0, 0.2, num) * np.where(stress, 1.3, 0.9) * np.linspace(1.1, 0.75, num),
    ]
    vowels = _MOUTHS[rng.integers(0, 6, num)] * voice.formants
    manner = (tilt, min(0.9, voice.breath + breath), 0.5 * (tilt > 0.7), gain_db)
    return _render(rng, np.stack(rows), vowels, manner)


def vocal(rng: Rng, voice: Voice, name: str, heat: float) -> Sound:
    """A sound without words: laugh, gasp, scream, cough, or a pet's."""
    counts, *rest, vowel = TABLES["vocals"][name]
    each, start, end, fade, share, breath, tilt, gain = (float(part) for part in rest)
    low, high = (int(part) for part in counts.split(","))
    num = int(rng.integers(low, high + 1))
    if name == "laugh":
        num = max(3, round(num * (0.5 + 0.6 * heat)))
    ramp = np.linspace(0.0, 1.0, num)
    drift = start + (end - start) * ramp
    rows = [
        each * rng.uniform(0.8, 1.3) * rng.lognormal(0.0, 0.12, num),
        np.full(num, share),
        np.ones(num),
        np.zeros(num),
        voice.f0_hz * drift * rng.lognormal(0.0, 0.06, num),
        # One long call glides; the parts of a laugh only sink a little each.
        np.full(num, end / start if num == 1 else 0.9),
        fade**ramp,
    ]
    vowels = np.tile(_VOWELS[vowel] * voice.formants, (num, 1))
    manner = (tilt, breath, 0.5 * tilt * (tilt > 0.5), gain + 6.0 * (heat - 1.0))
    return _render(rng, np.stack(rows), vowels, manner)
