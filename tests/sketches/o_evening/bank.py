"""The word list, and lines picked from it."""

from __future__ import annotations

import functools
import pathlib
import re

import numpy as np


@functools.cache
def load() -> dict[str, list[str]]:
    """The word list: sections in brackets, entries parted by bars, comments behind a semicolon."""
    out: dict[str, list[str]] = {}
    name = ""
    for line in pathlib.Path(__file__).with_name("words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            name = line[1:-1]
            out[name] = []
        elif line and not line.startswith(";"):
            out[name].extend(x.strip() for x in line.split(" | "))
    return out


class Bank:
    """The lines by section, with names, bosses and the like to fill in; it seldom gives one again soon."""

    def __init__(self, emote: str) -> None:
        self.sections = load()
        self.emote = emote
        self.recent: list[str] = []

    def pick(self, rng: np.random.Generator, section: str) -> str:
        """A line of the section, its slots filled."""
        lines = self.sections[section]
        line = lines[int(rng.integers(len(lines)))]
        if not section.startswith(("chat.", "slot.")):
            if line in self.recent:
                line = lines[int(rng.integers(len(lines)))]
            self.recent = [*self.recent[-30:], line]
        return re.sub(r"\{(\w+)\}", lambda m: self._slot(rng, m.group(1)), line)

    def _slot(self, rng: np.random.Generator, name: str) -> str:
        if name == "num":
            return str(int(rng.integers(2, 60)))
        if name == "emote":
            return self.emote + str(rng.choice(["Hype", "Lul", "Love", "Rage", "Wave", "GG"]))
        return self.pick(rng, "slot." + name)
