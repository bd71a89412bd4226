"""The game: speed, bends, jumps, screens and shocks in each tenth of a second, as heard and as seen."""

from __future__ import annotations

import copy
import functools
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from tests.sketches.i_laps.cast import Cast, pools
from tests.sketches.i_laps.recipes import Beat

DRIVE, MENU, LOAD, RESULT, CUTSCENE, VIDEO = range(6)


@functools.cache
def effects() -> dict[str, defaultdict[str, float]]:
    """What each effect does to the game; what is not told is 0."""
    lines = [line.split() for line in ("", *pools()["effects"])]
    pairs = {" ".join(words[:1]): [word.split("=") for word in words[1:]] for words in lines}
    return {name: defaultdict(float, {k: float(v) for k, v in some}) for name, some in pairs.items()}


class Track:
    """What the game does in each tenth of a second."""

    def __init__(self, cast: Cast, starts: list[float], count: int, rng: np.random.Generator) -> None:
        self.clock = np.zeros(count)
        for begin_s in starts:
            at = max(0, int(begin_s * 10))
            self.clock[at:] = np.arange(at, count) / 10 - begin_s
        self.place = (self.clock * 10).astype(int) % int(cast.lap_s * 10)
        course = _course(cast, rng)
        self.bend, self.height = course[1, self.place], course[2, self.place]
        wobble = 1 + 0.03 * np.convolve(rng.standard_normal(count + 20), np.ones(21) / 4.6, "valid")
        launch = np.minimum(1.0, 0.1 + self.clock / (4.0 if cast.is_race else 0.7))
        self.speed = np.clip(course[0, self.place] * wobble * launch, 0, 1.1)
        self.shake, self.flash, self.glow = np.zeros((3, count))
        self.rival = 0.5 + 0.5 * np.sin(np.cumsum(rng.uniform(0, 0.05, count)))
        self.mode = np.full(count, DRIVE)
        for begin_s in starts:
            # Before each run its level is loaded.
            at = max(0, int(begin_s * 10))
            wait = slice(max(0, at - int(rng.integers(10, 40))), at)
            self.mode[wait], self.speed[wait] = LOAD, 0

    def apply(self, beat: Beat, strength: float) -> None:
        """Let one happening act on the game, unless it does not show there."""
        effect = effects()[beat.recipe.effect if strength > 0 else ""]
        after, end_s = np.arange(len(self.speed)) / 10 - beat.event_s, beat.end_s - beat.event_s
        for again_s in np.arange(0, end_s, effect["every"] or 1e9):
            since = after - again_s
            shock = strength * np.where(since >= 0, np.exp(-2 * np.maximum(since, 0)), 0)
            self.shake += effect["shake"] * shock
            self.flash += effect["flash"] * shock
            self.speed[(since >= 0) & (since < effect["stop"])] *= effect["slow"]
        near = np.clip(1 - np.abs(after - 0.5) / max(0.01, effect["near"]), 0, 1)
        self.bend = self.bend + strength * effect["swing"] * np.sin(5 * after) * near
        self.shake += strength * effect["rattle"] * near
        self.glow[(after >= 0) & (after < effect["glow"])] = strength
        air = (after >= 0) & (after < effect["air"])
        self.height[air] = strength * effect["height"] * (0.8 + 0.4 * np.sin(3 * after[air]))
        if effect["screen"]:
            shown = (after >= effect["from"]) & (after < (effect["until"] or end_s + 2 * effect["ends"]))
            self.mode[shown], self.speed[shown] = int(effect["screen"]), 0
        elif strength > 0 and beat.recipe.effect == "pass":
            self.rival = np.where(near > 0, np.clip(0.5 - after / 5, 0, 1), self.rival)
        elif strength > 0 and beat.recipe.effect == "grid":
            waiting = (after > -6) & (after < 0)
            self.mode[waiting], self.speed[waiting] = DRIVE, 0.08 * (np.sin(9 * after[waiting]) > 0.3)


Tracks = tuple[Track, Track, list[float]]


def tracks_of(cast: Cast, beats: list[Beat], duration_s: float, rng: np.random.Generator) -> Tracks:
    """The game as heard, as seen, and when laps or splits are passed."""
    heard = Track(cast, _starts(beats, duration_s, rng), round(10 * duration_s) + 2, rng)
    seen = copy.deepcopy(heard)
    for beat in beats:
        heard.apply(beat, beat.signs["desktop"])
        seen.apply(beat, beat.signs["picture"])
    passed = (np.diff(heard.place) < 0) & (np.diff(heard.clock) > 0) & (heard.mode[1:] == DRIVE)
    return heard, seen, [0.1 * i for i in np.flatnonzero(passed)]


def _starts(beats: list[Beat], duration_s: float, rng: np.random.Generator) -> list[float]:
    """When runs are begun: after happenings that end one, and now and then in between."""
    starts = [-float(rng.uniform(0, 40))]
    for beat, until_s in zip(beats, [*(b.start_s for b in beats[1:]), duration_s], strict=True):
        effect = beat.recipe.effect
        if beat.signs["picture"] > 0 and rng.random() < effects()[effect]["ends"]:
            known = {"grid": beat.event_s, "restart": beat.event_s + 5}
            starts.append(known.get(effect, beat.end_s + float(rng.uniform(2, 6))))
        elif until_s - beat.end_s > 25 and rng.random() < 0.4:
            starts.append(float(rng.uniform(beat.end_s + 8, until_s - 8)))
    return sorted(starts)


def _course(cast: Cast, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """One lap's speed, bends and hops: braking into bends, or, on foot, short dashes, stops and hops."""
    count, at = int(cast.lap_s * 10), 0
    speed, bend, height = course = np.array([[1.0], [0.0], [0.0]]) * np.ones(count)
    while at < count:
        straight, turn = int(rng.integers(8, 60)), int(rng.integers(10, 40))
        if cast.is_race:
            here = slice(at + straight, at + straight + turn)
            arc = np.sin(np.linspace(0, np.pi, turn))[: len(speed[here])]
            speed[here] -= rng.uniform(0.15, 0.7) * arc
            bend[here] = rng.choice([-1, 1]) * arc * rng.uniform(0.4, 1.0)
        else:
            speed[at : at + turn // 2] = rng.choice([0.15, 0.5, 0.7])
            for hop in range(at, min(count - 6, at + straight + turn - 7), int(rng.integers(8, 22))):
                height[hop : hop + 6] = np.sin(np.linspace(0.3, np.pi - 0.3, 6)) * rng.uniform(0.4, 1.0)
        at += straight + turn
    speed[:] = np.convolve(np.pad(speed, 2, "edge"), np.array([1, 2, 3, 2, 1]) / 9, "valid")
    return course
