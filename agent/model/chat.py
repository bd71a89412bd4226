"""What is written in a chat and said by a game: as a source hands it over, and as it may leave."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

ChatKind = Literal["message", "command", "bot", "raid", "support"]
CHAT_KINDS: tuple[ChatKind, ...] = ("message", "command", "bot", "raid", "support")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One line as its platform told it. Names stay in this process: `Cleaner` turns them into pseudonyms.

    Attributes:
        author_id: the platform's own and lasting id of the author, or the name where there is none.
        author_name: for the list of known bots.
        is_bot: the platform says so, by a badge or a tag.
        chat: which chat, where the source reads several; empty: the source's own.
        age_s: how long before it was handed over it was written, as far as the platform says.
    """

    text: str
    author_id: str = ""
    author_name: str = ""
    kind: ChatKind = "message"
    count: int = 0
    is_bot: bool = False
    chat: str = ""
    age_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How many people watch now, as the platform says."""

    num_viewers: int
    chat: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What a game, or a bridge to one, said of itself."""

    kind: str
    weight: float
    text: str = ""
    source: str = ""
    age_s: float = 0.0


Heard: TypeAlias = Written | Watched | Happened


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CleanLine:
    """One line as it may leave: a pseudonym in place of a name, bounded text without control characters."""

    text: str
    author: str
    kind: ChatKind
    count: int
    chat: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatStatus:
    """How one chat is read now.

    Attributes:
        name: e.g. `twitch:name`; `local` is the endpoint.
        lines_per_min: over the last minute.
        problem: the last error with what to do; empty: it is connected, or was never tried.
        num_dropped: lines that were more than a chunk may hold.
    """

    name: str
    is_connected: bool
    lines_per_min: int
    num_lines: int
    problem: str
    num_dropped: int
    num_viewers: int | None
