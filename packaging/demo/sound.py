"""What the match sounds like: crowd, cheers, horn, music, jingle and beeps, made of numbers.

Every function returns float32 at 48,000 Hz in [-1, 1]; a loop's end fits its start. Same seed, same sound.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
Samples = npt.NDArray[np.float32]

# A song of four chords, as semitones from A3.
_CHORDS = ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5))
_JINGLE = (0, 4, 7, 12, 7, 12)
_BEAT_S = 0.45


def crowd(length_s: float, seed: int) -> Samples:
    """A loop of many people talking: noise shaped like far voices. Shape (num_samples, 2), RMS 1/10."""
    chance = np.random.default_rng([seed, 1])
    sides = [_noise(length_s, chance, low_hz=150.0, high_hz=1_800.0) for _ in range(2)]
    return _at_rms(np.stack(sides, axis=1), 0.1)


def cheer(length_s: float, seed: int) -> Samples:
    """A loop of many people shouting for joy. Shape (num_samples, 2), RMS 1/10."""
    chance = np.random.default_rng([seed, 2])
    sides = []
    for _ in range(2):
        roar = _noise(length_s, chance, low_hz=400.0, high_hz=3_500.0)
        sides.append(roar / np.std(roar) + _voices(length_s, chance))
    return _at_rms(np.stack(sides, axis=1), 0.1)


def horn() -> Samples:
    """The horn after a goal, 1.2 s. Shape (num_samples, 2), peak 0.3."""
    at_s = _times(1.2)
    tones = sum(_saw(at_s, hertz) for hertz in (233.1, 277.2, 349.2))
    return _both(_at_peak(np.asarray(tones) * _fade(len(at_s), 0.03, 0.2), 0.3))


def music(length_s: float, seed: int) -> Samples:
    """A loud dance tune: chords, bass, drum and hat. Shape (num_samples, 2), RMS 1/10."""
    chance = np.random.default_rng([seed, 3])
    at_s = _times(length_s)
    beat = np.floor(at_s / _BEAT_S).astype(int)
    since_beat_s = at_s - beat * _BEAT_S
    semitones = np.asarray(_CHORDS)[(beat // 2) % len(_CHORDS)]
    chord = sum(np.sign(_sine(220.0 * 2 ** (semitones[:, voice] / 12))) for voice in range(3))
    bass = _saw(at_s, 55.0 * 2 ** (semitones[:, 0] / 12))
    drum = np.sin(2 * np.pi * 60.0 * since_beat_s) * np.exp(-since_beat_s / 0.08)
    hat_s = (at_s + _BEAT_S / 2) % _BEAT_S
    hat = chance.standard_normal(len(at_s)) * np.exp(-hat_s / 0.02)
    tune = 0.12 * np.asarray(chord) * np.exp(-since_beat_s / 0.3) + 0.35 * bass + 0.9 * drum + 0.12 * hat
    return _both(_at_rms(tune * _fade(len(at_s), 0.05, 0.5), 0.1))


def jingle() -> Samples:
    """The advert's six bells, 1.5 s. Shape (num_samples, 2), peak 0.4."""
    at_s = _times(1.5)
    bells = np.zeros(len(at_s))
    for index, semitone in enumerate(_JINGLE):
        since_s = at_s - index * 0.16
        ring = np.where(since_s >= 0, np.exp(-np.maximum(since_s, 0) / 0.3), 0.0)
        hertz = 880.0 * 2 ** (semitone / 12)
        bells += ring * (np.sin(2 * np.pi * hertz * since_s) + 0.4 * np.sin(2 * np.pi * 3 * hertz * since_s))
    return _both(_at_peak(bells * _fade(len(at_s), 0.0, 0.1), 0.4))


def beep() -> Samples:
    """1 kHz for 50 ms, at full force from its first sample on. Shape (num_samples, 2), peak 0.5."""
    at_s = _times(0.05)
    return _both((0.5 * np.sin(2 * np.pi * 1_000.0 * at_s)).astype(np.float32))


def room_noise(length_s: float, seed: int) -> Samples:
    """A loop of a microphone's own noise. Shape (num_samples, 2), RMS 1/10."""
    chance = np.random.default_rng([seed, 4])
    return _both(_at_rms(_noise(length_s, chance, low_hz=80.0, high_hz=7_000.0), 0.1))


def _times(length_s: float) -> npt.NDArray[np.float64]:
    return np.arange(round(length_s * RATE_HZ)) / RATE_HZ


def _noise(
    length_s: float, chance: np.random.Generator, *, low_hz: float, high_hz: float
) -> npt.NDArray[np.float64]:
    """Noise of one band whose loudness wavers slowly. Made in the spectrum, so it loops without a seam."""
    num_samples = round(length_s * RATE_HZ)
    hertz = np.fft.rfftfreq(num_samples, 1 / RATE_HZ)
    phases = np.exp(2j * np.pi * chance.random(len(hertz)))
    shape = 1.0 / (1.0 + (low_hz / np.maximum(hertz, 1.0)) ** 4) / (1.0 + (hertz / high_hz) ** 4)
    shape /= np.sqrt(np.maximum(hertz, 20.0))
    carrier = np.fft.irfft(phases * shape, num_samples)
    slow = np.where((hertz > 0) & (hertz < 2.5), phases[::-1], 0.0)
    waver = np.fft.irfft(slow, num_samples)
    return np.asarray(carrier * np.exp(0.25 * waver / np.std(waver)))


def _voices(length_s: float, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    """Sixteen people holding an open vowel: harmonics of gliding pitches under two formants. Loops."""
    at_s = _times(length_s)
    total = np.zeros(len(at_s), np.float32)
    for _ in range(16):
        pitch_hz = round(chance.uniform(160, 420) * length_s) / length_s
        glide = 2.0 * np.sin(2 * np.pi * (at_s / length_s * chance.integers(1, 9) + chance.random()))
        swell = 0.8 * np.sin(2 * np.pi * (at_s / length_s * chance.integers(1, 5) + chance.random()))
        # Whole turns are cut off first, so that 32 bits are enough: a quarter of the time of 64.
        phase = (2 * np.pi * (pitch_hz * at_s % 1.0) + glide).astype(np.float32)
        voice = np.zeros_like(total)
        for harmonic in range(1, 7):
            hertz = pitch_hz * harmonic
            formant = math.exp(-(((hertz - 750) / 300) ** 2)) + 0.7 * math.exp(
                -(((hertz - 1_250) / 350) ** 2)
            )
            voice += np.float32(formant + 0.05) * np.sin(np.float32(harmonic) * phase)
        total += voice * (1.0 + swell).astype(np.float32)
    return np.asarray(total / np.std(total), dtype=np.float64)


def _sine(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ))


def _saw(at_s: npt.NDArray[np.float64], hertz: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A soft saw of six harmonics."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, at_s.shape)) / RATE_HZ
    return np.asarray(sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 7)))


def _fade(num_samples: int, in_s: float, out_s: float) -> npt.NDArray[np.float64]:
    """1 in the middle, rising from and falling to 0 at the ends."""
    at_s = np.arange(num_samples) / RATE_HZ
    rise = np.minimum(1.0, at_s / in_s) if in_s else np.ones(num_samples)
    return np.asarray(rise * np.minimum(1.0, at_s[::-1] / out_s))


def _at_rms(sound: npt.NDArray[np.float64], rms: float) -> Samples:
    return np.asarray(sound * (rms / np.sqrt(np.mean(np.square(sound)))), dtype=np.float32)


def _at_peak(sound: npt.NDArray[np.float64], peak: float) -> Samples:
    return np.asarray(sound * (peak / np.max(np.abs(sound))), dtype=np.float32)


def _both(sound: Samples) -> Samples:
    return np.stack([sound, sound], axis=1)
