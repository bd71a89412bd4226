"""What f_arena is made of: the tables beside it, syllables, noise and the game's sounds.

Invariant: every draw comes from the generator that is handed in, in the order of the text.
"""

from __future__ import annotations

import functools
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import RATE_HZ, Sound

Rng = np.random.Generator
Floats = npt.NDArray[np.floating]
VOWELS_HZ = np.array(
    [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]
)


@functools.cache
def tables() -> dict[str, tuple[str, ...]]:
    """Every list of words.txt by name."""
    text = pathlib.Path(__file__).with_name("words.txt").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split("## ")[1:]:
        name, *lines = part.splitlines()
        kept = [line for line in lines if line[:2] not in ("", "# ")]
        found[name] = tuple(entry for line in kept for entry in line.split(" / "))
    return found


class Voice(NamedTuple):
    """A person: a throat of 1 is long, breath is the share of noise, a level is in dB of full scale, RMS."""

    pitch_hz: float
    throat: float
    syllables_hz: float
    breath: float
    level_db: float

    @classmethod
    def draw(cls, rng: Rng, *, is_high: bool) -> Voice:
        """Anybody, high or low."""
        pitch_hz = rng.uniform(165, 250) if is_high else rng.uniform(80, 150)
        syllables_hz, breath, level_db = rng.uniform(3.5, 6.3), rng.uniform(0.03, 0.3), rng.uniform(-35, -19)
        return cls(pitch_hz, 1.15 if is_high else 1.0, syllables_hz, breath, level_db)


def syllables(text: str) -> list[tuple[float, float]]:
    """Length and pause after each syllable, in syllables; drawn letters and commas are long."""
    found: list[tuple[float, float]] = []
    for word in ("ha " * (len(text) // 2) if text.startswith("haha") else text).split():
        num_drawn = sum(len(match.group()) - 2 for match in re.finditer(r"(\w)\1{2,}", word))
        num = max(1, len(re.findall(r"[aeiouy]+", word.lower())))
        found += [(1.0, 0.0)] * (num - 1)
        found.append((1.0 + 0.7 * num_drawn, 1.0 if word[-1] == "," else 0.1))
    return found


def mix(into: Sound, at_s: float, sound: Floats, gain_db: float = 0.0) -> None:
    """Add a sound to a track; what reaches over its end is lost."""
    part = into[int(at_s * RATE_HZ) :][: len(sound)]
    part += np.float32(10 ** (gain_db / 20)) * sound[: len(part)].astype(np.float32)


def make_noise(rng: Rng, num: int, slope: float, low_hz: float = 20, high_hz: float = 8000) -> Sound:
    """So many samples of noise at RMS 1, between two frequencies and falling by a power of them."""
    spectrum, f_hz = np.fft.rfft(rng.standard_normal(num, np.float32)), np.fft.rfftfreq(num, 1 / RATE_HZ) + 1
    sound = np.fft.irfft(spectrum * ((f_hz > low_hz) & (f_hz < high_hz)) * f_hz**-slope, num)
    return np.asarray(sound / sound.std(), np.float32)


def make_foley(rng: Rng, row: str) -> Sound:
    """A sound of the table, put together from noise, tones and sweeps; its peak is 0.3."""
    out, bend = np.zeros(6 * RATE_HZ, np.float32), rng.lognormal(0, 0.12)
    for kind, *words in (part.split() for part in row.split(maxsplit=1)[1].split("|")):
        start_s = float(words.pop()[1:]) if words[-1].startswith("@") else 0.0
        length_s, decay_s = map(float, words[-2:])
        at_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
        pitches_hz = [float(pitch) * bend for pitch in words[0].split(",")]
        sound: Floats
        if kind == "noise":
            sound = make_noise(rng, len(at_s), 0, float(words[0]), float(words[1]))
        elif kind == "sweep":
            path_hz = np.linspace(pitches_hz[0], float(words[1]) * bend, len(at_s))
            sound = np.sin(2 * np.pi * np.cumsum(path_hz) / RATE_HZ)
        else:
            partials = [(pitch_hz, k) for pitch_hz in pitches_hz for k in (1, 2, 3, 4)]
            waves = [np.sin(2 * np.pi * pitch_hz * k * at_s) / k**1.4 for pitch_hz, k in partials]
            sound = np.sum(waves, axis=0)
        rise_s = 0.4 if kind == "noise" and 1 < decay_s < 3 else 0.004  # a crowd takes its time
        edge = np.minimum(at_s / rise_s, (length_s - at_s) / 0.02)
        mix(out, start_s, sound / np.abs(sound).max() * np.exp(-at_s / decay_s) * np.minimum(1, edge))
    return out[: np.flatnonzero(out)[-1] + 1] * np.float32(0.3 / np.abs(out).max())


def utter(rng: Rng, voice: Voice, text: str, energy: float, *, length_s: float, range_db: float) -> Sound:
    """A buzz and breath through the throat's resonances, syllable by syllable.

    Args:
        energy: 0 is calm, 1 a scream.
        range_db: how much louder a scream is.
    """
    sizes, is_laugh = syllables(text), "haha" in text
    out, at_s = np.zeros(int(length_s * RATE_HZ), np.float32), 0.0
    unit_s = length_s / (1 + sum(size + pause for size, pause in sizes))
    for done, (size, pause) in enumerate(sizes):
        num = max(400, int(size * unit_s * (0.6 if is_laugh else 0.93) * RATE_HZ))
        octaves = 0.75 * max(-0.2, energy) + 0.08 * rng.normal() + 0.4 * is_laugh - 0.25 * done / len(sizes)
        pitch_hz = min(800, voice.pitch_hz * 2**octaves)
        phase = np.cumsum(np.linspace(1.08, 0.85, num) * pitch_hz) / RATE_HZ
        buzz = (2 * (phase % 1) - 1) * (1 + max(0, energy - 0.5) * np.sin(np.pi * phase))
        wide = 1 << (num - 1).bit_length()
        formants_hz = rng.choice(VOWELS_HZ) * voice.throat * (1 + 0.15 * energy * np.array([1, 0, 0]))
        bands = (np.fft.rfftfreq(wide, 1 / RATE_HZ)[:, None] - formants_hz) / (90, 120, 180)
        shape = 0.02 + (1 / (1 + bands**2)) @ (1, 0.4 + 0.4 * energy, 0.2 + 0.2 * energy)
        spectrum = np.fft.rfft(buzz + (voice.breath + 0.3 * is_laugh) * rng.normal(size=num), wide)
        sound = np.fft.irfft(spectrum * shape, wide)[:num]
        head = min(num, int(rng.uniform(0, 900)))
        sound[:head] = 0.3 * sound[:head] + 0.12 * np.diff(rng.normal(size=head + 1))
        sound *= np.minimum(1, np.minimum(np.arange(num), np.arange(num)[::-1]) / 350)
        mix(out, at_s, sound, rng.uniform(-3, 2))
        at_s += (size + pause) * unit_s
    level_db = voice.level_db + energy * range_db
    return out * np.float32(10 ** (level_db / 20) / (np.sqrt(np.mean(out**2)) + 1e-6))


def make_song(rng: Rng, kick: Sound, hat: Sound, length_s: float) -> Sound:
    """Sixteen beats again and again at RMS 1, about; every 8 s as loud as chance has it."""
    beat_s, root_hz = 60 / rng.uniform(75, 170), rng.uniform(50, 75)
    out, at_s = np.zeros(int(16 * beat_s * RATE_HZ), np.float32), np.arange(int(beat_s * RATE_HZ)) / RATE_HZ
    for beat in range(16):
        mix(out, beat * beat_s, hat if beat % 2 else kick, -3)
        for late, octave in ((0, 1), (0, 4), (0.5, 8)):
            angle = 2 * np.pi * octave * root_hz * 2 ** (rng.choice([0, 3, 5, 7, 10]) / 12) * at_s
            note = np.sin(angle + 1.5 * np.sin(angle)) * np.exp(-3 * at_s / beat_s)
            mix(out, (beat + late) * beat_s, note, -16)
    parts, num = np.repeat(rng.choice([0.4, 0.8, 1.0], 40), 8 * RATE_HZ), int(length_s * RATE_HZ)
    return np.resize(out / out.std(), num) * np.resize(parts, num).astype(np.float32)


def read_options(options: list[str]) -> Iterator[tuple[str, str, float]]:
    """What happens in a decoy as its row says it: track, name, amount."""
    for option in options:
        track, name, amount = re.split("[=:]", option)
        yield track, name, float(amount)
