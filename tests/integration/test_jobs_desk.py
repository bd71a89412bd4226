"""What people ask of jobs and do with them, on a real PostgreSQL with real workers."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence

import asyncpg
import pytest

from coordinator.errors import AudioUnusable, JobFailed, ModelUnavailable, NotFound, WaitTimeout
from coordinator.jobs.consumers import unserved_queues, watch_consumers
from coordinator.jobs.desk import Desk
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.pauses import pause
from coordinator.jobs.reconciler import Want, reconcile_once
from coordinator.jobs.results import wait_for_result
from coordinator.jobs.work import in_batches, nothing, one_by_one
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from tests.fakes.job_parts import Held, export, put, until, until_state, working

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def desk(pool: asyncpg.Pool) -> Desk:
    return Desk(pool, zone=datetime.UTC)


async def end_at_once(_job: Job) -> Effect:
    return nothing


async def refuse(_job: Job) -> Effect:
    raise AudioUnusable("no audio in it")


def words_of(told: Sequence[object]) -> list[str]:
    return [one.words for one in told]  # type: ignore[attr-defined]


# ---- calling off


async def test_a_job_that_waits_is_called_off_and_never_runs(pool: asyncpg.Pool, desk: Desk):
    held = Held()
    await put(pool, export("a"), export("b"))

    [outcome] = await desk.cancel(["exp:a"], by="operator:ann")
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}):
        await held.until_started()
        held.let_go.set()
        await until_state(pool, "exp:b", "done")

    assert (outcome.did, held.started) == ("cancelled", ["exp:b"])
    row = await pool.fetchrow("select * from job_runs where key = 'exp:a'")
    assert (row["state"], row["cancelled_by"], row["queue"], row["runs"]) == (
        *("cancelled", "operator:ann"),
        *("export", 0),
    )
    assert row["finished_at"] is not None
    assert "cancelled by operator:ann" in (await desk.show("exp:a")).words


async def test_a_job_that_runs_is_ended_by_its_worker_and_leaves_nothing(pool: asyncpg.Pool, desk: Desk):
    held = Held()
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}):
        await held.until_started()
        [outcome] = await desk.cancel(["exp:a"], by="operator:ann")

        async def is_ended() -> bool:
            return held.cancelled == ["exp:a"]

        await until(is_ended, "the call was cancelled")
        # Its place is free again.
        held.let_go.set()
        await put(pool, export("b"))
        await until_state(pool, "exp:b", "done")

    assert "while it ran" in outcome.words
    assert await pool.fetchval("select state from job_runs where key = 'exp:a'") == "cancelled"
    assert held.started == ["exp:a", "exp:b"]


async def test_one_job_of_a_batch_is_called_off_and_the_others_go_on(pool: asyncpg.Pool, desk: Desk):
    held = Held()
    await pool.execute("create table results (key text)")

    async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect | Exception]:
        await held.handle_many(jobs)

        def writing(job: Job) -> Effect:
            async def write(connection: asyncpg.Connection) -> Sequence[NewJob]:
                await connection.execute("insert into results values ($1)", job.key)
                return [NewJob(queue=Queue.CLEANUP, key=f"after:{job.key}", payload={})]

            return write

        return [writing(job) for job in jobs]

    await put(pool, export("a"), export("b"))
    async with working(pool, {Queue.EXPORT: in_batches(handle_many, batch=2)}):
        await held.until_started()
        await desk.cancel(["exp:b"], by="operator:ann")
        await asyncio.sleep(1.5)
        held.let_go.set()
        await until_state(pool, "exp:a", "done")

    assert held.cancelled == []
    assert [row["key"] for row in await pool.fetch("select key from results")] == ["exp:a"]
    followers = await pool.fetch("select dedupe_key from pgqueuer where status = 'queued'")
    assert [row["dedupe_key"] for row in followers] == ["after:exp:a"]


async def test_what_has_ended_says_so_instead_of_being_called_off(pool: asyncpg.Pool, desk: Desk):
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(end_at_once)}):
        await until_state(pool, "exp:a", "done")

    ended, unknown = await desk.cancel(["exp:a", "exp:nothing"], by="operator:ann")

    assert (ended.did, unknown.did) == ("nothing", "nothing")
    assert ended.words.startswith("it had ended: done ")
    assert unknown.words == "nobody ever asked for this key"


async def test_rows_do_not_bring_back_what_was_called_off_until_it_is_retried(pool: asyncpg.Pool, desk: Desk):
    want = Want(
        name="all",
        sql="select 'exp:a' as key, '{}'::jsonb as payload, 'export' as queue, 100 as priority",
    )

    async def reconcile() -> dict[str, int]:
        async with pool.acquire() as connection, connection.transaction():
            return await reconcile_once(connection, PgQueuerQueue(), [want])

    await put(pool, export("a", priority=Priority.HIGH, tier="pro"))
    await desk.cancel(["exp:a"], by="operator:ann")
    assert await reconcile() == {}
    assert await put(pool, export("a")) == 0

    [outcome] = await desk.retry(["exp:a"])

    assert outcome.did == "retried"
    told = await desk.show("exp:a")
    assert (told.facts.state, told.priority, told.facts.tier, told.payload) == (
        *("waiting", Priority.HIGH),
        *("pro", {"name": "a"}),
    )
    async with working(pool, {Queue.EXPORT: one_by_one(end_at_once)}):
        await until_state(pool, "exp:a", "done")


# ---- dead letters


@pytest.mark.logs("job_failed")
async def test_a_failed_job_tells_stage_reason_what_was_tried_and_what_to_do(
    pool: asyncpg.Pool, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.jobs.lane.next_delay_s", lambda *_: 0.0)

    async def handle(job: Job) -> Effect:
        if job.runs < 3:
            raise JobFailed("probe", f"try {job.runs} hung", retryable=True)
        raise JobFailed("cut", "the source is empty")

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_state(pool, "exp:a", "failed")

    told = await desk.show("exp:a")
    assert [(one.stage, one.code, one.reason) for one in told.facts.tried] == [
        ("probe", "job_failed", "try 1 hung"),
        ("probe", "job_failed", "try 2 hung"),
        ("cut", "job_failed", "the source is empty"),
    ]
    assert told.words.startswith("failed at cut after 3 attempts: the source is empty; ")
    assert "jobs retry" in told.words
    assert [one.facts.key for one in await desk.look(state="failed")] == ["exp:a"]


@pytest.mark.logs("job_failed")
async def test_failed_jobs_are_retried_by_code_by_queue_or_all(pool: asyncpg.Pool, desk: Desk):
    async def handle(job: Job) -> Effect:
        raise NotFound("gone") if "gone" in job.key else AudioUnusable("silent")

    cleanup = NewJob(queue=Queue.CLEANUP, key="cleanup:gone", payload={})
    await put(pool, export("gone"), export("b"), cleanup)
    work = {Queue.EXPORT: one_by_one(handle), Queue.CLEANUP: one_by_one(handle)}
    async with working(pool, work):
        for key in ("exp:gone", "exp:b", "cleanup:gone"):
            await until_state(pool, key, "failed")

    by_both = await desk.retry_all(queue=Queue.EXPORT, code="not_found")
    by_code = await desk.retry_all(code="audio_unusable")
    the_rest = await desk.retry_all()

    assert [outcome.key for outcome in (*by_both, *by_code, *the_rest)] == [
        *("exp:gone", "exp:b", "cleanup:gone"),
    ]
    assert await desk.look(state="failed") == []
    async with working(pool, {Queue.EXPORT: one_by_one(end_at_once)}):
        await until_state(pool, "exp:gone", "done")


@pytest.mark.logs("job_failed")
async def test_a_failed_job_that_is_given_up_is_listed_no_more_and_stays_ended(
    pool: asyncpg.Pool, desk: Desk
):
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(refuse)}):
        await until_state(pool, "exp:a", "failed")

    await desk.give_up("exp:a", by="operator:ann")

    assert await desk.look(state="failed") == []
    assert await put(pool, export("a")) == 0
    with pytest.raises(NotFound):
        await desk.give_up("exp:a", by="operator:ann")


@pytest.mark.logs("job_failed")
async def test_a_job_whose_copy_is_gone_is_left_to_the_rows_that_want_it(pool: asyncpg.Pool, desk: Desk):
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(refuse)}):
        await until_state(pool, "exp:a", "failed")
    await pool.execute("delete from pgqueuer")

    [outcome] = await desk.retry(["exp:a"])

    assert outcome.did == "left to its rows"
    assert await put(pool, export("a")) == 1


async def test_only_what_has_ended_badly_is_retried(pool: asyncpg.Pool, desk: Desk):
    await put(pool, export("a"))

    waiting, unknown = await desk.retry(["exp:a", "exp:nothing"])

    assert waiting.words.startswith("it has not failed: waiting")
    assert unknown.words == "nobody ever asked for this key"


# ---- explaining


async def test_a_job_that_waits_says_why(pool: asyncpg.Pool, desk: Desk):
    await put(
        pool, export("low", priority=Priority.LOW), export("a"), export("b"), export("late", delay_s=600)
    )
    assert (await desk.show("exp:b")).words == "waiting: no worker serves export"

    held = Held()
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}, name="node-export-1"):
        await held.until_started()
        told = await desk.show("exp:low")
        assert told.words.startswith("waiting: second in line of 2, oldest ")
        assert (await desk.show("exp:late")).words == "waiting: due in 10 min"
        assert (await desk.show("exp:a")).words.endswith(" s on node-export-1")

        await pause(pool, Queue.EXPORT, owner="operator:ann", reason="maintenance", for_s=3600)
        assert "queue paused by operator:ann (maintenance), until " in (await desk.show("exp:b")).words
        held.let_go.set()

    assert (await desk.show("exp:nothing")).words == "nobody ever asked for this key"


@pytest.mark.logs("queue_paused")
async def test_a_job_that_waits_for_what_is_down_says_for_what(pool: asyncpg.Pool, desk: Desk):
    async def handle(_job: Job) -> Effect:
        raise ModelUnavailable("no speech model: run models fetch")

    async def is_told() -> bool:
        return "no speech model: run models fetch, resumes in " in (await desk.show("exp:a")).words

    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until(is_told, "the job said what it waits for")


async def test_jobs_are_listed_by_queue_state_and_session(pool: asyncpg.Pool, desk: Desk):
    held = Held()
    heard = NewJob(queue=Queue.TRANSCRIPTION, key="stt:s1:1:0", payload={"session_id": "s1"})
    await put(pool, export("a"), export("b"), heard)
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}):
        await held.until_started()
        running = await desk.look(state="running")
        of_session = await desk.look(session_id="s1")
        everything = await desk.look()
        held.let_go.set()
        await until_state(pool, "exp:b", "done")

    assert [told.facts.key for told in running] == ["exp:a"]
    assert [told.facts.key for told in of_session] == ["stt:s1:1:0"]
    assert [told.facts.key for told in everything] == ["exp:a", "exp:b", "stt:s1:1:0"]
    assert len(await desk.look(queue=Queue.EXPORT, state="done", limit=1)) == 1


async def test_a_queues_versions_and_places_are_counted_together(pool: asyncpg.Pool, desk: Desk):
    await put(pool, export("a"), export("b", version=2, place="small"))

    [line] = [line for line in await desk.lines() if line.queue == "export"]

    assert line.num_ready == 2
    assert (await desk.show("exp:b")).facts.queue == "export"


# ---- who works what


async def test_workers_say_which_queues_they_serve_and_how_busy_they_are(pool: asyncpg.Pool, desk: Desk):
    held = Held()
    await put(pool, export("a"))

    async def is_busy() -> bool:
        [line] = [line for line in await desk.lines() if line.queue == "export"]
        return (line.num_workers, line.num_slots, line.num_busy) == (1, 3, 1)

    async with working(pool, {Queue.EXPORT: one_by_one(held.handle, concurrency=3)}):
        await until(is_busy, "one of three slots was told to be busy")
        held.let_go.set()


@pytest.mark.logs("queue_has_no_consumer")
async def test_a_queue_that_nobody_works_raises_one_alarm_until_somebody_does(
    pool: asyncpg.Pool, no_unannounced_warning: object
):
    stop = asyncio.Event()
    watching = asyncio.create_task(watch_consumers(pool, stop=stop, after_s=0.2, every_s=0.05))
    held = Held()

    async def is_told() -> bool:
        return "queue_has_no_consumer" in no_unannounced_warning.names  # type: ignore[attr-defined]

    await put(pool, export("a"), export("b"))
    await until(is_told, "the alarm was raised")
    await asyncio.sleep(0.5)
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}):

        async def is_served() -> bool:
            return not await unserved_queues(pool)

        await until(is_served, "the worker was seen")
        held.let_go.set()
    stop.set()
    await watching

    assert no_unannounced_warning.names.count("queue_has_no_consumer") == 1  # type: ignore[attr-defined]


# ---- waiting for a result


async def test_whoever_waits_is_told_the_end_and_the_progress_before_it(pool: asyncpg.Pool):
    held = Held()
    told: list[tuple[float, str]] = []
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(held.handle)}):
        await held.until_started()
        waiting = asyncio.create_task(
            wait_for_result(pool, "exp:a", on_progress=lambda *present: told.append(present))
        )
        await pool.execute("update job_runs set progress = 0.5, progress_words = 'cutting'")

        async def is_told() -> bool:
            return told == [(0.5, "cutting")]

        await until(is_told, "the progress was told")
        held.let_go.set()
        result = await asyncio.wait_for(waiting, 30)

    assert (result.state, result.reason) == ("done", "")


@pytest.mark.logs("job_failed")
async def test_whoever_waits_for_a_job_that_fails_is_told_why(pool: asyncpg.Pool):
    await put(pool, export("a"))
    async with working(pool, {Queue.EXPORT: one_by_one(refuse)}):
        result = await wait_for_result(pool, "exp:a")

    assert (result.state, result.stage, result.reason, result.code) == (
        *("failed", "export"),
        *("no audio in it", "audio_unusable"),
    )


async def test_waiting_ends_at_its_deadline_and_the_job_goes_on(pool: asyncpg.Pool):
    await put(pool, export("a"))

    with pytest.raises(WaitTimeout, match="nobody has started it") as caught:
        await wait_for_result(pool, "exp:a", timeout_s=0.2)

    assert caught.value.retryable
    async with working(pool, {Queue.EXPORT: one_by_one(end_at_once)}):
        assert (await wait_for_result(pool, "exp:a")).state == "done"
