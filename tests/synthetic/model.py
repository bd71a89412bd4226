"""What a made-up stream consists of. Times are seconds from its start; sound is float32, mono, 16,000 Hz."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

RATE_HZ = 16_000
FRAMES_PER_S = 4
FRAME_SHAPE = (90, 160)
KINDS = ("hype", "funny", "clutch", "fail", "score", "rage", "wholesome")
DECOY_KINDS = ("advert", "music", "raid", "loud_boring", "past_tense", "pause_screen", "chat_flood")
MORE_DECOY_KINDS = ("alert", "humming")  # in the family `third` alone

Pcm = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the stream: something worth keeping, or something that only looks like it."""

    start_s: float
    end_s: float
    kind: str

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something worth keeping.

    Attributes:
        span: all that was set aside for it, what leads up to it in ordinary talk and play too.
        truth: where it shows, by the guide at the top of `tests/sketches/sketch.py`.
        signs: where it shows: `voice`, `words`, `laughter`, `desktop`, `motion`, `chat`; never everywhere.
        strength: how clearly, 0-1.
        climax_s: when it happens; what lies before leads up to it, what lies after answers it.
    """

    span: Span
    truth: Span
    climax_s: float
    signs: frozenset[str]
    strength: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Somebody who speaks."""

    pitch_hz: float
    formant_scale: float
    syllables_per_s: float
    breath: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a line is spoken, against how this voice mostly speaks."""

    gain_db: float = 0.0
    pitch: float = 1.0
    rate: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A line as it is said. Empty text: a sound without words, such as a scream."""

    start_s: float
    end_s: float
    text: str
    voice: Voice
    delivery: Delivery
    lane: str = "mic"
    is_laughter: bool = False
    is_heard: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A line as a recogniser wrote it down: words are missing."""

    start_s: float
    end_s: float
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A line of the chat; `kind` is `message`, `command`, `bot` or `raid`, `count` how many came with a raid."""

    at_s: float
    author: str
    text: str
    kind: str = "message"
    count: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens in a stream, before any of it is heard or seen."""

    seed: int
    genre: str
    duration_s: float
    num_viewers: int
    has_chat: bool
    events: Sequence[Event]
    decoys: Sequence[Span]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream with the truth about it; its pictures are made one at a time by `picture.frames`."""

    plan: Plan
    mic: Pcm
    desktop: Pcm
    heard: Sequence[Heard]
    chat: Sequence[Written]

    @property
    def events(self) -> list[Span]:
        """The truth."""
        return [event.truth for event in self.plan.events]

    @property
    def decoys(self) -> Sequence[Span]:
        """What is no highlight."""
        return self.plan.decoys

    @property
    def mixed(self) -> Pcm:
        """Both lanes as one recording has them."""
        return np.clip(self.mic + self.desktop, -1.0, 1.0).astype(np.float32)
