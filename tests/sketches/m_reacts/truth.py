"""Where a moment begins and ends: told from the lines, sounds and movements that were laid down for it."""

from __future__ import annotations

from tests.sketches.guide import Sign, from_signs
from tests.sketches.m_reacts.people import Cue, Line, Script
from tests.sketches.sketch import Span

SPARE_S = 0.01
_RAISED = 0.3  # plain talk has an energy of 0.03 and seldom more than 0.2
# Which part of its length a sound or a movement is clearly there; nothing where it is too slight for that.
_SHARE = {
    "roar": 0.8,
    "laughter": 0.8,
    "gong": 0.7,
    "alert": 0.8,
    "jump": 0.85,
    "rock": 0.85,
    "shake": 0.85,
    "tab": 0.35,
    "sniff": 0.0,
}
# Sounds that ring off by themselves, however long the cue is (s).
_RINGS_S = {"slam": 0.4, "clink": 0.6, "crash": 1.5, "door": 0.8}
_SWELL = 0.4  # from this part of its length a riser is heard


def _of_line(line: Line) -> list[Sign]:
    """Raised, sung or tearful words stand out; so does whoever is no usual part of the stream."""
    stands_out = line.energy >= _RAISED or line.mood in ("cry", "sing", "crack")
    return [(line.at, line.end)] if stands_out or line.who in ("room", "tts") else []


def _of_cue(cue: Cue) -> list[Sign]:
    share = _SHARE.get(cue.kind, 1.0)
    length = min(cue.length * share, _RINGS_S.get(cue.kind, cue.length))
    begin = cue.at + (_SWELL * cue.length if cue.kind == "riser" else 0.0)
    return [(begin, cue.at + length)] if share else []


def find_span(
    script: Script, since: tuple[int, int, int, int], kind: str, event: float, duration: float
) -> Span:
    """The span of what was added to a script since its lists had the lengths given."""
    parts = zip((script.mic, script.desk, script.pics), since[1:], strict=True)
    signs = [sign for line in script.lines[since[0] :] for sign in _of_line(line)]
    signs += [sign for cues, num in parts for cue in cues[num:] for sign in _of_cue(cue)]
    start, end = from_signs(signs, event, duration_s=duration, spare_s=SPARE_S)
    return Span(start_s=round(start, 2), end_s=round(end, 2), kind=kind)
