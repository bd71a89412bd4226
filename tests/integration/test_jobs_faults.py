"""Single faults of workers and of the way to the database: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.work import one_by_one
from coordinator.jobs.worker import run_worker
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from coordinator.store.connect import connect
from coordinator.store.looks import PostgresLooks
from tests.fakes.postgres_proxy import postgres_proxy
from tests.fakes.worker_here import RESULTS, export, keys, put, until, until_ended, working, write, writing

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A table that effects write to."""
    await pool.execute(RESULTS)
    return pool


def lasting(name: str, seconds: float, *, kills: bool = False) -> NewJob:
    return NewJob(
        queue=Queue.EXPORT,
        key=f"exp:{name}",
        payload={"seconds": seconds, **({"kill": True} if kills else {})},
    )


@contextlib.asynccontextmanager
async def worker_process(
    database_url: str, shape: str = "beside", *, lease_s: float = 1.0
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.fault_worker", shape, str(lease_s)),
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # To the end of what it said: its pipe is read out, and closed with it.
        await asyncio.wait_for(process.communicate(), 10)


async def heard(process: asyncio.subprocess.Process, *lines: str) -> None:
    """Wait until it has said these."""
    missing = set(lines)
    assert process.stdout is not None
    while missing:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line, f"it ended before it said {missing}"
        missing.discard(line.decode().strip())


async def row_of(pool: asyncpg.Pool, key: str) -> tuple[str, int, int]:
    return tuple(await pool.fetchrow("select state, runs, attempts from job_runs where key = $1", key))


async def test_jobs_over_which_workers_died_twice_run_one_at_a_time_and_others_beside_one_another(
    pool: asyncpg.Pool,
):
    running: set[str] = set()
    met: dict[str, set[str]] = {}

    async def handle(job: Job) -> Effect:
        running.add(job.key)
        for key in running:
            met.setdefault(key, set()).update(running - {key})
        await asyncio.sleep(0.1)
        running.discard(job.key)
        return writing(job)

    suspects, others = {"exp:a", "exp:b"}, {"exp:c", "exp:d", "exp:e"}
    await put(pool, *(export(name) for name in "abcde"))
    await pool.executemany(
        # Two starts, and no end of either.
        "insert into job_runs (key, queue, runs) values ($1, 'export', 2)",
        [(key,) for key in suspects],
    )
    async with working(pool, {Queue.EXPORT: one_by_one(handle, concurrency=5)}):
        await until_ended(pool, 5)

    assert [met[key] for key in sorted(suspects)] == [set(), set()]
    assert any(met[key] for key in others)
    assert sorted(await keys(pool)) == sorted(suspects | others)
    rows = await pool.fetch(
        "select runs - attempts as num_deaths from job_runs where key = any($1)", [*suspects]
    )
    assert [row["num_deaths"] for row in rows] == [2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["batch", "beside"])
async def test_a_job_that_kills_its_workers_is_given_up_and_takes_no_neighbour_with_it(
    pool: asyncpg.Pool, database_url: str, shape: str
):
    neighbours = [lasting(name, 0.3) for name in "abc"]
    await put(pool, *neighbours, lasting("poison", 0.1, kills=True))

    async def have_ended() -> bool:
        ended = "select count(*) from job_runs where state in ('done', 'failed')"
        return bool(await pool.fetchval(ended) == 4)

    num_killed = 0
    while not await have_ended():
        async with worker_process(database_url, shape) as process:
            waiting = asyncio.create_task(until(have_ended, "all ended"))
            dying = asyncio.create_task(process.wait())
            await asyncio.wait({waiting, dying}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            num_killed += dying.done()
            dying.cancel()
        # Nobody waits here for the lease of one who is known to be dead.
        await pool.execute(
            "update pgqueuer set heartbeat = now() - interval '1 minute' where status = 'picked'"
        )

    assert num_killed == 5
    poison = await pool.fetchrow("select state, code, reason from job_runs where key = 'exp:poison'")
    assert (poison["state"], poison["code"]) == ("failed", "poison")
    assert "died 5 times" in poison["reason"]
    assert sorted(await keys(pool)) == ["exp:a", "exp:b", "exp:c"]
    assert await pool.fetchval("select max(runs - attempts) from job_runs where state = 'done'") <= 2


async def test_a_call_that_hangs_is_stopped_at_its_limit_and_tried_again(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.lane.time_limit_s", lambda _queue: 0.3)
    num_stopped = 0

    async def handle(job: Job) -> Effect:
        nonlocal num_stopped
        if job.runs == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                num_stopped += 1
                raise
        return writing(job)

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 1)

    assert num_stopped == 1
    assert await row_of(pool, "exp:a") == ("done", 2, 2)
    assert await pool.fetchval("select tried -> 0 ->> 'code' from job_runs") == "timeout"
    assert await keys(pool) == ["exp:a"]


@pytest.mark.parametrize("is_successor_quicker", [True, False])
async def test_a_worker_that_stood_still_past_its_lease_does_nothing_twice_and_deletes_nothing(
    pool: asyncpg.Pool, database_url: str, is_successor_quicker: bool
):
    started, release = asyncio.Event(), asyncio.Event()

    async def hold(job: Job) -> Effect:
        started.set()
        await release.wait()
        return writing(job)

    await put(pool, lasting("a", 0.5))
    # Long enough that the zombie does not take it up again from a successor that a busy machine holds up.
    lease_s = 4.0
    async with worker_process(database_url, lease_s=lease_s) as zombie, contextlib.AsyncExitStack() as stack:
        await heard(zombie, "started exp:a")
        zombie.send_signal(signal.SIGSTOP)
        await stack.enter_async_context(working(pool, {Queue.EXPORT: one_by_one(hold)}, lease_s=lease_s))
        await asyncio.wait_for(started.wait(), 20)
        if is_successor_quicker:
            release.set()
            await until_ended(pool, 1)
            await stack.aclose()
        zombie.send_signal(signal.SIGCONT)
        # Only the zombie is free for it: by its end it has said what it had to say of the first.
        await put(pool, lasting("b", 0.5))
        await until_ended(pool, 2)
        held = await pool.fetch("select dedupe_key from pgqueuer")
        release.set()

    # The one who ran it still held it, and nobody else deleted that.
    assert [row["dedupe_key"] for row in held] == ([] if is_successor_quicker else ["exp:a"])
    assert sorted(await keys(pool)) == ["exp:a", "exp:b"]
    assert await row_of(pool, "exp:a") == ("done", 2, 1)
    assert await pool.fetchval("select count(*) from pgqueuer") == 0


async def test_a_worker_that_gets_sigterm_finishes_what_it_can_and_gives_the_rest_back(
    pool: asyncpg.Pool, database_url: str
):
    await put(pool, lasting("short", 0.7), lasting("long", 60.0))
    async with worker_process(database_url) as process:
        await heard(process, "started exp:short", "started exp:long")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0

    assert await row_of(pool, "exp:short") == ("done", 1, 1)
    assert await row_of(pool, "exp:long") == ("waiting", 0, 1)
    assert await keys(pool) == ["exp:short"]
    rows = await pool.fetch("select dedupe_key, status::text as status from pgqueuer")
    assert [tuple(row) for row in rows] == [("exp:long", "queued")]


async def test_what_a_killed_worker_had_begun_comes_before_what_is_new_however_urgent(pool: asyncpg.Pool):
    await put(pool, export("begun", priority=Priority.LOW))
    await pool.execute(
        "update pgqueuer set status = 'picked', queue_manager_id = gen_random_uuid(),"
        " heartbeat = now() - interval '1 hour'"
    )
    await put(pool, export("urgent", priority=Priority.CRITICAL))
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 2)

    assert await keys(pool) == ["exp:begun", "exp:urgent"]


async def test_a_database_that_answers_slowly_lets_no_lease_run_out(pool: asyncpg.Pool, database_url: str):
    num_calls = 0

    async def handle(job: Job) -> Effect:
        nonlocal num_calls
        num_calls += 1
        await asyncio.sleep(3.5)  # longer than the lease
        return writing(job)

    async with postgres_proxy(database_url) as proxy:
        slow = await connect(proxy.url, max_connections=8)
        proxy.delay_s = 0.05
        await put(pool, export("a"))
        async with working(slow, {Queue.EXPORT: one_by_one(handle)}, lease_s=3), pool.acquire() as locking:
            await until(lambda: has_started(pool), "started")
            async with working(pool, {Queue.EXPORT: one_by_one(handle)}, lease_s=3):
                await asyncio.sleep(2.5)
                async with locking.transaction():
                    # Whoever wants to write that it is done waits longer than another lease.
                    await locking.execute("lock table job_runs in exclusive mode")
                    await asyncio.sleep(4.0)
                await until_ended(pool, 1)
        await asyncio.wait_for(slow.close(), 10)

    assert num_calls == 1
    assert await row_of(pool, "exp:a") == ("done", 1, 1)
    assert await keys(pool) == ["exp:a"]


async def has_started(pool: asyncpg.Pool) -> bool:
    return bool(await pool.fetchval("select count(*) from job_runs"))


@pytest.mark.parametrize(("cut", "num_calls_wanted"), [("before", 2), ("after", 1)])
async def test_a_connection_that_is_cut_at_the_commit_does_the_effect_once(
    pool: asyncpg.Pool, database_url: str, cut: str, num_calls_wanted: int
):
    num_calls = 0

    async def handle(job: Job) -> Effect:
        nonlocal num_calls
        num_calls += 1
        return writing(job)

    async with postgres_proxy(database_url) as proxy:
        through = await connect(proxy.url, max_connections=8)
        proxy.commit_of, proxy.cut_at_commit = b"insert into results", cut  # type: ignore[assignment]
        await put(pool, export("a"))
        async with working(through, {Queue.EXPORT: one_by_one(handle)}, lease_s=2):
            await until_ended(pool, 1)
            # Another job: by then what there was to say of the first has been said.
            await put(pool, export("b"))
            await until_ended(pool, 2)
        through.terminate()

    assert proxy.num_cut == 1
    assert num_calls == num_calls_wanted + 1
    assert await keys(pool) == ["exp:a", "exp:b"]
    assert await pool.fetchval("select count(*) from pgqueuer") == 0


async def test_a_job_that_cannot_be_put_back_is_not_parked_as_failed_but_left_to_its_lease(
    pool: asyncpg.Pool, database_url: str
):
    async def handle(job: Job) -> Effect:
        if job.runs == 1:
            raise RuntimeError("a passing fault")
        return writing(job)

    async with postgres_proxy(database_url) as proxy:
        through = await connect(proxy.url, max_connections=8)
        proxy.cut_on = b"set status = 'queued', execute_after"
        await put(pool, export("a"))
        async with working(through, {Queue.EXPORT: one_by_one(handle)}, lease_s=2):
            await until_ended(pool, 1)
        through.terminate()

    assert proxy.num_cut == 1
    assert await row_of(pool, "exp:a") == ("done", 2, 2)
    assert await keys(pool) == ["exp:a"]
    assert await pool.fetchval("select count(*) from pgqueuer") == 0


async def test_a_job_that_fails_while_the_database_is_away_is_tried_again_by_the_next_worker(
    pool: asyncpg.Pool, database_url: str
):
    started, fail = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> Effect:
        started.set()
        await fail.wait()
        raise RuntimeError("a passing fault")

    async with postgres_proxy(database_url) as proxy:
        through = await connect(proxy.url, max_connections=8)
        await put(pool, export("a"))
        work = {Queue.EXPORT: one_by_one(handle)}
        task = asyncio.create_task(
            run_worker(through, stage="test", work=work, stop=asyncio.Event(), lease_s=2)
        )
        await asyncio.wait_for(started.wait(), 10)
        await proxy.go_away()
        fail.set()
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(task, 30)
        through.terminate()
    async with working(pool, {Queue.EXPORT: one_by_one(write)}, lease_s=2):
        await until_ended(pool, 1)

    assert await keys(pool) == ["exp:a"]
    assert await pool.fetchval("select count(*) from pgqueuer") == 0


async def test_a_session_of_long_ago_that_was_only_just_told_of_is_not_given_up(pool: asyncpg.Pool):
    await pool.execute("insert into agents (agent_id, user_id) values ('here', 'owner')")
    await pool.execute(
        "insert into agents (agent_id, user_id, last_seen_at) values ('gone', 'owner', now() - interval '3 days')"
    )
    for agent in ("here", "gone"):
        await pool.execute(
            "insert into sessions (session_id, user_id, agent_id, started_at)"
            " values ($1, 'owner', $1, now() - interval '3 days')",
            agent,
        )
    async with pool.acquire() as connection:
        await PostgresLooks(pool).give_up_sessions(connection)

    rows = await pool.fetch("select session_id from sessions where is_over")
    assert [row["session_id"] for row in rows] == ["gone"]
