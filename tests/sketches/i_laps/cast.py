"""Who streams: one racer or speedrunner drawn from a seed, with game, microphone, chat and ways of speaking."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Speaker(NamedTuple):
    """How one person sounds."""

    pitch_hz: float
    melody: float
    tract: float
    breath: float
    rate: float
    dynamic: float


class Cast:
    """One streamer and the set."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.speaker = _speaker(rng, rng.uniform(0.55, 1.15))
        self.guest, self.has_guest = _speaker(rng, 0.9), rng.random() < 0.22
        self.reactivity = float(rng.beta(1.6, 1.4))
        self.anger = float(rng.beta(1.2, 1.8))
        self.chatty = float(rng.beta(1.5, 1.6))
        games = ["sim", "rally", "kart", "platform", "adventure"]
        self.game = str(rng.choice(games, p=[0.25, 0.12, 0.2, 0.25, 0.18]))
        self.is_race = self.game in ("sim", "rally", "kart")
        self.lap_s = float(rng.uniform(28, 95))
        self.language = str(rng.choice(["", "de:", "es:"], p=[0.8, 0.1, 0.1]))
        self.filler = float(rng.uniform(0, 0.06))
        self.word_errors = float(rng.choice([0.02, 0.06, 0.12, 0.25]))
        self.cased = bool(rng.random() < 0.6)
        self.mic_db = float(rng.uniform(-34, -19))
        self.hiss_db = float(rng.uniform(-72, -46))
        self.gate = bool(rng.random() < 0.35)
        self.squash = float(rng.choice([0.0, 0.3, 0.6], p=[0.45, 0.35, 0.2]))
        self.leak_db = float(rng.uniform(-34, -14)) if rng.random() < 0.35 else -200.0
        self.desk_db = float(rng.uniform(-36, -20))
        self.loud_sounds = float(rng.uniform(1.5, 7.0))
        self.music_db = float(rng.uniform(-16, 4)) if rng.random() < 0.8 else -60.0
        self.button_rate = float(rng.choice([0.0, 0.5, 2.0, 5.0]))
        # One streamer in seven has no chat at all; the others' grows more slowly than the viewers do.
        self.num_viewers = int(10 ** rng.uniform(0.6, 4.6))
        self.chat_rate = min(8.0, 0.012 * self.num_viewers**0.55 * float(rng.lognormal(0, 0.6)))
        if rng.random() < 1 / 7:
            self.num_viewers, self.chat_rate = int(rng.integers(0, 9)), 0.0
        self.latency_s = float(rng.uniform(1.5, 7.0))
        self.has_cam = bool(rng.random() < 0.75)
        self.animation = float(rng.uniform(0.2, 1.0)) * (0.4 + self.reactivity)


def _speaker(rng: np.random.Generator, dynamic: float) -> Speaker:
    high = rng.random() < 0.35
    pitch, tract = ((165, 245), (1.05, 1.22)) if high else ((82, 150), (0.88, 1.06))
    ranges = np.array([pitch, (0.4, 1.6), tract, (0.02, 0.35), (3.8, 6.4), (dynamic, dynamic)])
    return Speaker._make(rng.uniform(*ranges.T).tolist())


@functools.cache
def pools() -> dict[str, tuple[str, ...]]:
    """The lists of the text file, by name."""
    text = Path(__file__).with_name("words.txt").read_text(encoding="utf-8")
    parts = re.split(r"^\[(.+)\]$", text, flags=re.MULTILINE)
    split = {name: body.split("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return {name: tuple(x for x in lines if x and x[0] != "#") for name, lines in split.items()}


def line_of(pool: str, language: str, rng: np.random.Generator) -> str:
    """Draw a line of a pool in this language, where it has one, with its blanks filled."""

    def fill(blank: re.Match[str]) -> str:
        hour, minute, tenth = rng.integers((2, 0, 1), (24, 60, 10)).tolist()
        gap = f"{tenth} tenths" if hour < 13 else f"1.{tenth}"
        made = {"n": f"{hour}", "t": f"{hour}:{minute:02d}.{tenth}", "d": gap}
        return made.get(blank[1]) or str(rng.choice(pools()[blank[1]]))

    lines = pools().get(language + pool) or pools()[pool]
    return re.sub(r"\{(\w+)\}", fill, lines[int(rng.integers(len(lines)))])


def spoken(line: str, cast: Cast, rng: np.random.Generator) -> str:
    """The line with the speaker's fillers between the words."""
    fillers = pools()[f"{cast.language}filler"]
    return " ".join(f"{rng.choice(fillers)} {w}" if rng.random() < cast.filler else w for w in line.split())


def heard(text: str, cast: Cast, effort: float, rng: np.random.Generator) -> str:
    """What a recogniser makes of the words: some dropped, some taken for others, more of both in a shout."""
    wrong, words = dict(pair.split("=") for pair in pools()["misheard"]), []
    chance = min(0.6, cast.word_errors * (1 + 2 * effort))
    for word in text.split():
        like = _vocabulary()[word[:1]] or (word,)
        other = wrong.get(word) or like[int(rng.integers(len(like)))]
        words += [word] if rng.random() > chance else [other] * (rng.random() < 0.7)
    out = " ".join(words)
    return f"{out[:1].upper()}{out[1:]}." if cast.cased and out else out


@functools.cache
def _vocabulary() -> defaultdict[str, tuple[str, ...]]:
    """Words that may be taken for another, by first letter."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for word in sorted(set(" ".join(pools()["drive"] + pools()["story"] + pools()["rant"]).split())):
        found[word[0]] += (word,)
    return found
