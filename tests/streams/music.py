"""Music in a few styles: chords, bass, a tune and drums of plain oscillators, in loops of four bars with breaks."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.streams.voice import RATE_HZ


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Tempo, how bright the instruments are (number of harmonics), and how loud drums and bass."""

    low_bpm: float
    high_bpm: float
    harmonics: int
    drums: float
    bass: float
    sustain_s: float


STYLES = {
    "lofi": Style(low_bpm=68, high_bpm=88, harmonics=3, drums=0.5, bass=0.5, sustain_s=1.2),
    "dance": Style(low_bpm=122, high_bpm=132, harmonics=10, drums=1.0, bass=0.8, sustain_s=0.25),
    "rock": Style(low_bpm=96, high_bpm=150, harmonics=14, drums=0.9, bass=0.6, sustain_s=0.5),
    "orchestra": Style(low_bpm=60, high_bpm=110, harmonics=8, drums=0.35, bass=0.7, sustain_s=2.5),
    "jingle": Style(low_bpm=110, high_bpm=135, harmonics=6, drums=0.6, bass=0.4, sustain_s=0.4),
}
_PROGRESSIONS = ((0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 5, 4), (0, 0, 3, 4))
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


def tone(hz: float, lasts_s: float, harmonics: int, sustain_s: float) -> np.ndarray:
    """A struck note that dies away, of amplitude about 1."""
    time = np.arange(int(lasts_s * RATE_HZ)) / RATE_HZ
    out = np.zeros(len(time))
    for number in range(1, harmonics + 1):
        if hz * number < 0.45 * RATE_HZ:
            out += np.sin(2 * np.pi * hz * number * time) / number
    return (
        out * np.minimum(1, time / 0.008) * np.exp(-time / sustain_s) * np.minimum(1, (lasts_s - time) / 0.01)
    ).astype(np.float32)


def add(out: np.ndarray, what: np.ndarray, at: int, gain: float = 1.0) -> None:
    """Mix a sound in at a sample; what lies outside is cut."""
    first, last = max(0, at), min(len(out), at + len(what))
    if last > first:
        out[first:last] += gain * what[first - at : last - at]


def _pitch(root: float, degree: int) -> float:
    return float(root * 2 ** ((_MAJOR[degree % 7] + 12 * (degree // 7)) / 12))


def _loop(style: Style, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Four bars: instruments and drums apart."""
    beat_s = 60 / rng.uniform(style.low_bpm, style.high_bpm)
    beat = int(beat_s * RATE_HZ)
    played, drums = np.zeros(16 * beat, dtype=np.float32), np.zeros(16 * beat, dtype=np.float32)
    root = 220 * 2 ** (rng.integers(-5, 6) / 12)
    hits = rng.standard_normal(int(0.2 * RATE_HZ)).astype(np.float32)
    decay = np.arange(len(hits)) / RATE_HZ
    snare, hat = hits * np.exp(-decay / 0.05), np.diff(hits, prepend=0) * np.exp(-decay / 0.015)
    kick = np.sin(2 * np.pi * np.cumsum(45 + 130 * np.exp(-decay / 0.03)) / RATE_HZ) * np.exp(-decay / 0.09)
    for bar, degree in enumerate(_PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]):
        for step in (0, 2, 4):
            note = tone(_pitch(root, degree + step), 4 * beat_s, style.harmonics, style.sustain_s)
            for at in (0,) if style.sustain_s > 1 else (0, 1.5, 2.5):
                add(played, note, int((4 * bar + at) * beat), 0.16)
        # What rings on between the strokes.
        add(played, tone(_pitch(root / 2, degree), 4 * beat_s, 3, 4.0), 4 * bar * beat, 0.05)
        for at in range(4):
            add(
                played,
                tone(_pitch(root / 4, degree), beat_s, 4, 0.3),
                (4 * bar + at) * beat,
                0.4 * style.bass,
            )
            add(drums, kick if at % 2 == 0 or style.low_bpm > 120 else snare, (4 * bar + at) * beat, 0.6)
            for half in (0, 0.5):
                add(drums, hat, int((4 * bar + at + half) * beat), 0.12)
            if rng.random() < 0.6:
                tune = tone(
                    _pitch(root * 2, degree + int(rng.integers(0, 7))),
                    beat_s,
                    style.harmonics,
                    style.sustain_s,
                )
                add(played, tune, int((4 * bar + at + rng.choice([0, 0.5])) * beat), 0.16)
    return played, drums * style.drums


def play(name: str, lasts_s: float, rng: np.random.Generator) -> np.ndarray:
    """Music of a style: float32, mono, 24,000 Hz, about 0.15 root mean square, fading in and out."""
    style = STYLES[name]
    num = int(lasts_s * RATE_HZ)
    played, drums = _loop(style, rng)
    out = np.zeros(num, dtype=np.float32)
    for index, at in enumerate(range(0, num, len(played))):
        has_drums = index % 4 != 0 or style.drums >= 1
        add(out, played + drums * has_drums, at, float(rng.uniform(0.75, 1.1)))
    fade = min(num // 2, int(0.4 * RATE_HZ))
    if fade:
        out[:fade] *= np.linspace(0, 1, fade)
        out[-fade:] *= np.linspace(1, 0, fade)
    return 0.15 * out / max(1e-6, float(np.sqrt(np.mean(out**2))))
