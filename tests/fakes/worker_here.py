"""A worker in the test's own loop, jobs for it, and a table `results` that their effects write to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg

from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.work import Work
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.ports import Effect

RESULTS = "create table results (id bigserial primary key, key text not null, note text)"


def export(name: str, **more: Any) -> NewJob:
    """An export job."""
    return NewJob(queue=Queue.EXPORT, key=f"exp:{name}", payload={"name": name}, **more)


def writing(job: Job, *following: NewJob) -> Effect:
    """An effect that writes the job's key, and what follows."""

    async def effect(connection: asyncpg.Connection) -> Sequence[NewJob]:
        await connection.execute("insert into results (key) values ($1)", job.key)
        return following

    return effect


async def write(job: Job) -> Effect:
    """A handler with such an effect."""
    return writing(job)


async def put(pool: asyncpg.Pool, *jobs: NewJob) -> int:
    """Enqueue in a transaction of its own; returns how many were new."""
    async with pool.acquire() as connection, connection.transaction():
        return await PgQueuerQueue().put(connection, jobs)


@contextlib.asynccontextmanager
async def working(
    pool: asyncpg.Pool, work: Mapping[Queue, Work], **options: Any
) -> AsyncIterator[asyncio.Event]:
    """A worker for as long as the block lasts; what it raises is raised at its end."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        run_worker(pool, stage="test", work=work, stop=stop, **{"lease_s": 3, **options})
    )
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def until(check: Callable[[], Awaitable[Any]], what: str, deadline_s: float = 30.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + deadline_s
    while not await check():
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.02)


async def until_ended(pool: asyncpg.Pool, count: int, state: str = "done") -> None:
    """Wait until so many jobs are in a final state."""

    async def ended() -> bool:
        found: int = await pool.fetchval("select count(*) from job_runs where state = $1", state)
        return found >= count

    await until(ended, f"{count} jobs {state}")


async def keys(pool: asyncpg.Pool) -> list[str]:
    """What effects wrote, in order."""
    return [row["key"] for row in await pool.fetch("select key from results order by id")]
