"""Jobs that come by the clock, once each however many processes watch it: the key holds the period's number."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.connections import transaction
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.ledger import SQL
from coordinator.jobs.upkeep import prune_history
from coordinator.model.jobs import NewJob, Priority, Queue

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

_LATEST_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A task that is due every `every_s`; its job's payload is `{"task": name}`."""

    name: str
    every_s: float
    queue: Queue = Queue.CLEANUP


def due_job(task: Scheduled, now_s: float) -> NewJob:
    """The job of the period that `now_s` (seconds since 1970) is in. Pure."""
    return NewJob(
        queue=task.queue,
        key=f"{task.queue.value}:{task.name}:{int(now_s // task.every_s)}",
        payload={"task": task.name},
        priority=Priority.LOW,
    )


async def run_schedule(pool: asyncpg.Pool, tasks: Sequence[Scheduled], *, stop: asyncio.Event) -> None:
    """Enqueue each task once a period until `stop`; a period that nobody watched is not made up for.

    Periods are those of the database's clock: one for all machines, whatever happens to their own.
    """
    queue = PgQueuerQueue()
    last_keys: dict[str, str] = {}
    while not stop.is_set():
        try:
            async with transaction(pool, "scheduling") as connection:
                now_s = await connection.fetchval(SQL["now_s"])
                due = [due_job(task, now_s) for task in tasks]
                fresh = [job for job in due if last_keys.get(str(job.payload["task"])) != job.key]
                if fresh:
                    await queue.enqueue(connection, fresh)
            last_keys |= {str(job.payload["task"]): job.key for job in fresh}
        except DatabaseUnavailable as exc:
            log.info("scheduling_put_off", reason=str(exc))
        except Exception:  # the loop's outermost frame
            log.exception("scheduling_crashed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(_LATEST_S, *(task.every_s / 2 for task in tasks)))


async def tidy(connection: asyncpg.Connection) -> None:
    """Drop what job keeping itself leaves behind; part of every cleanup."""
    await prune_history(connection)
    await connection.execute(SQL["forget_cleanups"])
    await connection.execute(SQL["forget_workers"])
