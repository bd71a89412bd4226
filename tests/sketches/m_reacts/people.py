"""Who streams, and what the script of a stream is made of."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import Span

Rng = np.random.Generator
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """One streamer with the microphone, the room, the habits and the audience that belong to them."""

    pitch_hz: float
    throat: float
    pace: float  # syllables a second
    temper: float  # 0.2 hardly reacts, 1.3 shouts at everything
    talk: float  # share of ordinary time with words
    squash: float  # how far a compressor evens the voice out
    mic_db: float
    noise_db: float
    gate: bool
    leak: float
    desk_db: float
    duck: bool  # the desktop goes down while the streamer talks
    music: str  # what plays behind plain talk; "" for nothing
    viewers: int
    chat_rate: float  # messages a second in quiet times; 0 where there is no chat
    lag_s: float
    errors: float
    plain: bool  # the recogniser gives no capitals and no stops
    fillers: float
    emote: str
    overlay: bool  # the chat scrolls in the picture


def draw_persona(rng: Rng) -> Persona:
    """Draw widely: the next streamer of this sort may have little in common with the last."""
    viewers = int(np.exp(rng.uniform(np.log(3), np.log(45_000))))
    rate = 0.0035 * viewers**0.74 * np.exp(rng.normal(0, 0.5))
    name = rng.choice("mika dozo pell rusk tavi oona brim kesh lulu gran fitz noor".split())
    return Persona(
        pitch_hz=float(rng.choice([rng.uniform(88, 140), rng.uniform(165, 235)], p=[0.6, 0.4])),
        throat=float(rng.uniform(0.9, 1.2)),
        pace=float(rng.uniform(4.0, 6.4)),
        temper=float(np.clip(rng.gamma(4.0, 0.19), 0.2, 1.35)),
        talk=float(rng.uniform(0.42, 0.9)),
        squash=float(rng.choice([0.0, rng.uniform(0.2, 0.6)])),
        mic_db=float(rng.uniform(-35, -19)),
        noise_db=float(rng.uniform(-78, -50)),
        gate=bool(rng.random() < 0.3),
        leak=float(rng.choice([0.0, rng.uniform(0.01, 0.22)], p=[0.55, 0.45])),
        desk_db=float(rng.uniform(-36, -20)),
        duck=bool(rng.random() < 0.25),
        music=str(rng.choice(["", "lofi", "synth", "pop"], p=[0.4, 0.3, 0.15, 0.15])),
        viewers=viewers,
        chat_rate=0.0 if rng.random() < 1 / 7 else float(min(rate, 9.0)),
        lag_s=float(rng.uniform(1.6, 6.5)),
        errors=float(np.exp(rng.uniform(np.log(0.01), np.log(0.2)))),
        plain=bool(rng.random() < 0.35),
        fillers=float(rng.uniform(0.0, 0.35)),
        emote=f"{name}{rng.choice(['', '7', 'TV', 'xx'])}",
        overlay=bool(rng.random() < 0.4),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """Words said. `who`: me, guest (a call, in the desktop), room (a visitor, in the mic), tts, video."""

    at: float
    end: float
    text: str
    energy: float  # 0 plain talk, 1 a shout
    mood: str = ""  # cry, sing, crack
    who: str = "me"


@dataclasses.dataclass(frozen=True, slots=True)
class Cue:
    """A sound other than words, or a movement in the picture."""

    at: float
    length: float
    kind: str
    size: float


@dataclasses.dataclass(frozen=True, slots=True)
class Burst:
    """A run of the chat upon something."""

    at: float
    gain: float
    fade: float
    topic: str
    copied: float = 0.35


@dataclasses.dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of one occupation; `look` tells videos, rooms and calls apart."""

    start: float
    end: float
    what: str
    look: str


@dataclasses.dataclass(slots=True)
class Script:
    """All that happens in one stream, before it is sounded and drawn."""

    phases: list[Phase] = dataclasses.field(default_factory=list)
    lines: list[Line] = dataclasses.field(default_factory=list)
    mic: list[Cue] = dataclasses.field(default_factory=list)
    desk: list[Cue] = dataclasses.field(default_factory=list)
    pics: list[Cue] = dataclasses.field(default_factory=list)
    bursts: list[Burst] = dataclasses.field(default_factory=list)
    pauses: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    moments: tuple[Span, ...] = ()
    decoys: tuple[Span, ...] = ()
