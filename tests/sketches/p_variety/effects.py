"""Sounds of games: single effects, and loops of music."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.sketches.p_variety.voice import Voice, shaped_noise
from tests.sketches.sketch import RATE_HZ, Sound

Floats = npt.NDArray[np.float64]

SCALES = {
    "roam": (0, 3, 5, 7, 10),
    "fight": (0, 1, 3, 7, 8),
    "menu": (0, 4, 7, 9, 11),
    "jingle": (0, 2, 4, 7, 9),
}


def clock(for_s: float) -> Floats:
    """The times of a sound's samples."""
    return np.arange(int(for_s * RATE_HZ)) / RATE_HZ


def tone(hz: Floats | float, t: Floats, bright: float = 0.3) -> Floats:
    """A tone with some overtones, its pitch fixed or moving."""
    turn = 2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(hz, float), t.shape)) / RATE_HZ
    return np.asarray(np.sin(turn) + bright * np.sin(2 * turn) + 0.6 * bright * np.sin(3 * turn))


def chords(root_hz: float, steps: tuple[int, ...], each_s: float, for_s: float, ring: float) -> Floats:
    """Tones one after another, each ringing on."""
    t = clock(for_s)
    out = np.zeros(len(t))
    for k, step in enumerate(steps):
        first = int(k * each_s * RATE_HZ)
        rest = t[: max(0, len(t) - first)]
        out[first:] += tone(root_hz * 2 ** (step / 12), rest) * np.exp(-rest * ring)
    return out / 2.5


def crowd(rng: np.random.Generator, for_s: float) -> Sound:
    """Many voices at once: noise in the band of voices, its level wandering."""
    length = int(for_s * RATE_HZ)
    knots = 1 + 0.25 * rng.standard_normal(-(-length // 1600))
    wander = np.interp(np.arange(length), np.arange(len(knots)) * 1600, knots)
    return np.asarray(shaped_noise(rng, length, 350, 2300) * wander, np.float32)


def loud_effects(rng: np.random.Generator) -> dict[str, Floats]:
    """What accompanies happenings, each about 1 at its loudest."""
    root = float(rng.uniform(220, 330))
    t2, t1, t8, t15 = clock(2.0), clock(1.2), clock(9.0), clock(15.0)
    base = shaped_noise(rng, len(t2), 40, 500)
    rush = shaped_noise(rng, len(t1), 200, 5000)
    roar = crowd(rng, 9.0)
    shriek = sum(tone(hz, clock(1.8), 0.8) for hz in root * np.array([2.1, 2.27, 3.4, 4.9]))
    fade = np.minimum(1, (9.0 - t8) / 6.0) ** 1.5
    return {
        "open": 0.25 * tone(150 + 120 * t1, t1) * np.sin(np.pi * t1 / 1.2) + 0.1 * rush * np.exp(-t1 * 3),
        "glory": chords(root, (0, 4, 7, 12, 16, 19, 24), 0.11, 3.5, 1.1),
        "rumble": 0.35 * shaped_noise(rng, len(t15), 25, 180) * np.minimum(1, t15 / 1.0),
        "boing": 0.6 * tone(240 + 160 * np.sin(2 * np.pi * (3 + 3 * clock(2.2)) * clock(2.2)), clock(2.2)),
        "sting": 0.3 * np.asarray(shriek) * np.exp(-clock(1.8) * 1.5),
        "alarm": 0.3 * tone(880.0, t15, 0.5) * ((t15 % 0.6) < 0.18),
        "heart": 0.9
        * np.sin(2 * np.pi * 55 * t15)
        * (np.exp(-(t15 % 0.8) * 16) + np.exp(-((t15 + 0.55) % 0.8) * 18)),
        "boom": 0.45 * base * np.exp(-t2 * 2.2) + 0.3 * np.sin(2 * np.pi * 45 * t2) * np.exp(-t2 * 3),
        "win": chords(root * 1.5, (0, 0, 0, 5, 4, 7, 12), 0.16, 2.5, 1.8),
        "fall": 0.4 * tone(900 * np.exp(-1.3 * t1), t1, 0.15),
        "crash": 0.4 * rush * np.exp(-t1 * 5) + 0.5 * np.sin(2 * np.pi * 60 * t1) * np.exp(-t1 * 8),
        "lose": chords(root * 0.75, (7, 5, 3, 0), 0.35, 2.2, 1.6),
        "swell": np.asarray(0.3 * crowd(rng, 3.0) * (clock(3.0) / 3.0) ** 1.5),
        "roar": np.asarray(0.42 * roar * np.minimum(1, t8 / 0.4) * fade),
        "pea": 0.4 * tone(2350 + 60 * np.sign(np.sin(2 * np.pi * 30 * clock(0.8))), clock(0.8), 0.1),
        "alert": chords(root * 2, (0, 7, 4, 12), 0.2, 1.5, 2.2),
        "tender": 0.5 * chords(root, (0, 4, 7, 11, 7, 4, 9, 5, 0, 4, 7, 12), 1.1, 14.0, 0.7),
    }


def small_effects(game: str, rng: np.random.Generator) -> list[Floats]:
    """What usual play of a sort of game sounds like, a dozen of short sounds."""
    out = []
    for k in range(12):
        for_s = float(rng.uniform(0.08, 0.4))
        t = clock(for_s)
        fade = np.exp(-t * rng.uniform(8, 25))
        hit = shaped_noise(rng, len(t), 80, rng.uniform(700, 4000)) * fade * 0.4
        chirp = tone(rng.uniform(250, 700) * np.exp(rng.uniform(-3, 3) * t), t, 0.5) * fade * 0.4
        step = shaped_noise(rng, len(t), 80, 500) * np.exp(-t * 30) * 0.25
        pick = {
            "adventure": (step, hit, chirp, step),
            "roguelike": (hit, chirp, hit, hit),
            "ball": (hit, step, step, step),
            "platformer": (chirp, chirp, step, hit),
            "survival": (step, step, hit, step),
        }[game]
        out.append(np.asarray(pick[k % 4]))
    return out


def ambience(game: str, rng: np.random.Generator) -> Sound:
    """Thirty seconds of what is always there: wind, a cave, a crowd far off."""
    low, high, level = {
        "adventure": (150, 1500, 0.012), "roguelike": (40, 300, 0.010), "ball": (300, 2000, 0.045),
        "platformer": (800, 5000, 0.003), "survival": (80, 700, 0.022),
    }[game]  # fmt: skip
    length = 30 * RATE_HZ
    slow = np.interp(np.arange(length), np.arange(0, length, RATE_HZ), 1 + 0.3 * rng.standard_normal(30))
    return np.asarray(level * shaped_noise(rng, length, low, high) * slow, np.float32)


def music(mood: str, rng: np.random.Generator) -> Sound:
    """A loop of 16 bars: bass, tune, and in some moods drums."""
    beat_s = 60 / float(
        {"roam": rng.uniform(70, 100), "fight": rng.uniform(130, 165)}.get(mood, rng.uniform(90, 125))
    )
    root, scale = float(rng.uniform(100, 150)), SCALES[mood]
    out = np.zeros(int(64 * beat_s * RATE_HZ), np.float64)
    drums, drive = mood in ("fight", "jingle"), 0.6 if mood == "fight" else 0.25
    tune = rng.integers(0, len(scale), 32)
    t = clock(1.5 * beat_s)
    fade = np.minimum(1, t * 60) * np.exp(-t * 3.0)
    thud = shaped_noise(rng, 3200, 60, 3000) * np.exp(-clock(0.2) * 25)
    notes: dict[float, Floats] = {}
    for beat in range(128 if drums else 64):
        first = int(beat * beat_s * RATE_HZ / (2 if drums else 1))
        hz = [root * 2 ** (scale[int(tune[beat % 32])] / 12 + 1)] if rng.random() < 0.75 else []
        if beat % 4 == 0:
            hz.append(root * 2 ** (scale[int(tune[(beat // 4) % 8])] / 12) / 2)
        for each in hz:
            if each not in notes:
                notes[each] = tone(each, t, drive) * fade * 0.3
            part = out[first : first + len(t)]
            part += notes[each][: len(part)]
        if drums:
            part = out[first : first + 3200]
            part += (0.22 if beat % 2 == 0 else 0.1) * thud[: len(part)]
    return np.asarray(out * 0.4, np.float32)


def murmur(seed: int) -> dict[str, Sound]:
    """Voices of the desktop: a character of the game, a caller of matches, the voice of adverts."""
    made = {}
    for k, (name, tone_name, hz) in enumerate(
        (
            ("npc", "calm", 110.0),
            ("caller", "shout", 130.0),
            ("talk", "play", 130.0),
            ("seller", "bright", 185.0),
        )
    ):
        voice = Voice(hz, 1.0 + 0.03 * k, 0.04, np.random.default_rng([seed, 30 + k]))
        made[name] = np.asarray(
            0.09 * voice.speak(3.5, 16, tone_name) * (1.9 if name == "caller" else 1.0), np.float32
        )
    return made
