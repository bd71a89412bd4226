"""A talking, shouting, laughing person: glottal pulses and noise through moving formants.

Lines become parameter tracks of 100 frames a second; one pass of short-time spectra turns the tracks into sound. Vowel
formants are Peterson and Barney's (1952) averages; consonants are noise bands or damped voicing.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from tests.streams.streamer import Voice

RATE_HZ = 24_000
HOP = 240
FRAMES_PER_S = RATE_HZ // HOP
_BLOCK = 4_000

# voiced, hiss, centre of the hiss (Hz), F1, F2, F3 (Hz), length
_PHONES: dict[str, tuple[float, float, float, float, float, float, float]] = {
    "ee": (1.0, 0, 0, 270, 2290, 3010, 1.2),
    "i": (0.9, 0, 0, 390, 1990, 2550, 0.9),
    "e": (0.95, 0, 0, 530, 1840, 2480, 1.0),
    "ai": (1.0, 0, 0, 600, 1780, 2450, 1.3),
    "a": (1.0, 0, 0, 700, 1250, 2430, 1.2),
    "o": (1.0, 0, 0, 570, 840, 2410, 1.2),
    "oo": (0.9, 0, 0, 300, 870, 2240, 1.2),
    "u": (0.9, 0, 0, 520, 1190, 2390, 1.0),
    "er": (0.9, 0, 0, 490, 1350, 1690, 1.1),
    "m": (0.35, 0, 0, 250, 1100, 2200, 0.7),
    "n": (0.35, 0, 0, 260, 1500, 2500, 0.6),
    "l": (0.5, 0, 0, 350, 1050, 2800, 0.6),
    "r": (0.5, 0, 0, 420, 1250, 1650, 0.6),
    "w": (0.45, 0, 0, 300, 700, 2200, 0.6),
    "y": (0.5, 0, 0, 280, 2200, 2900, 0.5),
    "b": (0.15, 0.05, 800, 250, 900, 2300, 0.5),
    "d": (0.15, 0.12, 3500, 250, 1700, 2600, 0.5),
    "g": (0.15, 0.1, 2000, 250, 1900, 2500, 0.5),
    "v": (0.3, 0.1, 5000, 280, 1100, 2300, 0.5),
    "z": (0.25, 0.25, 6500, 280, 1600, 2500, 0.7),
    "p": (0.0, 0.12, 1000, 400, 1000, 2300, 0.6),
    "t": (0.0, 0.25, 4500, 400, 1700, 2600, 0.5),
    "k": (0.0, 0.2, 2200, 400, 1800, 2500, 0.6),
    "f": (0.0, 0.18, 6000, 400, 1100, 2300, 0.8),
    "th": (0.0, 0.15, 6500, 400, 1400, 2500, 0.6),
    "s": (0.0, 0.45, 7000, 400, 1600, 2500, 0.9),
    "sh": (0.0, 0.45, 3500, 400, 1800, 2500, 1.0),
    "h": (0.0, 0.0, 0, 550, 1400, 2450, 0.5),
    " ": (0.0, 0.0, 0, 500, 1500, 2500, 0.35),
    ",": (0.0, 0.0, 0, 500, 1500, 2500, 1.6),
}
_SPELLING = re.compile(r"sh|ch|th|ng|ee|ea|oo|ou|ow|ai|ay|er|[a-z]|[ ,]")
_SAME = {
    "ch": "sh",
    "ng": "n",
    "ea": "ee",
    "ou": "o",
    "ow": "o",
    "ay": "ai",
    "c": "k",
    "q": "k",
    "x": "s",
    "j": "sh",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a person utters: words, or a laugh, scream, cough, sneeze, sigh, sniff. Effort: 0 soft, 1 shouted."""

    start_s: float
    end_s: float
    text: str
    effort: float
    style: str = "talk"
    pitch: float = 1.0
    speaker: str = "streamer"

    def moved(self, by_s: float) -> Line:
        """The same, later."""
        return dataclasses.replace(self, start_s=self.start_s + by_s, end_s=self.end_s + by_s)


def num_syllables(text: str) -> int:
    """Groups of vowels, at least one."""
    return max(1, len(re.findall(r"[aeiouy]+", text.lower())))


@dataclasses.dataclass(slots=True)
class Tracks:
    """What the vocal tract does, each of shape (num_frames,): amplitudes linear, frequencies in Hz."""

    voiced: np.ndarray
    breath: np.ndarray
    hiss: np.ndarray
    hiss_hz: np.ndarray
    f0_hz: np.ndarray
    formants: np.ndarray
    effort: np.ndarray

    @classmethod
    def silent(cls, num_frames: int) -> Tracks:
        """Nobody says anything."""
        zeros = [np.zeros(num_frames, dtype=np.float32) for _ in range(7)]
        return cls(
            *zeros[:3], zeros[3] + 4000, zeros[4] + 120, np.tile([500, 1500, 2500], (num_frames, 1)), zeros[5]
        )


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Moving average along the first axis, the same length."""
    if len(values) < 2 or width < 2:
        return values
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= kernel.sum()
    if values.ndim == 1:
        padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
        return np.convolve(padded, kernel, mode="valid")
    return np.stack([smooth(column, width) for column in values.T], axis=1)


def _wander(rng: np.random.Generator, num: int, width: int) -> np.ndarray:
    """Smooth noise of about unit spread."""
    noise = smooth(rng.standard_normal(num), width)
    return noise * np.sqrt(max(1, min(width, num)) / 1.5)


def _talk(tracks: Tracks, where: slice, line: Line, voice: Voice, rng: np.random.Generator) -> None:
    num = where.stop - where.start
    spelled = _SPELLING.findall(re.sub(r"[.!?;:-]+", ",", line.text.lower().replace("'", ""))) or ["u"]
    names = [_SAME.get(name, name) for name in spelled]
    rows = np.array([_PHONES.get(name, _PHONES["u"]) for name in names])
    lengths = rows[:, 6] * rng.uniform(0.8, 1.25, len(rows))
    if line.style == "shout":
        lengths = np.where(rows[:, 0] > 0.8, lengths * 1.8, lengths)
    at = np.searchsorted(np.cumsum(lengths) / lengths.sum(), (np.arange(num) + 0.5) / num)
    at = np.minimum(at, len(rows) - 1)
    stress = np.interp(
        np.arange(num), np.linspace(0, num, max(2, num // 25)), rng.normal(0, 2.5, max(2, num // 25))
    )
    gain = 10 ** ((voice.lift_db * (line.effort - 0.3) + stress) / 20)
    whisper = line.style == "whisper"
    tracks.voiced[where] = smooth(rows[at, 0], 4) * gain * (0.05 if whisper else 1)
    is_h = np.array([name == "h" for name in names])[at]
    tracks.breath[where] = (
        smooth(rows[at, 0], 4) * (0.5 if whisper else voice.breathiness) + 0.35 * is_h
    ) * gain
    tracks.hiss[where] = smooth(rows[at, 1], 3) * gain * 0.22
    tracks.hiss_hz[where] = np.where(rows[at, 2] > 0, rows[at, 2], 4000)
    tracks.formants[where] = smooth(rows[at, 3:6], 6) * voice.tract
    fall = np.linspace(1.1, 1.25 if line.text.endswith("?") else 0.88, num)
    accent = 2 ** (0.12 * _wander(rng, num, 20))
    top = 2 ** (voice.range_oct * max(0.0, line.effort - 0.25))
    tracks.f0_hz[where] = voice.f0_hz * line.pitch * fall * accent * top
    if line.style == "sing":
        steps = rng.choice([1, 1.125, 1.25, 1.333, 1.5, 1.667], size=max(1, num // 35))
        note = np.repeat(steps, 36)[:num] if num <= 36 * len(steps) else np.resize(np.repeat(steps, 36), num)
        tracks.f0_hz[where] = voice.f0_hz * smooth(note, 6) * (1 + 0.015 * np.sin(np.arange(num) * 0.35))
        tracks.voiced[where] = np.maximum(tracks.voiced[where], 0.7 * gain)
    tracks.effort[where] = line.effort


def _laugh(tracks: Tracks, where: slice, line: Line, voice: Voice, rng: np.random.Generator) -> None:
    """Bursts of h and vowel, four to six a second, in bouts that fall in pitch and end in a breath taken in."""
    num = where.stop - where.start
    frame = np.arange(num)
    bout = frame % int(rng.uniform(110, 220))
    bout_part = bout / max(1, bout.max())
    rate = rng.uniform(4.2, 6.2) * (1.05 - 0.2 * bout_part)
    turns = np.cumsum(rate * np.clip(1 + 0.2 * _wander(rng, num, 30), 0.5, 1.6) / FRAMES_PER_S)
    phase = turns % 1
    # No two calls are alike.
    calls = rng.uniform(0.35, 1.1, int(turns[-1]) + 2)[turns.astype(int)]
    call = calls * np.clip(np.sin(np.pi * np.minimum(1, phase / 0.62)), 0, 1) ** 1.5 * (bout_part < 0.85)
    wheeze = rng.random() < 0.3
    gain = 10 ** (voice.lift_db * (line.effort - 0.3) / 20) * (1 - 0.6 * bout_part) * (1 - 0.4 * frame / num)
    tracks.voiced[where] = 1.7 * call * gain * (0.25 if wheeze else 1)
    tracks.breath[where] = (
        (0.5 * call + 0.35 * (phase > 0.7) + 0.4 * (bout_part >= 0.88)) * gain * (1.2 if wheeze else 0.5)
    )
    tracks.formants[where] = np.array(_PHONES[str(rng.choice(["a", "e", "u"]))][3:6]) * voice.tract
    bend = 0.5 - 0.45 * bout_part - 0.25 * (phase - 0.3) + 0.3 * (calls - 0.7)
    tracks.f0_hz[where] = voice.f0_hz * 2 ** (voice.range_oct * 0.9 * line.effort + bend)
    tracks.effort[where] = line.effort


def _scream(tracks: Tracks, where: slice, line: Line, voice: Voice, rng: np.random.Generator) -> None:
    num = where.stop - where.start
    part = np.linspace(0, 1, num)
    shape = np.minimum(1, part / 0.08) * np.minimum(1, (1 - part) / 0.25)
    gain = 10 ** (voice.lift_db * (line.effort - 0.2) / 20)
    tracks.voiced[where] = 0.6 * shape * gain
    tracks.breath[where] = shape * gain * 0.2
    tracks.formants[where] = np.array(_PHONES[str(rng.choice(["a", "ai", "e"]))][3:6]) * voice.tract * 1.1
    bend = 2 ** (0.25 * np.sin(np.pi * part) + 0.03 * _wander(rng, num, 8) * (1 + 3 * voice.roughness))
    tracks.f0_hz[where] = voice.f0_hz * 2 ** (voice.range_oct * line.effort + 0.2) * bend
    tracks.effort[where] = line.effort * 1.1


def _noise(tracks: Tracks, where: slice, line: Line, voice: Voice, rng: np.random.Generator) -> None:
    """Coughs, sneezes, sighs, gasps, sniffs: mostly breath."""
    num = where.stop - where.start
    part = np.linspace(0, 1, num)
    level, voiced = {"cough": (2.2, 0.6), "sneeze": (2.6, 0.5), "sigh": (0.35, 0.12)}.get(
        line.style, (0.3, 0.0)
    )
    if line.style == "cough":
        shape = np.exp(-6 * (part * max(1, round(num / 40)) % 1))
    elif line.style == "sneeze":
        shape = np.where(part < 0.45, 0.12 * part / 0.45, np.exp(-9 * (part - 0.45)))
    else:
        shape = np.sin(np.pi * part) ** 0.7
    gain = 10 ** (voice.lift_db * (line.effort - 0.3) / 20) * rng.uniform(0.8, 1.2)
    tracks.breath[where] = level * shape * gain
    tracks.voiced[where] = voiced * shape * gain
    tracks.hiss[where] = 0.3 * level * shape * gain * (line.style in ("sneeze", "sniff"))
    tracks.f0_hz[where] = voice.f0_hz * (1.2 - 0.4 * part)
    tracks.effort[where] = line.effort


def tracks_of(lines: Sequence[Line], voice: Voice, duration_s: float, rng: np.random.Generator) -> Tracks:
    """Parameter tracks of everything a person utters; a later line cuts off an earlier one."""
    tracks = Tracks.silent(round(duration_s * FRAMES_PER_S))
    ways = {
        "laugh": _laugh,
        "scream": _scream,
        "talk": _talk,
        "shout": _talk,
        "whisper": _talk,
        "sing": _talk,
    }
    for line in lines:
        start = max(0, round(line.start_s * FRAMES_PER_S))
        where = slice(start, min(len(tracks.voiced), round(line.end_s * FRAMES_PER_S)))
        if where.stop - where.start >= 3:
            ways.get(line.style, _noise)(tracks, where, line, voice, rng)
    _breathe(tracks, lines, voice, rng)
    return tracks


def _breathe(tracks: Tracks, lines: Sequence[Line], voice: Voice, rng: np.random.Generator) -> None:
    """Air taken in before most of what is said after a pause."""
    for line in lines:
        end = round(line.start_s * FRAMES_PER_S) - int(rng.integers(2, 8))
        num = int(rng.integers(18, 45))
        where = slice(end - num, end)
        is_inside = num < end <= len(tracks.voiced)
        is_free = is_inside and not (tracks.voiced[where] + tracks.breath[where] + tracks.hiss[where]).any()
        if line.text and is_free and rng.random() < 0.7:
            shape = np.sin(np.pi * np.linspace(0, 1, num)) ** 1.5
            tracks.breath[where] = shape * float(rng.uniform(0.03, 0.25)) * (0.5 + voice.breathiness * 4)


def _envelope(formants: np.ndarray, effort: np.ndarray, tract: float, hz: np.ndarray) -> np.ndarray:
    """Gain of the vocal tract and lips, shape (num_frames, num_bins); a loud voice falls off less."""
    out = np.ones((len(formants), len(hz)), dtype=np.float32)
    fixed = np.tile(np.array([3500, 4600]) * tract, (len(formants), 1))
    poles = np.concatenate([formants * np.array([1.12, 1, 1]) ** effort[:, None], fixed], axis=1).astype(
        np.float32
    )
    for column, width_hz in zip(poles.T, (90, 110, 170, 260, 350), strict=True):
        # Above the fifth formant the poles that are not modelled hold the level up.
        ratio = np.minimum(hz, 4800 * tract)[None] / column[:, None]
        out /= np.sqrt((1 - ratio**2) ** 2 + (ratio * (width_hz / column)[:, None]) ** 2)
    corner = (700 + 2500 * np.clip(effort, 0, 1.3))[:, None]
    # A shouting voice's folds close more abruptly.
    slope = 1 + 0.9 * np.clip(effort - 0.4, 0, 0.8)[:, None]
    return out * (np.maximum(hz, 20)[None] / 500) ** slope / (1 + (hz[None] / corner) ** 2) ** 0.45


def _pulses(starts: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Rosenberg's glottal pulses, shape (num_frames, HOP): open over 0.4 of the period, closing over 0.16."""
    phase = ((starts % 1)[:, None] + steps[:, None] * (np.arange(HOP) / HOP)[None]).astype(np.float32) % 1
    flow = np.where(
        phase < 0.4, 0.5 - 0.5 * np.cos(np.pi * phase / 0.4), np.cos(np.pi / 2 * (phase - 0.4) / 0.16)
    )
    return np.where(phase < 0.56, flow, 0).astype(np.float32)


def render(lines: Sequence[Line], voice: Voice, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """The person's sound: float32, mono, 24,000 Hz; ordinary talk is near 0.1 root mean square."""
    tracks = tracks_of(lines, voice, duration_s, rng)
    num = len(tracks.voiced)
    out = np.zeros((num + 1, HOP), dtype=np.float32)
    active = np.flatnonzero(tracks.voiced + tracks.breath + tracks.hiss > 1e-4)
    if not len(active):
        return out[:-1].reshape(-1)
    rough = 1 + (0.012 + 0.05 * voice.roughness * np.clip(tracks.effort - 0.6, 0, 1)) * rng.standard_normal(
        num
    )
    steps = np.append(tracks.f0_hz * rough / FRAMES_PER_S, 0)
    starts = np.cumsum(steps) - steps
    window = np.sqrt(np.hanning(2 * HOP + 1)[:-1]).astype(np.float32)
    hz = np.fft.rfftfreq(2 * HOP, 1 / RATE_HZ).astype(np.float32)
    for first in range(0, len(active), _BLOCK):
        at = active[first : first + _BLOCK]
        source = np.concatenate(
            [_pulses(starts[at], steps[at]), _pulses(starts[at + 1], steps[at + 1])], axis=1
        )
        pulses = np.fft.rfft(source * window)
        hisses = np.fft.rfft(rng.standard_normal((len(at), 2 * HOP), dtype=np.float32) * window)
        tract = _envelope(tracks.formants[at], tracks.effort[at], voice.tract, hz)
        spectrum = (pulses * tracks.voiced[at, None] + hisses * (0.25 * tracks.breath[at, None])) * tract
        band = np.exp(-(((hz[None] - tracks.hiss_hz[at, None]) / 1800) ** 2))
        spectrum += hisses * band * tracks.hiss[at, None]
        frames = np.fft.irfft(spectrum, 2 * HOP).astype(np.float32) * window
        np.add.at(out, at, frames[:, :HOP])
        np.add.at(out, at + 1, frames[:, HOP:])
    return 0.35 * out[:-1].reshape(-1)
