"""How the people of a family of streams talk and write. The lists themselves are in the `phrases_*` modules.

Nothing here is taken from the detector, and nothing of it may go there: a list that both knew would make the
bench measure itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence


def lines(text: str) -> tuple[str, ...]:
    """The lines of a block of text."""
    return tuple(line.strip() for line in text.strip().splitlines() if line.strip())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatPhrases:
    """What a chat writes.

    Attributes:
        react: by kind of event.
        paste: long texts that many send at once.
    """

    idle: Sequence[str]
    questions: Sequence[str]
    commands: Sequence[str]
    bots: Sequence[str]
    raid: Sequence[str]
    giveaway: Sequence[str]
    paste: Sequence[str]
    react: Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What is said.

    Attributes:
        neutral: by genre.
        react: by kind of event, in any genre.
        react_in: by genre and kind, what only fits there; may lack any.
        past: praise of what is over.
        boring: what is shouted without anything happening.
    """

    neutral: Mapping[str, Sequence[str]]
    react: Mapping[str, Sequence[str]]
    react_in: Mapping[tuple[str, str], Sequence[str]]
    past: Sequence[str]
    boring: Sequence[str]
    advert: Sequence[str]
    raid_welcome: Sequence[str]
    pause: Sequence[str]
    chat: ChatPhrases
