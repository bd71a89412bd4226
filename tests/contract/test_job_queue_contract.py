"""What the job queue promises to whoever puts jobs there and works them, whatever engine keeps it.

Run against the engine that we have, and against procrastinate, which shows that the way out is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator.errors import AudioUnusable, JobFailed
from coordinator.jobs.desk import Desk
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.work import nothing, one_by_one
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from coordinator.store.connect import connect
from tests.fakes.job_parts import export, until, working
from tests.fakes.procrastinate_queue import ProcrastinateQueue

ROOT = Path(__file__).resolve().parents[2]
Handle = Callable[[str], Awaitable[None]]

# What an engine cannot keep, and why.
NOT_KEPT = {
    (
        "procrastinate",
        "fencing",
    ): "its finish_job asks for a job's id and not whose it is, so a worker that lost a job "
    "ends its successor's; effects under unique keys would still come once, the ack would be early",
}


class OurQueue:
    """The queue that we have: PgQueuer behind `coordinator.jobs`."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self._pool = pool
        self._queue = PgQueuerQueue()
        self.enqueue = self._queue.enqueue
        self.replay = self._queue.replay

    async def set_up(self) -> None:
        """Its tables are ours."""

    async def cancel(self, key: str) -> None:
        await Desk(self._pool).cancel([key], by="operator:ann")

    async def take_over(self, key: str) -> None:
        await self._pool.execute(
            "update pgqueuer set queue_manager_id = gen_random_uuid(), heartbeat = now() where dedupe_key = $1",
            key,
        )

    async def is_held(self, key: str) -> bool:
        query = "select count(*) from pgqueuer where dedupe_key = $1 and status = 'picked'"
        return bool(await self._pool.fetchval(query, key))

    async def num_failed(self) -> int:
        return int(await self._pool.fetchval("select count(*) from job_runs where state = 'failed'"))

    @contextlib.asynccontextmanager
    async def working(self, handle: Handle, *, lease_s: float = 5.0) -> AsyncIterator[None]:
        async def work(job: Job) -> Effect:
            await handle(job.key)
            return nothing

        async with working(self._pool, {Queue.EXPORT: one_by_one(work)}, lease_s=lease_s):
            yield


ENGINES: dict[str, Any] = {"pgqueuer": OurQueue, "procrastinate": ProcrastinateQueue}


@pytest.fixture(params=ENGINES)
async def queue(request: pytest.FixtureRequest, pool: asyncpg.Pool, database_url: str) -> Any:
    """A queue that is to keep the contract."""
    made = ENGINES[request.param](pool, database_url)
    await made.set_up()
    return made


def expect_failure_where_not_kept(request: pytest.FixtureRequest, promise: str) -> None:
    """A promise that the engine cannot keep fails, for the reason that is written down; that it holds would, too."""
    if reason := NOT_KEPT.get((request.node.callspec.params["queue"], promise)):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


class Ran:
    """Notes what runs, and does to each start of a key what the test says."""

    def __init__(self, **fates: list[Exception]) -> None:
        self.keys: list[str] = []
        self.at_s: list[float] = []
        self.ended: list[str] = []
        self._fates = fates

    async def handle(self, key: str) -> None:
        self.keys.append(key)
        self.at_s.append(time.monotonic())
        if fates := self._fates.get(key.removeprefix("exp:")):
            raise fates.pop(0)
        self.ended.append(key)

    async def until_ended(self, *keys: str) -> None:
        async def have_ended() -> bool:
            return set(keys) <= set(self.ended)

        await until(have_ended, f"{keys} ended")

    async def until_started(self, count: int) -> None:
        async def have_started() -> bool:
            return len(self.keys) >= count

        await until(have_started, f"{count} starts")


async def enqueue(pool: asyncpg.Pool, queue: Any, *jobs: NewJob) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await queue.enqueue(connection, jobs)


async def test_a_job_is_there_with_its_transaction_and_gone_with_its_rollback(pool: asyncpg.Pool, queue: Any):
    ran = Ran()
    async with queue.working(ran.handle), pool.acquire() as connection:
        taken_back = connection.transaction()
        await taken_back.start()
        await queue.enqueue(connection, [export("rolled-back")])
        await taken_back.rollback()
        async with connection.transaction():
            await queue.enqueue(connection, [export("committed")])
            # Nobody sees it before its transaction ends.
            await asyncio.sleep(0.5)
            assert ran.keys == []
        await ran.until_ended("exp:committed")
        await enqueue(pool, queue, export("rolled-back"), export("last"))
        await ran.until_ended("exp:last")

    assert ran.keys == ["exp:committed", "exp:rolled-back", "exp:last"]


async def test_critical_runs_before_high_before_normal_before_low(pool: asyncpg.Pool, queue: Any):
    ran = Ran()
    for priority in (Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.HIGH):
        await enqueue(pool, queue, export(priority.name, priority=priority))
    async with queue.working(ran.handle):
        await ran.until_ended("exp:LOW")

    assert ran.keys == ["exp:CRITICAL", "exp:HIGH", "exp:NORMAL", "exp:LOW"]


async def test_a_delayed_job_does_not_start_before_its_time(pool: asyncpg.Pool, queue: Any):
    ran = Ran()
    async with queue.working(ran.handle):
        enqueued_at_s = time.monotonic()
        await enqueue(pool, queue, export("now"), export("late", delay_s=1.5))
        await ran.until_ended("exp:late")

    assert ran.keys == ["exp:now", "exp:late"]
    assert ran.at_s[1] - enqueued_at_s >= 1.4


async def test_a_key_is_enqueued_once_while_it_waits_runs_and_for_ever_after(pool: asyncpg.Pool, queue: Any):
    ran, let_go = Ran(), asyncio.Event()

    async def hold(key: str) -> None:
        await ran.handle(key)
        await let_go.wait()

    await enqueue(pool, queue, export("a"), export("a"))
    await enqueue(pool, queue, export("a"))
    async with queue.working(hold):
        await ran.until_started(1)
        await enqueue(pool, queue, export("a"))
        let_go.set()
        await enqueue(pool, queue, export("b"))
        await ran.until_ended("exp:b")
        await enqueue(pool, queue, export("a"), export("c"))
        await ran.until_ended("exp:c")

    assert ran.keys == ["exp:a", "exp:b", "exp:c"]


@pytest.mark.logs("procrastinate")
async def test_what_may_pass_is_tried_again_later(pool: asyncpg.Pool, queue: Any):
    ran = Ran(a=[JobFailed("cut", "busy", retryable=True)])
    await enqueue(pool, queue, export("a"))
    async with queue.working(ran.handle):
        await ran.until_ended("exp:a")

    assert ran.keys == ["exp:a", "exp:a"]
    assert ran.at_s[1] - ran.at_s[0] >= 0.5


@pytest.mark.logs("job_failed", "procrastinate")
async def test_what_cannot_pass_is_kept_not_enqueued_again_and_runs_anew_when_it_is_replayed(
    pool: asyncpg.Pool, queue: Any
):
    ran = Ran(a=[AudioUnusable("silent"), JobFailed("cut", "busy", retryable=True)])

    async def has_failed() -> bool:
        return await queue.num_failed() == 1

    await enqueue(pool, queue, export("a"))
    async with queue.working(ran.handle):
        await until(has_failed, "the job failed for good")
        await enqueue(pool, queue, export("a"), export("b"))
        await ran.until_ended("exp:b")
        assert ran.keys == ["exp:a", "exp:b"]

        async with pool.acquire() as connection, connection.transaction():
            assert await queue.replay(connection, [export("a"), export("b")]) == 1
        # Its attempts are its own again: one that may pass is tried again.
        await ran.until_ended("exp:a")

    assert ran.keys == ["exp:a", "exp:b", "exp:a", "exp:a"]
    assert await queue.num_failed() == 0


async def test_a_job_that_is_called_off_while_it_waits_never_runs(pool: asyncpg.Pool, queue: Any):
    ran = Ran()
    await enqueue(pool, queue, export("a"), export("b"))
    await queue.cancel("exp:a")
    await enqueue(pool, queue, export("a"))
    async with queue.working(ran.handle):
        await ran.until_ended("exp:b")

    assert ran.keys == ["exp:b"]


@pytest.mark.logs("procrastinate")
async def test_a_job_that_is_called_off_while_it_runs_is_ended(pool: asyncpg.Pool, queue: Any):
    ran, ended = Ran(), asyncio.Event()

    async def hold(key: str) -> None:
        await ran.handle(key)
        if key == "exp:a":
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    await enqueue(pool, queue, export("a"))
    async with queue.working(hold):
        await ran.until_started(1)
        await queue.cancel("exp:a")
        await asyncio.wait_for(ended.wait(), 30)
        await enqueue(pool, queue, export("a"), export("b"))
        await ran.until_ended("exp:b")

    assert ran.keys == ["exp:a", "exp:b"]


async def test_a_worker_that_lost_a_job_cannot_end_it_for_its_successor(
    pool: asyncpg.Pool, queue: Any, request: pytest.FixtureRequest
):
    expect_failure_where_not_kept(request, "fencing")
    ran, let_go = Ran(), asyncio.Event()

    async def hold(key: str) -> None:
        await ran.handle(key)
        if key == "exp:a":
            await let_go.wait()

    await enqueue(pool, queue, export("a"))
    async with queue.working(hold):
        await ran.until_started(1)
        await queue.take_over("exp:a")
        let_go.set()
        # When the next one has ended, the worker has said what it had to say of the first.
        await enqueue(pool, queue, export("b"))
        await ran.until_ended("exp:b")
        assert await queue.is_held("exp:a")


async def hold_for_ever(engine: str, url: str) -> None:
    """Another process's worker; it says what it holds."""

    async def handle(key: str) -> None:
        sys.stdout.write(f"holds {key}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    pool = await connect(url)
    async with ENGINES[engine](pool, url).working(handle, lease_s=2.0):
        await asyncio.Event().wait()


@pytest.fixture
def holder_program() -> Iterator[list[str]]:
    """The command line of such a process, without its engine and address."""
    code = (
        "import asyncio, importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('contract', {str(Path(__file__))!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "asyncio.run(module.hold_for_ever(*sys.argv[1:]))\n"
    )
    yield [sys.executable, "-c", code]


async def test_a_job_whose_worker_was_killed_is_taken_by_another(
    pool: asyncpg.Pool,
    queue: Any,
    database_url: str,
    holder_program: list[str],
    request: pytest.FixtureRequest,
):
    ran = Ran()
    engine = request.node.callspec.params["queue"]
    await enqueue(pool, queue, export("a"))
    victim = await asyncio.create_subprocess_exec(
        *holder_program,
        engine,
        database_url,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert victim.stdout is not None
        line = b""
        while not line.startswith(b"holds exp:a"):
            line = await asyncio.wait_for(victim.stdout.readline(), 60)
            assert line, "the process ended before it held the job"
    finally:
        victim.kill()
        await victim.wait()

    async with queue.working(ran.handle, lease_s=2.0):
        await ran.until_ended("exp:a")

    assert ran.keys == ["exp:a"]
