"""Sounds in which nobody speaks: float32, mono, 16,000 Hz. The same seed gives the same sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

_RATE_HZ = 16_000
_SECONDS = 12


def _coloured(random: np.random.Generator, exponent: float) -> np.ndarray:
    num = _SECONDS * _RATE_HZ
    frequencies = np.fft.rfftfreq(num, 1 / _RATE_HZ)
    frequencies[0] = 1.0
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(num)) / frequencies**exponent, num)
    return noise / np.abs(noise).max() * 0.7


def _bursts(
    random: np.random.Generator, *, per_s: int, decay: tuple[float, float], level: tuple[float, float]
) -> np.ndarray:
    sound = 0.02 * random.standard_normal(_SECONDS * _RATE_HZ)
    for at in random.integers(0, sound.size - 4_000, _SECONDS * per_s):
        fade = np.exp(-np.arange(4_000) / random.uniform(*decay))
        sound[at : at + 4_000] += random.uniform(*level) * random.standard_normal(4_000) * fade
    return sound


def _music(random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(_SECONDS * _RATE_HZ)
    beat = _RATE_HZ // 2
    time_s = np.arange(beat) / _RATE_HZ
    for start in range(0, sound.size - beat + 1, beat):
        for pitch_hz in random.choice([220, 261.6, 329.6, 392, 440], 3, replace=False):
            tone = sum(
                np.sin(2 * np.pi * pitch_hz * harmonic * time_s) / harmonic for harmonic in (1, 2, 3, 4)
            )
            sound[start : start + beat] += 0.08 * tone * np.exp(-3 * time_s)
        sound[start : start + 2_000] += 0.3 * random.standard_normal(2_000) * np.exp(-np.arange(2_000) / 300)
    return sound


def _cheer(random: np.random.Generator) -> np.ndarray:
    num = _SECONDS * _RATE_HZ
    band = np.exp(-(((np.fft.rfftfreq(num, 1 / _RATE_HZ) - 900) / 600) ** 2))
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(num)) * band, num)
    return noise / np.abs(noise).max() * 0.8 * (0.3 + 0.7 * np.abs(np.sin(0.15 * np.arange(num) / _RATE_HZ)))


def laughter(seed: int, pitch_hz: float) -> np.ndarray:
    """Bursts of a voice, five a second, that fall in pitch, with breath between; 5 to 9 of them a laugh."""
    random = np.random.default_rng(seed)
    sound = np.zeros(_SECONDS * _RATE_HZ)
    start_s = 0.5
    while start_s < _SECONDS - 2.5:
        for number in range(int(random.integers(5, 10))):
            at, length = int((start_s + number * 0.19) * _RATE_HZ), _RATE_HZ // 10
            fall = 1 - 0.8 * np.arange(length) / _RATE_HZ
            base_hz = pitch_hz * (1 - 0.03 * number) * random.uniform(0.95, 1.05)
            phase = 2 * np.pi * np.cumsum(base_hz * fall) / _RATE_HZ
            for harmonic in range(1, 20):
                formants = np.exp(-(((harmonic * base_hz - 800) / 700) ** 2))
                formants += 0.6 * np.exp(-(((harmonic * base_hz - 1_300) / 500) ** 2))
                voice = 0.25 * np.sin(harmonic * phase) * formants * np.hanning(length)
                sound[at : at + length] += voice
            breath = sound[at + length : at + length + int(0.07 * _RATE_HZ)]
            breath += 0.03 * random.standard_normal(breath.size)
        start_s += random.uniform(2.0, 3.5)
    return np.clip(sound, -1, 1).astype(np.float32)


_MAKERS: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = {
    "silence": lambda _random: np.zeros(_SECONDS * _RATE_HZ),
    "white noise": lambda random: 0.1 * random.standard_normal(_SECONDS * _RATE_HZ),
    "hiss at -80 dB": lambda random: 1e-4 * random.standard_normal(_SECONDS * _RATE_HZ),
    "pink noise": lambda random: _coloured(random, 0.5),
    "brown noise": lambda random: _coloured(random, 1.0),
    "rain": lambda random: _bursts(random, per_s=180, decay=(15, 80), level=(0.02, 0.3)),
    "gunfire": lambda random: _bursts(random, per_s=3, decay=(700, 1_000), level=(0.3, 1.0)),
    "music": _music,
    "a crowd": _cheer,
    "clipped noise": lambda random: 5 * random.standard_normal(_SECONDS * _RATE_HZ),
    "clipped music": lambda random: 20 * _music(random),
    "a constant": lambda _random: np.full(_SECONDS * _RATE_HZ, 0.5),
}
NAMES = tuple(_MAKERS)


def noise(name: str, seed: int = 3) -> np.ndarray:
    """One of `NAMES`."""
    return np.clip(_MAKERS[name](np.random.default_rng(seed)), -1, 1).astype(np.float32)
