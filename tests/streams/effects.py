"""Single sounds of games, alerts and rooms: shots, blasts, fanfares, crowds, chimes, claps. Made, not sampled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.streams.music import add, tone
from tests.streams.voice import RATE_HZ


def time_of(lasts_s: float) -> np.ndarray:
    """Seconds at each sample."""
    return np.arange(max(1, int(lasts_s * RATE_HZ))) / RATE_HZ


def band(
    rng: np.random.Generator, num: int, low_hz: float, high_hz: float, slope_db_oct: float = 0.0
) -> np.ndarray:
    """Noise between two frequencies, root mean square 1."""
    size = 1 << max(8, (num - 1).bit_length())
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    edge = 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 4) / (1 + (hz / high_hz) ** 4)
    spectrum *= edge * (np.maximum(hz, 20) / 1000) ** (slope_db_oct / 6.02)
    out = np.fft.irfft(spectrum, size)[:num].astype(np.float32)
    return out / max(1e-9, float(np.sqrt(np.mean(out**2))))


def shot(rng: np.random.Generator) -> np.ndarray:
    """A gun: a crack and a thump."""
    time = time_of(0.28)
    crack = band(rng, len(time), 600, 7000) * np.exp(-time / rng.uniform(0.015, 0.05))
    thump = np.sin(2 * np.pi * 90 * time) * np.exp(-time / 0.04)
    return 0.35 * crack + 0.4 * thump


def blast(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """An explosion: low, long, with debris."""
    time = time_of(max(1.2, lasts_s))
    low = band(rng, len(time), 25, 300, -3) * np.exp(-time / 0.5) * np.minimum(1, time / 0.005)
    return 0.6 * low + 0.2 * band(rng, len(time), 800, 5000) * np.exp(-time / 0.25)


def crash(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """Metal and glass."""
    time = time_of(max(0.8, lasts_s))
    out = 0.5 * band(rng, len(time), 200, 6000) * np.exp(-time / 0.15)
    for _ in range(12):
        hz, decay = rng.uniform(700, 5000), rng.uniform(0.05, 0.4)
        add(
            out,
            0.12 * np.sin(2 * np.pi * hz * time) * np.exp(-time / decay),
            int(rng.uniform(0, 0.3) * RATE_HZ),
        )
    return out


def kill(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """Some shots, the last with a confirming ring."""
    out = np.zeros(len(time_of(lasts_s + 1)), dtype=np.float32)
    for _ in range(int(rng.integers(2, 7))):
        add(out, shot(rng), int(rng.uniform(0, 0.6) * RATE_HZ), 0.8)
    for index, hz in enumerate((1320, 1760)):
        add(out, tone(hz, 0.4, 2, 0.12), int((0.6 + 0.08 * index) * RATE_HZ), 0.3)
    return out


def crowd(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """Many people cheer: noise in the range of voices that swells and wavers."""
    time = time_of(lasts_s)
    swell = np.minimum(1, time / 0.6) * np.minimum(1, (lasts_s - time) / 0.8)
    waver = 1 + 0.25 * np.interp(
        time,
        np.arange(0, lasts_s + 0.1, 0.1),
        rng.standard_normal(int(lasts_s / 0.1) + 3)[: len(np.arange(0, lasts_s + 0.1, 0.1))],
    )
    return 0.3 * swell * waver * band(rng, len(time), 350, 2800, -3)


def fanfare(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """Brass up a chord."""
    out = np.zeros(len(time_of(lasts_s)), dtype=np.float32)
    root = 220 * 2 ** (rng.integers(0, 8) / 12)
    for index, step in enumerate((0, 4, 7, 12, 16)):
        at = min(index, 3) * 0.16
        if lasts_s - at > 0.2:
            add(out, tone(root * 2 ** (step / 12), lasts_s - at, 12, 1.2), int(at * RATE_HZ), 0.15)
    return out


def sting(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """Horror's shriek of strings."""
    out = np.zeros(len(time_of(lasts_s)), dtype=np.float32)
    for _ in range(6):
        add(out, tone(float(rng.uniform(600, 2600)), lasts_s, 9, 0.6), 0, 0.12)
    return out + 0.15 * band(rng, len(out), 1000, 8000) * np.exp(-time_of(lasts_s) / 0.3)


def announcer(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """A deep horn and a hall: the game says that somebody fell."""
    out = tone(float(rng.choice([98, 110, 131])), max(1.2, lasts_s), 16, 0.8) * 0.3
    return out + 0.1 * band(rng, len(out), 100, 1500) * np.exp(-np.arange(len(out)) / RATE_HZ / 0.4)


def heartbeat(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """Two thumps a second or so, faster towards the end."""
    out = np.zeros(len(time_of(lasts_s)), dtype=np.float32)
    beat = np.sin(2 * np.pi * 55 * time_of(0.15)) * np.exp(-time_of(0.15) / 0.05)
    at = 0.0
    while at < lasts_s:
        add(out, beat, int(at * RATE_HZ), 0.5)
        add(out, beat, int((at + 0.2) * RATE_HZ), 0.35)
        at += float(rng.uniform(0.6, 0.8)) * (1 - 0.3 * at / lasts_s)
    return out


def chime(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """The bell of an alert: the same melody all evening, so the caller gives the same generator."""
    out = np.zeros(len(time_of(lasts_s)), dtype=np.float32)
    root = float(rng.uniform(500, 900))
    for index in range(int(rng.integers(3, 7))):
        hz = root * 2 ** (int(rng.choice([0, 4, 7, 12])) / 12)
        add(out, tone(hz, 0.8, 3, 0.3), int(0.14 * index * RATE_HZ), 0.3)
    return out


def claps(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """One person claps."""
    out = np.zeros(len(time_of(lasts_s)), dtype=np.float32)
    at = 0.0
    while at < lasts_s - 0.1:
        time = time_of(0.06)
        add(out, band(rng, len(time), 700, 4000) * np.exp(-time / 0.012), int(at * RATE_HZ), 0.35)
        at += float(rng.uniform(0.16, 0.28))
    return out


def slam(rng: np.random.Generator, lasts_s: float) -> np.ndarray:
    """A fist on the desk, through the microphone's stand."""
    time = time_of(0.35)
    thump = np.sin(2 * np.pi * 70 * time) * np.exp(-time / 0.05)
    return 1.2 * thump + 0.3 * band(rng, len(time), 100, 2500) * np.exp(-time / 0.02)


def key(rng: np.random.Generator) -> np.ndarray:
    """A key or a mouse button."""
    time = time_of(0.05)
    return 0.1 * band(rng, len(time), 1500, 7000) * np.exp(-time / rng.uniform(0.003, 0.009))


EFFECTS: dict[str, Callable[[np.random.Generator, float], np.ndarray]] = {
    "kill": kill, "crowd": crowd, "fanfare": fanfare, "sting": sting, "chord": sting, "announcer": announcer,
    "explosion": blast, "crash": crash, "heartbeat": heartbeat, "alert": chime,
    "room_clap": claps, "room_slam": slam, "room_crash": crash,
}  # fmt: skip
