"""Looks by windows: seldom while nothing happens, at once when something does, each written once, none forgotten."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from coordinator.errors import NotFound
from coordinator.model.highlight import Evidence, Moment
from coordinator.model.jobs import Queue
from coordinator.pipeline.quiet import chunk_of, session_of
from coordinator.store.looks import PostgresLooks
from coordinator.store.rows import PostgresRows
from protos.timebase import SECOND_NS
from tests.fakes.flow_parts import DESKTOP, LOUD, MIC, SESSION, SIGNALS, Flow, flow_on, hearing_job, look_job
from tests.fakes.link_parts import eventually

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def flow(pool: asyncpg.Pool) -> Flow:
    flow = flow_on(pool)
    await flow.begin()
    return flow


async def hear_and_look(flow: Flow, seq: int, **how: float) -> list[str]:
    """Hear a chunk, and make the looks that follow; returns their keys."""
    keys = await flow.hear(seq, **how)
    for key in keys:
        await flow.work_off(Queue.AI_ANALYSIS)
        assert await flow.look(key) == []
    return keys


async def test_a_calm_session_is_looked_at_once_a_minute(flow: Flow):
    looks = [await hear_and_look(flow, seq) for seq in range(38)]

    # The first chunk has nothing to be compared with, and counts as promising.
    assert sum(map(len, looks[:8])) == 8
    assert [keys for keys in looks[8:] if keys] == [[f"ai:{SESSION}:{no}"] for no in (28, 40, 52, 64, 76)]


async def test_a_rise_is_looked_at_with_each_window_until_it_is_settled(flow: Flow):
    for seq in range(20):
        await hear_and_look(flow, seq)
    looks = [
        await hear_and_look(flow, seq, loudness_db=LOUD if seq == 21 else -40.0) for seq in range(20, 36)
    ]

    assert [len(keys) for keys in looks] == [0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0]


async def test_a_press_makes_windows_promising(flow: Flow):
    for seq in range(21):
        await hear_and_look(flow, seq)
    await flow.pool.execute("insert into markers values ($1, 'k1', $2, 0, $2)", SESSION, 205 * SECOND_NS)

    assert [len(await hear_and_look(flow, seq)) for seq in range(21, 24)] == [1, 1, 1]


async def test_while_nobody_looks_one_look_is_queued_and_it_covers_all(flow: Flow):
    for seq in range(100):
        await flow.hear(seq)
    assert await flow.queued() == [f"ai:{SESSION}:2"]

    await flow.work_off(Queue.AI_ANALYSIS)
    await flow.look()

    assert await flow.analyses() == [(200, False, "done")]
    assert [await flow.hear(seq) for seq in range(100, 106)] == [[], [], [], [], [], [f"ai:{SESSION}:212"]]


async def test_what_was_heard_during_a_look_is_decided_when_it_ends(flow: Flow):
    await flow.hear(0)
    effect = await flow.detection.handle(look_job(SESSION, "ai"))
    for seq in range(1, 9):
        assert await flow.hear(seq) == []

    assert await flow.commit(effect) == [f"ai:{SESSION}:18"]


async def test_a_window_waits_for_the_slowest_lane(flow: Flow):
    await flow.receive(0, lane=MIC)
    for seq in range(4):
        assert await flow.hear(seq) == []

    assert await flow.commit(flow.hearing.give_up(hearing_job(SESSION, MIC, 0), "too loud")) == [
        f"ai:{SESSION}:2"
    ]


async def test_a_lane_that_has_stopped_is_not_waited_for(flow: Flow):
    await flow.hear_lane(DESKTOP, 0)
    for seq in range(9):
        await flow.hear(seq)

    state = await PostgresLooks(flow.pool).state(SESSION)
    assert (state.until_ns, state.front_ns) == (90 * SECOND_NS, 90 * SECOND_NS)


async def test_a_chunk_that_is_passed_over_holds_the_window_until_it_is_heard(flow: Flow):
    for seq in range(3):
        await flow.receive(seq)
    looks = PostgresLooks(flow.pool)
    await flow.commit(await flow.effect_of_hearing(0))
    await flow.commit(await flow.effect_of_hearing(2))
    assert (await looks.state(SESSION)).until_ns == 10 * SECOND_NS

    await flow.commit(await flow.effect_of_hearing(1))

    assert (await looks.state(SESSION)).until_ns == 30 * SECOND_NS


async def test_of_the_last_two_chunks_heard_at_once_the_second_sees_the_first(flow: Flow):
    await flow.receive(0, lane=MIC)
    await flow.receive(0)
    first = flow.hearing.give_up(hearing_job(SESSION, MIC, 0), "not heard here")
    second = await flow.effect_of_hearing(0)
    await flow.end(mic=1, signals=1)

    async with flow.pool.acquire() as connection, connection.transaction():
        assert await first(connection) == []
        task = asyncio.create_task(flow.commit(second))
        await eventually(
            lambda: flow.pool.fetchval("select exists (select from pg_locks where not granted)"),
            what="the second waits for the first",
            deadline_s=30,
        )

    assert await asyncio.wait_for(task, 20) == [f"ai:{SESSION}:final"]


async def test_hearing_twice_is_written_once(flow: Flow):
    await flow.receive(0)
    effects = [await flow.effect_of_hearing(0) for _ in range(2)]

    first, second = [await flow.commit(effect) for effect in effects]

    assert (first, second) == ([f"ai:{SESSION}:2"], [])
    assert await flow.pool.fetchval("select count(*) from features") == 1


async def test_a_look_made_twice_is_written_once(pool: asyncpg.Pool):
    moment = Moment(
        start_s=1.0, end_s=9.0, peak_s=5.0, score=0.9, kind="goal",
        evidence=(Evidence(lane="crowd", weight=1.0, note="loud"),),
    )  # fmt: skip
    finds = iter([[moment], []])
    flow = flow_on(pool, find=lambda _signals: next(finds))
    await flow.begin()
    await flow.hear(0)
    effects = [await flow.detection.handle(look_job(SESSION, "ai")) for _ in range(2)]

    for effect in effects:
        await flow.commit(effect)

    row = await pool.fetchrow("select window_no, num_moments, engines from analyses")
    assert tuple(row) == (2, 1, "test 1")
    assert await pool.fetchval("select count(*) from moments") == 1
    assert await pool.fetchval("select count(*) from source_requests") == 1


async def test_the_last_look_comes_when_all_is_heard_and_nothing_after_it(flow: Flow):
    for seq in range(3):
        await hear_and_look(flow, seq)
    await flow.receive(3)
    await flow.end(signals=4)
    assert await flow.look("end") == []

    assert await flow.commit(await flow.effect_of_hearing(3)) == [f"ai:{SESSION}:final"]
    await flow.work_off(Queue.AI_ANALYSIS)
    assert await flow.look("final") == []

    assert flow.seen[-1] == (40.0, True)
    assert (await flow.analyses())[-1] == (8, True, "done")
    assert await flow.reconcile() == {}


async def test_a_chunk_that_failed_does_not_hold_the_last_look_up(flow: Flow):
    await hear_and_look(flow, 0)
    await flow.receive(1)
    await flow.end(signals=2)

    assert await flow.commit(flow.hearing.give_up(hearing_job(SESSION, SIGNALS, 1), "no SignalBatch")) == [
        f"ai:{SESSION}:final"
    ]
    assert await flow.pool.fetchval("select reason from features where seq = 1") == "no SignalBatch"


async def test_a_chunk_that_failed_and_is_replayed_is_heard_after_all(flow: Flow):
    await flow.receive(0)
    await flow.commit(flow.hearing.give_up(hearing_job(SESSION, SIGNALS, 0), "out of memory"))

    await flow.commit(await flow.effect_of_hearing(0))

    row = await flow.pool.fetchrow("select reason, tracks::text from features")
    assert row["reason"] == "" and "mic_loudness_db" in row["tracks"]


async def test_a_look_that_failed_says_so_and_the_next_ones_go_on(flow: Flow):
    await flow.hear(0)
    await flow.work_off(Queue.AI_ANALYSIS)

    await flow.commit(flow.detection.give_up(look_job(SESSION, "ai"), "the detector gave up"))

    assert await flow.analyses() == [(2, False, "failed")]
    assert (
        await flow.pool.fetchval("select moments_reason from sessions")
        == "the look failed: the detector gave up"
    )
    assert await flow.hear(1) == [f"ai:{SESSION}:4"]


async def test_a_look_that_got_lost_is_queued_by_the_reconciler_once(flow: Flow):
    for seq in range(9):
        await flow.hear(seq)
    await flow.work_off(Queue.AI_ANALYSIS)

    assert await flow.reconcile() == {"unlooked_windows": 1}
    assert await flow.reconcile() == {}
    assert await flow.queued() == [f"ai:{SESSION}:18"]


async def test_a_last_look_that_got_lost_is_queued_by_the_reconciler(flow: Flow):
    await hear_and_look(flow, 0)
    await flow.end(signals=3)
    await flow.pool.execute("insert into gaps values ($1, $2, 1, 2, 'the outbox was full')", SESSION, SIGNALS)

    assert await flow.reconcile() == {"unlooked_ends": 1}
    assert await flow.queued() == [f"ai:{SESSION}:final"]


async def test_a_chunk_whose_job_got_lost_is_queued_by_the_reconciler(flow: Flow):
    await flow.hear(0)
    for seq in (1, 2, 5):
        await flow.receive(seq)
    await flow.receive(0, lane=MIC)

    assert (await flow.reconcile())["unheard_chunks"] == 4
    assert "unheard_chunks" not in await flow.reconcile()


async def test_a_gap_as_wide_as_numbers_go_is_passed_over(flow: Flow):
    await flow.hear(0)
    await flow.pool.execute("insert into gaps values ($1, $2, 1, $3, 'x')", SESSION, SIGNALS, 2**63 - 1)

    await flow.commit(flow.hearing.give_up(hearing_job(SESSION, SIGNALS, 0), "again"))

    assert await flow.pool.fetchval("select next_seq from heard_lanes") > 2**61


async def test_a_silent_session_is_given_up_after_two_days(flow: Flow):
    await flow.hear(0)
    await flow.pool.execute("update sessions set started_at = now() - interval '3 days'")
    looks = PostgresLooks(flow.pool)
    async with flow.pool.acquire() as connection:
        await looks.give_up_sessions(connection)
        assert not (await looks.state(SESSION)).is_over
        await flow.pool.execute("update chunks set received_at = now() - interval '3 days'")
        await looks.give_up_sessions(connection)

    assert (await looks.state(SESSION)).is_over


async def test_subjects_that_are_gone_are_not_found(flow: Flow):
    rows = PostgresRows(flow.pool)

    with pytest.raises(NotFound):
        await chunk_of(rows, hearing_job(SESSION, SIGNALS, 7))
    with pytest.raises(NotFound):
        await session_of(rows, look_job("none", "ai"))
