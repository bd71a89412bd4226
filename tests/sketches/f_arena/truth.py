"""Where a moment of f_arena begins and ends: what of it stands out from ordinary play and talk.

Invariant: nothing is drawn here, all comes from the plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.sketches.f_arena.parts import tables
from tests.sketches.f_arena.stage import STREAMER, Said
from tests.sketches.guide import Sign

_RAISED = 0.2  # energy over calm talk that an ordinary line seldom has
_REACTIONS = ("react", "cries", "laugh", "friends.react", "announcer")


def trace_lines(says: Sequence[Said], calm: float, peak_s: float, *, is_hushed: bool) -> list[Sign]:
    """Raised voices, laughter, the words of the reaction, and a hush up to the peak; no talk about it afterwards."""
    traces = [(said.start_s, said.end_s) for said in says if _stands_out(said, calm)]
    hushed = [said for said in says if is_hushed and said.name.startswith("lead")]
    if hushed:
        traces.append((hushed[0].start_s, max(peak_s, hushed[-1].end_s)))
    return traces


def _stands_out(said: Said, calm: float) -> bool:
    is_raised = said.who == STREAMER and said.energy >= calm + _RAISED
    return not said.name.startswith("after") and (is_raised or said.name.startswith(_REACTIONS))


def sounding_s(name: str) -> float:
    """How long an effect of the table is heard well: until each part has fallen by 12 dB, or ends."""
    row = next(row for row in tables()["foley"] if row.split()[0] == name)
    ends_s = []
    for words in (part.split() for part in row.split(maxsplit=1)[1].split("|")):
        start_s = float(words.pop()[1:]) if words[-1].startswith("@") else 0.0
        length_s, decay_s = map(float, words[-2:])
        ends_s.append(start_s + min(length_s, 1.4 * decay_s))
    return max(ends_s)
