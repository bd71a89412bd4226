"""A worker to be killed, stopped and asked to end; DATABASE_URL says of which queue.

`python -m tests.fakes.fault_worker SHAPE LEASE_S`

SHAPE says how the queue `export` is worked: `batch` or `beside` (four at once). What a job does its payload says:
`kill` ends this process with -9 while its neighbours run, `seconds` is how long it takes. Says `started KEY`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from coordinator.jobs.work import in_batches, one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, Queue
from coordinator.ops import lifeline
from coordinator.ports import Effect
from coordinator.store.connect import connect
from tests.fakes.worker_here import writing

GRACE_S = 1.5


async def handle(job: Job) -> Effect:
    """Do as it says."""
    os.write(1, f"started {job.key}\n".encode())
    await asyncio.sleep(float(job.payload.get("seconds") or 0.0))
    if job.payload.get("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    return writing(job)


async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect]:
    """All at once."""
    return await asyncio.gather(*(handle(job) for job in jobs))


async def main(shape: str, lease_s: float) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    lifeline.stop_on_signals(stop)
    pool = await connect(os.environ["DATABASE_URL"], max_connections=8)
    work = in_batches(handle_many, batch=4) if shape == "batch" else one_by_one(handle, concurrency=4)
    await run_worker(
        pool, stage="test", work={Queue.EXPORT: work}, stop=stop, lease_s=lease_s, grace_s=GRACE_S
    )
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
