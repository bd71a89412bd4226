"""Tier, place, delay and fairness of jobs, with a real PostgreSQL and real workers."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest

from coordinator.jobs import upkeep
from coordinator.jobs.consumers import unserved_queues
from coordinator.jobs.desk import Desk
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.envelope import decode
from coordinator.jobs.numbers import behind_s, priority_of
from coordinator.jobs.placing import Placing, SetPlacement, clear_placement, set_placement
from coordinator.jobs.reconciler import Want, reconcile_once
from coordinator.jobs.upkeep import leave_places, raise_old
from coordinator.jobs.work import one_by_one
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.policy.placement import Placement
from coordinator.ports import Effect
from coordinator.statements import load_statements
from tests.fakes.job_parts import Held, export, until
from tests.fakes.worker_here import RESULTS, keys, until_ended, working, write, writing

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A table that effects write to."""
    await pool.execute(RESULTS)
    return pool


@dataclasses.dataclass
class Clock:
    """A clock that a test moves."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def put(pool: asyncpg.Pool, placing: Placing | None, *jobs: NewJob) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await PgQueuerQueue(placing).enqueue(connection, jobs)


async def queued(pool: asyncpg.Pool) -> dict[str, tuple[str, Priority, bool]]:
    """Of each waiting job its route, priority, and whether it is put off."""
    rows = await pool.fetch(
        "select dedupe_key, entrypoint, priority, execute_after > now() as is_late from pgqueuer"
        " where status = 'queued'"
    )
    return {
        row["dedupe_key"]: (row["entrypoint"], priority_of(row["priority"]), row["is_late"]) for row in rows
    }


async def worker_row(pool: asyncpg.Pool, name: str, *routes: str, busy: int = 0, slots: int = 10) -> None:
    """What a worker says of itself."""
    await pool.execute(
        "insert into workers (worker_id, stage, pid, state, queues, routes, num_slots, num_busy, seen_at)"
        " values ($1, 'export', 1, 'ready', '{export}', $2, $3, $4, now()) on conflict (worker_id) do update"
        " set num_busy = excluded.num_busy, seen_at = now()",
        *(name, list(routes), slots, busy),
    )


async def look_often(placing: Placing, count: int = 3) -> None:
    for _ in range(count):
        await placing.look()


def saying(worker: str, seen: list[tuple[str, str]]) -> Callable[[Job], Awaitable[Effect]]:
    async def handle(job: Job) -> Effect:
        seen.append((worker, job.key))
        return writing(job)

    return handle


# ---- whose it is


async def test_what_follows_a_job_is_of_its_tier_and_account_unless_it_says_otherwise(pool: asyncpg.Pool):
    seen: list[tuple[str, str, str]] = []

    async def handle(job: Job) -> Effect:
        seen.append((job.key, job.tier, job.account))
        if job.queue is Queue.CLIP_GENERATION:
            return writing(job, export("a"), export("named", tier="free", account="ben"))
        if job.queue is Queue.EXPORT and job.payload["name"] == "a":
            return writing(job, export("b"))
        return writing(job)

    first = NewJob(queue=Queue.CLIP_GENERATION, key="clip:1", payload={}, tier="business", account="ann")
    await put(pool, None, first)
    work = {queue: one_by_one(handle) for queue in (Queue.CLIP_GENERATION, Queue.EXPORT)}
    async with working(pool, work):
        await until_ended(pool, 4)

    assert sorted(seen) == [
        ("clip:1", "business", "ann"),
        ("exp:a", "business", "ann"),
        ("exp:b", "business", "ann"),
        ("exp:named", "free", "ben"),
    ]


async def test_what_the_reconciler_finds_is_of_its_account(pool: asyncpg.Pool):
    want = Want(
        name="w",
        sql="select 'exp:a' as key, '{}'::jsonb as payload, 'export' as queue, 100 as priority,"
        " 'ann' as account, 'business' as tier",
    )
    async with pool.acquire() as connection, connection.transaction():
        await reconcile_once(connection, PgQueuerQueue(Placing(pool)), [want])

    assert await queued(pool) == {"exp:a": ("export", Priority.CRITICAL, False)}
    told = await Desk(pool).show("exp:a")
    assert told.facts.tier == "business"


async def test_what_the_products_own_wants_find_is_of_its_account(pool: asyncpg.Pool):
    await pool.execute("insert into accounts (user_id, tier) values ('ann', 'pro')")
    await pool.execute("insert into agents (agent_id, user_id) values ('pc', 'ann')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ('s', 'ann', 'pc', now())"
    )
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place,"
        " received_at) values ('s', 1, 0, 0, 10, 'x', '', 1, 'object:x', now() - interval '1 minute')"
    )
    await pool.execute(
        "insert into source_requests (request_id, session_id, start_ns, end_ns, state, object_key, expires_at)"
        " values ('r', 's', 0, 10, 'uploaded', 'k', now() + interval '1 h'),"
        " ('q', 's', 0, 10, 'uploaded', 'q', now() + interval '1 h')"
    )
    await pool.execute(
        "insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)"
        " values ('c', 's', 'r', 'k', 0, 10, 1, 1)"
    )
    await pool.execute("insert into exports (export_id, clip_id, preset) values ('e', 'c', 'vertical')")
    await pool.execute(
        "insert into job_runs (key, queue, state) values ('prep:q', 'video-processing', 'done')"
    )
    await pool.execute("insert into looks (session_id, until_ns, looked_no) values ('s', 90000000000, 1)")
    sql = load_statements("coordinator.store", "wants.sql")

    async with pool.acquire() as connection, connection.transaction():
        await reconcile_once(
            connection, PgQueuerQueue(), [Want(name=name, sql=text) for name, text in sql.items()]
        )

    rows = await pool.fetch("select payload, priority from pgqueuer")
    found = {(one := decode(row["payload"])).key: (one.tier, one.account) for row in rows}
    assert found.keys() == {"stt:s:1:0", "ai:s:18", "prep:r", "clip:q", "exp:c"}
    assert set(found.values()) == {("pro", "ann")}
    # None of the three has a moment: a press asked for them.
    assert sorted(priority_of(row["priority"]) for row in rows) == [
        *(Priority.CRITICAL, Priority.CRITICAL, Priority.CRITICAL, Priority.NORMAL, Priority.NORMAL)
    ]


# ---- load


async def test_free_is_put_off_while_a_queue_is_busy_and_not_after(pool: asyncpg.Pool):
    placing = Placing(pool, every_s=10)
    await worker_row(pool, "w", "export", busy=10)
    await look_often(placing, 2)
    await put(pool, placing, export("unknown", tier="free"))
    await look_often(placing, 1)
    await put(pool, placing, export("busy", tier="free"), export("pro", tier="pro"))
    await put(pool, placing, export("press", tier="free", priority=Priority.CRITICAL))
    words = (await Desk(pool).show("exp:busy")).words
    await worker_row(pool, "w", "export", busy=2)
    await look_often(placing)
    await put(pool, placing, export("calm", tier="free"))

    assert await queued(pool) == {
        "exp:unknown": ("export", Priority.NORMAL, False),
        "exp:busy": ("export", Priority.LOW, True),
        "exp:pro": ("export", Priority.NORMAL, False),
        "exp:press": ("export", Priority.CRITICAL, False),
        "exp:calm": ("export", Priority.NORMAL, False),
    }
    assert words.startswith("waiting: due in ") and words.endswith("s, put off while its queue is busy")


async def test_a_worker_that_is_really_busy_puts_free_jobs_off(pool: asyncpg.Pool):
    held, placing = Held(), Placing(pool, every_s=10)
    await put(pool, None, export("running"))
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}, placing=placing):
        await held.until_started()

        async def is_told() -> bool:
            return bool(await pool.fetchval("select num_busy = 1 from workers"))

        await until(is_told, "the worker said that it is busy")
        await look_often(placing)
        await put(pool, placing, export("free", tier="free"))
        held.let_go.set()

    assert await queued(pool) == {"exp:free": ("export", Priority.LOW, True)}


async def test_what_was_heard_long_ago_puts_nothing_off(pool: asyncpg.Pool):
    clock = Clock()
    placing = Placing(pool, every_s=10, clock=clock)
    await worker_row(pool, "w", "export", busy=10)
    await look_often(placing)
    clock.now_s += 31
    await put(pool, placing, export("a", tier="free"))

    assert await queued(pool) == {"exp:a": ("export", Priority.NORMAL, False)}


# ---- places


async def test_a_placement_that_is_edited_moves_the_next_job(pool: asyncpg.Pool):
    seen: list[tuple[str, str]] = []
    placing = Placing(pool)
    wanted = SetPlacement(tier="free", queue=Queue.EXPORT, placement=Placement(place="small"))
    small = {Queue.EXPORT: one_by_one(saying("small", seen), places=("small",))}
    general = {Queue.EXPORT: one_by_one(saying("general", seen))}
    async with working(pool, small, node="one"), working(pool, general, node="two"):
        await until(lambda: _has_routes(pool, "export", "export@small"), "both workers are there")
        await placing.look()
        await put(pool, placing, export("before", tier="free"))
        await until_ended(pool, 1)
        await set_placement(pool, wanted)
        await placing.look()
        await put(pool, placing, export("during", tier="free"), export("pro", tier="pro"))
        await until_ended(pool, 3)
        assert await clear_placement(pool, "free", Queue.EXPORT)
        await placing.look()
        await put(pool, placing, export("after", tier="free"))
        await until_ended(pool, 4)

    assert sorted(seen) == [
        ("general", "exp:after"),
        ("general", "exp:before"),
        ("general", "exp:pro"),
        ("small", "exp:during"),
    ]


async def test_under_load_a_job_goes_elsewhere_before_it_is_put_off(pool: asyncpg.Pool):
    placing = Placing(pool, every_s=10)
    await set_placement(
        pool,
        SetPlacement(
            tier="free",
            queue=Queue.EXPORT,
            placement=Placement(place="gpu", under_load="small", press="gpu"),
        ),
    )
    await worker_row(pool, "gpu", "export@gpu", busy=10)
    await worker_row(pool, "small", "export@small", busy=1)
    await look_often(placing)
    await put(pool, placing, export("stream", tier="free"))
    await put(pool, placing, export("press", tier="free", priority=Priority.CRITICAL))
    await pool.execute("delete from workers where worker_id = 'small'")
    await look_often(placing)
    await put(pool, placing, export("late", tier="free"))

    assert await queued(pool) == {
        "exp:stream": ("export@small", Priority.NORMAL, False),
        "exp:press": ("export@gpu", Priority.CRITICAL, False),
        "exp:late": ("export@gpu", Priority.LOW, True),
    }


async def test_a_place_that_nobody_serves_is_any_and_what_waits_there_leaves_it(pool: asyncpg.Pool):
    placing = Placing(pool)
    placement = SetPlacement(tier="pro", queue=Queue.EXPORT, placement=Placement(place="gpu"))
    await set_placement(pool, placement)
    await worker_row(pool, "gpu", "export@gpu")
    await placing.look()
    await put(pool, placing, export("there", tier="pro"))
    await pool.execute("delete from workers")
    await placing.look()
    await put(pool, placing, export("gone", tier="pro"))
    assert {key: route for key, (route, _, _) in (await queued(pool)).items()} == {
        "exp:there": "export@gpu",
        "exp:gone": "export",
    }
    # Nobody is there at all: it stays where its workers will come first.
    assert await leave_places(pool, after_s=0) == 0

    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 1)
        [unserved] = await unserved_queues(pool)
        words = (await Desk(pool).show("exp:there")).words
        assert await leave_places(pool, after_s=30) == 0
        assert await leave_places(pool, after_s=0) == 1
        await until_ended(pool, 2)

    assert (unserved.queue, unserved.route, unserved.num_ready) == ("export", "export@gpu", 1)
    assert words == "waiting: no worker serves export@gpu"


async def _has_routes(pool: asyncpg.Pool, *routes: str) -> bool:
    rows = await pool.fetch("select unnest(routes) as route from workers")
    return {row["route"] for row in rows} == set(routes)


# ---- fairness


async def test_an_accounts_flood_goes_after_what_others_put_later(pool: asyncpg.Pool):
    placing = Placing(pool)
    await put(pool, placing, *(export(f"flood-{n}", tier="free", account="eve") for n in range(60)))
    await put(pool, placing, *(export(f"calm-{n}", tier="free", account=f"user-{n}") for n in range(10)))
    # Three seconds of the database's clock later.
    await pool.execute("update pgqueuer set priority = priority - 3 where dedupe_key like 'exp:calm%'")
    await worker_row(pool, "w", "export")
    told = await Desk(pool, zone=datetime.UTC).show("exp:flood-59")
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 70)

    order = [key.removeprefix("exp:") for key in await keys(pool)]
    places = {key: place for place, key in enumerate(order)}
    # A burst of eight, and what a fair account would have asked for in three seconds, go before; the rest after.
    assert [key for key in order if key.startswith("calm")] == [f"calm-{n}" for n in range(10)]
    assert [key for key in order if key.startswith("flood")] == [f"flood-{n}" for n in range(60)]
    assert 8 <= places["calm-0"] <= 14 and places["calm-9"] == places["calm-0"] + 9
    assert told.facts.place_in_line == 70 and "behind because its account asks for much" in told.words


async def test_a_flood_leaves_slots_for_what_comes_now(pool: asyncpg.Pool):
    held, placing = Held(), Placing(pool)
    await put(pool, placing, *(export(f"flood-{n}", tier="free", account="eve") for n in range(100)))
    # The burst of eight, which came now as far as anybody knows, is not what this is about.
    await pool.execute("delete from pgqueuer where id in (select id from pgqueuer order by id limit 9)")
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle, concurrency=20)}):
        await held.until_started(17)
        await put(pool, placing, export("calm-1", tier="free", account="ann"))
        await put(pool, placing, export("calm-2", tier="free", account="ben"))
        await held.until_started(19)
        assert held.started[17:] == ["exp:calm-1", "exp:calm-2"]
        held.let_go.set()
        await until_ended(pool, 93)


async def test_jobs_of_accounts_within_their_share_keep_the_order_they_came_in(pool: asyncpg.Pool):
    placing = Placing(pool)
    for index in range(40):
        await put(pool, placing, export(f"{index:02}", tier="free", account=f"user-{index % 9}"))
    async with working(pool, {Queue.EXPORT: one_by_one(write)}):
        await until_ended(pool, 40)

    assert await keys(pool) == [f"exp:{index:02}" for index in range(40)]


async def test_a_retry_keeps_what_a_job_was_put_behind_and_its_words_tell(pool: asyncpg.Pool):
    placing = Placing(pool)
    await put(pool, placing, *(export(str(n), tier="free", account="eve") for n in range(30)))
    row = await pool.fetchrow("select priority, created from pgqueuer where dedupe_key = 'exp:29'")
    # 22 over the burst of eight, at 0.9 a second.
    assert behind_s(row["priority"], row["created"]) == pytest.approx(22 / 0.9, abs=1)


async def test_low_jobs_rise_little_by_little_and_nobody_starves(pool: asyncpg.Pool):
    """NORMAL jobs come as fast as they are worked; LOW ones, and those put behind, get their turn all the same."""
    placing = Placing(pool)
    low = [export(f"low-{n}", priority=Priority.LOW) for n in range(5)]
    await put(pool, None, *low)
    await put(pool, placing, *(export(f"flood-{n}", tier="free", account="eve") for n in range(40)))
    # All of it came long ago: the flood's last job counts as come 36 s later than it did.
    await pool.execute(
        "update pgqueuer set execute_after = now() - interval '5 min', created = now() - interval '5 min',"
        " priority = priority + 300"
    )
    stream: list[str] = []

    async def handle(job: Job) -> Effect:
        following: Sequence[NewJob] = ()
        if job.key.startswith("exp:next") and len(stream) < 400:
            stream.append(job.key)
            following = [export(f"next-{len(stream)}")]
        return writing(job, *following)

    async with pool.acquire() as connection, connection.transaction():
        assert await raise_old(connection, after_s=120, limit=3) == 3
        assert await raise_old(connection, after_s=120, limit=3) == 2
        assert await raise_old(connection, after_s=120, limit=3) == 0
    await put(pool, None, export("next-0"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_ended(pool, 45 + 1)

        async def are_done() -> bool:
            return {f"exp:low-{n}" for n in range(5)} <= set(await keys(pool))

        await until(are_done, "the LOW jobs ran")

    order = await keys(pool)
    last = max(order.index(job.key) for job in low)
    assert last < 60, f"a LOW job came {last}th"


async def test_a_pass_raises_a_thousand_at_most_and_waits_for_nobody(pool: asyncpg.Pool):
    await put(pool, None, *(export(str(n), priority=Priority.LOW) for n in range(1500)))
    await pool.execute("update pgqueuer set execute_after = now() - interval '3 min'")
    async with pool.acquire() as one, pool.acquire() as other, one.transaction(), other.transaction():
        held = await one.fetch("select id from pgqueuer order by id limit 10 for update")
        assert await raise_old(other, after_s=120) == upkeep.MAX_RISING
        raised = {
            row["id"] for row in await other.fetch("select id from pgqueuer where priority > -1000000000")
        }
    assert not raised & {row["id"] for row in held}
