"""What is heard beside the voice: crowds, games, music, kitchens and streets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.synthetic.model import RATE_HZ, Pcm
from tests.synthetic.voice import scaled

_LOOP_S = 23.0  # a bed is this long and goes round; nobody hears it under everything else
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))


def noise(rng: np.random.Generator, duration_s: float, low_hz: float, high_hz: float) -> Pcm:
    """Noise between two frequencies with soft edges, at 0 dBFS mean power."""
    num = max(2, int(duration_s * RATE_HZ))
    frequency_hz = np.fft.rfftfreq(num, 1 / RATE_HZ)
    response = 1 / (1 + (low_hz / np.maximum(frequency_hz, 1.0)) ** 4) / (1 + (frequency_hz / high_hz) ** 4)
    return scaled(np.fft.irfft(np.fft.rfft(rng.standard_normal(num)) * response, num), 0.0)


def crowd(rng: np.random.Generator, duration_s: float, *, is_roaring: bool) -> Pcm:
    """Many voices at once: a murmur that comes and goes, or a roar that swells and falls."""
    sound = noise(rng, duration_s, 250.0, 2_600.0 if is_roaring else 1_100.0).astype(np.float64)
    at = np.linspace(0.0, 1.0, sound.size)
    if is_roaring:
        sound *= np.minimum(1.0, at / 0.08) * np.minimum(1.0, (1.0 - at) / 0.45)
        claps = rng.random(sound.size) < 30.0 / RATE_HZ
        sound += np.convolve(claps * rng.uniform(2, 5, sound.size), _decay(0.01), "same")
    else:
        knots = np.arange(0, duration_s + 3, 3.0)
        sound *= np.interp(at * duration_s, knots, rng.uniform(0.6, 1.4, knots.size))
    return scaled(sound, 0.0)


def applause(rng: np.random.Generator, duration_s: float) -> Pcm:
    """Hands, many of them, thinning out."""
    num = int(duration_s * RATE_HZ)
    at = np.linspace(0.0, 1.0, num)
    claps = (rng.random(num) < 300.0 / RATE_HZ * (1 - at)) * rng.uniform(0.5, 1.5, num)
    return scaled(np.convolve(claps * rng.standard_normal(num), _decay(0.006), "same"), 0.0)


def shot(rng: np.random.Generator) -> Pcm:
    """A weapon, a door, a thing that falls."""
    return scaled(noise(rng, 0.5, 120.0, float(rng.uniform(1_500, 6_000))) * _fall(0.5, 0.07), 0.0)


def explosion(rng: np.random.Generator, duration_s: float) -> Pcm:
    """A long low rumble with blows in it."""
    sound = noise(rng, duration_s, 30.0, 300.0).astype(np.float64)
    for at_s in np.cumsum(rng.exponential(0.9, int(duration_s * 2))):
        blow = noise(rng, 1.2, 40.0, 900.0) * _fall(1.2, 0.3) * 4.0
        first = int(at_s * RATE_HZ)
        if first + blow.size < sound.size:
            sound[first : first + blow.size] += blow
    return scaled(sound, 0.0)


def jingle(rng: np.random.Generator) -> Pcm:
    """Four notes that go up: what games play for a success."""
    root_hz = float(rng.uniform(300, 600))
    notes = [_note(root_hz * 2 ** (step / 12), 0.22, num_partials=4) for step in (0, 4, 7, 12)]
    return scaled(np.concatenate(notes), 0.0)


def music(rng: np.random.Generator, duration_s: float) -> Pcm:
    """Chords, a bass and a beat, at 0 dBFS mean power."""
    scale = _SCALES[int(rng.integers(2))]
    root_hz = float(rng.uniform(110, 220))
    beat_s = 60.0 / float(rng.uniform(75, 150))
    bars = []
    for degree in rng.choice([0, 3, 4, 5], size=8):
        bar = np.zeros(int(4 * beat_s * RATE_HZ))
        for third in (0, 2, 4):
            step = scale[(int(degree) + third) % 7] + 12 * ((int(degree) + third) // 7)
            bar += _note(root_hz * 2 ** (step / 12), 4 * beat_s, num_partials=6)[: bar.size]
        for beat in range(4):
            hit = noise(rng, 0.12, 60.0, 200.0 if beat % 2 == 0 else 6_000.0) * _fall(0.12, 0.04)
            first = int(beat * beat_s * RATE_HZ)
            bar[first : first + hit.size] += hit * 1.5
        bars.append(bar)
    return scaled(_round(np.concatenate(bars), duration_s), 0.0)


def bed(rng: np.random.Generator, genre: str, duration_s: float) -> Pcm:
    """What sounds all the time in a stream of that genre, at 0 dBFS mean power."""
    if genre == "music":
        return music(rng, duration_s)
    if genre == "gaming":
        loop = noise(rng, _LOOP_S, 80.0, 700.0) + 0.7 * music(rng, _LOOP_S)
    elif genre in ("talk", "cooking"):
        loop = noise(rng, _LOOP_S, 60.0, 400.0 if genre == "talk" else 5_000.0)
    elif genre == "irl":
        loop = crowd(rng, _LOOP_S, is_roaring=False) + noise(rng, _LOOP_S, 40.0, 300.0)
    else:
        loop = crowd(rng, _LOOP_S, is_roaring=False)
    knots = np.arange(0, duration_s + 20, 20.0)
    gain = np.interp(np.arange(int(duration_s * RATE_HZ)) / RATE_HZ, knots, rng.uniform(0.7, 1.3, knots.size))
    return scaled(_round(loop.astype(np.float64), duration_s) * gain, 0.0)


def _round(loop: npt.NDArray[np.float64], duration_s: float) -> npt.NDArray[np.float64]:
    num = int(duration_s * RATE_HZ)
    return np.tile(loop, -(-num // loop.size))[:num]


def _note(pitch_hz: float, duration_s: float, *, num_partials: int) -> npt.NDArray[np.float64]:
    at_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    sound = np.zeros(at_s.size)
    for partial in range(1, num_partials + 1):
        sound += np.sin(2 * np.pi * pitch_hz * partial * at_s) / partial**1.3
    return sound * np.exp(-at_s / (duration_s * 0.7)) * np.minimum(1.0, at_s / 0.01)


def _decay(length_s: float) -> npt.NDArray[np.float64]:
    return np.exp(-np.arange(int(5 * length_s * RATE_HZ)) / (length_s * RATE_HZ))


def _fall(duration_s: float, decay_s: float) -> npt.NDArray[np.float64]:
    return np.exp(-np.arange(int(duration_s * RATE_HZ)) / (decay_s * RATE_HZ))
