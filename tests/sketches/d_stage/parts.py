"""What d_stage is made of: the tables beside it, voices, sounds, and what stays the same through a stream.

Invariant: every draw comes from the generator that is handed in, in the order of the text.
"""

from __future__ import annotations

import functools
import pathlib
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import RATE_HZ

Rng = np.random.Generator
Floats = npt.NDArray[np.floating]

_NARROW = np.linspace(0, 1, 257)  # where a vowel's spectrum is kept: 0 to half the rate
_FORMANTS = ((1, 90), (0.6, 120), (0.3, 200))  # gain and width in Hz of each


@functools.cache
def table(section: str) -> tuple[str, ...]:
    """A section's phrases (its rows where the name is plural); empty where there is none."""
    text = pathlib.Path(__file__).with_name("words.txt").read_text(encoding="utf-8")
    found = re.search(rf"^\[{re.escape(section)}\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in (found[1] if found else "").splitlines() if line and line[:2] != "# "]
    return tuple(lines if section.endswith("s") or not lines else " | ".join(lines).split(" | "))


class Line(NamedTuple):
    """What somebody says in one go; arousal is 0 in calm talk and about 1 in a shout."""

    start_s: float
    end_s: float
    text: str  # empty where it is laughter
    arousal: float
    is_sung: bool = False


class Voice:
    """A person's voice: pitch, syllables a second, level, how far arousal moves them, and the vowels' spectra."""

    def __init__(self, rng: Rng, level_db: float, *, is_phone: bool = False) -> None:
        is_high = rng.random() < 0.4
        self.pitch_hz = (200 if is_high else 112) * rng.lognormal(0, 0.14)
        self.level_db = level_db
        self.syllables_hz = rng.normal(4.9, 0.6)
        self.expressive = float(np.clip(rng.normal(0.95, 0.3), 0.35, 1.5))
        f_hz = _NARROW * RATE_HZ / 2 / rng.normal(1.15 if is_high else 1.0, 0.06)
        band = (f_hz > 280) & (f_hz < 3600) | (not is_phone)
        self.spectra: dict[str, Floats] = {}
        for letter, *peaks_hz in map(str.split, table("vowels")):
            humps = (
                gain / (1 + ((f_hz - float(peak_hz)) / wide_hz) ** 2)
                for peak_hz, (gain, wide_hz) in zip(peaks_hz, _FORMANTS, strict=True)
            )
            self.spectra[letter] = (sum(humps) + 0.01) * band

    def note(self, num: int, pitch_hz: tuple[float, float], press: float, vowel: str, rng: Rng) -> Floats:
        """So many samples of a vowel at RMS 1, its pitch gliding; press 0 is soft, 1 shouted; 0 Hz whispers."""
        at, wave = np.arange(num), 0.08 * rng.standard_normal(num, dtype=np.float32)
        if pitch_hz[0] > 0:
            wobble = 0.012 * np.sin(at * (2 * np.pi * rng.uniform(4.5, 6.5) / RATE_HZ) + rng.uniform(0, 6))
            phase = np.cumsum(np.linspace(*pitch_hz, num) * (1 + wobble)) / RATE_HZ % 1.0
            wave = wave + np.exp(-phase * (4 + 14 * press)) - 0.5 * np.exp(-(1 - phase) * 30) * press
        size = 1 << max(9, num - 1).bit_length()
        spectrum = np.fft.rfft(wave - wave.mean(), size)
        shape = np.interp(np.linspace(0, 1, len(spectrum)), _NARROW, self.spectra[vowel])
        edges = np.minimum(1, np.minimum(at / 200, (num - at) / 500))
        sound: Floats = np.fft.irfft(spectrum * shape, size)[:num] * edges
        return sound / np.float64(np.sqrt(np.mean(sound**2)) + 1e-9)

    def speak(self, track: Floats, line: Line, rng: Rng) -> None:
        """Add a line's syllables to a track."""
        lift, is_laugh = line.arousal * self.expressive**0.5, not line.text
        level = 10 ** ((self.level_db + 9 * line.arousal + rng.normal(0, 1.2)) / 20)
        vowels = re.findall("[aeiou]", line.text.lower()) or [str(rng.choice(["a", "a", "e", "i"]))] * 40
        step_s = rng.uniform(0.16, 0.25) if is_laugh else (line.end_s - line.start_s) / len(vowels)
        at_s, done = line.start_s, 0
        while at_s < line.end_s - 0.04 and done < len(vowels):
            if line.is_sung:
                bend = rng.integers(0, 6) / 6
            else:
                bend = 0.55 * lift + 0.15 - 0.3 * done / len(vowels)
            octaves = bend + rng.normal(0, 0.07)
            pitch_hz = self.pitch_hz * 2.0**octaves * (lift > -0.3) * (1.3 if is_laugh else 1)
            length_s = rng.uniform(0.07, 0.12) if is_laugh else step_s * rng.uniform(0.7, 0.95)
            gain = level * rng.lognormal(0, 0.18) * (0.96**done if is_laugh else 1)
            glide_hz, press = (pitch_hz, pitch_hz * rng.uniform(0.85, 1.02)), 0.3 + 0.5 * lift
            vowel = self.note(
                int(RATE_HZ * length_s), glide_hz, float(np.clip(press, 0, 1)), vowels[done], rng
            )
            add(track, at_s, vowel, gain)
            consonant = np.diff(rng.standard_normal(601)) * np.hanning(600)
            add(track, at_s - 0.05, consonant, gain * rng.uniform(0, 0.25))
            at_s, done = at_s + step_s * rng.uniform(0.9, 1.1), done + 1


class World:
    """What stays the same through a stream: the people, the game, the audience, the editor's habits."""

    def __init__(self, duration_s: float, rng: Rng) -> None:
        self.duration_s = duration_s
        self.language = str(rng.choice(["en", "de", "es"], p=[0.84, 0.09, 0.07]))
        genre = table("genres")[rng.integers(len(table("genres")))].split()
        self.ordinary_sounds = [token.split("*") for token in genre[1].split(",")]  # name, how many a second
        self.camera_px, self.cuts_hz, self.darkness = map(float, genre[2:5])
        self.favoured = genre[5].split(",")
        self.streamer = Voice(rng, min(rng.normal(-27, 5), -17.0))
        self.pause_s = rng.lognormal(0.75, 0.8)
        num_friends = max(0, int(rng.integers(-4, 4)))
        self.friends = [Voice(rng, rng.normal(-27, 4), is_phone=True) for _ in range(num_friends)]
        self.num_viewers = int(np.exp(rng.uniform(np.log(2), np.log(12_000))))
        usual_hz = self.num_viewers**0.62 / 110 * rng.lognormal(0, 0.5)
        self.chat_hz = min(3.5, usual_hz) * (rng.random() > 0.12)
        self.chat_lag_s = rng.uniform(1.5, 4) if rng.random() < 0.5 else rng.uniform(4, 12)
        self.loose, self.scatter_s = rng.beta(2, 2), rng.uniform(0.3, 1.1)  # how an editor cuts

    def phrase(self, section: str, rng: Rng) -> str:
        """A phrase in the stream's language, English where that has none, with its slots filled."""
        phrases = table(f"{self.language}.{section}") or table(section) or table("talk")
        return re.sub(r"\{(\w+)\}", lambda slot: str(rng.choice(table(slot[1]))), str(rng.choice(phrases)))


def add(track: Floats, at_s: float, sound: Floats, gain: float) -> None:
    """Mix a sound into a track; what reaches over its end is lost."""
    room = track[max(0, int(at_s * RATE_HZ)) :][: len(sound)]
    room += (gain * sound[: len(room)]).astype(track.dtype)


def hiss(num: int, low_hz: float, high_hz: float, rng: Rng) -> Floats:
    """So many samples of noise between two frequencies."""
    spectrum = np.fft.rfft(rng.standard_normal(num, dtype=np.float32))
    f_hz = np.linspace(0, RATE_HZ / 2, len(spectrum), dtype=np.float32)
    return np.fft.irfft(spectrum * ((f_hz > low_hz) & (f_hz < high_hz)), num)


def effect(name: str, length_s: float, rng: Rng) -> Floats:
    """A sound of the tables, a song, or an audience that laughs; its peak is 1.

    Args:
        name: a row of `tones` or `hisses`, `song`; all else is the audience.
        length_s: of a song and of a hiss that lasts; the others have lengths of their own.
    """
    rows = {row.split()[0]: row.split()[1:] for row in table("tones") + table("hisses")}
    if name in rows and "," in rows[name][0]:
        sound = _tune(rows[name], rng)
    elif name in rows:
        low_hz, high_hz, seconds, decay_s = map(float, rows[name])
        at_s = np.arange(int((seconds or length_s) * RATE_HZ)) / RATE_HZ
        fade = np.minimum(1, 2 * np.minimum(at_s, at_s[::-1])) if seconds == 0 else 1.0  # one that lasts
        noise = hiss(len(at_s), low_hz, high_hz, rng)
        sound = noise * np.exp(-at_s / (decay_s * rng.uniform(0.7, 1.3))) * fade
    elif name == "song":
        sound = np.resize(_song(rng), int(RATE_HZ * length_s))
    else:
        sound = np.zeros(int(3.5 * RATE_HZ))
        for _ in range(6):
            person = Voice(rng, -20)
            person.speak(sound, Line(rng.uniform(0, 0.6), rng.uniform(1.6, 3.2), "", 0.5), rng)
    return sound / max(float(np.abs(sound).max(initial=0)), 1e-6)


def sounding_s(name: str, length_s: float) -> float:
    """How long an effect is heard well: until it has fallen by 12 dB, or ends."""
    rows = {row.split()[0]: row.split()[1:] for row in table("tones") + table("hisses")}
    if name not in rows:
        return length_s
    if "," in rows[name][0]:
        step_s, decay_s = map(float, rows[name][1:3])
        return step_s * rows[name][0].count(",") + 1.4 * decay_s
    seconds, decay_s = map(float, rows[name][2:])
    return min(seconds or length_s, 1.4 * decay_s)


def _tone(semitones: float, decay_s: float, glide: float = 0.0) -> Floats:
    # From 220 Hz; glide is in octaves a second.
    at_s = np.arange(int(3 * decay_s * RATE_HZ)) / RATE_HZ
    phase = np.cumsum(220 * 2.0 ** (semitones / 12 + glide * at_s)) * (2 * np.pi / RATE_HZ)
    return (np.sin(phase) + 0.35 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)) * np.exp(-at_s / decay_s)


def _tune(row: list[str], rng: Rng) -> Floats:
    (step_s, decay_s, glide), shift = map(float, row[1:]), rng.integers(-3, 4)
    sound = np.zeros(int(RATE_HZ * (step_s * 5 + 3 * decay_s)))
    for place, semitones in enumerate(row[0].split(",")):
        add(sound, place * step_s, _tone(float(semitones) + shift, decay_s, glide), 1)
    return sound


def _song(rng: Rng) -> Floats:
    """Sixteen beats: four chords, a bass drum, a tune of a few notes."""
    beat_s, key = 60 / rng.uniform(70, 165), rng.integers(-12, 0)
    third = 3 + key % 2
    sound = np.zeros(int(16 * beat_s * RATE_HZ))
    for beat in range(16):
        root = key + (0, -4, 3, -2)[beat // 4]
        if beat % 4 == 0:
            for step in (0, third, 7):
                add(sound, beat * beat_s, _tone(float(root + step), 1.5 * beat_s), 0.3)
        melody = key + 12 + rng.choice([0, 3, 5, 7, 10])
        late = rng.integers(0, 2) / 2
        add(sound, beat * beat_s, _tone(-24, 0.12, -2), 0.9)
        add(sound, (beat + late) * beat_s, _tone(float(melody), 0.2), 0.35)
    return sound
