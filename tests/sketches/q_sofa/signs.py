"""What a plan is made of: signs, each with its own times, and the events that bundle them."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.guide import from_all_signs
from tests.sketches.q_sofa import lines
from tests.sketches.q_sofa.people import Streamer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something heard or seen.

    Attributes:
        where: "voice" (the streamer), "other" (friend or guest), "room" (heard by the microphone), "desk",
            "pic", "play" (the game goes harder), "duck" (music and game silent), "hold" (no ordinary talk).
        name: which style of voice, which sound, which effect.
        power: 1 is plain, 0.3 is weak.
        counts: it belongs to the span; calm talk afterwards does not.
    """

    at_s: float
    end_s: float
    where: str
    name: str
    power: float = 1.0
    text: str = ""
    counts: bool = True

    def later(self, by_s: float) -> Sign:
        """The same sign, moved."""
        return dataclasses.replace(self, at_s=self.at_s + by_s, end_s=self.end_s + by_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A moment or a decoy with all that was laid for it; `evening` is what is on at the time."""

    kind: str
    is_moment: bool
    evening: str
    power: float
    signs: tuple[Sign, ...]

    @property
    def extent_s(self) -> tuple[float, float]:
        """From the first to the last of all signs, the calm talk around it too."""
        return min(s.at_s for s in self.signs), max(*(s.end_s for s in self.signs), self.span_s[1])

    @property
    def span_s(self) -> tuple[float, float]:
        """The span by the guide: the signs that count, and at least 6 s."""
        return from_all_signs([(s.at_s, s.end_s) for s in self.signs if s.counts])

    def later(self, by_s: float) -> Event:
        """The same event, moved."""
        return dataclasses.replace(self, signs=tuple(s.later(by_s) for s in self.signs))


# Pitch (times the usual), how much it moves, level in dB, speed, breath, brightness, roughness.
STYLES: dict[str, tuple[float, float, float, float, float, float, float]] = {
    "calm": (1.0, 0.10, 0.0, 1.0, 1.0, 0.0, 1.0),
    "murmur": (0.93, 0.06, -7.0, 1.0, 1.6, -0.2, 1.2),
    "lively": (1.13, 0.17, 2.0, 1.08, 0.9, 0.1, 1.0),
    "loud": (1.38, 0.22, 6.5, 1.05, 0.7, 0.4, 1.2),
    "shout": (1.8, 0.28, 11.0, 0.85, 0.6, 0.7, 1.5),
    "scream": (2.35, 0.3, 13.5, 0.62, 0.7, 0.9, 2.0),
    "rage": (1.6, 0.26, 11.0, 1.15, 0.7, 0.8, 3.0),
    "soft": (1.16, 0.24, -2.5, 0.72, 2.4, -0.2, 0.8),
    "tense": (0.96, 0.05, -5.0, 1.25, 2.6, -0.2, 1.0),
    "groan": (1.2, 0.34, 4.0, 0.5, 1.4, 0.2, 2.4),
    "sing": (1.25, 0.32, 2.0, 0.6, 0.8, 0.2, 0.6),
}


def syllables(text: str) -> int:
    """About how many syllables a sentence has."""
    count = 0
    for word in text.lower().split():
        groups = sum(a in "aeiouy" and b not in "aeiouy" for a, b in zip(word, word[1:] + " ", strict=True))
        count += max(1, groups - (word.endswith("e") and groups > 1))
    return count


def pick(rng: np.random.Generator, who: Streamer, block: str) -> str:
    """A sentence of the block with its names filled in."""
    options = lines.split(block)
    text = options[int(rng.integers(0, len(options)))]
    fan = who.fans[int(rng.integers(0, len(who.fans)))]
    return text.format(pal=who.pal, fan=fan, n=int(rng.integers(2, 13)))


def speak(
    rng: np.random.Generator,
    who: Streamer,
    at_s: float,
    text: str,
    style: str,
    *,
    power: float = 1.0,
    counts: bool = True,
) -> Sign:
    """The streamer says a sentence; its length follows from its syllables and the style's speed."""
    length = syllables(text) / (who.rate * STYLES[style][3]) * rng.uniform(0.9, 1.1) + 0.12
    return Sign(
        at_s=at_s, end_s=at_s + length, where="voice", name=style, power=power, text=text, counts=counts
    )
