"""A moment is offered as soon as it is heard, and asked for once its ends are certain."""

from __future__ import annotations

import asyncpg
import pytest

from coordinator.model.highlight import Evidence, Moment
from coordinator.pipeline.detect import Found
from protos.timebase import SECOND_NS
from tests.fakes.flow_parts import SESSION, Flow, flow_on

pytestmark = pytest.mark.filterwarnings("error")


def moment(start_s: float, end_s: float) -> Moment:
    return Moment(
        start_s=start_s, end_s=end_s, peak_s=start_s + 2.0, score=0.9, kind="hype",
        evidence=(Evidence(lane="crowd", weight=1.0, note="loud"),),
    )  # fmt: skip


def forming(*moments: Moment) -> Found:
    return Found(moments=(), forming=moments, reason="")


def settled(*moments: Moment) -> Found:
    return Found(moments=moments, reason="")


async def looked(pool: asyncpg.Pool, *found: Found) -> Flow:
    """A session of as many looks."""
    answers = iter(found)
    flow = flow_on(pool, find=lambda _signals: next(answers))
    await flow.begin()
    for seq in range(len(found)):
        await flow.hear(seq)
        await flow.look(f"ai:{seq}")
    return flow


async def spans_s(pool: asyncpg.Pool, table: str) -> list[tuple[float, float]]:
    rows = await pool.fetch(f"select start_ns, end_ns from {table} order by start_ns")
    return [(row["start_ns"] / SECOND_NS, row["end_ns"] / SECOND_NS) for row in rows]


async def test_a_moment_that_is_forming_is_there_and_nothing_is_asked_for(pool: asyncpg.Pool):
    await looked(pool, forming(moment(1.0, 9.0)))

    assert await spans_s(pool, "moments") == [(1.0, 9.0)]
    assert await spans_s(pool, "source_requests") == []


async def test_once_it_is_certain_it_is_asked_for_as_it_is_then(pool: asyncpg.Pool):
    await looked(pool, forming(moment(1.0, 9.0)), forming(moment(1.0, 15.0)), settled(moment(0.5, 14.0)))

    assert await spans_s(pool, "moments") == [(0.5, 14.0)]
    assert await spans_s(pool, "source_requests") == [(0.5, 14.0)]


async def test_what_was_asked_for_keeps_its_span(pool: asyncpg.Pool):
    await looked(pool, settled(moment(1.0, 9.0)), forming(moment(1.0, 15.0)), settled(moment(1.0, 16.0)))

    assert await spans_s(pool, "moments") == [(1.0, 9.0)]
    assert await spans_s(pool, "source_requests") == [(1.0, 9.0)]


async def test_two_that_grow_into_one_are_one(pool: asyncpg.Pool):
    await looked(
        pool,
        forming(moment(1.0, 9.0), moment(11.0, 20.0)),
        settled(moment(1.0, 20.0)),
        settled(moment(1.0, 20.0)),
    )

    assert await spans_s(pool, "moments") == [(1.0, 20.0)]
    assert await spans_s(pool, "source_requests") == [(1.0, 20.0)]


async def test_it_does_not_grow_into_what_is_to_be_forgotten(pool: asyncpg.Pool):
    flow = await looked(pool, forming(moment(1.0, 9.0)))
    await flow.pool.execute(
        "update sessions set forgotten = int8multirange(int8range($2, $3)) where session_id = $1",
        SESSION, 10 * SECOND_NS, 12 * SECOND_NS,
    )  # fmt: skip
    grown = flow_on(pool, find=lambda _signals: settled(moment(1.0, 15.0)))
    await grown.hear(1)
    await grown.look("again")

    assert await spans_s(pool, "moments") == [(1.0, 9.0)]
    assert await spans_s(pool, "source_requests") == []
