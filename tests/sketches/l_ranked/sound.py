"""The desktop's sound: guns, steps, stings, alerts, adverts, music and the voices of team mates."""

from __future__ import annotations

import numpy as np

from tests.sketches.l_ranked.plan import Plan
from tests.sketches.l_ranked.script import SCREENS, Cue
from tests.sketches.l_ranked.truth import Laid
from tests.sketches.l_ranked.voice import Throat, shaped_noise
from tests.sketches.l_ranked.who import Phrases, Who, table
from tests.sketches.sketch import RATE_HZ, Sound


def mix(out: Sound, at_s: float, x: Sound, gain: float) -> None:
    """Add a sound at a time, cut at the ends."""
    a = int(at_s * RATE_HZ)
    if a < 0:
        x, a = x[-a:], 0
    part = out[a : a + len(x)]
    part += x[: len(part)] * np.float32(gain)


def _seconds(seconds: float) -> Sound:
    return np.arange(int(seconds * RATE_HZ), dtype=np.float32) / np.float32(RATE_HZ)


def _tones(notes: list[float], each_s: float, ring_s: float, bright: float) -> Sound:
    """Notes one after another that ring on, as of a bell (dull) or of brass (bright)."""
    out = np.zeros(int((len(notes) * each_s + ring_s) * RATE_HZ), np.float32)
    t = _seconds(ring_s)
    for i, hz in enumerate(notes):
        x = sum(np.sin(2 * np.pi * hz * k * t) * bright ** (k - 1) for k in (1, 2, 3, 4, 5) if hz * k < 7500)
        mix(
            out,
            i * each_s,
            np.asarray(x * np.exp(-t * 4 / ring_s) * np.minimum(t * 200, 1), np.float32),
            0.35,
        )
    return out


def _shot(rng: np.random.Generator, noise: Sound, tail_s: float, thump_hz: float, tail: float) -> Sound:
    t = _seconds(tail_s * 4)
    at = int(rng.integers(len(noise) - len(t)))
    x = noise[at : at + len(t)] * (np.exp(-t / 0.012) + tail * np.exp(-t / tail_s))
    x = 0.3 * x + 0.5 * np.sin(2 * np.pi * thump_hz * np.exp(-t * 9) * t) * np.exp(-t / 0.05)
    return np.asarray(x, np.float32)


def make_music(rng: np.random.Generator) -> Sound:
    """A loop of eight bars, RMS 1: chords, bass, drums and a tune."""
    beat = 60 / rng.uniform(74, 172)
    root, bright = 110 * 2 ** (rng.integers(0, 12) / 12), float(rng.uniform(0.2, 0.6))
    scale = np.array([0, 2, 3, 5, 7, 8, 10] if rng.random() < 0.6 else [0, 2, 4, 5, 7, 9, 11])
    degrees = rng.choice([0, 3, 4, 5, 1], 4)
    drums, tune = rng.uniform(0, 0.9), rng.uniform(0, 0.4)
    snare = _shot(rng, shaped_noise(rng, 1 << 14, 900, 7000), 0.06, 180, 0.5)
    kick = _shot(rng, shaped_noise(rng, 1 << 14, 40, 200), 0.1, 80, 0.2)
    out = np.zeros(int(32 * beat * RATE_HZ), np.float32)
    for i in range(32):
        degree = degrees[i // 4 % 4] + np.arange(0, 6, 2)
        chord = root * 2 ** ((scale[degree % 7] + 12 * (degree // 7)) / 12)
        if i % 4 == 0:
            for hz in chord:
                mix(out, i * beat, _tones([hz], 0, 4 * beat, bright), 0.5)
        mix(out, i * beat, _tones([chord[0] / 2], 0, beat, 0.5), 0.8)
        if rng.random() < 0.8:
            hz = root * 4 * 2 ** (scale[int(rng.integers(7))] / 12)
            mix(out, (i + rng.choice([0, 0.5])) * beat, _tones([hz], 0, beat * 0.9, bright), tune)
        # The first half is without drums where they are slight: a build-up.
        mix(out, i * beat, snare if i % 2 else kick * 2, drums * (i >= 16 or drums > 0.3))
        mix(out, (i + 0.5) * beat, snare[:800], drums * 0.3)
    return np.asarray(out / out.std(), np.float32)


class Desk:
    """Everything the desktop can play."""

    def __init__(self, rng: np.random.Generator, who: Who, phrases: Phrases) -> None:
        self._rng, self._who, self._phrases = rng, who, phrases
        self._bank: dict[str, list[Sound]] = {}
        tone = rng.uniform(0.7, 1.4)
        for name, (num, low, high, tail_s, hz, tail, gain) in table("shots").items():
            noise = shaped_noise(rng, 1 << 16, low * tone, min(high * tone, 7500), 0.3)
            shots = [
                _shot(rng, noise, tail_s * rng.uniform(0.6, 1.3), hz, tail) * gain for _ in range(int(num))
            ]
            self._bank[name] = shots
        root = rng.uniform(380, 620)
        alert = [0.14, 1.4, 0.45, 1.0, *rng.choice([1, 1.25, 1.5, 2, 2.5], 6)]
        for name, (each_s, ring_s, bright, gain, *notes) in (*table("tones").items(), ("alert", alert)):
            self._bank[name] = [
                _tones([root * note for note in notes], each_s, ring_s, bright) * np.float32(gain)
            ]
        # Seconds from one of a row of shots or steps to the next.
        self._every_s = {
            "own": 60 / rng.uniform(420, 1000),
            "foe": 0.1,
            "far": 0.13,
            "steps": rng.uniform(0.3, 0.42),
        }
        pitches = rng.uniform(90, 230, 3)
        self._mates = [Throat(rng, p, float(rng.uniform(0.94, 1.18)), 0.06) for p in pitches]
        self._tunes = [make_music(rng) for _ in range(3)]
        self.laid: list[Laid] = []

    def _voice(self, out: Sound, cue: Cue) -> None:
        """A team mate as voice chat carries him, or an announcer, or a reading machine."""
        throat = self._mates[int(self._rng.integers(len(self._mates)))]
        if cue.lane == "game":
            style = "flat" if cue.what == "tts" else "excited"
            x = self._mates[0].speak(self._phrases.pick(cue.text), style, 4.6) * np.float32(0.2 * cue.level)
        else:
            laughs = cue.what == "laugh"
            x = throat.laugh(0.7) if laughs else throat.speak(self._phrases.pick(cue.text), cue.what, 5.5)
            spectrum, f = np.fft.rfft(x), np.fft.rfftfreq(len(x), 1 / RATE_HZ)
            x = np.asarray(
                np.fft.irfft(spectrum * ((f > 280) & (f < 3600)), len(x)), np.float32
            ) * np.float32(0.14)
        mix(out, cue.at, x, 1.0)
        self.laid.append(Laid(cue, cue.at, cue.at + len(x) / RATE_HZ))

    def _play(self, out: Sound, cue: Cue) -> None:
        rng, n = self._rng, int(cue.length * RATE_HZ)
        if cue.lane == "mate" or cue.what in ("tts", "announce"):
            self._voice(out, cue)
        elif cue.what in ("song", "advert"):
            tune = self._tunes[2 if cue.what == "song" else 1]
            mix(out, cue.at, np.resize(tune, n), rng.uniform(0.12, 0.3))
            for at in np.arange(1, cue.length - 2, 3.2) if cue.what == "advert" else ():
                self._voice(out, Cue(cue.at + at, "game", "announce", "adshow", 1.3))
        else:
            sprites = [x[:n] for x in self._bank["buzz"]] if cue.what == "buzz" else self._bank[cue.what]
            times = np.arange(0, max(cue.length, 0.01), self._every_s.get(cue.what, 99))
            for at in cue.at + times + rng.normal(0, 0.008, len(times)):
                mix(out, at, sprites[int(rng.integers(len(sprites)))], cue.level * rng.uniform(0.75, 1.1))
            # The last third of a sound is a faint ring.
            rings = 0.67 * len(sprites[0]) / RATE_HZ
            self.laid.append(Laid(cue, cue.at, cue.at + max(cue.length, rings)))

    def render(self, plan: Plan, num: int) -> Sound:
        """The desktop's track."""
        who, rng = self._who, self._rng
        out = np.zeros(num, np.float32)
        for cue in plan.cues:
            if cue.lane in ("game", "mate") and 0 <= cue.at * RATE_HZ < num:
                self._play(out, cue)
        menu, air, _ = np.array(list(table("screens").values()), np.float32)[plan.screens].T
        own = np.full(len(menu), 10 ** ((who.music_db - who.game_db) / 20) / 3.5, np.float32)
        if rng.random() < 0.5:
            # He turns his music on between rounds alone.
            own *= np.isin(
                plan.screens, [SCREENS.index(s) for s in ("lobby", "queue", "scores", "buy", "dead")]
            )
        wind = shaped_noise(rng, 1 << 17, 80, 1200, 0.5)
        menu, air = menu * np.float32(rng.uniform(0, 1.2)), air * np.float32(rng.uniform(0.4, 1.3))
        for loop, level in (
            (self._tunes[0], menu),
            (self._tunes[1], own * (who.music_db > -80)),
            (wind, air),
        ):
            smooth = np.convolve(np.pad(level, (4, 5), "edge"), np.ones(9, np.float32) / 9, "valid")
            out += np.resize(loop, num) * np.repeat(smooth, RATE_HZ // 10)[:num]
        out *= np.float32(10 ** (who.game_db / 20) * 3.5)
        return np.tanh(out, out=out)
