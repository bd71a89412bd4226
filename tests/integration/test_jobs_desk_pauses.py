"""Pause and resume for a whole fleet, on a real PostgreSQL with real workers."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Collection

import asyncpg
import pytest

from coordinator.errors import InputUnusable, PausedByAnother
from coordinator.jobs.engine import Consumer
from coordinator.jobs.pauses import pause, pauses, resume
from coordinator.jobs.work import nothing, one_by_one
from coordinator.model.jobs import Job, Queue
from coordinator.ports import Effect
from tests.fakes.job_parts import Held, export, put, until, until_state, working

pytestmark = pytest.mark.filterwarnings("error")


async def end_at_once(_job: Job) -> Effect:
    return nothing


async def test_no_worker_claims_from_a_paused_queue_and_what_runs_ends_well(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    held = Held()
    num_told = 0
    rest = Consumer.rest

    def told(consumer: Consumer, queues: Collection[Queue]) -> None:
        nonlocal num_told
        num_told += 1
        rest(consumer, queues)

    async def are_told() -> bool:
        return num_told == 2

    monkeypatch.setattr(Consumer, "rest", told)
    work = {Queue.EXPORT: one_by_one(held.handle, concurrency=4), Queue.CLEANUP: one_by_one(end_at_once)}
    await put(pool, export("before"))
    async with working(pool, work, name="one"), working(pool, work, name="two"):
        await held.until_started()
        await pause(pool, Queue.EXPORT, owner="operator:ann", reason="maintenance")
        await until(are_told, "both workers heard of it")
        await put(pool, export("after"))
        held.let_go.set()
        await until_state(pool, "exp:before", "done")
        # Long enough for several looks of both workers at the queue.
        await asyncio.sleep(1.0)
        assert held.started == ["exp:before"]

        await resume(pool, Queue.EXPORT, owner="operator:ann")
        await until_state(pool, "exp:after", "done")


async def test_a_worker_that_starts_while_a_queue_is_paused_claims_nothing_from_it(pool: asyncpg.Pool):
    held = Held()
    await put(pool, export("a"))
    await pause(pool, Queue.EXPORT, owner="operator:ann")
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}):
        await until(lambda: pool.fetchval("select state = 'ready' from workers"), "the worker is ready")
        await asyncio.sleep(1.5)
        assert held.started == []


async def test_a_pause_ends_by_itself_when_its_time_is_over(pool: asyncpg.Pool):
    await put(pool, export("a"))
    await pause(pool, Queue.EXPORT, owner="system:limit:groq", reason="groq limit", for_s=1.5)
    async with working(pool, {Queue.EXPORT: one_by_one(end_at_once)}):
        await until_state(pool, "exp:a", "done")

    assert await pauses(pool) == []
    started_after = await pool.fetchval("select started_at >= until from job_runs, queue_pauses")
    assert started_after is True


async def test_one_owners_pause_is_not_lifted_by_another(pool: asyncpg.Pool):
    await pause(pool, Queue.EXPORT, owner="operator:ann", reason="maintenance")

    with pytest.raises(PausedByAnother, match=r"operator:ann \(maintenance\), not by operator:bob"):
        await resume(pool, Queue.EXPORT, owner="operator:bob")
    assert [one.owner for one in await pauses(pool)] == ["operator:ann"]

    assert await resume(pool, Queue.EXPORT, owner="operator:bob", is_forced=True) == ["operator:ann"]
    assert await pauses(pool) == []


async def test_a_queue_rests_until_the_last_of_its_owners_lifts_their_pause(pool: asyncpg.Pool):
    await pause(pool, Queue.EXPORT, owner="operator:ann")
    await pause(pool, Queue.EXPORT, owner="operator:bob")

    assert await resume(pool, Queue.EXPORT, owner="operator:ann") == ["operator:ann"]
    assert [one.owner for one in await pauses(pool)] == ["operator:bob"]


async def test_a_second_pause_of_the_same_owner_takes_the_place_of_the_first(pool: asyncpg.Pool):
    await pause(pool, Queue.EXPORT, owner="system:limit:groq", for_s=60)
    second = await pause(pool, Queue.EXPORT, owner="system:limit:groq", for_s=5)

    [present] = await pauses(pool)
    assert present == second
    assert present.until is not None
    assert present.until - present.paused_at == datetime.timedelta(seconds=5)


async def test_resuming_what_is_not_paused_lifts_nothing(pool: asyncpg.Pool):
    assert await resume(pool, Queue.EXPORT, owner="operator:ann") == []


@pytest.mark.parametrize(
    ("owner", "for_s"),
    [
        ("ann", None),  # of no kind
        ("operator:", None),
        ("operator:two words", None),
        ("operator:ann", 0.0),
        ("operator:ann", -1.0),
        ("operator:ann", 1e9),
        ("operator:ann", float("nan")),
    ],
)
async def test_a_pause_that_cannot_be_meant_is_refused_before_anything_is_asked(
    owner: str, for_s: float | None
):
    with pytest.raises(InputUnusable):
        await pause(None, Queue.EXPORT, owner=owner, for_s=for_s)
