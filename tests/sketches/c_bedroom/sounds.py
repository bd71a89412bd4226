"""What is heard in the bedroom: voices and the effects of the room and the game; its phrases and figures."""

from __future__ import annotations

import functools
import pathlib

import numpy as np

from tests.sketches.sketch import RATE_HZ, Sound

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Rng = np.random.Generator
NOTES_HZ = {"bell": (660, 524), "alert": (880, 1109, 1319), "won": (523, 784, 1047), "lose": (392, 370, 330)}
FORMANTS_HZ = np.array([[730, 1090, 2440], [530, 1840, 2480], [390, 1990, 2550], [570, 840, 2410]])
TABLE: dict[str, list[str]] = {}  # the phrases and figures of the file beside this module, by sort
for _line in pathlib.Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines():
    if not _line.startswith("#"):
        _sort, _, _entries = _line.partition(":")
        TABLE.setdefault(_sort, []).extend(entry.strip() for entry in _entries.split("|"))


def gain(db: float) -> float:
    return float(10 ** (db / 20))


def unit(sound: Sound) -> Sound:
    """Scale so that the loudest 50 ms have an RMS of 1."""
    blocks = np.pad(sound, (0, -len(sound) % 800)).reshape(-1, 800)
    return (sound / (np.sqrt(np.mean(blocks**2, axis=1)).max() + 1e-9)).astype(np.float32)


def band(sound: Sound, low_hz: float, high_hz: float, slope: float = 0.0) -> Sound:
    """Keep a band; within it the spectrum falls by `slope` powers of the frequency."""
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    keep = ((hz >= low_hz) & (hz <= high_hz)) * np.maximum(hz, 20) ** -slope
    return unit(np.fft.irfft(np.fft.rfft(sound) * keep, len(sound)).astype(np.float32))


@functools.lru_cache(maxsize=4096)
def vowel_table(semitone: int, vowel: int, tract_pct: int, tilt_pct: int) -> Sound:
    """One period of a vowel, 512 points, at the pitch of a semitone above 55 Hz."""
    pitch_hz = 55 * 2 ** (semitone / 12)
    hz = np.arange(1, min(int(7000 / pitch_hz), 250) + 1) * pitch_hz
    peaks = 1 / (1 + ((hz[:, None] - FORMANTS_HZ[vowel] * tract_pct / 100) / (60 + 0.07 * hz[:, None])) ** 2)
    spectrum = np.zeros(257, complex)
    turn = np.exp(1j * np.random.default_rng(vowel).uniform(0, 2, len(hz)))
    spectrum[1 : len(hz) + 1] = (peaks @ [1, 0.6, 0.35] + 0.01) * (hz / 200) ** (-tilt_pct / 100) * turn
    table = np.fft.irfft(spectrum)
    return (table / np.sqrt(np.mean(table**2))).astype(np.float32)


def sing(rng: Rng, pitch_hz: Values, lengths: Values, tract: float, tilt: float, breath: float) -> Sound:
    """Voice, one syllable for each pitch and length (samples)."""
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    hz = np.interp(np.arange(edges[-1]), (edges[:-1] + edges[1:]) / 2, pitch_hz)
    phase = (np.cumsum(hz) / RATE_HZ % 1 * 512).astype(int) % 512
    noise = rng.standard_normal(edges[-1]).astype(np.float32)
    out = np.empty(edges[-1], np.float32)
    for begin, end, here_hz in zip(edges[:-1], edges[1:], pitch_hz, strict=True):
        semitone = round(12 * np.log2(here_hz / 55))
        table = vowel_table(semitone, int(rng.integers(4)), round(tract * 100), round(tilt * 20) * 5)
        shape = np.sin(np.linspace(0.1, np.pi - 0.1, end - begin)) ** 0.6 * gain(rng.normal(0, 2.5))
        hiss = np.diff(noise[begin:end], prepend=np.float32(0)) * rng.uniform(0.1, 0.6)
        hiss[int(rng.integers(300, 1300)) :] *= breath
        out[begin:end] = table[phase[begin:end]] * shape + hiss
    return unit(out)


def effect(rng: Rng, name: str) -> Sound:
    """One sound of the room or the game, loudest 50 ms at 1."""
    if name == "dog":
        num = int(rng.integers(1, 5))
        pitch_hz = rng.uniform(280, 620) * rng.uniform(0.9, 1.1, num)
        barks = sing(rng, pitch_hz, np.full(num, 5600), 1.3, 0.3, 0.8)
        return unit(barks * np.tile(np.exp(-np.arange(5600) / 1500).astype(np.float32), num))
    if name in NOTES_HZ:
        at_s = np.arange(4000) / RATE_HZ
        notes = [np.sin(2 * np.pi * hz * at_s) * np.exp(-at_s * 9) for hz in NOTES_HZ[name]]
        return unit(np.concatenate(notes))
    if name == "crowd":
        length = int(rng.uniform(2.5, 6) * RATE_HZ)
        swell = np.interp(np.arange(length), [0, length * 0.15, length * 0.4, length], [0, 1, 0.8, 0])
        return unit(band(rng.standard_normal(length), 250, 3500, 0.5) * swell)
    low_hz, high_hz, slope, decay_s, gap_s, most = map(float, TABLE[f"hits {name}"])
    starts = np.cumsum(rng.uniform(0.5, 1.5, rng.integers(1, int(most) + 1)) * gap_s)
    at_s = np.arange(int((starts[-1] + 4 * decay_s) * RATE_HZ))[:, None] / RATE_HZ - starts
    shape = np.exp(-np.maximum(at_s, 0) / decay_s) * (at_s >= 0) @ rng.uniform(0.4, 1, len(starts))
    return unit(band(rng.standard_normal(len(shape)), low_hz, high_hz, slope) * shape)


def heard_s(name: str, length_s: float) -> float:
    """How long a sound of this length is clear: not to the very end of a swell or of a blow that decays."""
    if name in NOTES_HZ:
        return length_s
    return 0.8 * length_s if name == "crowd" else length_s - 2 * float(TABLE[f"hits {name}"][3])
