"""One commit for many ends: fewer round trips, and every job still has a fate of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from coordinator.errors import JobFailed
from coordinator.jobs.claims import Claim
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.ledger import End, Ledger
from coordinator.jobs.numbers import priority_of
from coordinator.jobs.work import in_batches, one_by_one
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from tests.fakes.worker_here import RESULTS, export, keys, put, until_ended, working, writing

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A table that effects write to, each row with the transaction that wrote it."""
    await pool.execute(RESULTS)
    await pool.execute("alter table results add commit bigint default pg_current_xact_id()::text::bigint")
    return pool


def breaking(job: Job) -> Effect:
    async def effect(connection: asyncpg.Connection) -> Sequence[NewJob]:
        await connection.execute("insert into results (key) values ($1)", job.key)
        await connection.execute("select 1 / 0")
        return ()

    return effect


async def num_commits(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("select count(distinct commit) from results"))


async def test_the_effects_of_a_batch_come_with_one_commit_and_leave_nothing_to_acknowledge(
    pool: asyncpg.Pool,
):
    async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect]:
        return [
            writing(job, NewJob(queue=Queue.CLIP_GENERATION, key=f"clip:{job.key}", payload={}))
            for job in jobs
        ]

    await put(pool, *(export(str(index)) for index in range(8)))
    async with working(pool, {Queue.EXPORT: in_batches(handle_many, batch=8)}):
        await until_ended(pool, 8)
        left = await pool.fetch("select dedupe_key from pgqueuer where entrypoint = 'export'")

    assert left == []
    assert await num_commits(pool) == 1
    assert await pool.fetchval("select count(*) from pgqueuer where entrypoint = 'clip-generation'") == 8
    assert await pool.fetchval("select count(*) from pgqueuer_log") == 0


@pytest.mark.logs("job_failed")
async def test_an_effect_that_cannot_be_written_fails_alone_and_its_neighbours_are_written_once(
    pool: asyncpg.Pool,
):
    async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect]:
        def effect_of(job: Job) -> Effect:
            if job.key != "exp:3":
                return writing(job)

            async def refuse(connection: asyncpg.Connection) -> Sequence[NewJob]:
                await connection.execute("insert into results (key) values ($1)", job.key)
                raise JobFailed("export", "its clip is gone")

            return refuse

        return [effect_of(job) for job in jobs]

    await put(pool, *(export(str(index)) for index in range(8)))
    async with working(pool, {Queue.EXPORT: in_batches(handle_many, batch=8)}):
        await until_ended(pool, 7)
        await until_ended(pool, 1, "failed")

    assert sorted(await keys(pool)) == [f"exp:{index}" for index in range(8) if index != 3]
    row = await pool.fetchrow("select key, reason, runs from job_runs where state = 'failed'")
    assert tuple(row) == ("exp:3", "its clip is gone", 1)


async def test_jobs_worked_one_by_one_share_a_commit_when_they_end_in_the_same_moment(pool: asyncpg.Pool):
    num_running, all_running = 0, asyncio.Event()

    async def handle(job: Job) -> Effect:
        nonlocal num_running
        num_running += 1
        if num_running == 6:
            all_running.set()
        await all_running.wait()
        return writing(job)

    await put(pool, *(export(str(index)) for index in range(6)))
    async with working(pool, {Queue.EXPORT: one_by_one(handle, concurrency=6)}):
        await until_ended(pool, 6)

    assert await num_commits(pool) < 6
    assert len(await keys(pool)) == 6


async def test_a_batch_in_which_another_worker_was_first_writes_only_the_rest(pool: asyncpg.Pool):
    claims = [Claim(job_id=index, queue=Queue.EXPORT, key=f"exp:{index}", payload={}) for index in range(4)]
    zombie, successor = Ledger(pool, PgQueuerQueue()), Ledger(pool, PgQueuerQueue())
    old = await zombie.begin(claims)
    new = await successor.begin(claims[:2])

    assert await successor.complete_many(
        [End(started=started, effect=writing(started.job)) for started in new.values()]
    ) == [True, True]
    written = await zombie.complete_many(
        [End(started=old[claim.key], effect=writing(old[claim.key].job)) for claim in reversed(claims)]
    )

    assert written == [True, True, False, False]
    assert sorted(await keys(pool)) == [f"exp:{index}" for index in range(4)]


async def test_two_workers_that_complete_the_same_jobs_at_once_write_each_once(pool: asyncpg.Pool):
    claims = [
        Claim(job_id=index, queue=Queue.EXPORT, key=f"exp:{index:02}", payload={}) for index in range(40)
    ]
    ledgers = [Ledger(pool, PgQueuerQueue()) for _ in range(4)]
    begun = [await ledger.begin(claims) for ledger in ledgers]

    written = await asyncio.gather(
        *(
            ledger.complete_many([End(started=one, effect=writing(one.job)) for one in order])
            for ledger, order in zip(
                ledgers,
                [list(started.values())[:: -1 if index % 2 else 1] for index, started in enumerate(begun)],
                strict=True,
            )
        )
    )

    assert sum(outcome is True for outcomes in written for outcome in outcomes) == 40
    assert await keys(pool) and sorted(await keys(pool)) == [f"exp:{index:02}" for index in range(40)]


async def test_an_effect_that_waits_for_a_lock_does_not_hold_up_those_that_shared_its_commit(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.ledger._SHARED_LOCK_TIMEOUT", "100ms")
    await pool.execute("insert into results (key) values ('locked')")
    ledger = Ledger(pool, PgQueuerQueue())
    started = await ledger.begin(
        [Claim(job_id=1, queue=Queue.EXPORT, key=key, payload={}) for key in ("exp:a", "exp:b")]
    )

    def locking(job: Job) -> Effect:
        async def effect(connection: asyncpg.Connection) -> Sequence[NewJob]:
            await connection.execute("update results set note = 'b' where key = 'locked'")
            return ()

        return effect

    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("select from results where key = 'locked' for update")
        ends = asyncio.create_task(
            ledger.complete_many(
                [
                    End(started=started["exp:a"], effect=writing(started["exp:a"].job)),
                    End(started=started["exp:b"], effect=locking(started["exp:b"].job)),
                ]
            )
        )
        await until_ended(pool, 1)
        assert not ends.done()
        await transaction.rollback()

    assert await asyncio.wait_for(ends, 30) == [True, True]
    assert await pool.fetchval("select note from results where key = 'locked'") == "b"


async def test_of_two_wishes_for_a_key_in_one_commit_the_first_counts(pool: asyncpg.Pool):
    wishes = [export("a", priority=Priority.CRITICAL), export("a", priority=Priority.LOW)]

    assert await put(pool, *wishes) == 1
    assert priority_of(await pool.fetchval("select priority from pgqueuer")) is Priority.CRITICAL


@pytest.mark.logs("job_failed")
async def test_a_business_accounts_job_has_the_attempts_of_its_tier(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.lane.next_delay_s", lambda *_: 0.0)

    async def handle(job: Job) -> Effect:
        return breaking(job)

    for tier in ("free", "business"):
        await put(pool, NewJob(queue=Queue.CLIP_GENERATION, key=tier, payload={}, tier=tier))
    async with working(pool, {Queue.CLIP_GENERATION: one_by_one(handle, concurrency=2)}):
        await until_ended(pool, 2, "failed")

    attempts = await pool.fetch("select key, attempts from job_runs order by attempts")
    assert [tuple(row) for row in attempts] == [("free", 4), ("business", 5)]
    assert await keys(pool) == []
