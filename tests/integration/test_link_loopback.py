"""Agent and coordinator over real TLS on loopback, with a real PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import asyncpg
import pytest

from agent.model.clips import SourceWish
from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from coordinator.ingest.held import Held
from coordinator.ingest.hellos import Greeting
from coordinator.ingest.roll_up import RollUpSettings
from protos.clippy.v1 import clips_pb2, link_pb2
from tests.fakes.link_parts import (
    SECOND_NS,
    Site,
    eventually,
    lane_chunk,
    make_site,
    new_session_id,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    yield opened
    opened.close()


async def num_chunks(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("select count(*) from chunks"))


async def test_chunks_reach_the_spool_with_row_and_job_and_are_acknowledged(site: Site, outbox: Outbox):
    server = await site.start()
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    for index in range(20):
        outbox.put(session_id, lane_chunk(index))

    client.start()
    await eventually(lambda: client.uplink().chunks_waiting == 0 and client.counters.chunks_fsynced == 20)
    await asyncio.to_thread(client.stop)
    await server.stop()

    rows = await site.pool.fetch("select * from chunks order by seq")
    assert [row["seq"] for row in rows] == list(range(20))
    assert await site.pool.fetchval("select count(*) from wanted_jobs") == 20


async def test_a_coordinator_that_comes_up_later_gets_everything(site: Site, outbox: Outbox):
    first = await site.start()
    await first.stop()
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    for index in range(5):
        outbox.put(session_id, lane_chunk(index))
    client.start()
    await eventually(lambda: client.state == "waiting")
    assert "does not answer" in client.problem

    server = await site.start()
    await eventually(lambda: client.counters.chunks_fsynced == 5)
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert await num_chunks(site.pool) == 5


async def test_a_chunk_is_deleted_here_only_when_it_is_in_the_object_store(site: Site, outbox: Outbox):
    server = await site.start()
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    for index in range(6):
        outbox.put(session_id, lane_chunk(index))
    client.start()
    await eventually(lambda: client.counters.chunks_fsynced == 6)
    assert len(outbox.file.rows("select 1 from payloads")) == 6

    outbox.end_session(session_id, 6 * SECOND_NS)
    await eventually(lambda: site.pool.fetchval("select ended_at is not null from sessions"))
    assert await server.roll_up.run_once() == 6
    await eventually(lambda: client.counters.chunks_stored == 6)
    await eventually(lambda: outbox.sessions() == [], what="the session is fully stored and forgotten")
    await asyncio.to_thread(client.stop)
    await server.stop()

    row = await site.pool.fetchrow("select lane_counts, duration_ns, is_live from sessions")
    assert json.loads(row["lane_counts"]) == {"mic": 6}
    assert (row["duration_ns"], row["is_live"]) == (6 * SECOND_NS, False)


async def test_what_is_stored_while_a_hello_is_answered_is_told_all_the_same(
    site: Site, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    server = await site.start()
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    outbox.put(session_id, lane_chunk(0))
    before = site.client(outbox)
    before.start()
    await eventually(lambda: before.counters.chunks_fsynced == 1)
    outbox.end_session(session_id, SECOND_NS)
    await eventually(lambda: site.pool.fetchval("select ended_at is not null from sessions"))
    await asyncio.to_thread(before.stop)
    answer = server._parts.hellos.hello

    async def overtaken(user_id: str, hello: link_pb2.Hello) -> Greeting:
        greeting = await answer(user_id, hello)
        assert await server.roll_up.run_once() == 1
        await eventually(
            lambda: server._meanwhile.is_stored_since(session_id, 0.0), what="the notice was heard"
        )
        return greeting

    monkeypatch.setattr(server._parts.hellos, "hello", overtaken)
    after = site.client(outbox)
    after.start()
    await eventually(lambda: outbox.sessions() == [], what="the session is fully stored and forgotten")
    await asyncio.to_thread(after.stop)
    await server.stop()

    assert after.counters.chunks_stored == 1


async def test_an_agent_that_is_greeted_while_a_node_goes_sends_again_what_that_node_held(
    site: Site, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    living = {"n2"}
    server = site.server(living_nodes=lambda: set(living))
    site.port = await server.start("127.0.0.1:0")
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    outbox.put(session_id, lane_chunk(0))
    before = site.client(outbox)
    before.start()
    await eventually(lambda: before.counters.chunks_fsynced == 1)
    await asyncio.to_thread(before.stop)
    await site.pool.execute("update chunks set place = replace(place, 'spool:n1/', 'spool:n2/')")
    answer = server._parts.hellos.hello

    async def overtaken(user_id: str, hello: link_pb2.Hello) -> Greeting:
        greeting = await answer(user_id, hello)
        if living:
            living.clear()
            await server.nodes_gone(["n2"])
        return greeting

    monkeypatch.setattr(server._parts.hellos, "hello", overtaken)
    after = site.client(outbox)
    after.start()
    await eventually(lambda: site.pool.fetchval("select place like 'spool:n1/%' from chunks"))
    await asyncio.to_thread(after.stop)
    await server.stop()

    assert after.counters.connects == 2


async def test_what_is_stored_while_an_earlier_answer_comes_is_told_too(
    site: Site, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    server = await site.start(roll_up=RollUpSettings(max_age_s=0.0, interval_s=3600.0, drained_age_s=0.0))
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    ask, num_asked = server._parts.downlink.stored, 0

    async def overtaken(sessions: Collection[str]) -> Held:
        nonlocal num_asked
        num_asked += 1
        held = await ask(sessions)
        if num_asked == 1:
            outbox.put(session_id, lane_chunk(1))
            heard_s = time.monotonic()
            await eventually(lambda: site.pool.fetchval("select count(*) = 2 from chunks"))
            assert await server.roll_up.run_once() == 1
            await eventually(
                lambda: server._meanwhile.is_stored_since(session_id, heard_s), what="it was heard"
            )
        return held

    monkeypatch.setattr(server._parts.downlink, "stored", overtaken)
    outbox.put(session_id, lane_chunk(0))
    client.start()
    await eventually(lambda: client.counters.chunks_fsynced == 1)
    assert await server.roll_up.run_once() == 1
    await eventually(lambda: client.counters.chunks_stored == 2, what="both are known to be stored")
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert outbox.file.rows("select 1 from payloads") == []


async def test_presses_reach_the_coordinator_once_however_often_the_agent_connects(
    site: Site, outbox: Outbox
):
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    pressed = link_pb2.Pressed(
        session_id=session_id, at_ns=9 * SECOND_NS, clip_id="clip-1", start_ns=0, end_ns=9 * SECOND_NS
    )
    outbox.put_event(session_id, "pressed", link_pb2.AgentMessage(pressed=pressed))
    server = await site.start()

    for _ in range(3):
        client = site.client(outbox)
        client.start()
        await eventually(lambda: outbox.file.rows("select 1 from events where is_confirmed"))
        await asyncio.to_thread(client.stop)
    await server.stop()

    assert await site.pool.fetchval("select count(*) from markers") == 1


async def test_a_wrong_token_is_a_state_with_a_reason_and_no_chunk_is_taken(site: Site, outbox: Outbox):
    server = await site.start()
    client = site.client(outbox, token="another")
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    outbox.put(session_id, lane_chunk(0))

    client.start()
    await eventually(lambda: "owner.token" in client.problem)
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert client.state == "off"
    assert await num_chunks(site.pool) == 0


async def test_a_server_of_another_ca_is_not_trusted(site: Site, outbox: Outbox, tmp_path: Path):
    server = await site.start()
    other = tmp_path / "other"
    other.mkdir()
    stranger = await make_site(other, site.pool)
    stranger.port = site.port
    client = stranger.client(outbox)

    client.start()
    await eventually(lambda: "could not prove who it is" in client.problem)
    await asyncio.to_thread(client.stop)
    await server.stop()


# A server that is stopped between two statements gives its connection back in the middle of a transaction: asyncpg
# says so, and rolls it back.
@pytest.mark.logs("Resetting connection with an active transaction")
async def test_restarts_under_way_lose_and_double_nothing(site: Site, outbox: Outbox):
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    server = await site.start()
    client.coordinator = site.client(outbox).coordinator
    client.start()

    for turn in range(3):
        for index in range(10):
            await asyncio.to_thread(outbox.put, session_id, lane_chunk(turn * 10 + index))
        await server.stop()
        server = await site.start()
    await eventually(lambda: outbox.num_waiting() == 0)
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert await num_chunks(site.pool) == 30
    assert await site.pool.fetchval("select max(num) from wanted_jobs") == 1


async def test_wishes_moments_and_exports_come_down_when_their_rows_change(site: Site, outbox: Outbox):
    wishes: list[SourceWish] = []
    moments: list[clips_pb2.Moment] = []
    exports: list[clips_pb2.Export] = []
    server = await site.start()
    client = site.client(
        outbox,
        hooks=LinkHooks(on_source_request=wishes.append, on_moment=moments.append, on_export=exports.append),
    )
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    client.start()
    await eventually(lambda: site.pool.fetchval("select count(*) from sessions"))
    await add_moment_and_wish(site.pool, session_id)
    await eventually(lambda: wishes and moments)

    await site.pool.execute(
        "insert into clips values ('c1', $1, 'm1', 'r1', 'clips/c1.mp4', 0, 5, 1080, 1920)", session_id
    )
    await site.pool.execute(
        "insert into exports (export_id, clip_id, preset, state, object_key, width, height, duration_s)"
        " values ('e1', 'c1', 'tiktok', 'ready', 'exports/e1.mp4', 1080, 1920, 5.0)"
    )
    await site.pool.execute("select pg_notify('clippy_link', $1)", session_id)
    await eventually(lambda: exports)
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert wishes[0].request_id == "r1"
    assert "sources/r1.mp4" in wishes[0].upload_url
    assert (moments[0].moment_id, moments[0].evidence[0].note) == ("m1", "a cheer")
    assert (exports[0].moment_id, exports[0].state, exports[0].width) == ("m1", "ready", 1080)
    assert exports[0].url
    assert await site.pool.fetchval("select state from source_requests") == "sent"


async def test_a_wish_that_nobody_notified_about_is_found_by_the_poll(site: Site, outbox: Outbox):
    wishes: list[SourceWish] = []
    server = await site.start()
    client = site.client(outbox, hooks=LinkHooks(on_source_request=wishes.append))
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    client.start()
    await eventually(lambda: site.pool.fetchval("select count(*) from sessions"))

    await add_moment_and_wish(site.pool, session_id, notify=False)
    await eventually(lambda: wishes)
    await asyncio.to_thread(client.stop)
    await server.stop()


@pytest.mark.parametrize(
    ("size_bytes", "state"),
    [
        (8, "uploaded"),  # what the store has
        (9, "wanted"),  # the agent and the store disagree: it is asked again, later
    ],
)
@pytest.mark.logs("source_upload_refused")
async def test_an_upload_counts_only_when_the_store_has_what_the_agent_says(
    site: Site, outbox: Outbox, size_bytes: int, state: str
):
    server = await site.start()
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    client.start()
    await eventually(lambda: site.pool.fetchval("select count(*) from sessions"))
    await add_moment_and_wish(site.pool, session_id)
    await site.objects.put("sources/r1.mp4", b"8 bytes.")
    reply = link_pb2.SourceReply(
        request_id="r1",
        state=link_pb2.SourceReply.UPLOADED,
        size_bytes=size_bytes,
        sha256=hashlib.sha256(b"8 bytes.").digest(),
        start_ns=0,
        end_ns=100 * SECOND_NS,
    )
    outbox.put_event(session_id, "reply", link_pb2.AgentMessage(source_reply=reply))

    await eventually(
        lambda: site.pool.fetchval("select state = 'uploaded' or num_attempts = 1 from source_requests")
    )
    await asyncio.to_thread(client.stop)
    await server.stop()

    row = await site.pool.fetchrow("select * from source_requests")
    assert row["state"] == state
    keys = [found["key"] for found in await site.pool.fetch("select key from wanted_jobs")]
    assert keys == (["prep:r1:False:0"] if state == "uploaded" else [])
    if state == "uploaded":
        assert (row["covered_start_ns"], row["covered_end_ns"]) == (0, 5 * SECOND_NS)


@pytest.mark.logs("group_delayed", "news_delayed")
async def test_the_database_going_away_delays_chunks_and_loses_none(site: Site, outbox: Outbox):
    server = await site.start()
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    client.start()
    await eventually(lambda: client.state == "connected")
    name = await site.pool.fetchval("select current_database()")
    await site.pool.execute(f"alter role clippy in database {name} set default_transaction_read_only = on")
    await kick(site.pool)

    for index in range(10):
        await asyncio.to_thread(outbox.put, session_id, lane_chunk(index))
    await eventually(lambda: "PostgreSQL" in client.problem, what="the agent is told why")
    assert client.counters.chunks_fsynced == 0
    async with site.pool.acquire() as connection:
        await connection.execute("set default_transaction_read_only = off")
        await connection.execute(f"alter role clippy in database {name} reset default_transaction_read_only")
    await kick(site.pool)
    await eventually(lambda: outbox.num_waiting() == 0)
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert await num_chunks(site.pool) == 10


async def test_the_link_stops_within_two_seconds_while_the_peer_says_nothing(outbox: Outbox, site: Site):
    silent = socket.create_server(("127.0.0.1", 0))
    client = site.client(outbox, port=silent.getsockname()[1])
    client.start()
    await eventually(lambda: client.state == "connecting")

    await asyncio.wait_for(asyncio.to_thread(client.stop), 5)

    assert client.state == "off"
    silent.close()


async def kick(pool: asyncpg.Pool) -> None:
    """Cut every connection of this database but our own: new ones take the role's new settings."""
    await pool.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await pool.expire_connections()


async def add_moment_and_wish(pool: asyncpg.Pool, session_id: str, *, notify: bool = True) -> None:
    evidence = json.dumps([{"lane": "mic", "weight": 1.0, "note": "a cheer"}])
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, evidence)"
            " values ('m1', $1, 0, $2, 1, 0.9, 'cheer', $3::jsonb)",
            session_id,
            5 * SECOND_NS,
            evidence,
        )
        await connection.execute(
            "insert into source_requests (request_id, session_id, moment_id, start_ns, end_ns, object_key,"
            " expires_at) values ('r1', $1, 'm1', 0, $2, 'sources/r1.mp4', now() + interval '1 hour')",
            session_id,
            5 * SECOND_NS,
        )
        if notify:
            await connection.execute("select pg_notify('clippy_link', $1)", session_id)
