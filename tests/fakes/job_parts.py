"""Jobs, workers and waiting for the tests of the desk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg

from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.work import Work, nothing
from coordinator.jobs.worker import Presence, run_worker
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.ports import Effect


def export(name: str, **more: Any) -> NewJob:
    """A job of the queue export."""
    return NewJob(queue=Queue.EXPORT, key=f"exp:{name}", payload={"name": name}, **more)


async def put(pool: asyncpg.Pool, *jobs: NewJob) -> int:
    """Enqueue them; returns how many were not there."""
    async with pool.acquire() as connection, connection.transaction():
        return await PgQueuerQueue().put(connection, jobs)


@contextlib.asynccontextmanager
async def working(
    pool: asyncpg.Pool, work: Mapping[Queue, Work], *, name: str = "desk-test", **options: Any
) -> AsyncIterator[asyncio.Event]:
    """A worker that works while the block runs; the event stops it."""
    stop = asyncio.Event()
    presence = Presence(pool, worker_id=name, stage="test")
    task = asyncio.create_task(
        run_worker(pool, stage="test", work=work, stop=stop, presence=presence, **{"lease_s": 5, **options})
    )
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def until(check: Callable[[], Awaitable[Any]], what: str, deadline_s: float = 30.0) -> Any:
    """Wait for a condition; returns what it returned."""
    deadline = time.monotonic() + deadline_s
    while not (found := await check()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.02)
    return found


async def until_state(pool: asyncpg.Pool, key: str, state: str) -> None:
    """Wait until a key's row is in this state."""

    async def is_there() -> bool:
        return bool(await pool.fetchval("select state = $2 from job_runs where key = $1", key, state))

    await until(is_there, f"{key} {state}")


class Held:
    """A handler whose jobs run until they are let go."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.let_go = asyncio.Event()

    async def handle(self, job: Job) -> Effect:
        """Run one job."""
        self.started.append(job.key)
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job.key)
            raise
        return nothing

    async def handle_many(self, jobs: Sequence[Job]) -> Sequence[Effect | Exception]:
        """Run a batch."""
        return [await self.handle(job) for job in jobs]

    async def until_started(self, count: int = 1) -> None:
        """Wait until so many have started."""

        async def are_started() -> bool:
            return len(self.started) >= count

        await until(are_started, f"{count} jobs started")
