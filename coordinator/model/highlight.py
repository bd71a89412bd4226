"""Signals, moments and the evidence for them. Times are seconds on the session's own line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

SIGNAL_RATE_HZ = 2
MAX_MOMENT_S = 60.0
MIN_MOMENT_S = 8.0
STANDARD_SCORE = 0.4
FEATURED_SCORE = 0.6

Level: TypeAlias = Literal["none", "standard", "featured"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One signal at 2 Hz.

    Attributes:
        name: e.g. `mic_loudness_db`, `desktop_loudness_db`, `voice`, `motion`, `excitement`.
        values: float64, shape (num_steps,); step i covers [i / 2, (i + 1) / 2) seconds.
        present: bool, same shape; False where the signal was not measured.
    """

    name: str
    values: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Timed text."""

    start_s: float
    end_s: float
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatLine:
    """One line of a chat.

    Attributes:
        chat: which of several, e.g. `twitch:name`; empty where there is one only.
        author: a pseudonym, the same within a session; empty: not known.
        kind: `message`, `command`, `bot`, `raid` or `support`, as far as its platform says.
        count: how many came with a raid, or were given.
    """

    at_s: float
    text: str
    chat: str = ""
    author: str = ""
    kind: str = "message"
    count: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """How many people watched, as a chat's platform said."""

    at_s: float
    num_viewers: int
    chat: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GameEvent:
    """What a game, or a bridge to one, said of itself; `weight` is how much of a moment it is by itself, 0-1."""

    at_s: float
    kind: str
    weight: float
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Which lane said that this is a moment, how strongly (share of the score, 0-1), and in words.

    The weight of the lane `llm` is by how much a language model moved the score, less than 0 where it lowered it: the
    score without it is the score less this weight.
    """

    lane: str
    weight: float
    note: str


def level_of(score: float) -> Level:
    """How much is made of a moment of this score: `none` is not shown by itself, `featured` is of the best."""
    if score >= FEATURED_SCORE:
        return "featured"
    return "standard" if score >= STANDARD_SCORE else "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A span worth keeping, with the reason."""

    start_s: float
    end_s: float
    peak_s: float
    score: float
    kind: str
    evidence: tuple[Evidence, ...]

    @property
    def level(self) -> Level:
        """`none`, `standard` or `featured`, by its score."""
        return level_of(self.score)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionSignals:
    """Everything known of a session up to now; what is missing is empty.

    Attributes:
        duration_s: how far all of it reaches.
        tracks: any order; two tracks of one name complete one another (a later chunk, another source).
        utterances: what was said, from any number of speakers; need not be sorted.
        chat: what was written; need not be sorted.
        markers_s: where the streamer pressed the key or the button.
        audiences: how many watched; empty: nobody said.
        events: what games said.
    """

    duration_s: float
    tracks: Sequence[Track] = ()
    utterances: Sequence[Utterance] = ()
    chat: Sequence[ChatLine] = ()
    markers_s: Sequence[float] = ()
    audiences: Sequence[Audience] = ()
    events: Sequence[GameEvent] = ()
