"""A worker of `bench jobs`: the product's, or bare PgQueuer with equal work. Says when each job started.

python -m tests.bench.jobs_worker ours|bare pipeline|stage REPORT    DATABASE_URL in the environment

SIGTERM ends it; then REPORT holds `{"started": [[queue, key, ms from enqueued to started, monotonic s], ...]}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Job as BareJob

from coordinator.jobs.work import Work, in_batches, one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from coordinator.store.connect import connect

STAGES = (Queue.TRANSCRIPTION, Queue.AI_ANALYSIS, Queue.EXPORT)
BATCH = 32
_NS_PER_MS = 1e6

Started = list[tuple[str, str, float, float]]


def job_of(name: str, stage: int, priority: Priority = Priority.NORMAL) -> NewJob:
    """A stage's job of a pipeline, enqueued now."""
    return NewJob(
        queue=STAGES[stage],
        key=f"{STAGES[stage].value}:{name}",
        payload={"name": name, "at_ns": time.monotonic_ns()},
        priority=priority,
    )


def bare_payload(name: str) -> bytes:
    """As `job_of`, for the rival."""
    return json.dumps({"name": name, "at_ns": time.monotonic_ns()}).encode()


def _waited(at_ns: int) -> tuple[float, float]:
    now_ns = time.monotonic_ns()
    return (now_ns - at_ns) / _NS_PER_MS, now_ns / 1e9


def _handling(stage: int, is_pipeline: bool, started: Started) -> Callable[[Job], Awaitable[Effect]]:
    async def handle(job: Job) -> Effect:
        started.append((job.queue.value, job.key, *_waited(int(job.payload["at_ns"] or 0))))

        async def effect(_connection: asyncpg.Connection) -> Sequence[NewJob]:
            if not is_pipeline or stage + 1 == len(STAGES):
                return ()
            return [job_of(str(job.payload["name"]), stage + 1)]

        return effect

    return handle


def our_work(*, is_pipeline: bool, started: Started) -> dict[Queue, Work]:
    """Three chained stages, the middle one claimed in batches and the others worked one by one; or that stage alone."""

    def batched(stage: int) -> Work:
        handle = _handling(stage, is_pipeline, started)

        async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect]:
            return [await handle(job) for job in jobs]

        return in_batches(handle_many, batch=BATCH)

    if not is_pipeline:
        return {STAGES[0]: batched(0)}
    return {
        # As the product works them: so many chunks share a batch in the speech process.
        STAGES[0]: one_by_one(_handling(0, is_pipeline, started), concurrency=16),
        STAGES[1]: batched(1),
        STAGES[2]: one_by_one(_handling(2, is_pipeline, started), concurrency=8),
    }


async def _ours(url: str, *, is_pipeline: bool, started: Started, stop: asyncio.Event) -> None:
    pool = await connect(url, max_connections=9)
    work = our_work(is_pipeline=is_pipeline, started=started)
    await run_worker(pool, stage="bench", work=work, stop=stop)
    await pool.close()


async def _bare(url: str, *, is_pipeline: bool, started: Started, stop: asyncio.Event) -> None:
    pool = await connect(url, max_connections=9)
    queries = Queries(AsyncpgPoolDriver(pool))
    manager = QueueManager(queries)

    def register(stage: int) -> None:
        @manager.entrypoint(STAGES[stage].value, on_failure="hold")
        async def work(job: BareJob) -> None:
            told = json.loads(job.payload or b"{}")
            started.append((job.entrypoint, told["name"], (time.monotonic_ns() - told["at_ns"]) / _NS_PER_MS))
            if is_pipeline and stage + 1 < len(STAGES):
                following = STAGES[stage + 1].value
                key = f"{following}:{told['name']}"
                await queries.enqueue(
                    following, bare_payload(told["name"]), dedupe_key=key, on_conflict="skip"
                )

    for stage in range(len(STAGES) if is_pipeline else 1):
        register(stage)

    async def stop_manager() -> None:
        await stop.wait()
        manager.shutdown.set()

    stopping = asyncio.create_task(stop_manager())
    await manager.run(batch_size=BATCH, max_concurrent_tasks=2 * BATCH)
    await stopping
    await pool.close()


async def _run(kind: str, shape: str) -> Started:
    started: Started = []
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    worker = {"ours": _ours, "bare": _bare}[kind]
    await worker(os.environ["DATABASE_URL"], is_pipeline=shape == "pipeline", started=started, stop=stop)
    return started


if __name__ == "__main__":
    # As a product's worker logs: a line of JSON for each job that ended.
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=True,
    )
    found = asyncio.run(_run(sys.argv[1], sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"started": found}), encoding="utf-8")
