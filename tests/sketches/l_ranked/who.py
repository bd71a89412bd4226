"""Who streams: the traits of one player of ranked games, and the phrases of him and of his chat."""

from __future__ import annotations

import functools
import pathlib
import re

import numpy as np


@functools.cache
def sections() -> dict[str, list[str]]:
    """The lists of words.txt by their names."""
    lists: dict[str, list[str]] = {}
    name = ""
    for line in pathlib.Path(__file__).with_name("words.txt").read_text("utf-8").splitlines():
        if re.fullmatch(r"\[[^\]]+\]", line):
            name = line[1:-1]
            lists[name] = []
        elif line:
            lists[name].append(line)
    return lists


@functools.cache
def table(name: str) -> dict[str, list[float]]:
    """A list of names with numbers."""
    rows: dict[str, list[float]] = {}
    for line in sections()[name]:
        word, *numbers = line.split()
        rows[word] = [float(x) for x in numbers]
    return rows


@functools.cache
def pairs(name: str) -> dict[str, str]:
    """A list of lines a=b."""
    return dict(line.split("=") for line in sections()[name])


class Phrases:
    """Picks phrases; everyone has favourites, so each list is weighted anew for each streamer."""

    def __init__(self, lang: str, rng: np.random.Generator) -> None:
        self._lang, self._rng = lang, rng
        self._weights: dict[str, np.ndarray] = {}

    def _name(self, topic: str) -> str:
        # Where a language has no list of its own for a topic it uses that of a wider topic.
        for name in (f"{topic}.{self._lang}", f"{pairs('wider').get(topic)}.{self._lang}"):
            if name in sections():
                return name
        return topic

    def pick(self, topic: str) -> str:
        """One phrase of the topic with its slots filled in."""
        name = self._name(topic)
        lines = sections()[name]
        if name not in self._weights:
            self._weights[name] = self._rng.dirichlet(
                np.full(len(lines), 3.0 if topic.startswith("c_") else 1.2)
            )
        line = lines[int(self._rng.choice(len(lines), p=self._weights[name]))]
        return re.sub(r"\{(\w+)\}", lambda slot: self.pick(slot[1]), line)


class Who:
    """One streamer: levels in dBFS or dB, rates per second, the rest from 0 to 1 unless told."""

    def __init__(self, rng: np.random.Generator) -> None:
        low_voice, chats = rng.random() < 0.72, rng.random() > 1 / 7
        self.game = str(rng.choice(["tactical", "royale", "arena"], p=[0.45, 0.3, 0.25]))
        self.lang = str(rng.choice(["en", "es", "de"], p=[0.8, 0.11, 0.09]))
        self.temper = rng.beta(1.3, 1.2)
        self.talk = rng.uniform(0.12, 0.85)
        self.pitch_hz = rng.normal(112, 15) if low_voice else rng.normal(198, 22)
        self.tract = rng.normal(1.0, 0.04) if low_voice else rng.normal(1.15, 0.04)
        self.breath = rng.uniform(0.02, 0.12)
        self.syllables = rng.uniform(4.2, 6.8)
        self.mic_db = rng.uniform(-34, -19)
        # How far a compressor holds shouts down; 1 is not at all.
        self.squash = rng.uniform(0.35, 1.0)
        self.noise_db = rng.uniform(-72, -48)
        self.gated = rng.random() < 0.35
        self.leak_db = rng.uniform(-32, -12) if rng.random() < 0.4 else -90.0
        self.keys = rng.uniform(0.1, 1.0) * (rng.random() < 0.5)
        self.game_db = rng.uniform(-33, -17)
        self.music_db = rng.uniform(-40, -24) if rng.random() < 0.45 else -90.0
        self.team = int(rng.choice([0, 1, 2, 4]))
        self.webcam = rng.random() < 0.78
        self.errors = rng.uniform(0, 0.06) if rng.random() < 0.5 else rng.uniform(0.06, 0.22)
        self.cased = rng.random() < 0.6
        self.viewers = int(np.exp(rng.uniform(np.log(4), np.log(40_000))))
        self.chat_rate = min(0.012 * self.viewers**0.58 * rng.uniform(0.4, 2.2), 5.0) * chats
        self.lag_s = rng.uniform(1.2, 6.0)
