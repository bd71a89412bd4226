"""Where moments begin and end: told from the times at which their signs were laid down."""

from __future__ import annotations

from typing import NamedTuple

from tests.sketches.guide import Sign, from_signs, kept_apart
from tests.sketches.l_ranked.script import Cue
from tests.sketches.l_ranked.who import Who
from tests.sketches.sketch import Span

_SPARE_S = 0.01
_AUDIBLE = 0.3
# Voices that turn from plain talk, up or down.
_STYLES = ("tense", "soft", "excited", "shout", "scream")
# What the game plays at an event alone, loud whatever the signs say, and what it plays as loud as they say.
_LOUD, _SCALED = (
    ("fall", "slide", "pop", "sniper", "tts"),
    ("win", "lose", "rank", "announce", "boom", "alert", "toy"),
)
_SHOWN_S = {"win": 3.5, "lose": 3.5, "rank": 3.5, "alert": 6.0, "fall": 0.5, "boom": 0.5}
_LONG_FIRE_S = 1.5  # fights of ordinary play have shorter bursts
_MANY_KILLS = 3  # in one go; ordinary play has one or two


class Laid(NamedTuple):
    """When a cue was heard in the end, and of a line in which style."""

    cue: Cue
    start_s: float
    end_s: float
    style: str = ""


class Event(NamedTuple):
    """A moment or decoy: the room it was given, when its core is, its cues."""

    room: Span
    is_moment: bool
    core_s: float
    cues: list[Cue]


def _is_heard(laid: Laid, many_kills: bool) -> bool:
    """Whether a cue of an event sounds other than the rest of the stream does."""
    cue = laid.cue
    if cue.lane == "say":
        return laid.style in _STYLES
    if cue.lane == "mate":
        return cue.what in ("excited", "shout", "laugh")
    if cue.lane == "game":
        if cue.what == "own":
            return many_kills or cue.length > _LONG_FIRE_S
        return cue.what in _LOUD or (cue.what in _SCALED and cue.level >= _AUDIBLE)
    return True


def _is_seen(cue: Cue, who: Who) -> bool:
    """Whether a look stands out: a head that jumps does, one that leans forward does not."""
    if cue.what in ("jump", "slump", "lean"):
        return who.webcam and (cue.what == "jump" or (cue.what == "slump" and who.temper > 0.45))
    return True


def find_signs(event: Event, who: Who, laid: list[Laid]) -> list[Sign]:
    """From when to when each thing of an event stands out against what this streamer's play is like."""
    own = set(event.cues)
    kills = [c for c in event.cues if c.what == "ding" and (c.level >= _AUDIBLE or c.seen)]
    many_kills = len(kills) >= _MANY_KILLS
    signs = [(x.start_s, x.end_s) for x in laid if x.cue in own and _is_heard(x, many_kills)]
    # A message that is read out is the event itself, and so is the silence after it.
    signs += [(cue.at, event.core_s) for cue in event.cues if cue.what == "tts" and cue.at < event.core_s]
    for cue in event.cues:
        if cue.lane == "look" and _is_seen(cue, who):
            signs.append((cue.at, cue.at + cue.length))
        elif cue.lane == "game" and cue.seen and cue.what in _SHOWN_S:
            signs.append((cue.at, cue.at + _SHOWN_S[cue.what]))
        elif (
            cue.lane == "hush"
            and event.room.kind == "clutch"
            and cue.at < event.core_s - 4
            and who.talk > 0.25
        ):
            # He who talks falls silent while the last of his team fights on.
            signs.append((cue.at, cue.at + cue.length))
    return signs


def find_spans(
    events: tuple[Event, ...], who: Who, laid: list[Laid], duration_s: float
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Moments and decoys, apart from one another; a decoy gives way to a moment."""
    told: tuple[list[Span], list[Span]] = ([], [])
    for event in events:
        start_s, end_s = event.room.start_s, event.room.end_s
        if event.is_moment:
            signs = find_signs(event, who, laid)
            start_s, end_s = from_signs(
                signs, event.core_s, early_s=0.5, duration_s=duration_s, spare_s=_SPARE_S
            )
        span = Span(start_s=round(start_s, 2), end_s=round(end_s, 2), kind=event.room.kind)
        told[not event.is_moment].append(span)
    return kept_apart(*told, decoy_s=1.0, spare_s=_SPARE_S)
