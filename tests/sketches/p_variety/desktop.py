"""The desktop's track: ambience, music by mood, small sounds of play, and what the signs ask for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.sketches.p_variety.effects import ambience, loud_effects, murmur, music, small_effects
from tests.sketches.p_variety.microphone import lay
from tests.sketches.p_variety.script import Sign, Streamer
from tests.sketches.sketch import RATE_HZ, Sound

PER_S = {"adventure": 0.9, "roguelike": 2.6, "ball": 1.6, "platformer": 2.2, "survival": 1.1}
FADE_S = 0.5


def heats(signs: Sequence[Sign], calm: Sound) -> Sound:
    """How busy the play is, second by second: the evening's calm course, and the signs' fights over it."""
    out = calm.copy()
    for sign in signs:
        first, last = max(0, round(sign.at_s)), round(sign.end_s)
        if sign.what == "heat":
            out[first:last] = sign.strength
        elif sign.what == "scene" or (sign.what == "pic" and sign.name == "death"):
            out[first:last] = 0.0
    return out


def _level(signs: Sequence[Sign], what: str, name: str, seconds: int, usual: float) -> Sound:
    """A level for each tenth of a second: the usual, and where signs of a name ask for another, that."""
    out = np.full(seconds * 10, usual, np.float32)
    for sign in signs:
        if sign.what == what and sign.name == name:
            out[max(0, int(sign.at_s * 10)) : int(sign.end_s * 10)] = sign.strength
    return out


def _loop(track: Sound, loop: Sound, level: Sound) -> None:
    """Adds a loop to a track at a level told for each tenth of a second, with soft edges."""
    soft = np.convolve(level, np.ones(7) / 7, mode="same")
    step = RATE_HZ // 10
    for k in np.flatnonzero(soft > 0.002):
        first = int(k) * step
        part = track[first : first + step]
        at = first % (len(loop) - step)
        after = soft[k + 1] if k + 1 < len(soft) else soft[k]
        part += (loop[at : at + step] * np.linspace(soft[k], after, step, dtype=np.float32))[: len(part)]


def _moods(who: Streamer, signs: Sequence[Sign], heat: Sound, seconds: int) -> dict[str, Sound]:
    """How loud each mood of the music is, a value each tenth of a second."""
    rest = np.ones(seconds * 10, np.float32)
    for name in ("advert", "pause", "camera", "menu"):
        rest *= 1 - np.minimum(
            1, _level(signs, "scene", name, seconds, 0.0) * (0.7 if name == "camera" else 1)
        )
    busy = np.repeat(np.clip((heat - 0.55) / 0.3, 0, 1), 10)[: seconds * 10].astype(np.float32)
    if who.game == "ball":
        busy, rest = busy * 0, rest * 0.0
    asked = {m: _level(signs, "music", m, seconds, 0.0) for m in ("fight", "roam", "menu")}
    other = np.maximum(asked["fight"], asked["menu"])
    own = who.music_level
    return {
        "roam": np.maximum(own * rest * (1 - busy) * (other == 0), asked["roam"] * max(0.4, own)),
        "fight": np.maximum(own * rest * busy, asked["fight"] * max(0.5, own)),
        "menu": np.maximum(
            0.6 * own * (_level(signs, "scene", "menu", seconds, 0.0) > 0), asked["menu"] * 0.5
        ),
        "jingle": 1.6 * (_level(signs, "sfx", "jingle", seconds, 0.0) > 0),
    }


def _play(track: Sound, who: Streamer, heat: Sound, away: Sound, rng: np.random.Generator) -> None:
    """Small sounds of usual play: the busier, the more and the louder."""
    effects = [np.asarray(e, np.float32) for e in small_effects(who.game, rng)]
    odds = rng.dirichlet(np.full(len(effects), 0.8))
    for second, level in enumerate(heat):
        if away[min(len(away) - 1, second * 10 + 5)] > 0:
            continue
        for at in rng.random(rng.poisson(PER_S[who.game] * (0.25 + 2.2 * float(level)))):
            gain = rng.uniform(0.12, 0.5) * (0.4 + 0.9 * float(level)) * who.game_level
            lay(track, second + float(at), effects[int(rng.choice(len(effects), p=odds))], float(gain))


def make_desktop(who: Streamer, signs: Sequence[Sign], heat: Sound, samples: int, seed: int) -> Sound:
    """The whole track."""
    rng = np.random.default_rng([seed, 21])
    seconds = len(heat)
    track = np.zeros(samples, np.float32)
    names = ("advert", "pause", "menu")
    away = np.maximum.reduce([_level(signs, "scene", n, seconds, 0.0) for n in names])
    _loop(track, ambience(who.game, rng), np.asarray((away == 0) * who.game_level * 1.2, np.float32))
    for k, (mood, level) in enumerate(_moods(who, signs, heat, seconds).items()):
        if level.max() > 0:
            _loop(track, music(mood, np.random.default_rng([seed, 22, k])), np.asarray(level, np.float32))
    _play(track, who, heat, away, rng)
    loud = {k: np.asarray(v, np.float32) for k, v in loud_effects(rng).items()} | murmur(seed)
    for sign in signs:
        if sign.what == "sfx" and sign.name == "jingle":
            for k in range(int(sign.for_s // 4.5)):
                lay(track, sign.at_s + 0.5 + 4.5 * k, loud["seller"], 1.6)
        elif sign.what == "sfx":
            sound = loud[sign.name][: int(sign.for_s * RATE_HZ)].copy()
            edge = min(len(sound), RATE_HZ // 5)
            sound[len(sound) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
            lay(track, sign.at_s, sound, sign.strength * (0.25 + 0.4 * who.game_level))
    over = np.abs(track) > 0.7
    track[over] = np.sign(track[over]) * (0.7 + 0.29 * np.tanh((np.abs(track[over]) - 0.7) / 0.29))
    return np.clip(track, -1.0, 1.0)
