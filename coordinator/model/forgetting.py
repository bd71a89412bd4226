"""Orders to forget, and what is said of them. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

AskedBy = Literal["agent", "coordinator"]
# What a count is called for one thing and for several, in the order of a receipt.
_NAMES = {
    "mic": ("chunk of the microphone", "chunks of the microphone"),
    "desktop": ("chunk of desktop sound", "chunks of desktop sound"),
    "proxy": ("chunk of small picture", "chunks of small picture"),
    "signals": ("chunk of signals", "chunks of signals"),
    "chat": ("chunk of chat", "chunks of chat"),
    "events": ("chunk of game events", "chunks of game events"),
    "words": ("word that was heard", "words that were heard"),
    "moments": ("moment", "moments"),
    "verdicts": ("verdict on a moment", "verdicts on moments"),
    "presses": ("press", "presses"),
    "answers": ("answer of a language model", "answers of a language model"),
    "requests": ("request for full quality", "requests for full quality"),
    "sources": ("span in full quality", "spans in full quality"),
    "clips": ("cut clip", "cut clips"),
    "posts": ("finished post", "finished posts"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForgetOrder:
    """A span of a session that is to be gone, everywhere; the same id is the same order."""

    forget_id: str
    session_id: str
    start_ns: int
    end_ns: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DoomedObject:
    """An object that holds some of a span, and goes.

    `holds_others`: it is rolled up; the chunks that rows still name in it are moved to a new object first.
    """

    key: str
    session_id: str
    holds_others: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldChunk:
    """A chunk that lies in an object, as its row says."""

    lane: int
    seq: int
    offset: int
    length: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an order, for people."""

    went: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()


def went_lines(counts: Mapping[str, int]) -> list[str]:
    """`12 chunks of the microphone`, `2 moments`; nothing for what there was none of."""
    return [
        f"{counts[name]} {one if counts[name] == 1 else several}"
        for name, (one, several) in _NAMES.items()
        if counts.get(name)
    ]
