"""What a group may say and live through, read from words.txt, and who the group is."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.sketches.k_voices.voice import Voice, draw_voice

Pair = tuple[float, float]
ANY_PHASE = ("lobby", "loading", "play", "meeting", "result")
CYCLES = {
    "deduction": ("lobby", "loading", "play", "meeting", "play", "meeting", "result"),
    "party": ("lobby", "loading", "play", "result", "loading", "play", "result"),
    "coop": ("lobby", "loading", "play", "play", "result"),
}


class Beat(NamedTuple):
    """One thing that happens in a scene; times are shares of the build-up (below 0) or of the reaction."""

    low: float
    high: float
    times: int
    who: str
    what: str
    topic: str
    strength: float


class Scene(NamedTuple):
    """A moment of a kind, or a decoy, whose kind is its name."""

    kind: str
    phases: tuple[str, ...]
    build_s: Pair
    react_s: Pair
    beats: tuple[Beat, ...]


class Script(NamedTuple):
    """All lines by topic, fillings by name, and scenes."""

    say: dict[str, list[str]]
    chat: dict[str, list[str]]
    fillings: dict[str, list[str]]
    moments: tuple[Scene, ...]
    decoys: tuple[Scene, ...]
    effects: dict[str, list[tuple[float, ...]]]


def _pair(text: str, mark: str) -> Pair:
    low, _, high = text.partition(mark)
    return float(low), float(high or low)


def _beat(row: str) -> Beat:
    when, who, what, *rest = row.split()
    span, _, times = when.partition("*")
    low, high = _pair(span, "~")
    topic = rest[0] if len(rest) > 1 else ""
    strength = float(rest[-1])
    return Beat(low, high, int(times or 1), who, what, topic, strength)


def _scene(head: str, rows: list[str]) -> Scene:
    name, kind, phases, build, react = head.split()
    allowed = ANY_PHASE if phases == "any" else tuple(phases.split(","))
    kind = name if kind == "-" else kind
    return Scene(kind, allowed, _pair(build, "-"), _pair(react, "-"), tuple(_beat(row) for row in rows))


@functools.cache
def script() -> Script:
    """The script, read once."""
    text = Path(__file__).with_name("words.txt").read_text(encoding="utf-8")
    sorts = ("say", "chat", "list", "moment", "decoy", "effect")
    blocks: dict[str, dict[str, list[str]]] = {sort: {} for sort in sorts}
    rows: list[str] = []
    for row in text.splitlines():
        if head := re.fullmatch(r"\[(\w+) (.+)\]", row):
            rows = blocks[head[1]].setdefault(head[2], [])
        elif row and not row.startswith("#"):
            rows.append(row)
    moments, decoys = (tuple(_scene(h, rows) for h, rows in blocks[s].items()) for s in ("moment", "decoy"))
    effects = {n: [tuple(map(float, row.split())) for row in rows] for n, rows in blocks["effect"].items()}
    return Script(blocks["say"], blocks["chat"], blocks["list"], moments, decoys, effects)


class Cast(NamedTuple):
    """One streamer's evening: the voices (streamer, friends, robot), the game, habits, the audience."""

    voices: tuple[Voice, ...]
    names: tuple[str, ...]
    game: str
    pace: float
    own_share: float
    excitable: float
    fillers: tuple[str, ...]
    filler_rate: float
    num_viewers: int
    chat_per_s: float

    @property
    def num_friends(self) -> int:
        """How many friends are in the call."""
        return len(self.voices) - 2

    def fill(self, line: str, rng: np.random.Generator) -> str:
        """The line with names of friends, colours and places put in."""
        if "{" not in line:
            return line
        for name, fillings in script().fillings.items():
            choices = self.names if name == "name" else fillings
            while f"{{{name}}}" in line:
                line = line.replace(f"{{{name}}}", str(rng.choice(choices)), 1)
        return line

    def line(self, topic: str, rng: np.random.Generator) -> str:
        """Something to say about the topic, in this group's way."""
        text = self.fill(str(rng.choice(script().say[topic])), rng)
        if rng.random() < self.filler_rate:
            filler = str(rng.choice(self.fillers))
            text = f"{filler} {text}" if rng.random() < 0.6 else f"{text} {filler}"
        return text


def draw_cast(seed: int) -> Cast:
    """Another streamer with other friends for each seed."""
    rng = np.random.default_rng([seed, 1])
    num_friends = int(rng.integers(2, 6))
    voices = [draw_voice(rng) for _ in range(num_friends + 1)] + [draw_voice(rng, robot=True)]
    viewers = int(10 ** rng.uniform(0.5, 4.7))
    silent = rng.random() < 1 / 7
    rate = float(np.clip(0.012 * viewers**0.6 * np.exp(rng.normal(0, 0.5)), 0.012, 7.0))
    return Cast(
        voices=tuple(voices),
        names=tuple(str(n) for n in rng.choice(script().fillings["name"], num_friends, replace=False)),
        game=str(rng.choice(list(CYCLES), p=(0.4, 0.3, 0.3))),
        pace=float(rng.uniform(0.9, 1.7)),
        own_share=float(rng.uniform(0.36, 0.65)),
        excitable=float(rng.uniform(0.02, 0.16)),
        fillers=tuple(str(f) for f in rng.choice(script().fillings["filler"], 3, replace=False)),
        filler_rate=float(rng.uniform(0.0, 0.3)),
        num_viewers=0 if silent and rng.random() < 0.5 else viewers if not silent else viewers % 12,
        chat_per_s=0.0 if silent else rate,
    )
