"""Sounds of every kind a stream may hold, made up from a seed: speech-like, music, bursts, quiet, loud, broken.

Each is stereo float32 at 48 kHz, shape (2, num_samples); those that clip say so by passing 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
Sound = npt.NDArray[np.float32]
_Mono = npt.NDArray[np.float64]


def _times(duration_s: float) -> _Mono:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def _noise(num_samples: int, seed: int, *, low_hz: float = 20.0, high_hz: float = 20_000.0) -> _Mono:
    """Noise of one band, RMS 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(num_samples))
    hz = np.fft.rfftfreq(num_samples, 1 / RATE_HZ)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    noise = np.fft.irfft(spectrum, num_samples)
    return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-12))


def _db(level_db: float) -> float:
    return float(10 ** (level_db / 20))


def _stereo(left: _Mono, right: _Mono | None = None) -> Sound:
    return np.stack([left, left if right is None else right]).astype(np.float32)


def _loops(t: _Mono, period_s: float, share: float) -> _Mono:
    """1 for the first share of each period, with edges of 10 ms."""
    phase = t % period_s
    on = (phase < share * period_s).astype(float)
    edge = np.hanning(960)
    return np.convolve(on, edge / edge.sum(), mode="same")


def speech(duration_s: float = 6.0, seed: int = 1, level_db: float = -20.0, *, pauses: float = 0.3) -> Sound:
    """A buzz of changing pitch in syllables of uneven strength, with pauses: the envelope of speech, not its sense."""
    t = _times(duration_s)
    random = np.random.default_rng(seed)
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.7 * t + seed)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = sum((np.sin(k * phase) / k ** (1.2 if k < 8 else 2.0) for k in range(1, 24)), np.zeros_like(t))
    strengths = random.lognormal(0.0, 0.6, int(duration_s * 5) + 2)
    syllable = np.interp(t * 5, np.arange(strengths.size), strengths) * np.abs(np.sin(np.pi * 5 * t)) ** 1.5
    spoken = voice * syllable * _loops(t, 2.0, 1 - pauses) + 0.02 * _noise(t.size, seed)
    return _stereo(spoken / np.sqrt(np.mean(spoken**2)) * _db(level_db))


def music(duration_s: float = 6.0, seed: int = 1, level_db: float = -16.0) -> Sound:
    """Chords and a drum, wide in stereo."""
    t = _times(duration_s)
    random = np.random.default_rng(seed)
    roots_hz = random.choice([110.0, 130.8, 146.8, 164.8, 196.0], int(duration_s) + 2)
    root_hz = roots_hz[(t).astype(int)]
    phase = 2 * np.pi * np.cumsum(root_hz) / RATE_HZ
    chord = sum((np.sin(ratio * phase) / ratio for ratio in (1, 1.25, 1.5, 2, 3)), np.zeros_like(t))
    drum = np.exp(-(t % 0.5) * 25) * np.sin(2 * np.pi * 60 * t) * 3
    hat = np.exp(-((t + 0.25) % 0.5) * 60) * _noise(t.size, seed, low_hz=6000)
    left, right = chord + drum + 0.5 * hat, 0.8 * chord + drum + 0.6 * np.roll(hat, 400)
    scale = _db(level_db) / np.sqrt(np.mean(left**2))
    return _stereo(left * scale, right * scale)


def shots(duration_s: float = 6.0, seed: int = 1, level_db: float = -6.0, every_s: float = 1.0) -> Sound:
    """Gunfire: bursts of noise that die within 80 ms, over a quiet room."""
    t = _times(duration_s)
    burst = np.exp(-((t + 0.3) % every_s) * 40) * _noise(t.size, seed)
    return _stereo(burst * _db(level_db) + _db(-55) * _noise(t.size, seed + 1))


def dynamic(duration_s: float = 8.0, seed: int = 1, span_db: float = 30.0) -> Sound:
    """Whispered for most of the time, then shouted."""
    sound = speech(duration_s, seed, -20.0)
    t = _times(duration_s)
    is_loud = t > 0.75 * duration_s
    return np.asarray(sound * np.where(is_loud, 1.0, _db(-span_db)), np.float32)


def tone(duration_s: float = 3.0, hz: float = 997.0, level_db: float = -20.0) -> Sound:
    """A sine, as meters are checked with."""
    return _stereo(np.sqrt(2) * _db(level_db) * np.sin(2 * np.pi * hz * _times(duration_s)))


def noise(duration_s: float = 5.0, seed: int = 1, level_db: float = -20.0, *, low_hz: float = 20.0) -> Sound:
    """Noise, another one on each side."""
    count = round(duration_s * RATE_HZ)
    scale = _db(level_db)
    return _stereo(
        _noise(count, seed, low_hz=low_hz) * scale, _noise(count, seed + 50, low_hz=low_hz) * scale
    )


def square(duration_s: float = 4.0, hz: float = 440.0, level_db: float = -10.0) -> Sound:
    """A square wave, whose curve swings far beyond its samples."""
    return _stereo(_db(level_db) * np.sign(np.sin(2 * np.pi * hz * _times(duration_s) + 0.1)))


def between_samples(duration_s: float = 4.0) -> Sound:
    """A quarter of the rate, sampled beside its peaks: 3 dB more than any sample shows."""
    count = np.arange(round(duration_s * RATE_HZ))
    return _stereo(0.7 * np.sin(np.pi / 2 * count + np.pi / 4) * (0.5 + 0.5 * np.sin(count / 9000)))


def clipped(seed: int = 1) -> Sound:
    """Speech that was recorded far too loud."""
    return np.clip(speech(6.0, seed, 2.0), -1, 1)


def click(duration_s: float = 5.0) -> Sound:
    """One click in digital silence: no gain that anybody could bear makes it loud."""
    sound = np.zeros((2, round(duration_s * RATE_HZ)), np.float32)
    sound[:, 100_000:100_024] = 0.5
    return sound


def taps(duration_s: float = 10.0, every_s: float = 2.5) -> Sound:
    """Knocks of a few milliseconds on a desk, far apart, in a quiet room."""
    t = _times(duration_s)
    phase = (t + 0.6) % every_s
    return _stereo(
        0.4 * np.exp(-phase * 250) * np.sin(2 * np.pi * 310 * phase) + _db(-62) * _noise(t.size, 3)
    )


def shout(duration_s: float = 10.0) -> Sound:
    """One shout, and digital silence around it."""
    sound = np.zeros((2, round(duration_s * RATE_HZ)), np.float32)
    sound[:, 4 * RATE_HZ : 4 * RATE_HZ + 38_400] = speech(0.8, 5, -14.0, pauses=0.0)
    return sound


def whisper(duration_s: float = 8.0) -> Sound:
    """Syllables of breath, hardly above what counts as silence."""
    t = _times(duration_s)
    breath = (
        _noise(t.size, 6, low_hz=1500, high_hz=9000) * np.abs(np.sin(np.pi * 4 * t)) * _loops(t, 2.0, 0.6)
    )
    return _stereo(_db(-55) * breath)


def film(duration_s: float = 6.0) -> Sound:
    """5.1: speech in the middle, music around it, and a rumble as loud as it goes on the track for that."""
    sound = np.zeros((6, round(duration_s * RATE_HZ)), np.float32)
    sound[:2], sound[2], sound[4:] = music(duration_s, 4, -30.0), speech(duration_s, 4, -26.0)[0], 0.01
    sound[3] = 0.98 * np.sin(2 * np.pi * 40 * _times(duration_s))
    return sound


def phone(duration_s: float = 6.0) -> Sound:
    """Speech as a telephone gives it: one channel, 8,000 samples a second, shape (1, num_samples)."""
    spectrum = np.fft.rfft(speech(duration_s, 11, -24.0)[:1])
    hz = np.fft.rfftfreq(round(duration_s * RATE_HZ), 1 / RATE_HZ)
    spectrum[:, (hz < 300) | (hz > 3400)] = 0
    return np.asarray(np.fft.irfft(spectrum)[:, :: RATE_HZ // 8000], np.float32)


def late(duration_s: float = 18.0, silence_s: float = 12.0, *, silence_db: float = -200.0) -> Sound:
    """Music that is at its level only after `silence_s`."""
    is_on = _times(duration_s) >= silence_s
    return np.asarray(music(duration_s, 5, -18.0) * np.where(is_on, 1.0, _db(silence_db)), np.float32)


def metronome(duration_s: float = 8.0, every_s: float = 0.5) -> Sound:
    """Clicks of a millisecond in digital silence."""
    phase = _times(duration_s) % every_s
    return _stereo(0.5 * np.sin(2 * np.pi * 1000 * phase) * (phase < 0.001))


# Sounds that can be brought to the target; a seed each. 50 of them.
KINDS: dict[str, Callable[[], Sound]] = (
    {f"speech {n}": lambda n=n: speech(seed=n, level_db=-36 + 4 * n, pauses=0.08 * n) for n in range(1, 8)}
    | {f"music {n}": lambda n=n: music(seed=n, level_db=-34 + 4 * n) for n in range(1, 8)}
    | {f"shots {n}": lambda n=n: shots(seed=n, level_db=-18 + 3 * n, every_s=0.15 * n) for n in range(1, 6)}
    | {f"dynamic {n}": lambda n=n: dynamic(seed=n, span_db=6 * n) for n in range(1, 7)}
    | {f"tone {hz}": lambda hz=hz: tone(hz=hz, level_db=-40 + hz / 300) for hz in (60, 250, 997, 4000, 9000)}
    | {f"noise {n}": lambda n=n: noise(seed=n, level_db=-40 + 6 * n) for n in range(1, 7)}
    | {f"hiss {n}": lambda n=n: noise(seed=n, level_db=-40 + 8 * n, low_hz=5000) for n in range(1, 4)}
    | {f"square {hz}": lambda hz=hz: square(hz=hz) for hz in (50, 440, 3000)}
    | {
        "between samples": between_samples,
        "clipped 1": clipped,
        "clipped 2": lambda: clipped(2),
        "offset": lambda: speech(seed=8) + np.float32(0.2),
        "half a second": lambda: speech(0.5, 4, pauses=0.0),
        "one side": lambda: speech(seed=9) * np.array([[1], [0]], np.float32),
        "opposed": lambda: speech(seed=10) * np.array([[1], [-1]], np.float32),
        "very quiet": lambda: music(seed=3, level_db=-43),
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A sound with the layout of its channels, as FFmpeg names it, and its rate."""

    make: Callable[[], Sound]
    layout: str = "stereo"
    rate_hz: int = RATE_HZ


# What comes in once in a while; whether all of it can be brought to the target is what is asked.
ODD: dict[str, Recorded] = {
    "taps": Recorded(make=taps),
    "a shout in silence": Recorded(make=shout),
    "5.1 with a rumble": Recorded(make=film, layout="5.1"),
    "telephone": Recorded(make=phone, layout="mono", rate_hz=8000),
    "whisper": Recorded(make=whisper),
    "right side alone": Recorded(make=lambda: music(seed=6, level_db=-35) * np.array([[0], [1]], np.float32)),
    "noise, opposed": Recorded(make=lambda: noise(seed=9)[:1] * np.array([[1], [-1]], np.float32)),
    "clipped music": Recorded(make=lambda: np.clip(music(seed=7, level_db=4), -1, 1)),
    "silence, then music": Recorded(make=late),
    "a quiet start": Recorded(make=lambda: late(12.0, 5.0, silence_db=-30.0)),
    "metronome": Recorded(make=metronome),
    "0.5 s of music": Recorded(make=lambda: music(0.5, 8)),
    "3 s of shots": Recorded(make=lambda: shots(3.0, 8, every_s=0.8)),
    "3 s, whispered and shouted": Recorded(make=lambda: dynamic(3.0, 9)),
}
