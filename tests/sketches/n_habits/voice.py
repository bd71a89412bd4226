"""Voices: talk, shouts, screams, laughter, gasps, groans, coughs and other sounds made at a microphone."""

from __future__ import annotations

import numpy as np

from tests.sketches.n_habits.habits import Rng, Track, Traits, nums, table
from tests.sketches.sketch import RATE_HZ, Sound

HOP, FRAME = 256, 512
FREQS = np.fft.rfftfreq(FRAME, 1 / RATE_HZ)
WINDOW = np.hanning(FRAME + 1)[:-1].astype(np.float32)
# the two lower formants (Hz) of a, e, i, o, u, the murmured vowel, open o, flat a; the upper two hardly move
LOWER = np.array(
    [[730, 1150], [520, 1850], [300, 2250], [480, 900], [330, 880], [510, 1450], [600, 950], [690, 1700]]
)
HISSES = np.array([[2500, 900], [4500, 1500], [6000, 1500], [1400, 900]])
Tracks = tuple[Track, Track, Track]


def add(sound: Sound, part: Sound, at_s: float, gain: float) -> None:
    first = max(int(at_s * RATE_HZ), 0)
    room = sound[first : first + len(part)]
    room += np.float32(gain) * part[: len(room)]


def smooth(values: Track, width: int) -> Track:
    """A mean over some neighbours, along the first axis."""
    padded = np.concatenate([values[:1].repeat(width // 2, 0), values, values[-1:].repeat(width // 2, 0)])
    parts = [padded[i : i + len(values)] for i in range(2 * (width // 2) + 1)]
    return np.asarray(np.mean(parts, axis=0))


class Throat:
    """One voice with its prepared spectra; renders sounds of about unit RMS where it sounds."""

    def __init__(self, voice: Traits) -> None:
        self.voice = voice
        # high voices mostly come from short throats
        tract = 0.88 + 0.27 * (voice["f0"] - 85) / 165 + voice["tract"]
        formants = np.concatenate([LOWER, np.full((8, 2), [2600, 3500])], axis=1)[:, None, :] * tract
        peaks = [1, 0.6, 0.32, 0.18] / (1 + ((FREQS[:, None] - formants) / [45, 55, 80, 110]) ** 2) ** 0.5
        self.vowels = peaks.sum(2) * (FREQS > 60)
        self.hisses = np.exp(-(((FREQS - HISSES[:, :1]) / HISSES[:, 1:]) ** 2) / 2)

    def render(self, rng: Rng, mode: str, length_s: float, effort: float = 0.0, syllables: int = 1) -> Sound:
        """The sound of one utterance: `mode` says of what sort, `effort` from -0.5 (hushed) to 1 (full)."""
        if mode in table("burst"):
            return _bursts(rng, mode, length_s)
        count = max(int(length_s * RATE_HZ / HOP), 6)
        vowel, hiss = np.zeros((count, 8)), np.zeros((count, 4))
        if mode in ("laugh", "wheeze"):
            pitch, voiced, breath = _laugh(rng, count, mode, effort)
            vowel[:, rng.choice([0, 1, 5, 7, 2])] = 1
        elif mode in ("scream", "groan", "gasp", "sigh", "cough"):
            pitch, voiced, breath = _held(rng, count, mode, self.voice["f0"])
            vowel[:, rng.choice([3, 4, 6, 5] if mode == "groan" else [0, 7, 1, 5])] = 1
        else:
            pitch, voiced, breath = self._talk(rng, mode, vowel, hiss, effort, max(syllables, 1))
        hush = float(np.clip(-1.6 * effort, 0, 0.8))  # a hushed voice is mostly breath
        breath = breath + (hush * 0.5 + self.voice["breath"] * (1 - hush)) * voiced
        air = breath[:, None] * 0.5 * (colour := smooth(vowel, 3) @ self.vowels) + 0.22 * hiss @ self.hisses
        # the louder, the brighter
        tilt = (1 + FREQS / 700) ** -(self.voice["tilt"] * (1 - 0.65 * np.clip(effort, -0.5, 1.1)))
        return self._fill(rng, pitch, (voiced * (1 - hush))[:, None] * colour * tilt, air, max(effort, 0.1))

    def _talk(self, rng: Rng, mode: str, vowel: Track, hiss: Track, effort: float, num: int) -> Tracks:
        """Syllables of uneven length and stress, some begun by a hiss or a burst; sung ones keep to notes."""
        count, lively = len(vowel), self.voice["lively"]
        sizes = rng.gamma(5, 1, num) + 0.5
        sizes[-1] *= 1.6  # the last syllable is drawn out
        edges = np.concatenate([[0], np.cumsum(sizes) / sizes.sum()]) * (count - 1)
        which = np.clip(np.searchsorted(edges, np.arange(count), "right") - 1, 0, num - 1)
        part = np.clip((np.arange(count) - edges[which]) / (edges[which + 1] - edges[which]), 0, 1)
        stress = np.where(rng.random(num) < 0.35, 1.0, rng.uniform(0.45, 0.8, num))
        onset = rng.choice(3, num, p=[0.4, 0.35, 0.25])[which]
        hissed = (part < 0.28) & (onset == 1)
        swell = stress[which] * np.clip(0.12 + 1.3 * np.sin(np.pi * part), 0, 1)
        voiced = smooth(swell, 3) * (1 - 0.85 * hissed)
        burst = (part < 0.1) & (onset == 2)
        hiss[np.arange(count), rng.integers(0, 4, num)[which]] = 0.3 * hissed + 0.4 * burst
        vowel[np.arange(count), rng.integers(0, 8, num)[which]] = 1
        if mode == "sing":
            notes = np.clip(np.cumsum(rng.choice([-4, -2, -1, 0, 2, 2, 3], num)), -5, 9)[which]
            vibrato = 0.018 * np.sin(2 * np.pi * 5.4 * np.arange(count) * HOP / RATE_HZ)
            return 1.3 * 2 ** (notes / 12) * (1 + vibrato), np.maximum(voiced, 0.5), np.zeros(count)
        accent = 1.4 * lively * (1 + 1.2 * max(effort, 0)) * (stress - 0.6) + rng.normal(0, lively * 0.3, num)
        fall = np.linspace(0.5, -0.5, count) * lively * rng.choice([1, 1, 1, -0.8])
        return (1 + 0.75 * max(effort, 0)) * np.exp(smooth(accent[which], 7) + fall), voiced, np.zeros(count)

    def _fill(self, rng: Rng, pitch: Track, buzz: Track, air: Track, effort: float) -> Sound:
        """From tracks of pitch, strength and colour to sound: a buzz and noise, each shaped frame by frame."""
        count = len(pitch)
        size = (count + 1) * HOP
        knots = np.arange(0, size + 90, 90)
        rough = 1 + self.voice["rough"] * effort * 0.12 * rng.normal(0, 1, len(knots))
        hertz = np.interp(np.arange(size), np.arange(count) * HOP, pitch * self.voice["f0"])
        phase = np.cumsum(hertz * np.interp(np.arange(size), knots, rough) / RATE_HZ) % 1.0
        saw = (2 * phase - 1).astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(saw, FRAME)[::HOP]
        spectrum = np.fft.rfft(frames * WINDOW, axis=1) * buzz.astype(np.float32)
        noise = rng.standard_normal((count, len(FREQS), 2), dtype=np.float32).view(np.complex64)[..., 0] * 6
        pieces = np.fft.irfft(spectrum + noise * air.astype(np.float32), FRAME, axis=1).astype(np.float32)
        sound = np.zeros(size, np.float32)
        sound[:-HOP] += pieces[:, :HOP].ravel()
        sound[HOP:] += pieces[:, HOP:].ravel()
        power = np.sort(np.square(sound[: count * HOP]).reshape(count, HOP).mean(1))
        return sound / np.float32(np.sqrt(power[count // 2 :].mean() + 1e-12))


def _laugh(rng: Rng, count: int, mode: str, effort: float) -> Tracks:
    """Bursts of ha: voiced, then breath, sinking in pitch and strength over a bout; a breath between bouts."""
    time = np.arange(count) * HOP / RATE_HZ
    part = (time * rng.uniform(4, 6.2) * np.exp(-0.05 * time)) % 1
    bout = rng.uniform(1.1, 2.6)
    inside = (time % bout) / bout
    voiced = smooth((part < 0.5) * np.sin(2 * np.pi * part) * (1 - 0.6 * inside) * (inside < 0.85), 3)
    breath = np.where(part >= 0.5, 0.35, 0.1) * (1 - 0.5 * inside) + (inside > 0.88) * 0.5
    pitch = (1.25 + 0.7 * max(effort, 0) + rng.normal(0, 0.12)) * np.exp(-0.35 * inside)
    return (pitch * 1.3, voiced * 0.25, breath * 1.5) if mode == "wheeze" else (pitch, voiced, breath)


def _held(rng: Rng, count: int, mode: str, f0: float) -> Tracks:
    """One long sound: a scream rises and holds, a groan sinks; a gasp, a sigh, a cough are mostly breath."""
    part = np.linspace(0, 1, count)
    trill = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(4, 7) * part * count * HOP / RATE_HZ)
    held = np.minimum(1, part * count / 4) * np.clip((1 - part) * rng.uniform(2, 6), 0, 1)
    if mode == "scream":
        high = rng.uniform(1.7, 2.9) * (1 if f0 > 150 else 1.25)
        return high * trill * (0.75 + 0.3 * np.sin(np.pi * part ** rng.uniform(0.4, 0.9))), held, 0.12 * held
    if mode == "groan":
        return rng.uniform(0.95, 1.3) * trill * np.exp(-rng.uniform(0.2, 0.6) * part), held, 0.1 * held
    if mode == "gasp":
        breath = part**0.5 * np.clip((1 - part) * 6, 0, 1)
        return trill, 0.05 * breath, breath
    if mode == "sigh":
        breath = np.clip(part * 8, 0, 1) * (1 - part) ** 1.5
        return np.exp(-0.4 * part), breath * rng.uniform(0, 0.5), breath
    blow = (part * rng.integers(1, 5) % 1) * rng.uniform(1, 1.6)
    blow = np.exp(-blow * 7) * (blow < 1)
    return 0.9 + 0.3 * blow, 0.5 * blow, 2 * blow


def _bursts(rng: Rng, mode: str, length_s: float) -> Sound:
    """Thumps on the desk or the microphone, a dog's barks, claps of hands."""
    one_s, low, high, fall, noise, noise_fall, gap_s, loud = nums(table("burst")[mode][0])
    sound = np.zeros(int(length_s * RATE_HZ) + 1, np.float32)
    time = np.arange(int(one_s * RATE_HZ)) / RATE_HZ
    pitch, at = rng.uniform(low, high), 0.0
    while at < length_s:
        phase = np.cumsum(pitch * (1.2 - 1.5 * time) / RATE_HZ) % 1
        tone = 2 * phase - 1 if mode == "bark" else np.sin(2 * np.pi * phase)
        hit = noise * rng.standard_normal(len(time)) * np.exp(-time * noise_fall)
        add(sound, (tone * np.exp(-time * fall) + hit).astype(np.float32), at, loud)
        at += gap_s * rng.uniform(0.6, 1.8)
    return sound
