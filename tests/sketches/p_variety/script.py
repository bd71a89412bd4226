"""The streamer, the signs that a plan lays on the clock, and the scenes (moments and decoys) made of them."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.guide import ORDINARY_S, held_to_length
from tests.sketches.p_variety.words import GAMES, Deck

FAINT = 0.45
TEMPERS = ("hype", "funny", "clutch", "fail", "score", "rage", "wholesome")


@dataclasses.dataclass(frozen=True, slots=True)
class Tone:
    """How a line is said against the streamer's usual voice."""

    gain_db: float
    pitch: float
    swing: float
    rate: float
    tension: int
    breath: float
    tells: bool


TONES: dict[str, Tone] = {
    "calm": Tone(0.0, 1.00, 0.10, 1.00, 1, 1.0, False),
    "low": Tone(-4.0, 0.95, 0.07, 0.95, 0, 1.5, False),
    "play": Tone(1.5, 1.06, 0.14, 1.10, 1, 1.0, False),
    "bright": Tone(3.5, 1.20, 0.18, 1.10, 1, 1.0, False),
    "call": Tone(7.5, 1.30, 0.10, 0.80, 2, 0.6, False),
    "hush": Tone(-6.5, 0.98, 0.04, 0.85, 0, 3.0, True),
    "lift": Tone(5.0, 1.34, 0.22, 1.25, 1, 1.0, True),
    "shout": Tone(9.5, 1.75, 0.24, 0.95, 2, 0.7, True),
    "angry": Tone(8.5, 1.38, 0.16, 0.90, 2, 0.8, True),
    "groan": Tone(3.5, 0.88, 0.24, 0.55, 1, 1.5, True),
    "giggle": Tone(3.5, 1.30, 0.30, 1.00, 1, 2.5, True),
    "moved": Tone(-3.0, 1.06, 0.20, 0.70, 0, 4.0, True),
    "coo": Tone(1.5, 1.55, 0.28, 0.78, 0, 2.0, True),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Streamer:
    """Who streams: voice, habits, room, game and audience. Drawn once from the seed."""

    game: str
    f0_hz: float
    tract: float
    level: float
    spread: float
    squash: float
    rate: float
    chatty: float
    laugh: str
    breath: float
    echo: float
    hiss: float
    keys: float
    leak: float
    gate: bool
    game_level: float
    music_level: float
    lively: float
    cam_corner: int
    cam_size: int
    viewers: int
    has_chat: bool
    temper: tuple[float, ...]


def draw_streamer(seed: int) -> Streamer:
    """Draws the streamer of a seed; the five sorts of game follow one another from seed to seed."""
    rng = np.random.default_rng([seed, 1])
    high = rng.random() < 0.45
    return Streamer(
        game=tuple(GAMES)[seed % len(GAMES)],
        f0_hz=float(rng.uniform(165, 235) if high else rng.uniform(88, 140)),
        tract=float(rng.uniform(1.08, 1.22) if high else rng.uniform(0.92, 1.06)),
        level=float(np.exp(rng.uniform(np.log(0.028), np.log(0.085)))),
        spread=float(rng.uniform(0.65, 1.2)),
        squash=float(rng.uniform(0.0, 0.5)),
        rate=float(rng.uniform(3.7, 5.3)),
        chatty=float(rng.uniform(0.3, 0.75)),
        laugh=str(rng.choice(["open", "wheeze", "snort"])),
        breath=float(rng.uniform(0.02, 0.07)),
        echo=float(rng.uniform(0.0, 0.3)),
        hiss=float(np.exp(rng.uniform(np.log(0.0004), np.log(0.003)))),
        keys=float(rng.choice([0.0, 0.3, 1.0])),
        leak=float(rng.choice([0.0, 0.02, 0.06, 0.15])),
        gate=bool(rng.random() < 0.25),
        game_level=float(np.exp(rng.uniform(np.log(0.35), np.log(1.1)))),
        music_level=float(rng.uniform(0.1, 0.9)),
        lively=float(rng.uniform(0.35, 1.2)),
        cam_corner=int(rng.integers(4)),
        cam_size=int(rng.choice([26, 32, 40])),
        viewers=int(np.exp(rng.uniform(np.log(5), np.log(20_000)))),
        has_chat=bool(rng.random() >= 0.25),
        temper=tuple(float(x) for x in rng.uniform(0.3, 1.5, len(TEMPERS))),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that is heard or seen, or (chat) answered. `tells`: it stands out from the ordinary."""

    at_s: float
    for_s: float
    what: str
    name: str
    text: str = ""
    strength: float = 1.0
    tells: bool = False

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A moment or a decoy as signs on its own clock."""

    kind: str
    moment: bool
    peak_s: float
    signs: tuple[Sign, ...]

    def span(self) -> tuple[float, float]:
        """From the first telling sign to the last one's end, less what over 3 s of the ordinary cut off."""
        told = sorted((s.at_s, s.end_s) for s in self.signs if s.tells and s.what != "chat")
        start_s, end_s = told[0]
        for at_s, until_s in told[1:]:
            if at_s - end_s > ORDINARY_S:
                if start_s <= self.peak_s <= end_s + 0.01:
                    break
                start_s, end_s = at_s, until_s
            end_s = max(end_s, until_s)
        return held_to_length(start_s, end_s)

    def reach(self) -> tuple[float, float]:
        """From the first to the last second that it takes, its ordinary lead-in and calm end with it."""
        start_s, end_s = self.span()
        own = [s for s in self.signs if s.what != "chat"]
        return min(start_s, *(s.at_s for s in own)), max(end_s, *(s.end_s for s in own))

    def moved(self, by_s: float) -> Scene:
        """The same scene, later."""
        signs = tuple(dataclasses.replace(s, at_s=s.at_s + by_s) for s in self.signs)
        return dataclasses.replace(self, peak_s=self.peak_s + by_s, signs=signs)

    def ways(self) -> set[str]:
        """Which of voice, words, laughter, desktop, picture and room carry a telling sign."""
        named = {"say": "voice", "cry": "voice", "sfx": "desktop", "heat": "desktop", "pic": "picture"}
        named |= {"face": "picture", "scene": "picture"}
        return {named.get(s.what, s.what) for s in self.signs if s.tells and s.what != "chat"}


def syllables(text: str) -> int:
    """About how many syllables a line has, told from its letters."""
    return sum(max(1, round(len(word.strip(".,!?")) / 3.1)) for word in text.split())


class Writer:
    """Lays signs one after another. Speech, laughter and cries move its clock; sounds and pictures do not."""

    def __init__(
        self, who: Streamer, deck: Deck, rng: np.random.Generator, force: float, decoy: bool
    ) -> None:
        self.who, self.deck, self.rng, self.force, self.decoy = who, deck, rng, force, decoy
        self.now_s, self.peak_s = 0.0, 0.0
        self.signs: list[Sign] = []

    def chance(self, part: float) -> bool:
        """True in that part of the draws."""
        return bool(self.rng.random() < part)

    def span(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def some(self, low: int, high: int) -> int:
        """A whole number, both ends in; weak scenes have fewer."""
        return max(
            low, min(high, round(float(self.rng.uniform(low - 0.5, high + 0.5)) * min(1.0, 0.3 + self.force)))
        )

    def wait(self, low: float, high: float) -> None:
        """Lets the clock run."""
        self.now_s += self.span(low, high)

    def peak(self) -> None:
        """Marks what the scene is about as happening now."""
        self.peak_s = self.now_s

    def put(
        self,
        what: str,
        name: str,
        for_s: float,
        strength: float = 1.0,
        tells: bool = True,
        after_s: float = 0.0,
    ) -> None:
        """Lays a sign at the clock without moving it."""
        at_s = self.now_s + after_s
        strength *= 1.0 if what == "heat" else 0.4 + 0.6 * self.force
        if what == "face":
            strength *= self.who.lively
            tells = tells and strength > FAINT
        self.signs.append(Sign(at_s=at_s, for_s=for_s, what=what, name=name, strength=strength, tells=tells))

    def say(self, section: str, tone: str, tells: bool | None = None) -> None:
        """Says a line drawn from a section of the words, then a short pause."""
        text = self.deck.draw(section)
        kind = TONES[tone]
        tells = (self.decoy or kind.tells) if tells is None else tells
        for_s = 0.15 + 1.1 * syllables(text) / (self.who.rate * kind.rate)
        self.signs.append(
            Sign(
                at_s=self.now_s,
                for_s=for_s,
                what="say",
                name=tone,
                text=text,
                strength=self.force * self.span(0.85, 1.15),
                tells=tells,
            )
        )
        self.now_s += for_s + self.span(0.15, 0.6)

    def laugh(self, for_s: float, strength: float = 1.0) -> None:
        """Laughs."""
        self.put("laugh", self.who.laugh, for_s, strength)
        self.put("face", "bob", for_s, 0.8 * strength)
        self.now_s += for_s + self.span(0.1, 0.4)

    def death(self, for_s: float, after_s: float = 0.0) -> None:
        """The screen of the dead: its fall to black is a sign, that it then stands still is none."""
        self.put("pic", "death", for_s, tells=False, after_s=after_s)
        self.put("pic", "fade", 1.2, after_s=after_s)

    def since(self, what: str, name: str, from_s: float, strength: float = 1.0) -> None:
        """Lays a sign that goes on from that time to the clock."""
        self.put(what, name, self.now_s - from_s, strength, after_s=from_s - self.now_s)

    def cry(self, name: str, for_s: float) -> None:
        """A cry without words: scream, gasp, sigh."""
        self.put("cry", name, for_s)
        self.now_s += for_s + self.span(0.05, 0.3)

    def chat(self, topic: str, strength: float = 1.0) -> None:
        """What the chat will answer to what happens now."""
        self.put("chat", topic, 0.0, strength, tells=False)

    def done(self, kind: str) -> Scene:
        """The scene."""
        return Scene(kind=kind, moment=not self.decoy, peak_s=self.peak_s, signs=tuple(self.signs))
