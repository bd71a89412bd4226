"""Verdicts on a real database: from the page and over the link, learnt from by account, forgotten with their span."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from coordinator.errors import ChunkRefused
from coordinator.ingest.forgetting import entomb
from coordinator.model.forgetting import ForgetOrder
from coordinator.taste.verdicts import MAX_KEPT, PostgresTastes
from protos.clippy.v1 import clips_pb2, link_pb2
from protos.taste import Subject, Verdict, VerdictKind
from protos.taste_wire import verdict_message
from tests.fakes.judged_stage import Said, add_session, detection_on, hear_until, look
from tests.fakes.link_parts import Site, eventually, new_session_id
from tests.fakes.running_site import running_site
from tests.fakes.seeded_session import SESSION_ID, seed

NOW_MS = time.time_ns() // 1_000_000


def news(
    session_id: str,
    index: int,
    kind: VerdictKind,
    *,
    moment_kind: str = "loud",
    before_s: float | None = None,
    at_unix_ms: int = NOW_MS - 60_000,
) -> link_pb2.TasteNews:
    """What an agent says of its moment of this number."""
    subject = Subject(
        moment_id=f"m{index}",
        session_id=session_id,
        start_ns=index * 30_000_000_000,
        end_ns=index * 30_000_000_000 + 10_000_000_000,
        kind=moment_kind,
        score=0.6,
        lanes=(("mic", 1.0),),
    )
    verdict = Verdict(
        verdict_id=f"{index:032x}",
        kind=kind,
        subject=subject,
        at_unix_ms=at_unix_ms + index,
        before_s=before_s,
    )
    return link_pb2.TasteNews(verdict=verdict_message(verdict))


async def say_what_is_liked(tastes: PostgresTastes, session_id: str, *, like: str = "loud") -> None:
    """Ten moments of a kind are kept, ten of another deleted."""
    for index in range(20):
        is_liked = index % 2 == 0
        await tastes.take(
            "owner",
            "agent-1",
            news(
                session_id,
                index,
                "keep" if is_liked else "delete",
                moment_kind=like if is_liked else "other",
            ),
        )


async def verdicts_in(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("select count(*) from verdicts"))


async def test_a_verdict_that_comes_again_is_written_once_and_the_taste_is_learnt_anew_by_change(
    pool: asyncpg.Pool,
):
    session_id = await add_session(pool)
    tastes = PostgresTastes(pool)

    await say_what_is_liked(tastes, session_id)
    taste_no = await pool.fetchval("select taste_no from accounts where user_id = 'owner'")
    await say_what_is_liked(tastes, session_id)

    assert await verdicts_in(pool) == taste_no == 20
    assert await pool.fetchval("select taste_no from accounts where user_id = 'owner'") == 20
    learnt = await tastes.of_session(session_id)
    assert learnt.trust > 0.9
    assert await tastes.of_session(session_id) is learnt


async def test_what_breaks_a_rule_or_is_about_another_account_is_refused(pool: asyncpg.Pool):
    session_id = await add_session(pool)
    tastes = PostgresTastes(pool)
    await pool.execute("insert into accounts (user_id, tier) values ('other', 'free')")
    wild = news(session_id, 1, "keep")
    wild.verdict.moment.score = float("nan")

    with pytest.raises(ChunkRefused, match="no number"):
        await tastes.take("owner", "agent-1", wild)
    with pytest.raises(ChunkRefused, match="another account"):
        await tastes.take("other", "agent-2", news(session_id, 1, "keep"))
    with pytest.raises(ChunkRefused, match="unknown"):
        strange = news(session_id, 1, "keep")
        strange.verdict.kind = clips_pb2.MomentVerdict.KIND_UNSPECIFIED
        await tastes.take("owner", "agent-1", strange)
    await tastes.take("owner", "agent-1", news(new_session_id(), 1, "keep"))
    assert await verdicts_in(pool) == 0


async def test_a_forgotten_span_takes_its_verdicts_and_lets_none_of_it_in(pool: asyncpg.Pool):
    session_id = await add_session(pool)
    tastes = PostgresTastes(pool)
    await say_what_is_liked(tastes, session_id)
    order = ForgetOrder(forget_id=uuid.uuid4().hex, session_id=session_id, start_ns=0, end_ns=300_000_000_000)

    async with pool.acquire() as connection, connection.transaction():
        written = await entomb(connection, order, asked_by="coordinator")

    assert written.counts["verdicts"] == 10
    assert await verdicts_in(pool) == 10
    assert (await tastes.of_session(session_id)).num_learnt == 10
    await tastes.take("owner", "agent-1", news(session_id, 2, "keep"))
    assert await verdicts_in(pool) == 10


async def test_what_is_deleted_takes_its_verdicts(pool: asyncpg.Pool):
    await pool.execute("insert into accounts (user_id, tier) values ('other', 'free')")
    await pool.execute("insert into agents (agent_id, user_id) values ('agent-2', 'other')")
    session_id = new_session_id()
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'other', 'agent-2', now())",
        session_id,
    )
    await PostgresTastes(pool).take("other", "agent-2", news(session_id, 1, "keep"))
    assert await verdicts_in(pool) == 1

    await pool.execute("delete from sessions where user_id = 'other'")

    assert await verdicts_in(pool) == 0


async def test_only_the_newest_verdicts_are_kept(pool: asyncpg.Pool):
    session_id = await add_session(pool)
    tastes = PostgresTastes(pool)
    await pool.execute(
        "insert into verdicts"
        " select 'owner', 'a' || lpad(n::text, 31, '0'), $1, 'm' || n, 0, 1, 'keep', 'loud', 0.5, '{}',"
        " null, null, n, 'agent-1' from generate_series(1, $2::int) as n",
        session_id,
        MAX_KEPT,
    )

    await tastes.take("owner", "agent-1", news(session_id, 3, "keep"))

    assert await verdicts_in(pool) == MAX_KEPT
    assert await pool.fetchval("select min(at_unix_ms) from verdicts") == 2


async def test_a_reset_forgets_and_what_was_said_before_it_does_not_come_back(pool: asyncpg.Pool):
    session_id = await add_session(pool)
    tastes = PostgresTastes(pool)
    await say_what_is_liked(tastes, session_id)

    assert await tastes.reset("owner") == 20
    await say_what_is_liked(tastes, session_id)

    assert await verdicts_in(pool) == 0
    assert (await tastes.of_session(session_id)).trust == 0.0
    [[told]] = await tastes.news([("owner", "agent-1")])
    assert told.reset.at_unix_ms >= NOW_MS


async def looked_at(pool: asyncpg.Pool, session_id: str, *, is_tasting: bool) -> list[asyncpg.Record]:
    """What a look writes of a session in which something was said."""
    await hear_until(pool, session_id, 180)
    detection = detection_on(pool, tastes=PostgresTastes(pool) if is_tasting else None)
    job = look(session_id, 18)
    effect = await detection.handle(job)
    async with pool.acquire() as connection, connection.transaction():
        await effect(connection)
    return list(
        await pool.fetch(
            "select score, evidence, start_ns, end_ns, roll_before_ns from moments where session_id = $1",
            session_id,
        )
    )


async def test_a_look_moves_scores_and_ends_by_the_taste_and_says_so(pool: asyncpg.Pool):
    taught, session_id = await add_session(pool), await add_session(pool, Said(start_s=40, text="a b"))
    tastes = PostgresTastes(pool)
    await say_what_is_liked(tastes, taught)
    for index in range(30, 34):
        await tastes.take("owner", "agent-1", news(taught, index, "extend", before_s=3.0))

    [found] = await looked_at(pool, session_id, is_tasting=True)

    [*_, said] = json.loads(found["evidence"])
    assert found["score"] == pytest.approx(0.6 + said["weight"], abs=1e-5)
    assert said["lane"] == "taste"
    assert said["weight"] > 0.05
    assert said["note"].startswith("you kept 14 of 14 loud moments: the score rose by")
    assert (found["start_ns"], found["roll_before_ns"]) == (37_000_000_000, 3_000_000_000)


async def test_without_verdicts_a_look_writes_exactly_what_was_found(pool: asyncpg.Pool):
    session_id = await add_session(pool, Said(start_s=40, text="a b"))

    [found] = await looked_at(pool, session_id, is_tasting=True)

    assert found["score"] == 0.6
    assert [item["lane"] for item in json.loads(found["evidence"])] == ["mic"]
    assert found["start_ns"] == 40_000_000_000


# -- the page


@pytest.fixture
async def client(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    await seed(pool)
    async with (
        running_site(pool, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as opened,
    ):
        yield opened


async def test_the_page_keeps_skips_shows_and_resets(client: httpx.AsyncClient, pool: asyncpg.Pool):
    kept = await client.post("/moments/m-ready/keep")
    await client.post("/moments/m-failed/skip")

    assert (kept.status_code, kept.headers["location"]) == (303, f"/sessions/{SESSION_ID}")
    session = (await client.get(f"/api/sessions/{SESSION_ID}")).json()
    assert [one["verdict"] for one in session["moments"][:3]] == ["keep", "skip", None]
    assert "you kept 1, skipped 1" in (await client.get("/taste")).text
    assert (await client.get("/api/taste")).json()["counts"] == {"skip": 1, "keep": 1}
    assert 'aria-pressed="true"' in (await client.get(f"/sessions/{SESSION_ID}")).text
    assert (await client.post("/taste/reset")).status_code == 303
    assert await verdicts_in(pool) == 0


async def test_a_foreign_page_changes_nothing(client: httpx.AsyncClient, pool: asyncpg.Pool):
    foreign = [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
    for headers in foreign:
        assert (await client.post("/moments/m-ready/keep", headers=headers)).status_code == 400
        assert (await client.post("/taste/reset", headers=headers)).status_code == 400

    assert (await client.post("/moments/m-ready/praise")).status_code == 400
    assert (await client.post("/moments/no-such/keep")).status_code == 404
    assert (await client.get("/moments/m-ready/keep")).status_code == 405
    assert await verdicts_in(pool) == 0


# -- the link


async def test_an_agents_verdicts_go_up_once_and_what_was_said_elsewhere_comes_down(
    site: Site, pool: asyncpg.Pool, tmp_path: Path
):
    server = await site.start()
    session_id, told = new_session_id(), list[link_pb2.TasteNews]()
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.start_session(session_id, NOW_MS)
    event = link_pb2.AgentMessage(taste=news(session_id, 1, "keep"))
    outbox.put_event(session_id, "taste", event)
    outbox.put_event(session_id, "taste", event)
    first = site.client(outbox)
    first.start()
    try:
        await eventually(lambda: pool.fetchval("select count(*) = 1 from verdicts"))
    finally:
        await asyncio.to_thread(first.stop)
    await PostgresTastes(pool).take("owner", "another-pc", news(session_id, 2, "delete"))
    second = site.client(outbox, hooks=LinkHooks(on_taste=told.append))
    second.start()
    with contextlib.ExitStack() as stack:
        stack.callback(second.stop)

        async def is_told() -> bool:
            return bool(told)

        await eventually(is_told)
        await asyncio.to_thread(second.stop)
    await server.stop()
    assert [one.verdict.verdict_id for one in told] == [f"{2:032x}"]
    assert await verdicts_in(pool) == 2
