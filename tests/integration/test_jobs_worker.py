"""Jobs on a real PostgreSQL: one commit for an effect and what follows, and nothing lost or done twice."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from coordinator.errors import AudioUnusable, BytesAway, DatabaseUnavailable, JobFailed, ModelUnavailable
from coordinator.jobs.claims import Claim
from coordinator.jobs.dispositions import problem_of
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.ledger import Ledger
from coordinator.jobs.reconciler import Want, reconcile_once
from coordinator.jobs.schedule import Scheduled, run_schedule, tidy
from coordinator.jobs.work import in_batches, nothing, one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from coordinator.store.connect import connect
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.migrate import migrate
from tests.fakes.worker_here import RESULTS, export, keys, put, until, until_ended, working, write, writing

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A table that effects write to."""
    await pool.execute(RESULTS)
    return pool


async def test_the_frozen_schema_is_the_one_the_installed_engine_wants(pool: asyncpg.Pool):
    async with pool.acquire() as connection:
        plan = await Queries(AsyncpgDriver(connection)).plan_upgrade()

    assert list(plan.statements) == []


async def test_a_rolled_back_transaction_enqueues_nothing(pool: asyncpg.Pool):
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await PgQueuerQueue().enqueue(connection, [export("a")])
        await transaction.rollback()

    assert await pool.fetchval("select count(*) from pgqueuer") == 0


async def test_a_key_that_is_queued_is_not_queued_again(pool: asyncpg.Pool):
    await put(pool, export("a"))

    assert await put(pool, export("a"), export("b"), export("b")) == 1


async def test_a_key_that_is_done_is_not_queued_again(pool: asyncpg.Pool):
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 1)

    assert await put(pool, export("a")) == 0


async def test_an_effect_and_the_next_stages_job_come_with_one_commit(pool: asyncpg.Pool):
    following = NewJob(queue=Queue.CLIP_GENERATION, key="clip:a", payload={})

    async def handle(job: Job) -> Effect:
        return writing(job, following)

    await put(pool, export("a"))
    work = {Queue.EXPORT: one_by_one(handle), Queue.CLIP_GENERATION: one_by_one(write)}
    async with working(pool, work):
        await until_ended(pool, 2)

    assert await keys(pool) == ["exp:a", "clip:a"]


async def test_critical_runs_before_low_whatever_came_first(pool: asyncpg.Pool):
    await put(pool, export("low", priority=Priority.LOW))
    await put(pool, export("normal"), export("critical", priority=Priority.CRITICAL))
    await put(pool, export("high", priority=Priority.HIGH))
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 4)

    assert await keys(pool) == ["exp:critical", "exp:high", "exp:normal", "exp:low"]


async def test_a_worker_holds_no_more_jobs_than_it_can_run(pool: asyncpg.Pool):
    seen: list[int] = []
    running = 0

    async def handle(job: Job) -> Effect:
        nonlocal running
        running += 1
        held = await pool.fetchval("select count(*) from pgqueuer where status = 'picked'")
        seen.append(max(running, held))
        running -= 1
        return writing(job)

    await put(pool, *(export(str(index)) for index in range(6)))
    async with working(pool, {Queue.EXPORT: one_by_one(handle, concurrency=2)}):
        await until_ended(pool, 6)

    assert max(seen) <= 2


@pytest.mark.logs("job_failed")
async def test_a_batch_takes_what_waits_and_each_job_has_its_own_fate(pool: asyncpg.Pool):
    sizes: list[int] = []

    async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect | Exception]:
        sizes.append(len(jobs))
        return [AudioUnusable("no audio in it") if job.key == "exp:3" else writing(job) for job in jobs]

    await put(pool, *(export(str(index)) for index in range(8)))
    async with working(pool, {Queue.EXPORT: in_batches(handle_many, batch=4)}):
        await until_ended(pool, 7)
        await until_ended(pool, 1, "failed")

    assert max(sizes) == 4
    assert sorted(await keys(pool)) == [f"exp:{index}" for index in range(8) if index != 3]


@pytest.mark.logs("job_failed")
async def test_unusable_input_fails_at_once_with_stage_and_reason_and_its_effect(pool: asyncpg.Pool):
    async def handle(job: Job) -> Effect:
        raise JobFailed("loudness", "the clip is silent")

    def on_failed(job: Job, reason: str) -> Effect:
        async def effect(connection: asyncpg.Connection) -> Sequence[NewJob]:
            await connection.execute("insert into results (key, note) values ($1, $2)", job.key, reason)
            return ()

        return effect

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle, on_failed=on_failed)}):
        await until_ended(pool, 1, "failed")

    row = await pool.fetchrow("select stage, reason, attempts, runs from job_runs")
    assert tuple(row) == ("loudness", "the clip is silent", 1, 1)
    assert await pool.fetchval("select note from results") == "the clip is silent"
    assert await pool.fetchval("select count(*) from pgqueuer where status = 'failed'") == 1


@pytest.mark.logs("job_failed")
async def test_a_failed_job_is_not_queued_again_until_it_is_replayed(pool: asyncpg.Pool):
    async def refuse(job: Job) -> Effect:
        raise AudioUnusable("no audio in it")

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(refuse)}):
        await until_ended(pool, 1, "failed")
    assert await put(pool, export("a")) == 0

    async with pool.acquire() as connection, connection.transaction():
        assert await PgQueuerQueue().replay(connection, [export("a")]) == 1
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 1)


async def test_a_passing_fault_is_tried_again_and_counts_an_attempt(pool: asyncpg.Pool):
    async def handle(job: Job) -> Effect:
        if job.runs == 1:
            raise ValueError("a passing fault")
        return writing(job)

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 1)

    assert tuple(await pool.fetchrow("select runs, attempts from job_runs")) == (2, 2)


async def test_an_effect_that_fails_leaves_nothing_behind_and_is_tried_again(pool: asyncpg.Pool):
    async def handle(job: Job) -> Effect:
        async def effect(connection: asyncpg.Connection) -> Sequence[NewJob]:
            await connection.execute("insert into results (key) values ($1)", job.key)
            if job.runs == 1:
                await connection.execute("select 1 / 0")
            return ()

        return effect

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 1)

    assert await keys(pool) == ["exp:a"]


@pytest.mark.logs("queue_paused")
async def test_a_missing_model_pauses_the_queue_says_so_and_burns_no_attempt(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
):
    is_missing = True

    async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect | Exception]:
        if is_missing:
            raise ModelUnavailable("no speech model: run models fetch")
        return [writing(job) for job in jobs]

    async def is_paused() -> bool:
        row = await pool.fetchrow("select state, reason from workers")
        return row is not None and row["state"] == "paused" and "models fetch" in row["reason"]

    async def is_ready() -> bool:
        return await pool.fetchval("select state from workers") == "ready"

    await put(pool, *(export(str(index)) for index in range(3)))
    async with working(pool, {Queue.EXPORT: in_batches(handle_many, batch=4)}):
        await until(is_paused, "the worker said that it is paused")
        is_missing = False
        await until_ended(pool, 3)
        await until(is_ready, "the worker said that it is ready again")

    rows = await pool.fetch("select runs, attempts from job_runs")
    assert [tuple(row) for row in rows] == [(1, 1)] * 3
    assert await pool.fetchval("select count(*) from workers") == 0


async def test_a_job_whose_bytes_are_away_waits_alone_and_burns_no_attempt(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.lane.PUT_OFF_S", 0.2)
    are_away = True

    async def handle(job: Job) -> Effect:
        if are_away and job.key == "exp:away":
            raise BytesAway("its node is gone")
        return writing(job)

    await put(pool, export("away"), export("here"), export("there"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 2)
        assert await pool.fetchval("select state from workers") == "ready"
        are_away = False
        await until_ended(pool, 3)

    assert set(await keys(pool)) == {"exp:away", "exp:here", "exp:there"}
    rows = await pool.fetch("select runs, attempts from job_runs")
    assert [tuple(row) for row in rows] == [(1, 1)] * 3


@pytest.mark.logs("job_failed")
async def test_a_job_that_killed_its_worker_five_times_is_not_started_again(pool: asyncpg.Pool):
    started: list[str] = []

    async def handle(job: Job) -> Effect:
        started.append(job.key)
        return nothing

    await put(pool, export("a"))
    await pool.execute("insert into job_runs (key, queue, runs) values ('exp:a', 'export', 5)")
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 1, "failed")

    assert started == []
    assert "died 5 times" in await pool.fetchval("select reason from job_runs")


async def test_a_zombies_second_completion_writes_nothing(pool: asyncpg.Pool):
    ledger = Ledger(pool, PgQueuerQueue())
    claim = Claim(job_id=1, queue=Queue.EXPORT, key="exp:a", payload={})
    zombie = (await ledger.begin([claim]))["exp:a"]
    successor = (await ledger.begin([claim]))["exp:a"]

    first, second = await asyncio.gather(
        *(Ledger(pool, PgQueuerQueue()).complete(one, writing(one.job)) for one in (successor, zombie))
    )

    assert sorted([first, second]) == [False, True]
    assert await keys(pool) == ["exp:a"]


async def test_a_zombies_failure_does_not_fail_its_successor(pool: asyncpg.Pool):
    ledger = Ledger(pool, PgQueuerQueue())
    claim = Claim(job_id=1, queue=Queue.EXPORT, key="exp:a", payload={})
    zombie = (await ledger.begin([claim]))["exp:a"]
    successor = (await ledger.begin([claim]))["exp:a"]

    assert not await ledger.fail(zombie.job, problem_of(AudioUnusable("x"), "export"), None)
    assert await ledger.complete(successor, writing(successor.job))


async def test_a_job_that_another_worker_took_over_is_not_acknowledged_by_the_first(pool: asyncpg.Pool):
    started = asyncio.Event()
    release = asyncio.Event()

    async def handle(job: Job) -> Effect:
        started.set()
        await release.wait()
        return writing(job)

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await asyncio.wait_for(started.wait(), 10)
        await pool.execute("update pgqueuer set queue_manager_id = gen_random_uuid(), heartbeat = now()")
        release.set()
        await until_ended(pool, 1)

    assert await pool.fetchval("select count(*) from pgqueuer") == 1


async def test_stopping_lets_what_runs_finish(pool: asyncpg.Pool):
    started, release = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> Effect:
        started.set()
        await release.wait()
        return writing(job)

    await put(pool, export("a"), export("b"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}) as stop:
        await asyncio.wait_for(started.wait(), 10)
        stop.set()
        release.set()

    assert await keys(pool) == ["exp:a"]
    assert await pool.fetchval("select count(*) from pgqueuer where status = 'queued'") == 1


async def test_what_does_not_finish_within_the_grace_goes_back_and_does_not_count(pool: asyncpg.Pool):
    started = asyncio.Event()

    async def handle(job: Job) -> Effect:
        started.set()
        await asyncio.Event().wait()
        return nothing

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}, grace_s=0.1) as stop:
        await asyncio.wait_for(started.wait(), 10)
        stop.set()

    assert tuple(await pool.fetchrow("select state, runs from job_runs")) == ("waiting", 0)
    assert await pool.fetchval("select status::text from pgqueuer") == "queued"


async def test_a_worker_whose_database_goes_away_ends_with_an_error():
    data = Path(tempfile.mkdtemp(prefix="clippy-test-", dir="/tmp"))
    server = EmbeddedPostgres(data)
    try:
        url = await asyncio.to_thread(server.start)
        await asyncio.to_thread(migrate, url)
        own = await connect(url)
        work = {Queue.EXPORT: one_by_one(write)}
        task = asyncio.create_task(run_worker(own, stage="test", work=work, stop=asyncio.Event(), lease_s=3))

        async def is_present() -> bool:
            return await own.fetchval("select count(*) from workers") == 1

        await until(is_present, "the worker said that it is there")
        await asyncio.to_thread(server.stop)

        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(task, 60)
        own.terminate()
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


_WORKER = """
import asyncio, os, sys
from coordinator.jobs.work import one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Queue
from coordinator.store.connect import connect
async def main():
    pool = await connect(sys.argv[1])
    async def handle(job):
        print("started", job.key, flush=True)
        await asyncio.sleep(600)
    work = {Queue.EXPORT: one_by_one(handle, concurrency=2)}
    await run_worker(pool, stage="test", work=work, stop=asyncio.Event(), lease_s=2)
asyncio.run(main())
"""


async def test_jobs_of_a_worker_killed_with_nine_are_taken_by_another_and_done_once(
    pool: asyncpg.Pool, database_url: str
):
    await put(pool, export("a"), export("b"))
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _WORKER,
        database_url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert victim.stdout is not None
    num_started = 0
    while num_started < 2:
        line = await asyncio.wait_for(victim.stdout.readline(), 20)
        num_started += line.startswith(b"started")
    victim.kill()
    await victim.wait()

    async with working(pool, {Queue.EXPORT: one_by_one(write)}, lease_s=2):
        await until_ended(pool, 2)

    assert sorted(await keys(pool)) == ["exp:a", "exp:b"]
    assert [row["runs"] for row in await pool.fetch("select runs from job_runs")] == [2, 2]


@pytest.mark.logs("want_failed")
async def test_the_reconciler_enqueues_what_rows_want_and_no_job_does(pool: asyncpg.Pool):
    await pool.execute("insert into results (key) values ('a'), ('b'), ('c')")
    await put(pool, export("a"))
    await pool.execute("insert into job_runs (key, queue, state) values ('exp:b', 'export', 'done')")
    want = Want(
        name="exports",
        sql="select 'exp:' || key as key, jsonb_build_object('name', key) as payload, 'export' as queue, "
        "100 as priority from results",
    )
    broken = Want(name="broken", sql="select nonsense")

    async with pool.acquire() as connection, connection.transaction():
        found = await reconcile_once(connection, PgQueuerQueue(), [broken, want])

    assert found == {"exports": 1}
    queued = await pool.fetch("select dedupe_key from pgqueuer order by id")
    assert [row["dedupe_key"] for row in queued] == ["exp:a", "exp:c"]


async def test_old_jobs_rise_to_normal(pool: asyncpg.Pool):
    await put(pool, export("old", priority=Priority.LOW), export("new", priority=Priority.LOW))
    await pool.execute(
        "update pgqueuer set execute_after = now() - interval '3 min' where dedupe_key = 'exp:old'"
    )
    await put(pool, export("normal"))

    async with pool.acquire() as connection, connection.transaction():
        await reconcile_once(connection, PgQueuerQueue(), [])
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 3)

    assert (await keys(pool))[-1] == "exp:new"


async def test_two_schedules_enqueue_a_period_once(pool: asyncpg.Pool):
    stop = asyncio.Event()
    task = Scheduled(name="expire", every_s=3600)
    schedules = [asyncio.create_task(run_schedule(pool, [task], stop=stop)) for _ in range(2)]

    async def is_there() -> bool:
        return await pool.fetchval("select count(*) from pgqueuer") > 0

    await until(is_there, "the job was enqueued")
    stop.set()
    await asyncio.gather(*schedules)

    assert await pool.fetchval("select count(*) from pgqueuer") == 1


async def test_tidying_keeps_what_pages_read(pool: asyncpg.Pool):
    await pool.execute(
        "insert into job_runs (key, queue, state, finished_at) values"
        " ('cleanup:a:1', 'cleanup', 'done', now() - interval '2 days'),"
        " ('exp:a', 'export', 'done', now() - interval '2 days')"
    )

    async with pool.acquire() as connection, connection.transaction():
        await tidy(connection)

    assert [row["key"] for row in await pool.fetch("select key from job_runs")] == ["exp:a"]


async def test_the_backlog_view_tells_ready_delayed_and_age(pool: asyncpg.Pool):
    await put(pool, export("a", version=2, place="small"), export("b", delay_s=60.0))

    row = await pool.fetchrow("select * from job_backlog")

    assert (row["queue"], row["num_ready"], row["num_delayed"]) == ("export", 1, 1)


async def test_payloads_come_back_as_they_went(pool: asyncpg.Pool):
    payload = {"text": "Ünïcode", "count": 3, "share": 0.5, "is_final": True, "none": None}
    seen: list[dict[str, object]] = []

    async def handle(job: Job) -> Effect:
        seen.append(dict(job.payload))
        return nothing

    await put(pool, NewJob(queue=Queue.EXPORT, key="exp:a", payload=payload))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 1)

    assert seen == [json.loads(json.dumps(payload))]
