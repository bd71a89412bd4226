"""What is done to the engine's tables now and then, beside putting and claiming: nobody starves, nothing piles up, and
what a press waits for goes first.

Each in the caller's transaction. The statements are in engine.sql.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.jobs.numbers import HALF, TOP
from coordinator.model.jobs import Priority
from coordinator.statements import load_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

SQL = load_statements("coordinator.jobs", "engine.sql")
CHANNEL = "ch_pgqueuer"
# Of one pass: what rises goes ahead of others, so a long queue rises little by little.
MAX_RISING = 1000


async def raise_old(connection: asyncpg.Connection, *, after_s: float, limit: int = MAX_RISING) -> int:
    """Let LOW jobs that have been ready for `after_s` rise to NORMAL, at most `limit`, the first come first; how many.

    They keep the second in which they came, so they go before all NORMAL jobs that came later. What was put behind
    others needs no rising: it is overtaken only by what comes within `MAX_BEHIND_S`.
    """
    low, normal = TOP[Priority.LOW], TOP[Priority.NORMAL]
    return len(await connection.fetch(SQL["raise_old"], low, normal - low, after_s, limit))


async def hasten(connection: asyncpg.Connection, keys: Sequence[str]) -> int:
    """Let jobs that wait go before all that no press asked for; how many. The places that they wait in stay."""
    hastened = await connection.fetch(SQL["hasten"], keys, TOP[Priority.CRITICAL], HALF)
    if hastened:
        await wake(connection)
    return len(hastened)


async def leave_places(connection: asyncpg.Connection, *, after_s: float, limit: int = MAX_RISING) -> int:
    """Let jobs that have been ready for `after_s`, of places that no live worker serves, go to any worker; how many."""
    moved = await connection.fetch(SQL["leave_places"], after_s, limit)
    if moved:
        await wake(connection)
    return len(moved)


async def wake(connection: asyncpg.Connection) -> None:
    """Let idle workers look now, and not at their next poll: what kept jobs back has gone."""
    await connection.execute(SQL["wake"], CHANNEL)


async def prune_history(connection: asyncpg.Connection) -> None:
    """Drop the engine's own records that nothing reads any more."""
    for name in ("prune_log", "prune_statistics", "prune_held"):
        await connection.execute(SQL[name])
