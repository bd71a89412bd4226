"""Whose work waits: what decides that an account's agents keep their chunks for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.jobs.connections import transaction
from coordinator.jobs.upkeep import SQL
from coordinator.model.accounts import TIERS, WaitingWork
from coordinator.policy.admission import max_pending_chunks

if TYPE_CHECKING:
    import asyncpg

_BOUNDS = [max_pending_chunks(tier) for tier in TIERS]


async def waiting_by_account(pool: asyncpg.Pool) -> dict[str, WaitingWork]:
    """Chunks that are ready to be heard, of each account that has more than one session of its tier may. One query.

    Raises:
        DatabaseUnavailable: None is free within 5 s, or the server went away.
    """
    async with transaction(pool, "counting what waits") as connection:
        rows = await connection.fetch(SQL["waiting_by_account"], *_BOUNDS)
    return {
        row["user_id"]: WaitingWork(
            num_waiting=row["num_waiting"], num_live_sessions=row["num_live_sessions"]
        )
        for row in rows
    }
