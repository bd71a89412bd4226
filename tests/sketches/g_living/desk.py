"""The desktop sound: game, crowd, engines, music, alerts, adverts, friends."""

from __future__ import annotations

import numpy as np

from tests.sketches.g_living.mic import db, hiss
from tests.sketches.g_living.plan import GAMELESS, STEP_HZ, Beat, Persona, Rng, Track
from tests.sketches.guide import Sign
from tests.sketches.sketch import RATE_HZ, Sound

CROWD = 0.04  # how loud a crowd is in lively but ordinary play
# Sounds of a game and how many a second at full action.
NOISES: dict[str, tuple[tuple[str, float], ...]] = {
    "shooter": (("shot", 5.0), ("boom", 0.25), ("step", 1.5)),
    "horror": (("step", 1.5), ("boom", 0.1), ("creak", 0.5)),
    "souls": (("hit", 2.5), ("boom", 0.2), ("step", 1.5)),
    "cards": (("flick", 1.5), ("ping", 0.7)),
    "cosy": (("flick", 1.2), ("ping", 0.8), ("step", 1.0)),
    "racing": (("hit", 0.3), ("creak", 0.3)),
    "sports": (("hit", 1.0), ("whistle", 0.06)),
}


def _tone(freqs: list[float], long_s: float, fade: float, bright: float = 0.4) -> Sound:
    at = np.arange(int(long_s * RATE_HZ), dtype=np.float32) / RATE_HZ
    each = at.size // len(freqs)
    out = np.zeros(at.size, dtype=np.float32)
    for i, freq in enumerate(freqs):
        here = at[: at.size - i * each]
        wave = sum(bright**k * np.sin(2 * np.pi * freq * (k + 1) * here) for k in range(4))
        out[i * each :] += np.asarray(wave * np.exp(-here * fade), dtype=np.float32) * 0.5
    return out


def bank(rng: Rng) -> dict[str, Sound]:
    """One-shot sounds of a stream's game and alerts, with peaks near 1."""

    def burst(long_s: float, fade: float, tilt: float, high_hz: float) -> Sound:
        num = int(long_s * RATE_HZ)
        fall = np.exp(-np.arange(num) / RATE_HZ * fade).astype(np.float32)
        return hiss(rng, num, tilt, 30, high_hz) * fall * np.float32(0.35)

    root = float(rng.uniform(330, 620))
    return {
        "shot": burst(0.25, float(rng.uniform(14, 30)), 0.3, 7000),
        "boom": burst(2.0, float(rng.uniform(1.8, 4)), 1.0, 2500) * 2.0,
        "step": burst(0.12, 40, 0.9, 2000) * 0.25,
        "hit": burst(0.2, 22, 0.7, 5000) + _tone([130.0], 0.2, 15)[: int(0.2 * RATE_HZ)] * 0.4,
        "flick": burst(0.06, 60, 0.1, 7900) * 0.4,
        "creak": burst(0.8, 4, 0.2, 3000)
        * np.sin(np.arange(int(0.8 * RATE_HZ)) / 60).astype(np.float32)
        * 0.5,
        "ping": _tone([root * 2], 0.5, 7) * 0.4,
        "whistle": _tone([2300.0], 0.7, 1, 0.1) * 0.3,
        "alert": _tone([root, root * 1.25, root * 1.5], float(rng.uniform(0.8, 2.0)), 3) * 0.7,
        "win": _tone([root, root * 1.26, root * 1.5, root * 2], float(rng.uniform(1.5, 3.0)), 1.8, 0.6),
        "lose": _tone(
            [root * 0.5, root * 0.47, root * 0.4, root * 0.33], float(rng.uniform(1.5, 3.0)), 1.6, 0.6
        ),
        "sting": burst(1.5, 2.0, 0.4, 5000) + _tone([root * 1.06, root], 1.5, 1.0, 0.8) * 0.4,
    }


def _add(out: Sound, sound: Sound, at_s: float, gain: float) -> None:
    begin = int(at_s * RATE_HZ)
    num = min(len(sound), len(out) - begin)
    if begin >= 0 and num > 0:
        out[begin : begin + num] += sound[:num] * np.float32(gain)


def song(rng: Rng, loud_drums: bool) -> Sound:
    """Eight bars of chords, bass, a tune and perhaps drums; RMS 0.1; made to be repeated."""
    beat_s = 60.0 / float(rng.uniform(75, 150))
    num = int(beat_s * 32 * RATE_HZ)
    out: Sound = np.zeros(num, dtype=np.float32)
    root = float(rng.uniform(98, 196))
    steps = rng.choice([0, 5, 7, 9, 3, -4], 8)
    scale = np.array([0, 2, 4, 7, 9, 12])
    for bar, step in enumerate(steps):
        base = root * 2 ** (int(step) / 12)
        for third in (1.0, 1.26, 1.5):
            _add(out, _tone([base * third], beat_s * 4, 0.5), bar * beat_s * 4, 0.2)
        for tick in range(8):
            at_s = (bar * 4 + tick * 0.5) * beat_s
            if tick % 2 == 0:
                _add(out, _tone([base / 2], beat_s, 2.0), at_s, 0.5)
            if rng.random() < 0.5:
                _add(out, _tone([base * 2 * 2 ** (int(rng.choice(scale)) / 12)], beat_s, 4.0), at_s, 0.35)
    if loud_drums:
        kick, hat = _tone([55.0], 0.2, 18, 0.1), hiss(rng, 900, 0.0, 4000) * np.exp(-np.arange(900) / 200)
        for tick in range(64):
            _add(out, kick if tick % 4 == 0 else hat, tick * beat_s / 2, 1.0 if tick % 4 == 0 else 0.12)
    levelled: Sound = out * np.float32(0.1 / float(np.sqrt(np.mean(out**2))))
    return levelled


def _smooth(track: Track, num: int) -> Sound:
    at = np.arange(num, dtype=np.float32) * np.float32(STEP_HZ / RATE_HZ)
    return np.asarray(np.interp(at, np.arange(len(track)), track), dtype=np.float32)


def _game(rng: Rng, who: Persona, sounds: dict[str, Sound], activity: Track, num: int) -> Sound:
    """What the game gives by itself, by how much goes on."""
    out = hiss(rng, num, float(rng.uniform(0.6, 1.1)), 40, 4000) * np.float32(0.01 * rng.uniform(0.2, 2.0))
    for name, rate in NOISES.get(who.genre, ()):
        for at in np.flatnonzero(rng.random(len(activity)) < rate / STEP_HZ * activity**1.6):
            _add(out, sounds[name], (at + float(rng.random())) / STEP_HZ, float(rng.uniform(0.15, 0.5)))
    if who.genre == "sports":
        out += hiss(rng, num, 0.6, 200, 3500) * (0.02 + 0.11 * _smooth(activity, num) ** 2)
    if who.genre == "racing":
        speed = (
            np.convolve(activity, np.ones(15) / 15, "same")
            + np.repeat(rng.random(len(activity) // 25 + 1), 25)[: len(activity)]
        )
        phase = np.cumsum(55.0 + 110.0 * _smooth(speed.astype(np.float32), num), dtype=np.float64) / RATE_HZ
        out += ((phase % 1.0) - 0.5).astype(np.float32) * np.float32(0.1)
    return out


def _moment(rng: Rng, out: Sound, sounds: dict[str, Sound], beat: Beat, who: Persona) -> list[Sign]:
    """The sounds that mark a moment's peak where its desktop sign shows; returns when they are heard."""
    level = beat.sign("desk")
    if not level:
        return []
    good = beat.kind in ("clutch", "score", "hype", "wholesome")
    after_s = float(rng.uniform(-0.6, 0.2))
    tune = sounds["win" if good else "sting" if who.genre == "horror" else "lose"]
    _add(out, tune, beat.peak_s + after_s, 0.5 * level)
    _add(out, sounds["boom" if rng.random() < 0.5 else "hit"], beat.peak_s + after_s - 0.2, 0.7 * level)
    heard = [(beat.peak_s + after_s - 0.2, beat.peak_s + after_s + len(tune) / RATE_HZ)]
    if who.genre == "sports":
        long_s = beat.react_s - beat.peak_s
        roar = hiss(rng, int(long_s * RATE_HZ), 0.5, 250, 4000)
        fall = np.minimum(np.linspace(0, 12, len(roar)), np.linspace(1.3, 0.1, len(roar))).clip(0, 1)
        _add(out, np.asarray(roar * fall, dtype=np.float32), beat.peak_s, 0.22 * level)
        over = (1.3 - CROWD / (0.22 * level)) / 1.2  # the share of it that is louder than the usual crowd
        heard.append((beat.peak_s, beat.peak_s + over * long_s))
    return heard


def _decoy(rng: Rng, out: Sound, sounds: dict[str, Sound], beat: Beat) -> None:
    long_s = beat.end_s - beat.start_s
    if beat.kind in ("advert", "music", "cutscene"):
        loop = np.resize(song(rng, beat.kind != "cutscene"), int(long_s * RATE_HZ))
        edge = np.minimum(1, np.minimum(np.arange(len(loop)), np.arange(len(loop))[::-1]) / RATE_HZ / 0.5)
        swell = np.linspace(0.4, 1.6, len(loop)) if beat.kind == "cutscene" else 1.0
        _add(
            out, np.asarray(loop * edge * swell, dtype=np.float32), beat.start_s, float(rng.uniform(0.8, 2.2))
        )
    if beat.kind in ("alert", "raid"):
        _add(out, sounds["alert"], beat.start_s, 0.9 * beat.size)
    if beat.kind == "raid":
        _add(out, sounds["win"], beat.start_s + 1.5, 0.6 * beat.size)
    if beat.kind == "subtrain":
        for at_s in np.arange(beat.start_s, beat.end_s - 1.0, float(rng.uniform(1.5, 4.0))):
            _add(out, sounds["alert"], float(at_s), 0.9 * beat.size)
    if beat.kind == "menu":
        for at_s in rng.uniform(beat.start_s, beat.end_s, int(long_s * 2)):
            _add(out, sounds["ping" if rng.random() < 0.4 else "flick"], float(at_s), 0.5)
    if beat.kind in ("explosion", "cutscene"):
        for at_s in beat.start_s + long_s * rng.random(
            int(long_s * (0.9 if beat.kind == "explosion" else 0.2)) + 1
        ):
            _add(out, sounds["boom"], float(at_s), float(rng.uniform(0.4, 1.0)) * beat.size)


def desktop(
    rng: Rng, who: Persona, others: Sound, beats: list[Beat], activity: Track
) -> tuple[Sound, list[Sign]]:
    """The desktop's sound, within [-1, 1], outdoors mostly silence and alerts; and when moments sound."""
    num = len(others)
    sounds = bank(rng)
    out = others * np.float32(rng.uniform(0.6, 1.5))
    if who.genre not in (*GAMELESS, "react"):
        out += _game(rng, who, sounds, activity, num)
    if who.music and not (who.setting == "irl" and rng.random() < 0.7):
        each = int(rng.uniform(120, 260) * RATE_HZ)
        for start in range(-int(rng.integers(each)), num, each):
            begin, end = max(start, 0), min(start + each - RATE_HZ, num)
            if end > begin:
                out[begin:end] += np.resize(song(rng, rng.random() < 0.6), end - begin) * np.float32(
                    who.music
                )
    signs: list[Sign] = []
    for beat in beats:
        if beat.moment:
            signs += _moment(rng, out, sounds, beat, who)
        else:
            _decoy(rng, out, sounds, beat)
    if not np.any(out):
        return out, signs
    return np.asarray(np.tanh(out * np.float32(db(who.desk_db) / 0.1)), dtype=np.float32), signs
