"""What viewers wrote and games said, as rows. Times are int nanoseconds on the session's own line."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatRow:
    """One line of a chat; see `ChatLine` in `coordinator/model/highlight.py`."""

    at_ns: int
    text: str
    chat: str
    author: str
    kind: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRow:
    """How many people watched, as a chat's platform said."""

    at_ns: int
    chat: str
    num_viewers: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """What a game said of itself."""

    at_ns: int
    kind: str
    weight: float
    text: str
    source: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chatter:
    """All of that, of one chunk or of one span."""

    lines: tuple[ChatRow, ...] = ()
    audiences: tuple[AudienceRow, ...] = ()
    events: tuple[EventRow, ...] = ()
