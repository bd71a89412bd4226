"""What happens at moments and decoys: reads the scripts of words.txt and writes them out as cues."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.l_ranked.who import Who, sections, table
from tests.sketches.sketch import FRAMES_PER_S

SCREENS = tuple(table("screens"))
Screens = npt.NDArray[np.int8]
SIGNS = ("voice", "words", "game", "look", "chat")
_TIME = re.compile(r"([\^$]?)([+-]?[\d.]+)?(?:~([+-]?[\d.]+))?")
_STINGS = ("ding", "win", "lose", "rank", "announce", "boom", "alert", "toy")
_CALMER = {"scream": "shout", "shout": "excited"}


class Cue(NamedTuple):
    """One thing that happens; lane is say, body (other noises of the streamer), mate, game, look, chat or hush."""

    at: float
    lane: str
    what: str
    text: str = ""
    level: float = 1.0
    length: float = 0.0
    seen: bool = True


class Script(NamedTuple):
    """A sort of event: its kind, where it may happen (round, lobby, any), seconds before and after its core."""

    name: str
    kind: str
    place: str
    weight: float
    before: tuple[float, float]
    after: tuple[float, float]


@functools.cache
def scripts() -> tuple[Script, ...]:
    """All scripts that are events of their own."""
    found = []
    for header in sections():
        parts = header[1:].split()
        if header[0] == "@" and len(parts) == 6:
            (a, b), (c, d) = ([float(x) for x in part.split("~")] for part in parts[4:])
            found.append(Script(parts[0], parts[1], parts[2], float(parts[3]), (a, b), (c, d)))
    return tuple(found)


@functools.cache
def _lines(name: str) -> list[list[str]]:
    header = next(h for h in sections() if h[0] == "@" and h[1:].split()[0] == name)
    return [line.split() for line in sections()[header]]


class Writer:
    """Writes one event from the lines of its script: a time, a lane, what, a topic of phrases, and options.

    Times are relative to the event's core, with ^ to its start, with $ to its end; a~b is drawn between the two.
    Options: to (until when), every (how often till then), p (likelihood), len (s), x (level). Besides the lanes of
    cues there are use (another script), phase (what is on the screen) and duel (n exchanges of fire, each with the
    own shots as long as `own`, and what to say between them).
    Signs say how much, from 0 to 1, each side of the stream shows of it.
    """

    def __init__(
        self, who: Who, rng: np.random.Generator, span: tuple[float, float, float], signs: dict[str, float]
    ) -> None:
        self._who, self._rng, self._signs = who, rng, signs
        self._start, self._core, self._end = span
        self.cues: list[Cue] = []

    def _value(self, text: str, base: float = 0.0) -> float:
        mark, low, high = re.findall(_TIME, text)[0]
        base = {"^": self._start - self._core, "$": self._end - self._core}.get(mark, base)
        return base + (float(self._rng.uniform(float(low), float(high))) if high else float(low or 0))

    def run(self, name: str, screens: Screens, base: float = 0.0, topic: str = "") -> None:
        """Write the cues of a script about a time and paint its screens."""
        for time, *words in _lines(name):
            options = dict(word.split("=") for word in words if "=" in word)
            lane, *rest = [word.replace("*", topic) for word in words if "=" not in word]
            at = self._value(time, base)
            until = self._value(options["to"].replace("*", topic), base) if "to" in options else at
            what = str(self._rng.choice(rest[0].split("|"))) if rest else ""
            if lane == "use":
                self.run(what, screens, at, rest[1])
            elif lane == "phase":
                a, b = (max(round((self._core + t) * FRAMES_PER_S), 0) for t in (at, until))
                screens[a:b] = SCREENS.index(what)
            elif lane == "duel":
                self._duels(at, until, options)
            else:
                self._line(at, until, lane, rest, options)

    def _line(self, at: float, until: float, lane: str, rest: list[str], options: dict[str, str]) -> None:
        """A cue, or many until a time."""
        every = options.get("every")
        while True:
            if self._rng.random() < float(options.get("p", 1)):
                what = str(self._rng.choice(rest[0].split("|"))) if rest else ""
                length = until - at if lane == "hush" else self._value(options.get("len", "0"))
                text = rest[1] if len(rest) > 1 else ""
                self._sign(Cue(at, lane, what, text, self._value(options.get("x", "1")), length))
            if not every or (at := at + self._value(every)) > until:
                break

    def _duels(self, first: float, last: float, options: dict[str, str]) -> None:
        """Exchanges of fire from one time to another, each won with a kill."""
        n = round(self._value(options.get("n", "1")))
        for k in range(n):
            at = first + (last - first) * k / (n - 1) if n > 1 else last
            at += self._rng.normal(0, 0.15) * abs(last - first) / n * (0 < k < n - 1)
            own = self._value(options["own"])
            self._sign(
                Cue(at - own - self._rng.uniform(0, 0.3), "game", "foe", length=self._rng.uniform(0.2, 0.7))
            )
            self._sign(Cue(at - own, "game", "own", length=own))
            self._sign(Cue(at, "game", "ding"))
            if "say" in options and k < n - 1 and self._rng.random() < 0.5:
                self._sign(Cue(at + 0.3, "say", "excited", options["say"]))

    def _sign(self, cue: Cue) -> None:
        """Add a cue as far as the event shows on that side."""
        signs, rng, (at, lane, what, text, level, length, _) = self._signs, self._rng, cue
        if lane == "say":
            at += rng.normal(0, 0.12)
            if signs["voice"] < 0.35 and what not in ("tense", "soft", "sing"):
                what = "talk"
            elif signs["voice"] < 0.65:
                what = _CALMER.get(what, what)
            if signs["words"] < 0.35:
                # Where words tell nothing he cries out, or says something common.
                text = (
                    "cry"
                    if what in ("excited", "shout", "scream")
                    else str(rng.choice(["think", "nicekill"]))
                )
        elif lane == "body":
            level *= signs["voice"]
        elif lane == "game" and what in _STINGS:
            level *= max(signs["game"], 0.06)
        elif lane == "chat":
            level *= signs["chat"]
        faint = (lane == "body" and level < 0.25) or (lane == "look" and signs["look"] < 0.3)
        if faint or (lane == "mate" and (not self._who.team or rng.random() > 0.3 + 0.7 * signs["game"])):
            return
        self.cues.append(Cue(self._core + at, lane, what, text, level, length, signs["look"] > 0.3))
