"""Where a moment of a stream of friends begins and ends, by what is said, heard and shown in it."""

from __future__ import annotations

from typing import NamedTuple

from tests.sketches.guide import from_signs
from tests.sketches.k_voices.game import ROUTINE
from tests.sketches.k_voices.script import Beat, Cast, script
from tests.sketches.k_voices.voice import Line
from tests.sketches.sketch import Span

LOOK_S = {"kill": 2.2, "flash": 0.8, "shake": 1.4, "banner": 3.0, "confetti": 3.5, "dark": 5.0, "swarm": 3.0}
LOOK_S |= {"alert": 5.0, "cut": 0.5}
KILL_SEEN = 0.3  # a weaker one is not shown
TALK = 0.4  # the effort of plain talk

# What the game does all the time is at most 0.6 strong; a fanfare or a chime fades within this.
_LOUD, _FLOURISH_S = 0.7, 1.5
_RAISED = 0.12
_WHISPER = 0.3
# A dry joke and a slip of the tongue sound like any other talk.
_OWN_WORDS = ("dry", "slip")


class Sign(NamedTuple):
    """When something of a scene is there: 2 stands out, 1 is words in calm talk, 0 the event's own calm words."""

    from_s: float
    to_s: float
    weight: int


def raised(cast: Cast, who: int, effort: float, phase: str, early: bool) -> bool:
    """Whether this is more than the usual talk of this speaker, who now and then gets warm for nothing.

    A build-up has to be above most of what is warm, a reaction above what is warm on average.
    """
    warm = (1.6 if early else 1.0) * cast.excitable + 0.1 * (phase == "meeting")
    return effort > TALK + warm * cast.voices[who].temper + _RAISED


def line_seen(cast: Cast, beat: Beat, line: Line, phase: str, spoken: bool) -> Sign | None:
    """When a line of a scene stands out; spoken is whether the streamer has words for what happens."""
    early = beat.high < 0
    clear = raised(cast, line.who, line.effort, phase, early)
    # A whisper is a hush, a cry or a laugh afterwards a reaction, however soft.
    clear = clear or (beat.strength < _WHISPER if early else line.how != "say")
    own = beat.topic in _OWN_WORDS
    if not clear and (line.who > 0 or not spoken or (early and not own)):
        return None
    return Sign(line.at_s, line.at_s + line.length_s, 2 if clear else 0 if own else 1)


def sound_seen(at_s: float, name: str, strength: float, phase: str) -> Sign | None:
    """When a sound of the game stands out: to where it has half died away; nothing where it is routine."""
    if name in ROUTINE[phase] and strength < _LOUD:
        return None
    rows = script().effects.get(name, [])
    return Sign(at_s, at_s + max((row[0] + row[1] / 2 for row in rows), default=_FLOURISH_S), 2)


def look_seen(at_s: float, name: str, strength: float) -> Sign | None:
    """When a look is on the picture, which falls to a fifth of its strength over its time."""
    share = 1.0
    if name == "kill":
        share = min(1.0, (1 - KILL_SEEN / strength) / 0.8)
    return Sign(at_s, at_s + share * LOOK_S[name], 2) if share > 0 else None


def span_of(kind: str, event_s: float, signs: list[Sign], duration_s: float) -> Span:
    """From the first sign that ordinary time does not part from what happens to the end of the last sign.

    The event's own words count where nothing stands out.
    """
    least = int(any(sign.weight == 2 for sign in signs))
    kept = [(sign.from_s, sign.to_s) for sign in signs if sign.weight >= least]
    start, end = from_signs(kept, event_s, early_s=1.0, duration_s=duration_s)
    return Span(start_s=start, end_s=end, kind=kind)
