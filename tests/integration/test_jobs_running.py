"""While jobs run: how far they are, when an idle worker looks, and a worker that holds too much memory."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from coordinator.jobs.claims import Claim
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.ledger import Ledger
from coordinator.jobs.memory import own_rss_mib
from coordinator.jobs.progress import ProgressBook
from coordinator.jobs.work import one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, Queue
from coordinator.ports import Effect
from tests.fakes.worker_here import RESULTS, export, keys, put, until, until_ended, working, write, writing

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A table that effects write to."""
    await pool.execute(RESULTS)
    return pool


async def test_how_far_jobs_are_is_written_while_they_run(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.progress._WRITE_EVERY_S", 0.05)
    release = asyncio.Event()

    async def handle(job: Job) -> Effect:
        for step in range(1, 5):
            job.progress(step / 10, f"cutting {job.key}")
        await release.wait()
        return writing(job)

    async def told() -> list[tuple[float, str]]:
        rows = await pool.fetch("select progress, progress_words from job_runs order by key")
        return [(round(row["progress"] or 0.0, 3), row["progress_words"]) for row in rows]

    async def is_told() -> bool:
        return await told() == [(0.4, "cutting exp:a"), (0.4, "cutting exp:b")]

    await put(pool, export("a"), export("b"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle, concurrency=2)}):
        await until(is_told, "the newest of both was written")
        release.set()
        await until_ended(pool, 2)


async def test_a_zombies_progress_is_not_its_successors(pool: asyncpg.Pool):
    ledger, book = Ledger(pool, PgQueuerQueue()), ProgressBook(pool)
    claim = Claim(job_id=1, queue=Queue.EXPORT, key="exp:a", payload={})
    zombie = book.open((await ledger.begin([claim]))["exp:a"].job)
    successor = book.open((await ledger.begin([claim]))["exp:a"].job)

    zombie.progress(0.9, "zombie")
    await book.write()
    assert await pool.fetchval("select progress from job_runs") is None
    successor.progress(0.2, "successor")
    await book.write()
    book.close(successor)
    successor.progress(1.0, "too late")
    await book.write()

    row = await pool.fetchrow("select progress, progress_words from job_runs")
    assert (round(row["progress"], 3), row["progress_words"]) == (0.2, "successor")


async def test_an_idle_worker_starts_what_comes_at_once_and_what_is_delayed_in_its_time(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    # Nothing but a notification, or the time that the database names, can wake it.
    monkeypatch.setattr("coordinator.jobs.slots._IDLE_POLL_S", 600.0)

    async def is_ready() -> bool:
        return await pool.fetchval("select state from workers") == "ready"

    async with working(pool, {Queue.EXPORT: one_by_one(write)}, lease_s=600):
        await until(is_ready, "the worker is there")
        await put(pool, export("first"))
        await until_ended(pool, 1)
        began = time.monotonic()
        await put(pool, export("later", delay_s=1.5), export("now"))
        await until_ended(pool, 3)

    assert time.monotonic() - began >= 1.4
    assert await keys(pool) == ["exp:first", "exp:now", "exp:later"]


@pytest.mark.logs("worker_over_memory")
async def test_a_worker_that_holds_too_much_memory_finishes_what_runs_and_ends_in_order(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.memory._LOOK_EVERY_S", 0.05)
    stop, hoard = asyncio.Event(), []

    async def handle(job: Job) -> Effect:
        hoard.append(b"x" * 256 * 2**20)
        await asyncio.wait_for(stop.wait(), 30)
        return writing(job)

    await put(pool, export("a"), export("b"))
    work = {Queue.EXPORT: one_by_one(handle)}
    # A worker that does not end by itself ends this test by its deadline.
    bound_mib = round(own_rss_mib()) + 128
    await asyncio.wait_for(run_worker(pool, stage="test", work=work, stop=stop, max_rss_mib=bound_mib), 60)
    hoard.clear()

    assert await keys(pool) == ["exp:a"]
    left = await pool.fetch("select dedupe_key, status::text from pgqueuer")
    assert [tuple(row) for row in left] == [("exp:b", "queued")]
