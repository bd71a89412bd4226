"""More looks than a provider lets through, from three tiers at once, by a real worker: none over, free first."""

from __future__ import annotations

import asyncio
import collections
import random
import sys

import asyncpg
import pytest

from coordinator.settings import Llm
from tests.fakes.judged_stage import Said, add_session, judging, look, providers
from tests.fakes.llm_server import running_llm_server
from tests.fakes.worker_here import put, until

TIERS = ("free", "pro", "business")
_NUM_TICKS = 110


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_when_calls_are_short_the_free_tier_is_asked_about_less_and_the_others_are_not(
    pool: asyncpg.Pool,
):
    """180 looks a minute where 100 calls may be made: no account shares a call, so each look is one."""
    scores = random.Random(4)
    with running_llm_server(rpm=100, window_s=60.0) as server:
        async with judging(pool, Llm(providers=providers(server, rpm=100)), concurrency=3):
            for tick in range(_NUM_TICKS):
                for tier in TIERS:
                    said = Said(start_s=10, text=f"what a shot {tick}", score=scores.uniform(0.05, 0.95))
                    session = await add_session(pool, said, user=f"{tier}-{tick}", tier=tier)
                    await put(pool, look(session))
                await asyncio.sleep(1.0)
            ended = f"select count(*) = {3 * _NUM_TICKS} from job_runs where state = 'done'"
            await until(lambda: pool.fetchval(ended), "all looks", deadline_s=90)

    rows = await pool.fetch(
        "select c.tier, a.unjudged, a.judge <> '' as is_judged, a.looked_at - first_value(a.looked_at) over"
        " (order by a.looked_at) > interval '60 seconds' as is_late"
        " from analyses a join sessions s using (session_id) join accounts c using (user_id)"
    )
    gated = collections.Counter(row["tier"] for row in rows if row["unjudged"] == "gate")
    early = collections.Counter(row["tier"] for row in rows if row["is_judged"] and not row["is_late"])
    late = collections.Counter(row["tier"] for row in rows if row["is_judged"] and row["is_late"])

    sys.stdout.write(
        f"kept back {gated}; judged in a minute {early}, later {late}; {server.num_taken} calls\n"
    )
    assert server.num_over == 0
    assert len(rows) == 3 * _NUM_TICKS
    assert set(gated) == {"free"}
    assert late["free"] / late.total() < early["free"] / early.total()
    assert await pool.fetchval("select count(*) from job_runs where state = 'done' and attempts = 1") == len(
        rows
    )
