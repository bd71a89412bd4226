"""How jobs end, told where people look: too late, called off, and an order to forget that cannot be worked off."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import asyncpg
import pytest

from coordinator.app.working import give_up_effects
from coordinator.errors import JobFailed, StoreUnavailable
from coordinator.jobs.desk import Desk
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.reconciler import Want, reconcile_once
from coordinator.jobs.work import nothing, one_by_one
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.model.object_keys import clip_id_of, export_id_of
from coordinator.pipeline import steps
from coordinator.pipeline.endings import reopen_by_queue
from coordinator.pipeline.forget import Forgetting
from coordinator.ports import Effect
from coordinator.statements import load_statements
from coordinator.store.rows import PostgresRows
from coordinator.store.tombstones import PostgresTombstones
from tests.fakes.flow_parts import MIC, SESSION, flow_on
from tests.fakes.job_parts import Held, export, put, until, until_state, working

pytestmark = pytest.mark.filterwarnings("error")
REQUEST = "12" * 16
CLIP = clip_id_of(REQUEST)
BY = "operator:ann"
DESK = load_statements("coordinator.jobs", "desk.sql")
WANTS = [Want(name=name, sql=sql) for name, sql in load_statements("coordinator.store", "wants.sql").items()]


@pytest.fixture
def desk(pool: asyncpg.Pool) -> Desk:
    """As the command line has it."""
    return Desk(
        pool, zone=datetime.UTC, give_up=give_up_effects(pool), reopen=reopen_by_queue(PostgresRows(pool))
    )


async def end_at_once(_job: Job) -> Effect:
    return nothing


async def seed(pool: asyncpg.Pool) -> None:
    """A session with an upload, its cut and a post that is wanted."""
    await flow_on(pool).begin()
    await pool.execute(
        "insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, object_key, size_bytes,"
        " state, expires_at) values ($1, $2, 'k1', 0, 1000, 'sources/a.mp4', 5, 'uploaded', now() + interval '1 day')",
        REQUEST, SESSION,
    )  # fmt: skip


async def cut(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)"
        " values ($1, $2, $3, 'clips/a.mp4', 0, 1000, 320, 180)", CLIP, SESSION, REQUEST,
    )  # fmt: skip
    await pool.execute(
        "insert into exports (export_id, clip_id, preset) values ($1, $2, 'vertical')",
        export_id_of(CLIP, "vertical"),
        CLIP,
    )


async def row_of(pool: asyncpg.Pool, table: str) -> tuple[str, str]:
    row = await pool.fetchrow(f"select state, reason from {table}")
    return row["state"], row["reason"]


async def reconcile(pool: asyncpg.Pool) -> dict[str, int]:
    async with pool.acquire() as connection, connection.transaction():
        return await reconcile_once(connection, PgQueuerQueue(), WANTS)


# ---- called off


async def test_a_post_that_was_called_off_says_so_and_is_wanted_again_when_it_is_retried(
    pool: asyncpg.Pool, desk: Desk
):
    await seed(pool)
    await cut(pool)
    job = steps.exporting(CLIP, "vertical", is_press=True)
    await put(pool, job)

    await desk.cancel([job.key], by=BY, reason="wrong preset")

    assert await row_of(pool, "exports") == ("failed", "cancelled by operator:ann: wrong preset")
    assert (await desk.show(job.key)).words.endswith("ago: wrong preset")
    assert "unrendered_exports" not in await reconcile(pool)
    await desk.retry([job.key])
    assert await row_of(pool, "exports") == ("pending", "")


@pytest.mark.parametrize("is_running", [False, True])
async def test_a_cut_that_was_called_off_says_so_and_its_upload_is_used_when_it_is_retried(
    pool: asyncpg.Pool, desk: Desk, is_running: bool
):
    await seed(pool)
    job, held = steps.cutting(REQUEST, is_press=True), Held()
    await put(pool, job)
    if is_running:
        async with working(pool, {Queue.CLIP_GENERATION: one_by_one(held.handle)}):
            await held.until_started()
            await desk.cancel([job.key], by=BY)
    else:
        await desk.cancel([job.key], by=BY)

    assert await row_of(pool, "source_requests") == ("failed", "cancelled by operator:ann")
    await desk.retry([job.key])
    assert await row_of(pool, "source_requests") == ("uploaded", "")
    async with working(pool, {Queue.CLIP_GENERATION: one_by_one(end_at_once)}):
        await until_state(pool, job.key, "done")


async def test_a_job_whose_place_in_the_queue_is_lost_is_called_off_all_the_same(
    pool: asyncpg.Pool, desk: Desk
):
    await seed(pool)
    await cut(pool)
    key = steps.exporting(CLIP, "vertical", is_press=True).key
    await pool.execute("insert into job_runs (key, queue, state) values ($1, 'export', 'waiting')", key)

    [outcome] = await desk.cancel([key], by=BY)

    assert outcome.did == "cancelled"
    assert await row_of(pool, "exports") == ("failed", "cancelled by operator:ann")
    # Its copy is gone: only the rows bring it back, and they want it again.
    [again] = await desk.retry([key])
    assert again.did == "left to its rows"
    assert (await reconcile(pool))["unrendered_exports"] == 1


async def test_nobody_waits_for_a_chunk_whose_hearing_was_called_off(pool: asyncpg.Pool, desk: Desk):
    flow = flow_on(pool)
    await flow.begin()
    await flow.receive(0, lane=MIC)
    await flow.receive(1, lane=MIC)
    job = steps.hearing(SESSION, MIC, 0)
    await put(pool, job)

    await desk.cancel([job.key], by=BY, reason="noise")

    assert await pool.fetchval("select reason from features") == "cancelled by operator:ann: noise"
    assert await pool.fetchval("select next_seq from heard_lanes") == 1


@pytest.mark.logs("desk_effect_crashed")
async def test_rows_that_cannot_be_written_keep_nobody_from_calling_a_job_off(pool: asyncpg.Pool):
    def broken(_job: Job, _reason: str) -> Effect:
        async def effect(connection: asyncpg.Connection) -> Sequence[NewJob]:
            await connection.execute("select 1 / 0")
            return ()

        return effect

    await put(pool, export("a"))

    [outcome] = await Desk(pool, give_up={Queue.EXPORT: broken}).cancel(["exp:a"], by=BY)

    assert outcome.did == "cancelled"
    assert await pool.fetchval("select state from job_runs") == "cancelled"


# ---- orders to forget


class Store:
    """Deletes as it is told to."""

    def __init__(self, problem: Exception | None) -> None:
        self.problem = problem

    async def delete(self, _keys: Sequence[str]) -> None:
        if self.problem is not None:
            raise self.problem


async def order(pool: asyncpg.Pool) -> None:
    await flow_on(pool).begin()
    await pool.execute(
        "insert into tombstones (forget_id, session_id, start_ns, end_ns, asked_by, asked_at)"
        " values ('f1', $1, 0, 1, 'coordinator', now() - interval '1 minute')", SESSION,
    )  # fmt: skip
    await pool.execute(
        "insert into doomed_objects (forget_id, object_key, holds_others) values ('f1', 'clips/a', false)"
    )


def forgetting(pool: asyncpg.Pool, store: Store) -> Forgetting:
    return Forgetting(
        tombstones=PostgresTombstones(pool),
        objects=store,
        find_backups=list,  # type: ignore[arg-type]
    )


@pytest.mark.logs("job_failed")
async def test_an_order_to_forget_that_cannot_be_worked_off_says_why_until_it_is(
    pool: asyncpg.Pool, desk: Desk
):
    await order(pool)
    store = Store(JobFailed("forget", "the bucket's policy forbids it"))
    work = one_by_one(forgetting(pool, store).handle, on_failed=give_up_effects(pool)[Queue.CLEANUP])
    await put(pool, steps.forgetting("f1"))
    async with working(pool, {Queue.CLEANUP: work}):
        await until_state(pool, "forget:f1:order", "failed")
        assert await pool.fetchval("select problem from tombstones") == "the bucket's policy forbids it"
        [dead] = await desk.look(queue=Queue.CLEANUP, state="failed")
        assert dead.words.startswith("failed at forget: the bucket's policy forbids it; ")

        store.problem = None

        # The reconciler asks once more, and not while it is under way: the engine parks the failed one just now.
        async def is_asked_again() -> bool:
            return (await reconcile(pool)).get("open_tombstones") == 1

        await until(is_asked_again, "the order was asked for again")

        async def is_done() -> bool:
            return bool(await pool.fetchval("select state = 'done' and problem = '' from tombstones"))

        await until(is_done, "the order was worked off")


async def test_a_store_that_is_down_puts_off_an_order_and_keeps_no_round_of_cleaning(pool: asyncpg.Pool):
    await order(pool)
    cleaned: list[str] = []
    forget = forgetting(pool, Store(StoreUnavailable("the bucket does not answer")))

    async def handle(job: Job) -> Effect:
        if "forget_id" in job.payload:
            return await forget.handle(job)
        cleaned.append(job.key)
        return nothing

    await put(pool, steps.forgetting("f1"))
    await put(pool, NewJob(queue=Queue.CLEANUP, key="cleanup:expire:1", payload={}))
    async with working(pool, {Queue.CLEANUP: one_by_one(handle)}):
        await until_state(pool, "cleanup:expire:1", "done")
        assert "open_tombstones" not in await reconcile(pool)

    row = await pool.fetchrow("select state, attempts, code from job_runs where key = 'forget:f1:order'")
    assert tuple(row) == ("waiting", 1, "objects_away")


# ---- lists


@pytest.mark.parametrize("states", [["done"], ["cancelled", "done"]])
async def test_the_newest_that_ended_are_found_without_sorting_all_that_ever_did(
    pool: asyncpg.Pool, desk: Desk, states: list[str]
):
    await pool.execute(
        "insert into job_runs (key, queue, state, finished_at)"
        " select 'exp:' || n, 'export', 'done', now() - n * interval '1 second' from generate_series(1, 100000) n"
    )
    await pool.execute("analyze job_runs")

    plan = await pool.fetch(f"explain {DESK['ended_keys']}", states, None, None, None, 50)

    assert any("job_runs_ended" in row[0] for row in plan), plan
    assert not any("Sort" in row[0] for row in plan), plan
    assert len(await desk.look(state="done")) == 50
