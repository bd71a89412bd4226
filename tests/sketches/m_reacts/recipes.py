"""What can happen on such a stream: moments that people clip, and decoys that nobody would."""

from __future__ import annotations

import dataclasses

from tests.sketches.m_reacts.words import lists

# Occupations: chatting, a story, donations, watching a video, a debate on a call, a guest on a call.
OCCUPATIONS = {"c": "chat", "s": "story", "d": "dono", "w": "watch", "b": "debate", "g": "guest"}


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """How one kind of event goes: build-up, the event itself, the reaction, the way back."""

    kind: str
    name: str
    where: str
    shortest: float
    longest: float
    lead_low: float  # share of the span before the event, at least and at most
    lead_high: float
    heat: float  # how high the voice goes for a streamer of temper 1
    vocal: str  # what comes out of the streamer besides words, at once
    bang: str  # a thing heard in the room
    desk: str  # a thing heard in the desktop
    pic: str  # what the picture does
    topic: str  # what the chat writes
    run: float  # how much the chat runs, as a factor on its rate
    flat: bool  # the streamer stays flat on principle


def recipes(section: str) -> list[Recipe]:
    """The recipes of one table of the text file, whose columns are the fields above; `-` is nothing."""
    out = []
    for row in lists()[section]:
        c = ["" if x == "-" else x for x in row.split()]
        low, high, first, last, heat = (float(x) for x in c[3:8])
        head, tail = (c[0], c[1], c[2]), (c[8], c[9], c[10], c[11], c[12])
        out.append(Recipe(*head, low, high, first, last, heat, *tail, float(c[13]), c[14] == "1"))
    return out
