"""Which window of a session is looked at next, and when: decided with each chunk that was heard, in its transaction.

A look costs the same whatever it finds, so there is one a minute, and one with each chunk while something is promising:
windows are shorter than chunks, so that each chunk closes one, wherever it ends.
Of a session at most one look is queued or running; it sees what is heard by the time it starts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordinator.model.jobs import NewJob
from coordinator.model.sessions import FeatureRow, LookState
from coordinator.pipeline import steps
from coordinator.row_ports import Looks
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg

WINDOW_NS = 5 * SECOND_NS
# Nothing promising: so many windows are looked at together.
CALM_WINDOWS = 12
# As long as a moment may last from what first told of it, and until it is settled.
PROMISE_NS = 70 * SECOND_NS
# A second and a half must pass nearly all (a tenth is left out) of the minute before by so much. Measured on speech of
# ten minutes, looped: with 3 dB over half a second most of its windows were promising, so none of it (ADR 0026).
_LEAST_RISE_DB = 5.0
_LEAST_STEPS = 3
_MOTION_FACTOR, _LEAST_MOTION = 1.5, 0.02
_USUAL_SHARE = 0.9
_FEWEST_BEFORE = 20
_IN_DB = ("loudness_db", "floor_db")


def is_rising(now: FeatureRow, before: Sequence[FeatureRow]) -> bool:
    """Does a chunk stand out from the minute before it, in loudness, noise or motion? Pure, and cheap.

    What has no minute before it yet stands out. A rise that is missed is seen at the next look, a minute later at most.
    """
    for name, measured in now.tracks.items():
        if not name.endswith((*_IN_DB, "motion")):
            continue
        earlier = [value for row in before for value in row.tracks.get(name, ()) if value is not None]
        # What began in the chunk before goes on here.
        values = earlier[1 - _LEAST_STEPS :] + [value for value in measured if value is not None]
        if len(values) < _LEAST_STEPS:
            continue
        if len(earlier) < _FEWEST_BEFORE:
            return True
        usual = sorted(earlier)[int(_USUAL_SHARE * (len(earlier) - 1))]
        least = usual + _LEAST_RISE_DB
        if name.endswith("motion"):
            least = max(_MOTION_FACTOR * usual, usual + _LEAST_MOTION)
        if any(
            min(values[first : first + _LEAST_STEPS]) >= least
            for first in range(len(values) - _LEAST_STEPS + 1)
        ):
            return True
    return False


def window_of(until_ns: int, *, is_final: bool = False) -> int:
    """The newest window that is closed; of the last look the one that began last."""
    return -(-until_ns // WINDOW_NS) if is_final else until_ns // WINDOW_NS


def due_look(state: LookState) -> NewJob | None:
    """The look that is to be queued now, if any. Pure."""
    if state.is_over:
        return None
    if state.is_all_heard:
        return steps.final_analysis(state.session_id)
    closed_no = window_of(state.until_ns)
    if state.queued_no > state.looked_no or closed_no <= state.looked_no:
        return None
    promising_until_ns = max(
        state.promising_until_ns, state.pressed_ns + PROMISE_NS if state.pressed_ns >= 0 else 0
    )
    is_promising = (state.looked_no + 1) * WINDOW_NS <= promising_until_ns
    if is_promising or closed_no - state.looked_no >= CALM_WINDOWS:
        return steps.analysis(state.session_id, closed_no)
    return None


async def next_look(
    looks: Looks,
    connection: asyncpg.Connection,
    session_id: str,
    *,
    promised_ns: int | None = None,
    looked_no: int = 0,
) -> list[NewJob]:
    """Decide in the caller's transaction, which holds the session's lock.

    Args:
        promised_ns: something promising ends there.
        looked_no: a look has ended, of this window.
    """
    state = await looks.state(session_id, connection)
    promising_until_ns = 0 if promised_ns is None else promised_ns + PROMISE_NS
    state = dataclasses.replace(
        state,
        promising_until_ns=max(state.promising_until_ns, promising_until_ns),
        looked_no=max(state.looked_no, looked_no),
    )
    look = due_look(state)
    is_window = look is not None and not state.is_all_heard
    await looks.save(
        connection, dataclasses.replace(state, queued_no=window_of(state.until_ns)) if is_window else state
    )
    return [] if look is None else [look]
