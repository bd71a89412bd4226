"""When to take a step down, and when to give one back. Pure: the time and the counters come in as arguments.

More than 2 % of ticks lost over 5 s cost a step; 60 clean seconds give one back. A step that had to be taken again
soon after it was given back waits twice as long the next time, so the picture does not flap. One stroke of it (a game
that loads) costs none: a step begins an epoch, which a clip cannot cross, and would mend nothing.

Only what a smaller load can mend counts as lost: frames that the encoder had no time for, and ticks that the grab was
too slow for. While no tick passes (the screen is away, the machine slept) there is nothing to judge.
"""

from __future__ import annotations

import dataclasses
import itertools

from protos.timebase import SECOND_NS

WINDOW_NS = 5 * SECOND_NS
MAX_LOSS = 0.02
# Clean is well under what costs a step: between the two nothing happens.
CLEAN_LOSS = 0.01
# In so many looks of the window something must have been lost.
MIN_BAD_LOOKS = 3
PATIENCE_NS = 60 * SECOND_NS
MAX_PATIENCE_NS = 30 * PATIENCE_NS
# A step taken again within this time after it was given back came back too soon.
RELAPSE_NS = 5 * PATIENCE_NS
# Two looks further apart than this saw no work of ours between them, but a pause.
_MAX_LOOK_NS = 3 * SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Ticks since the session began: all of them, and those without a picture."""

    at_ns: int
    num_ticks: int
    num_lost: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LadderState:
    """Where the ladder stands.

    Attributes:
        level: how many steps are taken.
        loss: share of the ticks lost over the window, 0 to 1.
        reason: why the last step was taken; empty on level 0.
        tallies: of the window, the oldest first.
        clean_since_ns: since when little was lost; None: not now.
        patience_ns: how long it must stay clean before a step is given back.
        given_back_ns: when the last one was.
    """

    level: int = 0
    loss: float = 0.0
    reason: str = ""
    tallies: tuple[Tally, ...] = ()
    clean_since_ns: int | None = None
    patience_ns: int = PATIENCE_NS
    given_back_ns: int | None = None


def next_state(state: LadderState, tally: Tally, *, num_steps: int) -> LadderState:
    """Where the ladder stands after one more look, which comes about once a second; one step at most.

    Args:
        num_steps: how many there are to take.
    """
    level = min(state.level, num_steps)
    if _is_pause(state, tally):
        return dataclasses.replace(state, level=level, loss=0.0, tallies=(tally,), clean_since_ns=None)
    tallies = _window(state.tallies, tally)
    loss = _loss(tallies)
    is_judged = tally.at_ns - tallies[0].at_ns >= WINDOW_NS
    clean_since_ns = (state.clean_since_ns or tallies[0].at_ns) if loss <= CLEAN_LOSS else None
    state = dataclasses.replace(state, level=level, loss=loss, tallies=tallies, clean_since_ns=clean_since_ns)
    if is_judged and loss > MAX_LOSS and _num_bad(tallies) >= MIN_BAD_LOOKS and level < num_steps:
        return _stepped_down(state, tally)
    if level and clean_since_ns is not None and tally.at_ns - clean_since_ns >= state.patience_ns:
        return _given_back(state, tally)
    return state


def _is_pause(state: LadderState, tally: Tally) -> bool:
    if not state.tallies:
        return True
    last = state.tallies[-1]
    return tally.num_ticks == last.num_ticks or tally.at_ns - last.at_ns > _MAX_LOOK_NS


def _window(tallies: tuple[Tally, ...], tally: Tally) -> tuple[Tally, ...]:
    """The looks of the last 5 s, and the one before them that they are counted from."""
    kept = (*tallies, tally)
    while len(kept) > 2 and tally.at_ns - kept[1].at_ns >= WINDOW_NS:
        kept = kept[1:]
    return kept


def _loss(tallies: tuple[Tally, ...]) -> float:
    num_ticks = tallies[-1].num_ticks - tallies[0].num_ticks
    return (tallies[-1].num_lost - tallies[0].num_lost) / num_ticks if num_ticks else 0.0


def _num_bad(tallies: tuple[Tally, ...]) -> int:
    return sum(earlier.num_lost < later.num_lost for earlier, later in itertools.pairwise(tallies))


def _stepped_down(state: LadderState, tally: Tally) -> LadderState:
    is_relapse = state.given_back_ns is not None and tally.at_ns - state.given_back_ns < RELAPSE_NS
    return dataclasses.replace(
        state,
        level=state.level + 1,
        reason=f"{state.loss:.1%} of the ticks were lost over 5 s",
        # Judged anew: what was lost before the step says nothing of after it.
        tallies=(tally,),
        clean_since_ns=None,
        patience_ns=min(MAX_PATIENCE_NS, 2 * state.patience_ns) if is_relapse else PATIENCE_NS,
    )


def _given_back(state: LadderState, tally: Tally) -> LadderState:
    level = state.level - 1
    return dataclasses.replace(
        state,
        level=level,
        reason=state.reason if level else "",
        tallies=(tally,),
        clean_since_ns=None,
        given_back_ns=tally.at_ns,
    )
