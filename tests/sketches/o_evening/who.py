"""Who streams tonight, and the records that a planned evening is made of."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tests.sketches.o_evening.bank import Bank
from tests.sketches.sketch import Span

GENRES = ("souls", "sports", "platform", "shooter")
CAMERAS = ("left", "left", "right", "top", "none")


@dataclasses.dataclass(frozen=True, slots=True)
class Throat:
    """A voice: base pitch in Hz, liveliness of melody, length of the tract, breath, syllables a second."""

    pitch_hz: float
    melody: float
    tract: float
    breath: float
    pace: float


@dataclasses.dataclass(frozen=True, slots=True)
class Persona:
    """One streamer: what stays the same all evening; `who["react"]` and the like are the traits."""

    genre: str
    throat: Throat
    traits: dict[str, float]
    viewers: int
    chat_per_min: float
    tic: str
    camera: str

    def __getitem__(self, trait: str) -> float:
        return self.traits[trait]

    def has(self, trait: str) -> bool:
        """Whether the streamer is one of those with this habit, the trait being its odds."""
        return self.traits[trait + "_luck"] < self.traits[trait]


@dataclasses.dataclass(slots=True)
class Line:
    """Something voiced: words, laugh, gasp, sigh, cough, scream, song; loudness in dB, lift in semitones."""

    start_s: float
    seconds: float
    text: str
    kind: str = "say"
    loud: float = 0.0
    lift: float = 0.0

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + self.seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A sound (size in dB), a wave in chat, a sight, or a scene (its size is its heat, 0 to 1)."""

    at_s: float
    name: str
    size: float
    end_s: float = 0.0


@dataclasses.dataclass(slots=True)
class Plan:
    """Everything that happens in one evening; `closed` are times without unstaged talk."""

    who: Persona
    duration_s: float
    moments: list[Span] = dataclasses.field(default_factory=list)
    decoys: list[Span] = dataclasses.field(default_factory=list)
    scenes: list[Event] = dataclasses.field(default_factory=list)
    lines: list[Line] = dataclasses.field(default_factory=list)
    others: list[Line] = dataclasses.field(default_factory=list)
    cues: list[Event] = dataclasses.field(default_factory=list)
    waves: list[Event] = dataclasses.field(default_factory=list)
    looks: list[Event] = dataclasses.field(default_factory=list)
    closed: list[tuple[float, float]] = dataclasses.field(default_factory=list)


def draw_persona(rng: np.random.Generator, bank: Bank) -> Persona:
    """A streamer with a channel of any size; one in seven has no chat at all."""
    traits: dict[str, float] = {}
    for row in bank.sections["traits"]:
        name, *ranges = row.split()
        low, high = map(float, ranges[int(rng.integers(len(ranges)))].split(":"))
        traits[name], traits[name + "_luck"] = float(rng.uniform(low, high)), float(rng.random())
    size = 1.0 + 0.65 * (rng.random() < 0.3)
    throat = Throat(
        traits["pitch"] * size,
        traits["melody"],
        traits["tract"] + 0.2 * (size - 1),
        *map(traits.__getitem__, ("breath", "pace")),
    )
    viewers = int(math.exp(rng.uniform(math.log(4), math.log(30_000))))
    rate = min(300.0, 0.5 * viewers**0.58 * float(np.exp(rng.normal(0, 0.6))))
    if rng.random() < 1 / 7:
        viewers, rate = viewers % 40, 0.0
    genre, camera = GENRES[int(rng.integers(len(GENRES)))], CAMERAS[int(rng.integers(len(CAMERAS)))]
    return Persona(genre, throat, traits, viewers, rate, bank.pick(rng, "tics"), camera)
