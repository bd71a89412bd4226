"""Which window of a session is looked at next, and when: decided with each chunk that was heard, in its transaction.

A look costs the same whatever it finds, so there is one a minute, and one with each chunk while something is promising:
windows are shorter than chunks, so that each chunk closes one, wherever it ends.
Of a session at most one look is queued or running; it sees what is heard by the time it starts.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from coordinator.model.jobs import NewJob
from coordinator.model.sessions import LookState
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
