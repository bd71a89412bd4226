"""Reads the text file of the horror streams: scenes, scripts of spans, layers of sounds, lists of lines."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import numpy as np

Weights = dict[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a stretch of the game is like; `level` holds weight, movement, light, beds, steps, share of talk."""

    name: str
    pic: str
    length: tuple[float, float]
    level: Weights
    mood: Weights
    topic: Weights
    fx: Weights


@dataclasses.dataclass(frozen=True, slots=True)
class Cue:
    """One thing that happens: `at` seconds, or parts of the lead ("L") or tail ("T") of a span."""

    at: float
    unit: str
    verb: str
    what: str
    topic: str = ""
    amount: float = 1.0
    chance: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """How a kind of moment or decoy goes, about its event."""

    role: str
    kind: str
    name: str
    lead: tuple[float, float]
    tail: tuple[float, float]
    weight: float
    cues: tuple[Cue, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Lore:
    """All that the text file says."""

    scenes: dict[str, Scene]
    scripts: list[Script]
    tables: dict[str, dict[str, str]]
    lines: dict[str, tuple[str, ...]]

    def numbers(self, table: str, key: str, missing: str = "") -> tuple[float, ...]:
        """A row of a table of numbers."""
        return tuple(map(float, self.tables[table].get(key, missing).split()))

    def line(self, rng: np.random.Generator, topic: str) -> str:
        """A line of "words topic" or "chat topic" with its slots filled."""
        return self.filled(rng, pick(rng, self.lines[topic]))

    def filled(self, rng: np.random.Generator, text: str) -> str:
        """The text with its slots filled."""
        slots = self.tables["slots"]
        return re.sub(r"\{(\w+)\}", lambda slot: pick(rng, tuple(slots[slot[1]].split("|"))), text)


def pick(rng: np.random.Generator, of: tuple[str, ...]) -> str:
    """One of some texts."""
    return of[int(rng.integers(len(of)))]


def weighted(rng: np.random.Generator, weights: Weights) -> str:
    """A key, by its weight."""
    shares = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(shares, rng.uniform(0, shares[-1]), side="right"))]


def _pair(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high)


def _weights(text: str) -> Weights:
    return {key: float(value) for key, _, value in (part.partition(":") for part in text.split(",") if part)}


def _scene(line: str) -> Scene:
    name, *rest = line.split()
    said = dict(part.split("=", 1) for part in rest)
    length, pic = _pair(said.pop("len")), said.pop("pic")
    mood, topic, fx = (_weights(said.pop(key)) for key in ("mood", "topic", "fx"))
    return Scene(name, pic, length, {key: float(value) for key, value in said.items()}, mood, topic, fx)


def _cue(line: str) -> Cue:
    time, *rest = line.split()
    chance = float(rest.pop(0)[1:]) if rest[0].startswith("?") else 1.0
    verb, what, *more = rest
    topic = more[0] if more and verb == "say" else ""
    amount = float(more[0]) if more and verb != "say" else 1.0
    return Cue(float(time.rstrip("LT")), time.lstrip("-.0123456789"), verb, what, topic, amount, chance)


@functools.cache
def load() -> Lore:
    """The lore, read once."""
    text = Path(__file__).with_name("words.txt").read_text(encoding="utf-8")
    lore = Lore({}, [], {}, {})
    for block in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        title, _, body = block.partition("]\n")
        lines = [line.strip() for line in body.splitlines() if line.strip() and not line.startswith("# ")]
        what, *head = title.split()
        if what == "scenes":
            lore.scenes.update({line.split()[0]: _scene(line) for line in lines})
        elif what == "script":
            role, kind, name, lead, tail, weight = head
            cues = tuple(map(_cue, lines))
            lore.scripts.append(Script(role, kind, name, _pair(lead), _pair(tail), float(weight), cues))
        elif head:
            lore.lines[title] = tuple(lines)
        else:
            lore.tables[what] = {key: row for key, _, row in (line.partition(" = ") for line in lines)}
    return lore
