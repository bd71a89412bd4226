"""The job queue on procrastinate: what it would take to leave the engine that we have.

Its tables stand beside ours. What it lacks is here: a row for each key that was ever asked for (its own lock is free
again once a job starts), and the janitor that its documentation asks for, which gives the jobs of a dead worker to
another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import procrastinate
from procrastinate.exceptions import ConnectorException

from coordinator.errors import CoordinatorError
from coordinator.model.jobs import NewJob, Priority
from coordinator.policy.retry import max_attempts

Handle = Callable[[str], Awaitable[None]]

# Higher runs first, as with the engine that we have.
_PRIORITY = {Priority.CRITICAL: 1000, Priority.HIGH: 100, Priority.NORMAL: 10, Priority.LOW: 1}
_KEYS = "create table if not exists procrastinate_keys (key text primary key)"
_ENQUEUE = """
with fresh as (
    insert into procrastinate_keys (key) select unnest($1::text[]) on conflict do nothing returning key)
insert into procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args, scheduled_at)
select w.queue, 'work', w.priority, w.key, w.args,
       case when w.delay_s > 0 then now() + make_interval(secs => w.delay_s) end
from unnest($1::text[], $2::text[], $3::integer[], $4::jsonb[], $5::float8[]) with ordinality
    as w (key, queue, priority, args, delay_s, number)
join fresh using (key) order by w.number
"""
_REOPEN = """
with failed as (
    delete from procrastinate_jobs
    where queueing_lock = any($1::text[]) and status in ('failed', 'cancelled', 'aborted')
    returning queueing_lock)
delete from procrastinate_keys where key in (select queueing_lock from failed) returning key
"""


class _Again(procrastinate.BaseRetryStrategy):
    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision | None:
        is_worth_it = exception.retryable if isinstance(exception, CoordinatorError) else True
        if not is_worth_it or job.attempts + 1 >= max_attempts(job.queue):  # type: ignore[arg-type]
            return None
        return procrastinate.RetryDecision(retry_in={"seconds": 1})


class ProcrastinateQueue:
    """Port `JobQueue`, and a worker for it."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self._pool = pool
        self._url = url

    async def set_up(self) -> None:
        """Make its tables."""
        await self._pool.execute(procrastinate.schema.SchemaManager.get_schema())
        await self._pool.execute(_KEYS)

    async def enqueue(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> None:
        """As the port says."""
        wanted = list({job.key: job for job in jobs}.values())
        await connection.execute(
            _ENQUEUE,
            [job.key for job in wanted],
            [job.queue.value for job in wanted],
            [_PRIORITY[job.priority] for job in wanted],
            [json.dumps({"key": job.key}) for job in wanted],
            [job.delay_s for job in wanted],
        )

    async def replay(self, connection: asyncpg.Connection, jobs: Sequence[NewJob]) -> int:
        """Run again what failed or was called off, with all its attempts."""
        rows = await connection.fetch(_REOPEN, [job.key for job in jobs])
        reopened = {row["key"] for row in rows}
        await self.enqueue(connection, [job for job in jobs if job.key in reopened])
        return len(reopened)

    async def cancel(self, key: str) -> None:
        """Call a job off, whether it waits or runs."""
        ids = await self._pool.fetch(
            "select id from procrastinate_jobs where queueing_lock = $1 and status in ('todo', 'doing')", key
        )
        async with self._app(_never).open_async() as app:
            for row in ids:
                await app.job_manager.cancel_job_by_id_async(row["id"], abort=True)

    async def take_over(self, key: str) -> None:
        """As if the holder's lease had run out and another worker had the job."""
        other = await self._pool.fetchval("insert into procrastinate_workers default values returning id")
        await self._pool.execute(
            "update procrastinate_jobs set worker_id = $2 where queueing_lock = $1", key, other
        )

    async def is_held(self, key: str) -> bool:
        """Does a worker have it?"""
        query = "select count(*) from procrastinate_jobs where queueing_lock = $1 and status = 'doing'"
        return bool(await self._pool.fetchval(query, key))

    async def num_failed(self) -> int:
        """How many failed for good."""
        return int(
            await self._pool.fetchval("select count(*) from procrastinate_jobs where status = 'failed'")
        )

    @contextlib.asynccontextmanager
    async def working(self, handle: Handle, *, lease_s: float = 5.0) -> AsyncIterator[None]:
        """A worker that works one job at a time while the block runs."""
        async with self._app(handle).open_async() as app:
            worker = asyncio.create_task(
                app.run_worker_async(
                    concurrency=1,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=0.25,
                    abort_job_polling_interval=0.25,
                    update_heartbeat_interval=lease_s / 4,
                    stalled_worker_timeout=lease_s,
                    shutdown_graceful_timeout=10,
                )
            )
            janitor = asyncio.create_task(_give_back(app, lease_s))
            try:
                yield
            finally:
                for task in (worker, janitor):
                    task.cancel()
                await asyncio.gather(worker, janitor, return_exceptions=True)

    def _app(self, handle: Handle) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(conninfo=self._url, min_size=1, max_size=4)
        app = procrastinate.App(connector=connector)

        @app.task(name="work", retry=_Again())
        async def work(key: str, **_more: Any) -> None:
            await handle(key)

        return app


async def _give_back(app: procrastinate.App, lease_s: float) -> None:
    """The janitor: jobs of workers that were not heard of for a lease go back into the queue."""
    while True:
        with contextlib.suppress(ConnectorException):
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=lease_s):
                await app.job_manager.retry_job(job)
        await asyncio.sleep(lease_s / 8)


async def _never(_key: str) -> None:
    raise AssertionError("this one enqueues and cancels, and works nothing")
