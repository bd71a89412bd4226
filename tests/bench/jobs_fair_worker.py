"""A worker of `bench jobs --part fair`: each job sleeps. Says when each one started and ended.

python -m tests.bench.jobs_fair_worker SLOTS WORK_S REPORT    DATABASE_URL in the environment

SIGTERM ends it; then REPORT holds `{"worked": [[key, ms from enqueued to started, ms to the end of its work], ...]}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import structlog

from coordinator.jobs.work import nothing, one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, Queue
from coordinator.ports import Effect
from coordinator.store.connect import connect

_NS_PER_MS = 1e6


async def _run(num_slots: int, work_s: float) -> list[tuple[str, float, float]]:
    worked: list[tuple[str, float, float]] = []
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def handle(job: Job) -> Effect:
        at_ns, started_ns = int(job.payload["at_ns"] or 0), time.monotonic_ns()
        await asyncio.sleep(work_s)
        worked.append(
            (job.key, (started_ns - at_ns) / _NS_PER_MS, (time.monotonic_ns() - at_ns) / _NS_PER_MS)
        )
        return nothing

    pool = await connect(os.environ["DATABASE_URL"], max_connections=9)
    work = {Queue.TRANSCRIPTION: one_by_one(handle, concurrency=num_slots)}
    await run_worker(pool, stage="bench", work=work, stop=stop, grace_s=work_s + 2.0)
    await pool.close()
    return worked


if __name__ == "__main__":
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=True,
    )
    found = asyncio.run(_run(int(sys.argv[1]), float(sys.argv[2])))
    Path(sys.argv[3]).write_text(json.dumps({"worked": found}), encoding="utf-8")
