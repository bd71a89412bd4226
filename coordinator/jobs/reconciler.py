"""Enqueues what the rows want and no job does: the net under lost wake-ups, whatever lost them.

A `Want` is a query; what it returns is enqueued, and the keys that are queued, running or ended already are skipped
there. One process at a time does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Sequence

import asyncpg
import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.connections import transaction
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.ledger import SQL
from coordinator.jobs.upkeep import leave_places, raise_old
from coordinator.model.jobs import NewJob, Priority, Queue
from coordinator.policy.priorities import RISES_AFTER_S

log = structlog.get_logger(__name__)

MAX_ROWS = 500
# Longer than a worker needs to start again.
_LEAVES_PLACE_AFTER_S = 30.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What rows want.

    Attributes:
        sql: returns `key` text, `payload` jsonb, `queue` text, `priority` integer (a public `Priority`), and where
            it is known `account` and `tier` text, and a `version` that is not 1; without a final semicolon. It
            should leave out what has a `job_runs` row in state done, failed or cancelled.
    """

    name: str
    sql: str


async def reconcile_once(
    connection: asyncpg.Connection, queue: PgQueuerQueue, wants: Sequence[Want]
) -> dict[str, int]:
    """Enqueue what is missing, in the caller's transaction; returns how many by want, for those with any."""
    if not await connection.fetchval(SQL["reconciler_turn"]):
        return {}
    found: dict[str, int] = {}
    for want in wants:
        try:
            # A savepoint of its own: a want that is wrong does not take the others with it.
            async with connection.transaction():
                rows = await connection.fetch(f"select * from (\n{want.sql}\n) as wanted limit {MAX_ROWS}")
                num_put = await queue.put(connection, [_job_of(row) for row in rows])
        except (asyncpg.DataError, asyncpg.SyntaxOrAccessError, LookupError, ValueError) as exc:
            log.error("want_failed", want=want.name, reason=str(exc))
            continue
        if num_put:
            found[want.name] = num_put
    await raise_old(connection, after_s=RISES_AFTER_S)
    await leave_places(connection, after_s=_LEAVES_PLACE_AFTER_S)
    await connection.execute(SQL["forget_workers"])
    return found


async def reconcile(
    pool: asyncpg.Pool,
    wants: Sequence[Want],
    *,
    stop: asyncio.Event,
    every_s: float = 30.0,
    queue: PgQueuerQueue | None = None,
) -> None:
    """Reconcile now and every `every_s` until `stop`. A database that is down, or a want that is wrong, is logged."""
    queue = queue or PgQueuerQueue()
    while not stop.is_set():
        try:
            async with transaction(pool, "reconciling") as connection:
                found = await reconcile_once(connection, queue, wants)
            if found:
                log.info("jobs_reconciled", **found)
        except DatabaseUnavailable as exc:
            log.info("reconciling_put_off", reason=str(exc))
        except Exception:  # the loop's outermost frame
            log.exception("reconciling_crashed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


def _job_of(row: asyncpg.Record) -> NewJob:
    return NewJob(
        queue=Queue(row["queue"]),
        key=row["key"],
        payload=json.loads(row["payload"]),
        priority=Priority(row["priority"]),
        tier=row.get("tier") or "",
        account=row.get("account") or "",
        version=row.get("version") or 1,
    )
