"""A voice of pulses and noise, shaped by formants frame by frame; speech, shouts, laughter, barks, coughs."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.sketches.g_living.plan import Rng, Track
from tests.sketches.sketch import RATE_HZ, Sound

HOP = 256
FRAMES_HZ = RATE_HZ / HOP
# First and second formants of a grown man, in Hz.
VOWELS = (
    (730, 1090),
    (270, 2290),
    (300, 870),
    (530, 1840),
    (570, 840),
    (660, 1720),
    (490, 1350),
    (440, 1020),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One stretch of voice. `effort`: 0 whispered, 0.3 ordinary, 1 shouted; `style` as `speak` knows them."""

    start_s: float
    end_s: float
    text: str
    effort: float
    style: str = "talk"
    heard: bool = True
    tells: bool = False  # whether it is a sign of a moment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Throat:
    """Whose voice it is."""

    pitch_hz: float
    tract: float
    rate: float
    swing: float  # how far pitch and level follow effort, 0 to 1
    gain: float = 1.0


class Tracks:
    """What the voices do, a value a frame of 16 ms each."""

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples
        self.num = num_samples // HOP + 4
        zeros = [np.zeros(self.num, dtype=np.float32) for _ in range(6)]
        self.pitch, self.voiced, self.breath, self.first, self.second, self.bright = zeros

    def put(
        self, at: int, shape: Track, pitch: Track, vowel: tuple[float, float], bright: float, breath: float
    ) -> None:
        """Writes one syllable: `shape` its loudness a frame, `breath` the share of noise in it."""
        end = min(at + len(shape), self.num)
        if at < 0 or end <= at:
            return
        here, size = slice(at, end), end - at
        self.pitch[here] = pitch[:size]
        self.voiced[here] = shape[:size] * (1.0 - breath)
        self.breath[here] = shape[:size] * breath * 0.5
        self.first[here], self.second[here] = vowel
        self.bright[here] = bright


def speak(tracks: Tracks, rng: Rng, throat: Throat, said: Utterance) -> None:
    """Writes an utterance onto the tracks."""
    if said.style == "laugh":
        _laugh(tracks, rng, throat, said)
    elif said.style in ("bark", "cough"):
        _bursts(tracks, rng, throat, said)
    else:
        _syllables(tracks, rng, throat, said)


def loudness(throat: Throat, effort: float) -> float:
    """Amplitude that goes with an effort; 1 is ordinary talk."""
    db = (effort - 0.3) * (8.0 + 16.0 * throat.swing) if effort > 0.3 else (effort - 0.3) * 35.0
    return throat.gain * float(10 ** (db / 20))


def _syllables(tracks: Tracks, rng: Rng, throat: Throat, said: Utterance) -> None:
    held = said.style in ("sing", "scream")
    rate = 1.1 if said.style == "scream" else 2.0 if held else throat.rate * (1 + 0.3 * (said.effort - 0.3))
    whisper = said.style == "whisper"
    over = max(said.effort - 0.3, -0.1)
    at_s, level = said.start_s, loudness(throat, said.effort)
    while at_s < said.end_s - 0.06:
        long_s = min(float(rng.lognormal(0, 0.3)) / rate, said.end_s - at_s + 0.05)
        size = max(3, int(long_s * FRAMES_HZ))
        at = int(at_s * FRAMES_HZ)
        done = (at_s - said.start_s) / max(said.end_s - said.start_s, 0.2)
        bend = 1.0 + over * (0.3 + 1.1 * throat.swing) + float(rng.normal(0, 0.07)) + 0.1 * (0.5 - done)
        if said.style == "sing":
            bend = float(2 ** (rng.integers(-3, 8) / 12))
        sweep = np.linspace(1.0, 1.0 + float(rng.normal(-0.04, 0.08)), size)
        wobble = 1.0 + 0.02 * np.sin(np.arange(size) * 0.55) if held else 1.0
        pitch = np.asarray(throat.pitch_hz * bend * sweep * wobble, dtype=np.float32)
        shape = np.asarray(np.sin(np.linspace(0.25, np.pi - 0.1, size)) ** 0.6, dtype=np.float32)
        shape *= level * float(rng.lognormal(0, 0.22)) * (1.0 - 0.25 * done)
        first, second = VOWELS[int(rng.integers(len(VOWELS)))]
        vowel = (first * throat.tract * (1.0 + 0.25 * max(over, 0.0)), second * throat.tract)
        tracks.put(at, shape, pitch, vowel, 0.2 + 0.6 * max(over, 0.0), 0.95 if whisper else 0.06)
        if not held and rng.random() < 0.55:
            hiss = np.full(
                int(rng.integers(1, min(5, size + 1))), 0.5 * float(shape.mean()), dtype=np.float32
            )
            tracks.put(at, hiss, pitch, (3500 * throat.tract, 5200.0), 0.9, 1.0)
        at_s += size / FRAMES_HZ
        if not held and rng.random() < 0.06:
            at_s += float(rng.uniform(0.08, 0.35))


def _laugh(tracks: Tracks, rng: Rng, throat: Throat, said: Utterance) -> None:
    """Bursts of "ha", five or so a second, falling in pitch and level, with a breath between the runs."""
    at_s, rate = said.start_s, float(rng.uniform(4.2, 6.2))
    level = 1.35 * loudness(throat, said.effort)
    top = float(rng.uniform(1.3, 2.0 + said.effort))
    vowel = VOWELS[int(rng.choice([0, 5, 6]))]
    while at_s < said.end_s:
        for beat in range(int(rng.integers(3, 9))):
            size = max(3, int(FRAMES_HZ / rate * 0.62))
            fall = 0.93**beat
            pitch = np.asarray(throat.pitch_hz * top * fall * np.linspace(1.08, 0.9, size), dtype=np.float32)
            shape = np.asarray(np.sin(np.linspace(0.2, np.pi, size)) * level * fall, dtype=np.float32)
            at = int(at_s * FRAMES_HZ)
            place = (vowel[0] * throat.tract, vowel[1] * throat.tract)
            tracks.put(at, shape, pitch, place, 0.45, 0.3)
            tracks.put(at + size, shape[:3] * 0.4, pitch, place, 0.6, 1.0)
            at_s += float(rng.normal(1.0, 0.08)) / rate
            if at_s >= said.end_s:
                return
        gasp = np.full(int(rng.integers(6, 16)), 0.12 * level, dtype=np.float32)
        tracks.put(
            int(at_s * FRAMES_HZ), gasp, np.full(20, throat.pitch_hz, np.float32), (1500.0, 3000.0), 0.8, 1.0
        )
        at_s += float(rng.uniform(0.25, 0.7))


def _bursts(tracks: Tracks, rng: Rng, throat: Throat, said: Utterance) -> None:
    """Barks or coughs: short, loud, with noise."""
    bark = said.style == "bark"
    at_s = said.start_s
    while at_s < said.end_s - 0.1:
        size = int(rng.integers(7, 13))
        level = loudness(throat, said.effort) * float(rng.uniform(0.7, 1.4)) * (2.6 if bark else 2.8)
        shape = np.asarray(np.exp(-np.arange(size) / (3.5 if bark else 2.5)) * level, dtype=np.float32)
        base = float(rng.uniform(380, 520)) if bark else throat.pitch_hz * 1.3
        pitch = np.asarray(base * np.linspace(1.2, 0.7, size), dtype=np.float32)
        tracks.put(int(at_s * FRAMES_HZ), shape, pitch, (900.0, 1700.0), 0.5, 0.3 if bark else 0.8)
        at_s += float(rng.uniform(0.25, 0.9 if bark else 0.6))


def render(tracks: Tracks, rng: Rng) -> Sound:
    """Sounds the tracks; ordinary talk comes out at about 0.1 RMS."""
    out = np.zeros((tracks.num + 4) * HOP, dtype=np.float32)
    live = np.flatnonzero(tracks.voiced + tracks.breath > 1e-5)
    if len(live):
        cuts = np.flatnonzero(np.diff(live) > 6) + 1
        for run in np.split(live, cuts):
            for start in range(int(run[0]), int(run[-1]) + 1, 1200):
                _run(tracks, rng, out, start, min(start + 1200, int(run[-1]) + 1))
    return out[: tracks.num_samples]


def _run(tracks: Tracks, rng: Rng, out: Sound, start: int, end: int) -> None:
    here, size = slice(start, end), end - start
    pitch = np.where(tracks.pitch[here] > 1, tracks.pitch[here], 120.0)
    phase = np.cumsum(np.interp(np.arange((size + 1) * HOP) / HOP, np.arange(size) + 0.5, pitch)) / RATE_HZ
    pulses = (1.0 - 2.0 * (phase % 1.0)).astype(np.float32)
    window = np.hanning(2 * HOP + 1)[:-1].astype(np.float32)
    spectra = np.fft.rfft(sliding_window_view(pulses, 2 * HOP)[::HOP] * window, axis=1)
    freqs = np.fft.rfftfreq(2 * HOP, 1 / RATE_HZ).astype(np.float32)[None, :]
    first, second = tracks.first[here, None], tracks.second[here, None]
    bright = tracks.bright[here, None]
    gain = 1.0 / (1.0 + ((freqs - first) / (90.0 + 0.08 * first)) ** 2)
    gain += (0.35 + 0.5 * bright) / (1.0 + ((freqs - second) / 130.0) ** 2)
    gain += (0.1 + 0.35 * bright) / (1.0 + ((freqs - 2700.0) / 220.0) ** 2)
    gain += 0.03 + 0.03 * bright
    noise = rng.standard_normal((size, 2 * HOP + 2), dtype=np.float32).view(np.complex64)
    wide = gain + 0.08 + 0.25 * (freqs > first * 0.8)
    mixed = spectra * (gain * tracks.voiced[here, None] * 0.9) + noise * (
        wide * tracks.breath[here, None] * 3.0
    )
    frames = np.fft.irfft(mixed, axis=1).astype(np.float32)
    frames *= 0.9
    at = start * HOP
    halves = frames.reshape(size, 2, HOP)
    out[at : at + size * HOP] += halves[:, 0].reshape(-1)
    out[at + HOP : at + (size + 1) * HOP] += halves[:, 1].reshape(-1)
