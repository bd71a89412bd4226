"""Voices: talk, shouts, laughter, gasps and coughs, all a buzz and a hiss through moving formants."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import RATE_HZ, Sound

Phone = tuple[float, int, float, float, float]  # seconds, envelope, buzz, hiss, pitch factor

_FRAME, _HOP, _STEP = 512, 256, 32
_LEVELS = 3  # soft, talk, shout: a shout's formants lie higher and its spectrum falls less
_VOWELS = {"a": (760, 1250, 2550), "e": (530, 1800, 2500), "i": (310, 2250, 3000)}
_VOWELS |= {"o": (500, 900, 2450), "u": (340, 1000, 2300), "m": (260, 1100, 2200)}
_HISSES = {"s": (5400, 1200), "c": (2900, 900), "f": (4600, 3500), "h": (1400, 1300), "t": (3600, 2000)}
_ONSETS = dict.fromkeys("szx", "s") | dict.fromkeys("jc", "c") | dict.fromkeys("fv", "f") | {"h": "h"}
_ONSETS |= dict.fromkeys("tkpdbgq", "t") | dict.fromkeys("mnlrw", "m")
_SYLLABLE = re.compile(r"([^aeiouy]*)([aeiouy]+)")
_TABLE = 4096
_OFFSETS_DB = {"breath": -16.0, "gasp": -7.0, "laugh": -3.0, "aww": -2.0, "scream": 1.5}


class Voice(NamedTuple):
    """One speaker: body, manner and microphone."""

    pitch_hz: float
    melody: float
    rate: float
    breath: float
    temper: float
    squash: float
    wheeze: float
    laugh_hz: float
    gain: float
    envelopes: Sound


class Line(NamedTuple):
    """Something out of one mouth; the streamer is 0, the robot the last voice."""

    who: int
    at_s: float
    length_s: float
    how: str
    text: str
    effort: float


def _envelopes(scale: float) -> Sound:
    freqs = np.fft.rfftfreq(_FRAME, 1 / RATE_HZ)
    rows = []
    for formants in _VOWELS.values():
        for level in range(_LEVELS):
            lift = scale * np.array([0.95 + 0.1 * level, 1.0, 1.0])
            peaks = zip(np.array(formants) * lift, (1.0, 0.6, 0.35), (80, 110, 160), strict=True)
            row = sum(gain / (1 + ((freqs - centre) / width) ** 2) for centre, gain, width in peaks)
            rows.append((row + 0.02) * (1 + freqs / 600) ** (0.35 * level - 0.6))
    for centre, width in _HISSES.values():
        rows.append(np.exp(-0.5 * ((freqs - centre * scale**0.5) / width) ** 2))
    table = np.array(rows) * (freqs > 90)
    return np.asarray(table / np.sqrt((table**2).mean(axis=1, keepdims=True)), np.float32)


def draw_voice(rng: np.random.Generator, *, robot: bool = False) -> Voice:
    """A speaker by chance; the robot reads alerts aloud."""
    high = rng.random() < 0.4
    return Voice(
        pitch_hz=float(rng.uniform(165, 245) if high else rng.uniform(85, 150)),
        melody=0.03 if robot else float(rng.uniform(0.08, 0.35)),
        rate=float(rng.uniform(4.2, 6.8)),
        breath=float(rng.uniform(0.02, 0.2)),
        temper=0.2 if robot else float(np.clip(rng.normal(0.8, 0.3), 0.12, 1.25)),
        squash=float(rng.uniform(0.35, 1.0)),
        wheeze=float(rng.beta(0.6, 1.2)),
        laugh_hz=float(rng.uniform(4.0, 6.2)),
        gain=float(10 ** (rng.normal(0, 3) / 20)),
        envelopes=_envelopes(float(rng.uniform(1.05, 1.22) if high else rng.uniform(0.9, 1.05))),
    )


def _buzz(num_harmonics: int) -> Sound:
    """One period of a glottal pulse; the phases spread it so that it does not click."""
    k = np.arange(1, num_harmonics + 1)[:, None]
    turns = np.arange(_TABLE) / _TABLE
    wave = (np.cos(2 * np.pi * (k * turns + 0.04 * k**1.5)) / k**0.8).sum(axis=0)
    return np.asarray(wave / wave.std(), np.float32)


_BUZZES = (_buzz(44), _buzz(18))
_HISS_POOL = np.random.default_rng([0, 0]).standard_normal(1 << 19, dtype=np.float32)


def _vowel(letter: str, effort: float) -> int:
    level = 0 if effort < 0.3 else 1 if effort < 0.72 else 2
    return "aeioum".index("i" if letter == "y" else letter) * _LEVELS + level


def _hiss(name: str) -> int:
    return len(_VOWELS) * _LEVELS + list(_HISSES).index(name)


def num_syllables(text: str) -> int:
    """How many syllables the text has, by its vowels."""
    return sum(max(1, len(_SYLLABLE.findall(word))) for word in text.lower().split())


def _onset(cluster: str, effort: float) -> list[Phone]:
    kind = _ONSETS.get(cluster[0], "m")
    if kind == "m":
        return [(0.35, _vowel("m", effort), 0.5, 0.02, 1.0)]
    if kind == "t":
        return [(0.3, _hiss("t"), 0.0, 0.0, 1.0), (0.12, _hiss("t"), 0.1, 0.7, 1.0)]
    return [(0.4, _hiss(kind), 0.05, 0.4, 1.0)]


def _talk(voice: Voice, text: str, effort: float, rng: np.random.Generator) -> list[Phone]:
    """Phones of the words: the pitch falls over the line, stressed syllables stand out, the last lasts."""
    phones: list[Phone] = []
    words = text.lower().split()
    for i, word in enumerate(words):
        fall = 1.0 + voice.melody * (0.6 - 1.1 * i / len(words))
        for cluster, vowels in _SYLLABLE.findall(word) or [("", "e")]:
            if cluster:
                phones += _onset(cluster, effort)
            stress = float(rng.uniform(0.6, 1.15))
            last = i == len(words) - 1
            length = stress * (1.0 + (1.0 + 2.5 * max(0.0, effort - 0.6)) * last)
            pitch = fall * (1 + voice.melody * float(rng.normal(0, 0.5)) + 0.25 * voice.melody * stress)
            if last and words[0] in ("what", "where", "who", "did", "is", "how", "can"):
                pitch *= 1.0 + voice.melody
            phones.append((length, _vowel(vowels[0], effort), 0.5 + 0.5 * stress, voice.breath, pitch))
        if rng.random() < 0.07:
            phones.append((0.6, _hiss("h"), 0.0, 0.01, 1.0))
    return phones


def _laugh(voice: Voice, length_s: float, effort: float, rng: np.random.Generator) -> list[Phone]:
    """Bouts of ha-ha with a drawn breath between; the louder, the higher; wheezers lose their voice."""
    phones: list[Phone] = []
    total, vowel = 0.0, str(rng.choice(list("aaeoi")))
    while total < length_s:
        top = float(rng.uniform(1.2, 1.9)) + 0.5 * effort
        voiced = 0.15 if rng.random() < voice.wheeze * 0.7 else 1.0
        for i in range(int(rng.integers(3, 5 + int(7 * effort)))):
            beat = float(rng.uniform(0.85, 1.2)) / voice.laugh_hz * (1 + 0.03 * i)
            fade = 0.93**i
            phones.append((beat * 0.45, _hiss("h"), 0.03, 0.2 * fade, top * fade**0.5))
            phones.append((beat * 0.55, _vowel(vowel, effort), voiced * fade, 0.16 * fade, top * fade**0.5))
            total += beat
        pause, gulp = float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.25, 0.6))
        phones += [(pause, _hiss("h"), 0.0, 0.0, top), (gulp, _hiss("f"), 0.05 * effort, 0.16, top * 1.3)]
        total += pause + gulp
    return phones


def _noise_of(how: str, effort: float, rng: np.random.Generator) -> list[Phone]:
    """Sounds without words: a long outcry, a drawn gasp, coughs, a breath, a soft aww."""
    if how == "scream":
        top, vowel = (
            float(rng.uniform(1.3, 1.9)) + 0.3 * effort,
            _vowel(str(rng.choice(list("aaao"))), effort),
        )
        held = [(0.25, vowel, 0.9, 0.15, top * 0.9), (0.5, vowel, 1.0, 0.25, top * 1.1)]
        return [(0.06, _hiss("h"), 0.1, 0.4, top * 0.8), *held, (0.25, vowel, 0.6, 0.2, top * 0.75)]
    if how == "gasp":
        return [(0.3, _hiss("h"), 0.25 * effort, 0.8, 1.7), (0.12, _hiss("f"), 0.1, 0.5, 1.9)]
    if how == "cough":
        hack: list[Phone] = [(0.04, _hiss("t"), 0.0, 1.4, 1.0), (0.14, _vowel("a", 0.9), 0.5, 0.8, 0.9)]
        hack.append((float(rng.uniform(0.15, 0.4)), _hiss("h"), 0.0, 0.02, 1.0))
        return hack * int(rng.integers(2, 5))
    if how == "aww":
        return [(0.35, _vowel(v, 0.4), 0.8, 0.1, p) for v, p in (("o", 1.1), ("a", 1.35), ("o", 0.95))]
    return [(0.35, _hiss("h"), 0.0, 0.3, 1.0), (0.1, _hiss("f"), 0.0, 0.1, 1.0)]


def _sources(table: npt.NDArray[np.float64], effort: float, voice: Voice, rng: np.random.Generator) -> Sound:
    """Buzz and hiss along the phones, before the mouth shapes them."""
    ends = np.cumsum(table[:, 0])
    knots = np.stack([ends - 0.75 * table[:, 0], ends - 0.2 * table[:, 0]], axis=1).ravel()
    knots = np.concatenate([[0], knots, [ends[-1]]])
    times = np.arange(0, ends[-1], _STEP / RATE_HZ)
    pitch = np.interp(times, ends - 0.5 * table[:, 0], table[:, 4])
    raised = voice.pitch_hz * 2 ** (1.1 * max(0.0, effort - 0.4) - 0.15 * (effort < 0.25))
    wobble = 1 + 0.012 * np.interp(times, times[::8], rng.standard_normal(len(times[::8])))
    pitch = np.clip(raised * pitch * wobble, 55, 950)
    buzz = np.interp(times, knots, np.pad(np.repeat(table[:, 2], 2), 1))
    hiss = np.interp(times, knots, np.pad(np.repeat(table[:, 3], 2), 1))
    phase = np.cumsum(np.repeat((pitch * (_TABLE / RATE_HZ)).astype(np.float32), _STEP), dtype=np.float64)
    wave = _BUZZES[int(pitch.mean() > 260)][phase.astype(np.int64) & (_TABLE - 1)]
    if effort > 0.85:  # a strained throat beats at half its pitch
        wave *= 1 + 0.35 * np.sin(phase * (np.pi / _TABLE)).astype(np.float32)
    start = int(rng.integers(0, max(1, len(_HISS_POOL) - len(wave))))
    noise = np.resize(_HISS_POOL[start : start + len(wave)], len(wave))
    noise *= np.repeat(hiss.astype(np.float32), _STEP)
    wave *= np.repeat(buzz.astype(np.float32), _STEP)
    np.add(wave, noise, out=wave)
    return np.asarray(wave, np.float32)


_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)).astype(np.float32)


def _shape(source: Sound, table: npt.NDArray[np.float64], voice: Voice) -> Sound:
    """The mouth: each short frame filtered by the envelope between its two nearest phones."""
    num = len(source) // _HOP + 2
    padded = np.zeros((num + 1) * _HOP, np.float32)
    padded[_HOP : _HOP + len(source)] = source
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP] * _HANN
    centres = np.cumsum(table[:, 0]) - 0.5 * table[:, 0]
    place = np.interp(np.arange(num) * (_HOP / RATE_HZ), centres, np.arange(len(centres)))
    low = np.minimum(place.astype(int), len(centres) - 2)
    share = np.clip(1.6 * (place - low) - 0.3, 0, 1).astype(np.float32)[:, None]
    rows = table[:, 1].astype(int)
    shape = voice.envelopes[rows[low]] * (1 - share) + voice.envelopes[rows[low + 1]] * share
    frames = np.fft.irfft(np.fft.rfft(frames, axis=1) * shape, n=_FRAME, axis=1)
    out = np.zeros((num + 1, _HOP), np.float32)
    out[:-1] += frames[:, :_HOP]
    out[1:] += frames[:, _HOP:]
    return out.ravel()[_HOP : _HOP + len(source)]


def utter(voice: Voice, line: Line, rng: np.random.Generator) -> Sound:
    """The sound of one line, plain talk at a mean square of 1."""
    how, effort, length_s = line.how, line.effort, line.length_s
    if how == "say":
        phones = _talk(voice, line.text, effort, rng)
    else:
        phones = _laugh(voice, length_s, effort, rng) if how == "laugh" else _noise_of(how, effort, rng)
    table = np.array(phones)
    table[:, 0] *= length_s / table[:, 0].sum()
    wave = _shape(_sources(table, effort, voice, rng), table, voice)
    level = float(np.clip(24 * (effort - 0.4), -11, 15)) * voice.squash + _OFFSETS_DB.get(how, 0.0)
    return wave * np.float32(voice.gain * 10 ** (level / 20) / np.sqrt(np.mean(wave**2) + 1e-9))
