"""Which worker may take a job: versions of payloads side by side, and kinds of workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from coordinator.jobs.engine import entrypoint_of, route_of
from coordinator.jobs.waiting import waiting_by_account
from coordinator.jobs.work import one_by_one
from coordinator.model.jobs import Job, NewJob, Queue, Route
from coordinator.ports import Effect
from tests.fakes.worker_here import RESULTS, export, keys, put, until_ended, working, writing

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A table that effects write to."""
    await pool.execute(RESULTS)
    return pool


def saying(worker: str, seen: list[tuple[str, str, int]]) -> Callable[[Job], Awaitable[Effect]]:
    async def handle(job: Job) -> Effect:
        seen.append((worker, job.key, job.version))
        return writing(job)

    return handle


@pytest.mark.parametrize(
    ("route", "name"),
    [
        (Route(queue=Queue.TRANSCRIPTION), "transcription"),
        (Route(queue=Queue.TRANSCRIPTION, version=2), "transcription.v2"),
        (Route(queue=Queue.VIDEO_PROCESSING, place="small"), "video-processing@small"),
        # A place may hold what separates versions.
        (Route(queue=Queue.EXPORT, version=12, place="gpu.v2"), "export.v12@gpu.v2"),
    ],
)
def test_a_route_has_one_name_and_comes_back_from_it(route: Route, name: str):
    assert entrypoint_of(route) == name
    assert route_of(name) == route


async def test_two_versions_run_side_by_side_and_a_new_ones_job_waits_for_a_new_worker(pool: asyncpg.Pool):
    seen: list[tuple[str, str, int]] = []
    old = {Queue.EXPORT: one_by_one(saying("old", seen))}
    new = {Queue.EXPORT: one_by_one(saying("new", seen), versions=(1, 2))}
    await put(pool, export("a"), export("b", version=2))

    async with working(pool, old):
        await until_ended(pool, 1)
        await put(pool, export("c", version=2), export("d"))
        await until_ended(pool, 2)
        waiting = await pool.fetch("select dedupe_key, status::text, attempts from pgqueuer order by id")
        assert [tuple(row) for row in waiting] == [("exp:b", "queued", 0), ("exp:c", "queued", 0)]
        async with working(pool, new):
            await until_ended(pool, 4)
            await put(pool, export("e", version=2), export("f"))
            await until_ended(pool, 6)
    async with working(pool, new):
        await put(pool, export("g"))
        await until_ended(pool, 7)

    assert sorted(await keys(pool)) == [f"exp:{name}" for name in "abcdefg"]
    assert {(worker, version) for worker, _, version in seen} <= {("old", 1), ("new", 1), ("new", 2)}
    assert await pool.fetchval("select sum(runs) from job_runs") == 7


async def test_a_workers_own_place_comes_first_and_places_of_others_stay_queued(pool: asyncpg.Pool):
    seen: list[tuple[str, str, int]] = []
    await put(pool, export("any"), export("small", place="small"), export("large", place="large"))

    async with working(pool, {Queue.EXPORT: one_by_one(saying("small", seen), places=("small", ""))}):
        await until_ended(pool, 2)

    assert await keys(pool) == ["exp:small", "exp:any"]
    assert await pool.fetchval("select dedupe_key from pgqueuer where status = 'queued'") == "exp:large"


async def test_routes_of_a_queue_share_its_slots(pool: asyncpg.Pool):
    held: list[int] = []

    async def handle(job: Job) -> Effect:
        held.append(await pool.fetchval("select count(*) from pgqueuer where status = 'picked'"))
        return writing(job)

    await put(pool, *(export(str(index), version=1 + index % 2) for index in range(8)))
    async with working(pool, {Queue.EXPORT: one_by_one(handle, concurrency=2, versions=(1, 2))}):
        await until_ended(pool, 8)

    assert max(held) <= 2


async def test_what_waits_is_counted_by_account_whatever_its_route(pool: asyncpg.Pool):
    await pool.execute("insert into accounts (user_id, tier) values ('ann', 'free')")
    await pool.execute("insert into agents (agent_id, user_id) values ('pc', 'ann')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ('s', 'ann', 'pc', now())"
    )
    routes = [{}, {"version": 2}, {"place": "small"}, {"version": 3, "place": "small"}]
    await put(
        pool,
        *(
            NewJob(queue=Queue.TRANSCRIPTION, key=f"stt:s:1:{index}", payload={}, **routes[index % 4])
            for index in range(400)
        ),
    )

    found = await waiting_by_account(pool)

    assert found["ann"].num_waiting == 400
