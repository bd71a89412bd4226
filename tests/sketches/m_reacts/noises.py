"""Sounds that are no voice: things in the room, music, crowds, alerts and the noises of videos."""

from __future__ import annotations

import numpy as np

from tests.sketches.m_reacts.people import Floats, Rng
from tests.sketches.m_reacts.voice import Voice, even, hisses
from tests.sketches.sketch import RATE_HZ, Sound

_PROGRESSIONS = ([0, 5, 7, 5], [0, 9, 5, 7], [9, 5, 0, 7], [2, 7, 0, 9], [0, 3, 8, 10])


def hiss(rng: Rng, shape: Floats, sort: int) -> Sound:
    """Noise of one sort under an envelope at full rate."""
    start = int(rng.integers(0, 3 * RATE_HZ))
    return np.resize(np.roll(hisses()[sort], -start), len(shape)) * shape.astype(np.float32)


def strike(rng: Rng, modes: tuple[float, ...], ring_s: float, dirt: float) -> Sound:
    """A thing that is hit: some modes ringing off, and the noise of the blow."""
    t = np.arange(int(RATE_HZ * min(ring_s * 5, 1.6))) / RATE_HZ
    y = sum(np.sin(2 * np.pi * f * rng.uniform(0.95, 1.05) * t) * np.exp(-t / ring_s) for f in modes)
    return np.asarray(y + dirt * hiss(rng, np.exp(-t / 0.02), 1), np.float32)


def _place(out: Sound, at_s: float, y: Sound) -> None:
    a = int(at_s * RATE_HZ)
    if a < len(out):
        out[a : a + len(y)] += y[: len(out) - a]


def room(rng: Rng, kind: str, length: float) -> Sound:
    """A noise in the streamer's room, about as loud as talk at size 1."""
    out = np.zeros(int(length * RATE_HZ), np.float32)
    if kind in ("keys", "clap", "bumps"):
        per_s, modes, ring, dirt = {
            "keys": (8, (900.0, 2300.0), 0.006, 1.2),
            "clap": (4, (1100.0,), 0.008, 6.0),
            "bumps": (2.5, (62.0, 95.0), 0.06, 0.5),
        }[kind]
        t = 0.05
        while t < length - 0.05:
            _place(out, t, strike(rng, modes, ring, dirt) * np.float32(rng.uniform(0.5, 1.3)))
            t += rng.exponential(1 / per_s) if kind != "clap" else rng.normal(1 / per_s, 0.03)
    elif kind == "slam":
        _place(out, 0.0, strike(rng, (70.0, 130.0, 210.0), 0.07, 5.0) * np.float32(2))
    elif kind == "clink":
        for t in (0.0, rng.uniform(0.1, 0.3)):
            _place(out, t, strike(rng, (2100.0, 3400.0, 5200.0), 0.08, 1.0))
    elif kind == "crash":
        for t in np.sort(rng.exponential(0.25, 7)):
            _place(out, t, strike(rng, (90.0, rng.uniform(300, 3000)), rng.uniform(0.02, 0.1), 4.0))
    elif kind == "door":
        for t in (0.0, 0.28, 0.55):
            _place(out, t, strike(rng, (160.0, 330.0), 0.05, 0.8) * np.float32(0.6))
    return out


def breath(rng: Rng, kind: str, length: float) -> Sound:
    """Gasp, sniff, cough, sneeze, huff: air rather than voice."""
    n = int(length * RATE_HZ)
    x = np.linspace(0, 1, n)
    if kind == "gasp":
        return hiss(rng, 1.6 * x**0.7 * np.clip((1 - x) / 0.15, 0, 1), 0)
    if kind == "sniff":
        return hiss(rng, 0.5 * np.sin(np.pi * x) ** 2 * (np.sin(2 * np.pi * x * max(length, 1)) > 0), 1)
    if kind == "sneeze":
        inhale = np.where(x < 0.5, 0.5 * x, 0)
        burst = np.where(x >= 0.5, np.exp(-(x - 0.5) * 9) * 5, 0)
        return hiss(rng, inhale, 0) + hiss(rng, burst, 1) + hiss(rng, burst * 0.6, 0)
    out = np.zeros(n, np.float32)
    t = 0.0
    while t < length - 0.2:  # coughs, or the puffs of a laugh through the nose
        m = int(rng.uniform(0.14, 0.3) * RATE_HZ)
        size = rng.uniform(1.5, 3.5) if kind == "cough" else rng.uniform(0.3, 0.7)
        _place(out, t, hiss(rng, size * np.exp(-np.arange(m) / m * 5) * np.minimum(np.arange(m) / 150, 1), 0))
        t += rng.uniform(0.25, 0.7) if kind == "cough" else 0.22
    return out


def music(rng: Rng, length: float, style: str) -> Sound:
    """Four bars built once and repeated, with parts that come and go; strength about 1."""
    beat = 60 / float(
        {"lofi": rng.uniform(70, 88), "soft": rng.uniform(56, 70)}.get(style, rng.uniform(98, 140))
    )
    bar = int(beat * 4 * RATE_HZ)
    tune, drums = np.zeros(4 * bar, np.float32), np.zeros(4 * bar, np.float32)
    root = rng.uniform(90, 140)
    chords = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
    bright = {"lofi": 2, "soft": 3}.get(style, 6)
    for k, chord in enumerate(chords):
        for semi in (chord, chord + 4 - (chord in (2, 9)), chord + 7, chord + 12):
            f = root * 2 ** (semi / 12)
            t = np.arange(bar) / RATE_HZ
            tone = sum(np.sin(2 * np.pi * f * h * t + h) / h**1.5 for h in range(1, bright))
            tune[k * bar : (k + 1) * bar] += (tone * np.exp(-t / (1.5 * beat)) * 0.5).astype(np.float32)
    for step in range(32):  # a melody in eighths, with rests
        if rng.random() < 0.55:
            f = root * 4 * 2 ** (rng.choice([0, 2, 4, 7, 9, 12]) / 12)
            t = np.arange(int(beat * RATE_HZ)) / RATE_HZ
            note = (np.sin(2 * np.pi * f * t) + 0.3 * np.sin(4 * np.pi * f * t)) * np.exp(-t / 0.25)
            _place(tune, step * beat / 2, (0.6 * note).astype(np.float32))
    if style != "soft":
        for b in range(16):
            _place(drums, b * beat, strike(rng, (55.0, 80.0), 0.07, 0.3) * np.float32(1.1))
            _place(drums, (b + 0.5) * beat, hiss(rng, 0.5 * np.exp(-np.arange(1200) / 250), 2))
            if b % 2:
                _place(drums, b * beat, hiss(rng, 1.4 * np.exp(-np.arange(2400) / 700), 1))
    n = int(length * RATE_HZ)
    loops = n // (4 * bar) + 1
    with_drums = np.repeat((rng.random(loops) < 0.8) * rng.uniform(0.7, 1.1, loops), 4 * bar)[:n]
    y = np.resize(tune, n) + np.resize(drums, n) * with_drums.astype(np.float32)
    return even(y)


def crowd(rng: Rng, length: float, kind: str, voices: list[Voice]) -> Sound:
    """Many people: a murmur, a roar, clapping, or laughter."""
    n = int(length * RATE_HZ)
    x = np.linspace(0, 1, n)
    slow = np.interp(x, np.linspace(0, 1, 3 + int(length * 3)), rng.uniform(0.6, 1.2, 3 + int(length * 3)))
    if kind == "murmur":
        return hiss(rng, 0.5 * slow, 0)
    swell = np.minimum(x * length / 0.5, 1) * np.clip((1 - x) * 2, 0, 1) * slow
    y = hiss(rng, (1.2 if kind == "roar" else 0.25) * swell, 0) + hiss(rng, 0.4 * swell, 1)
    for voice in voices:
        part = voice.laugh(length, 0.6) if kind == "laughter" else voice.cry_out(length)
        y[: len(part)] += part[:n] * swell[: len(part)].astype(np.float32) * np.float32(0.45)
    return y


def chime(rng: Rng, kind: str, length: float) -> Sound:
    """Alerts, gongs, clocks, dings and cartoon noises."""
    out = np.zeros(int(length * RATE_HZ), np.float32)
    if kind == "clock":
        for k in range(int(length * 2)):
            _place(out, k / 2, strike(rng, (1500.0 + 300 * (k % 2),), 0.015, 0.5))
    elif kind == "bonk":
        _place(out, 0.0, strike(rng, (310.0, 770.0), 0.09, 3.0) * np.float32(1.6))
    elif kind == "gong":
        _place(out, 0.0, strike(rng, (110.0, 173.0, 294.0, 466.0, 1210.0), 0.5, 1.5))
    elif kind == "riser":
        x = np.linspace(0, 1, len(out))
        out += hiss(rng, x**2 * 1.4, 1) + (0.5 * x * np.sin(900 * x**2 * length)).astype(np.float32)
        out[-400:] *= np.linspace(1, 0, 400, dtype=np.float32)
    else:
        base = rng.uniform(380, 700)
        for k, semi in enumerate(rng.choice([0, 4, 7, 12, 16], 5)):
            f = base * 2 ** (semi / 12)
            _place(out, k * 0.16, strike(rng, (f, 2 * f, 3.01 * f), 0.22, 0.1) * np.float32(0.7))
    return out
