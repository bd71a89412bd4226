"""What one account may use, against a real server: it is slowed or put off, loses nothing, and harms nobody else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from coordinator.errors import DatabaseUnavailable
from coordinator.ingest import accounts as accounts_module
from coordinator.ingest import events as events_module
from coordinator.ingest.chunk_rows import ChunkRows
from coordinator.ingest.server import LinkServer
from coordinator.ingest.stream_settings import StreamSettings
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.waiting import waiting_by_account
from coordinator.model.accounts import Principal, WaitingWork
from coordinator.model.chunks import ChunkRow
from coordinator.pipeline.steps import hearing
from coordinator.settings import Limits
from protos.clippy.v1 import link_pb2, media_pb2
from tests.fakes.link_parts import JobTable, Site, eventually, hear, make_site, new_session_id
from tests.fakes.link_peers import Peer, Tokens, chunk, hello, still_serves

FREE = Principal(user_id="free-1", tier="free")
PRO = Principal(user_id="pro-1", tier="pro")
QUICK = StreamSettings(retry_delay_ms=100, tarry_s=0.2, full_gate_s=0.02)


@pytest.fixture
async def site(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Site]:
    made = await make_site(tmp_path, pool)
    made.identity = Tokens(free=FREE, pro=PRO)  # type: ignore[assignment]
    for principal in (FREE, PRO):
        await pool.execute(
            "insert into accounts (user_id, tier) values ($1, $2)", principal.user_id, principal.tier
        )
    yield made


@contextlib.asynccontextmanager
async def serving(site: Site, **changes: Any) -> AsyncIterator[LinkServer]:
    started = site.server(**({"limits": Limits(), "stream": QUICK} | changes))
    site.port = await started.start("127.0.0.1:0")
    try:
        yield started
    finally:
        await started.stop()


@pytest.fixture
async def server(site: Site) -> AsyncIterator[LinkServer]:
    async with serving(site) as started:
        yield started


async def test_one_agent_too_many_is_put_off_until_another_leaves_and_other_accounts_do_not_notice(
    site: Site, server: LinkServer
):
    async with Peer(site, "free") as first:
        await first.greet(agent_id="a")
        async with Peer(site, "free") as second:
            await second.greet(agent_id="b")
            async with Peer(site, "free") as third:
                said = await third.greet(agent_id="c")
            await still_serves(site, "pro", "d")
        await eventually(lambda: server.num_streams == 1)
        async with Peer(site, "free") as third:
            welcomed = await third.greet(agent_id="c")

    assert "2 agents of this account" in said.retry_later.reason
    assert said.retry_later.delay_ms == 30_000
    assert welcomed.HasField("welcome")


async def test_an_agent_that_comes_again_ends_its_own_half_open_stream(site: Site, server: LinkServer):
    async with Peer(site, "free") as old, Peer(site, "free") as other, Peer(site, "free") as new:
        await old.greet(agent_id="a")
        await other.greet(agent_id="b")
        welcomed = await new.greet(agent_id="a")
        code, details = await old.end()
        await other.echo(5)

    assert welcomed.HasField("welcome")
    assert (code, "connected anew" in details) == (grpc.StatusCode.ABORTED, True)


async def test_connects_beyond_the_burst_are_told_to_wait_and_slowly(site: Site, server: LinkServer):
    reasons: list[str] = []
    for _ in range(12):
        async with Peer(site, "free") as peer:
            await peer.send(hello(agent_id="a"))
            said = await peer.hear()
            if said.HasField("retry_later"):
                reasons.append(said.retry_later.reason)
    await still_serves(site, "pro", "d")

    assert len(reasons) >= 2
    assert set(reasons) == {"this account connects too often"}


async def test_chunks_over_the_rate_are_slowed_and_none_is_lost_while_small_messages_pass(site: Site):
    async with serving(site, limits=Limits(chunks_per_s=20)):
        session_id = new_session_id()
        acked: list[int] = []
        async with Peer(site, "free") as peer:
            await peer.greet(session_id, agent_id="a")
            for seq in range(48):
                await peer.send(chunk(session_id, seq=seq))
                while seq - len(acked) >= 7:
                    acked += fsynced(await peer.hear())
            early = await peer.echo(7)
            num_before_echo = len(acked) + sum(len(fsynced(said)) for said in early)
            acked += [seq for said in early for seq in fsynced(said)]
            while len(acked) < 48:
                acked += fsynced(await peer.hear())

    assert acked == list(range(48))
    assert num_before_echo < 48, "the heartbeat did not wait for the chunks before it"


async def test_a_stream_that_leaves_gives_up_what_was_held_and_it_is_taken_when_it_comes_again(site: Site):
    async with serving(site, limits=Limits(chunks_per_s=5)) as server:
        session_id = new_session_id()
        acked: list[int] = []
        async with Peer(site, "free") as peer:
            await peer.greet(session_id, agent_id="a")
            for seq in range(18):
                await peer.send(chunk(session_id, seq=seq))
            while len(acked) < 10:
                acked += fsynced(await peer.hear())
        await eventually(lambda: server.num_streams == 0)
        async with Peer(site, "free") as peer:
            held = (await peer.greet(session_id, agent_id="a")).welcome.held[0].fsynced[0]
            await peer.send(chunk(session_id, seq=held.last + 1))
            again = fsynced(await peer.hear())

    assert acked[-1] <= held.last < 17
    assert again == [held.last + 1]


async def test_a_flood_of_small_messages_is_read_slowly_and_only_of_its_own_account(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(accounts_module, "messages_per_s", lambda _streams: 1.0)
    async with serving(site):
        session_id = new_session_id()
        async with Peer(site, "free") as flood:
            await flood.greet(session_id, agent_id="a")
            for index in range(400):
                gap = media_pb2.Gap(session_id=session_id, lane=1, first=index, last=index, reason="x")
                await flood.send(link_pb2.AgentMessage(gap=gap))
            await eventually(lambda: num_gaps(site, at_least=19))
            for _ in range(5):
                await still_serves(site, "pro", "d")
            num_taken = await site.pool.fetchval("select count(*) from gaps")

    assert 19 <= num_taken < 100


async def num_gaps(site: Site, *, at_least: int) -> bool:
    return int(await site.pool.fetchval("select count(*) from gaps")) >= at_least


@pytest.mark.logs("message_refused")
async def test_presses_and_gaps_of_a_session_are_bounded_and_known_presses_are_no_fault(
    site: Site, server: LinkServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events_module, "MAX_MARKERS", 2)
    monkeypatch.setattr(events_module, "MAX_GAPS", 2)
    session_id = new_session_id()
    async with Peer(site, "free") as peer:
        await peer.greet(session_id, agent_id="a")
        for index in (0, 1, 2, 0):
            press = link_pb2.Pressed(session_id=session_id, clip_id=f"clip-{index}", end_ns=1)
            await peer.send(link_pb2.AgentMessage(pressed=press))
            gap = media_pb2.Gap(session_id=session_id, lane=1, first=index, last=index, reason="x")
            await peer.send(link_pb2.AgentMessage(gap=gap))
        await peer.echo(9)

    assert await site.pool.fetchval("select count(*) from markers") == 2
    assert await site.pool.fetchval("select count(*) from gaps") == 2


async def test_too_many_new_sessions_a_day_put_the_account_off_before_anything_is_written(
    site: Site, server: LinkServer
):
    async with Peer(site, "free") as peer:
        await peer.greet(*(new_session_id() for _ in range(1000)), agent_id="a")
        started = link_pb2.SessionStarted(session_id=new_session_id(), started_unix_ms=1)
        await peer.send(link_pb2.AgentMessage(session_started=started))
        said = await peer.hear(10)

    assert "too many new sessions" in said.retry_later.reason
    assert said.retry_later.delay_ms == 600_000
    assert await site.pool.fetchval("select count(*) from sessions") == 1000


async def test_an_account_with_too_much_work_waiting_is_held_and_goes_on_when_it_was_done(site: Site):
    waiting: dict[str, WaitingWork] = {FREE.user_id: WaitingWork(num_waiting=7, num_live_sessions=1)}

    async def look() -> Mapping[str, WaitingWork]:
        return dict(waiting)

    async with serving(site, backlog_s=0.05, waiting=look):
        session_id = new_session_id()
        async with Peer(site, "free") as peer:
            await peer.greet(session_id, agent_id="a")
            await still_serves(site, "pro", "d")  # longer than a look takes
            await peer.send(chunk(session_id))
            held_up = await peer.echo(3)
            waiting.clear()
            taken = fsynced(await peer.hear())

    assert held_up == []
    assert taken == [0]


async def test_a_chunks_job_is_of_its_account_and_tier(site: Site, server: LinkServer, pool: asyncpg.Pool):
    for token, agent in (("free", "a"), ("pro", "b")):
        session_id = new_session_id()
        async with Peer(site, token) as peer:
            await peer.greet(session_id, agent_id=agent)
            await peer.send(chunk(session_id))
            assert fsynced(await peer.hear()) == [0]

    owners = await pool.fetch("select tier, account from wanted_jobs order by tier")
    assert [tuple(row) for row in owners] == [("free", FREE.user_id), ("pro", PRO.user_id)]


async def test_a_chunk_found_in_a_spool_is_of_its_sessions_account(site: Site, pool: asyncpg.Pool):
    """Recovery knows no stream: the database is asked."""
    await pool.execute("insert into agents (agent_id, user_id) values ('a', $1)", PRO.user_id)
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ('s', $1, 'a', now())",
        PRO.user_id,
    )
    found = ChunkRow(
        session_id="s",
        lane=1,
        seq=7,
        start_ns=0,
        end_ns=10,
        content_type="x",
        sha256=b"1",
        size_bytes=1,
        place="spool:local/1/0/1",
    )
    async with pool.acquire() as connection, connection.transaction():
        await ChunkRows(JobTable(), hear, lambda: {"local"}).write(connection, [found])

    assert tuple(await pool.fetchrow("select tier, account from wanted_jobs")) == ("pro", PRO.user_id)


@pytest.mark.logs("backlog_unknown")
async def test_nobody_is_held_up_when_it_cannot_be_known_what_waits(site: Site):
    async def look() -> Mapping[str, WaitingWork]:
        raise DatabaseUnavailable("PostgreSQL is away")

    async with serving(site, waiting=look):
        await still_serves(site, "free")


async def test_what_waits_is_counted_by_account_with_its_live_sessions(site: Site, pool: asyncpg.Pool):
    sessions = {"free-1": ["a" * 32, "b" * 32], "pro-1": ["c" * 32]}
    for user_id, names in sessions.items():
        await pool.execute("insert into agents (agent_id, user_id) values ($1, $1)", user_id)
        for name in names:
            await pool.execute(
                "insert into sessions (session_id, user_id, agent_id, started_at, is_live)"
                " values ($1, $2, $2, now(), $3)",
                *(name, user_id, not name.startswith("b")),
            )
    jobs = [hearing(name, 1, seq) for name in sessions["free-1"] for seq in range(4)]
    jobs += [hearing("c" * 32, 1, seq) for seq in range(6)]  # no more than the smallest bound
    async with pool.acquire() as connection:
        await PgQueuerQueue().enqueue(connection, jobs)

    found = await waiting_by_account(pool)

    assert found == {"free-1": WaitingWork(num_waiting=8, num_live_sessions=1)}


def fsynced(said: link_pb2.CoordinatorMessage) -> list[int]:
    return [
        seq for held in said.ack.held for span in held.fsynced for seq in range(span.first, span.last + 1)
    ]
