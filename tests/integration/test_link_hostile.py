"""A peer that keeps no rule: the server says why, drops what it must, and serves the next one."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from coordinator.ingest.group_commit import GroupSettings
from coordinator.ingest.server import LinkServer
from protos.clippy.v1 import link_pb2, media_pb2
from tests.fakes.link_parts import SECOND_NS, Site, eventually, new_session_id
from tests.fakes.link_peers import Peer, channel, chunk, hello, still_serves


@pytest.fixture
async def server(site: Site) -> AsyncIterator[LinkServer]:
    started = await site.start()
    yield started
    await started.stop()


@pytest.mark.parametrize(
    "first",
    [
        b"\xff\xff\xff\xff garbage",  # no protobuf at all
        b"",  # a message without a kind
        link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=1)).SerializeToString(),
        chunk("a" * 32).SerializeToString(),  # a chunk before Hello
        hello(agent_id="").SerializeToString(),
        hello(agent_id="a\0b").SerializeToString(),
        hello("not a session").SerializeToString(),
    ],
)
@pytest.mark.logs("stream_refused")
async def test_a_first_message_that_is_no_hello_ends_the_stream_with_a_reason(
    site: Site, server: LinkServer, first: bytes
):
    async with Peer(site) as peer:
        await peer.send(first)
        code, details = await peer.end()

    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED)
    assert details
    await eventually(lambda: server.num_streams == 0)
    await still_serves(site)


async def test_random_bytes_never_stop_the_server(site: Site, server: LinkServer):
    dice = random.Random(7)
    for _ in range(25):
        session_id = new_session_id()
        async with Peer(site) as peer:
            await peer.greet(session_id)
            data = bytearray(chunk(session_id).SerializeToString())
            for _ in range(dice.randint(1, 6)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            # The server may have ended the stream before the second message: grpc says so in either way.
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await peer.send(bytes(data[: dice.randint(1, len(data))]))
                await peer.send(dice.randbytes(dice.randint(0, 300)))

    await eventually(lambda: server.num_streams == 0)
    await still_serves(site)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lane": 77}, "lane 77"),
        ({"lane": 2**31 - 1}, "lane 2147483647"),
        ({"sha256": b"x" * 32}, "sha256"),
        ({"sha256": b""}, "sha256"),
        ({"seq": 2**63}, "seq 9223372036854775808"),
        ({"seq": 2**64 - 1}, "seq 18446744073709551615"),
        ({"start_ns": -1}, "times -1"),
        ({"end_ns": 2**62}, "not within a session"),
        ({"end_ns": 61 * SECOND_NS}, "longer than 60 s"),
        ({"payload": b""}, "payload of 0 bytes"),
        ({"content_type": "a\0b"}, "content_type"),
        ({"content_type": "x" * 101}, "content_type"),
        ({"session_id": "../../etc/passwd"}, "session_id"),
        ({"session_id": "f" * 32}, "was not announced"),
    ],
)
@pytest.mark.logs("message_refused")
async def test_an_invalid_chunk_is_refused_for_ever_with_its_reason(
    site: Site, server: LinkServer, changes: dict[str, Any], reason: str
):
    session_id = new_session_id()
    async with Peer(site) as peer:
        await peer.greet(session_id)
        await peer.send(chunk(session_id, **changes))
        refused = (await peer.hear()).ack.refused
        await peer.send(chunk(session_id, seq=1))
        accepted = (await peer.hear()).ack.held

    assert reason in refused[0].reason
    assert accepted[0].fsynced[0].first == 1
    assert await site.pool.fetchval("select count(*) from chunks") == 1


async def test_the_same_number_with_other_bytes_is_refused_and_the_first_stays(
    site: Site, server: LinkServer
):
    session_id = new_session_id()
    async with Peer(site) as peer:
        await peer.greet(session_id)
        await peer.send(chunk(session_id, payload=b"first"))
        await peer.hear()
        await peer.send(chunk(session_id, payload=b"other"))
        refused = (await peer.hear()).ack.refused
        await peer.send(chunk(session_id, payload=b"first"))
        again = (await peer.hear()).ack.held

    assert "other bytes" in refused[0].reason
    assert again[0].fsynced[0].last == 0
    assert await site.pool.fetchval("select size_bytes from chunks") == 5
    assert server.commits.counters.num_bytes == 5, "the duplicate was not written again"


@pytest.mark.logs("stream_refused")
async def test_one_agent_cannot_take_the_session_of_another_account(site: Site, server: LinkServer):
    session_id = new_session_id()
    await site.pool.execute("insert into accounts (user_id) values ('other')")
    await site.pool.execute("insert into agents (agent_id, user_id) values ('theirs', 'other')")
    await site.pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'other', 'theirs', now())",
        session_id,
    )

    ends = []
    for agent_id, sessions in (("mine", [session_id]), ("theirs", [])):
        async with Peer(site) as peer:
            await peer.send(hello(*sessions, agent_id=agent_id))
            ends.append(await peer.end())

    assert [code for code, _ in ends] == [grpc.StatusCode.PERMISSION_DENIED] * 2
    assert "belongs to another account" in ends[0][1]


async def test_a_message_over_the_limit_ends_the_stream_alone(site: Site, server: LinkServer):
    session_id = new_session_id()
    async with Peer(site) as peer:
        await peer.greet(session_id)
        await peer.send(chunk(session_id, payload=b"x" * 2_000_000))
        code, _ = await peer.end()

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await still_serves(site)


async def test_compressed_messages_are_not_unpacked(site: Site, server: LinkServer):
    codes: list[grpc.StatusCode] = []
    # A refusal that comes while the message is written fails the writing: the library then says INTERNAL of that.
    while not codes or (codes[-1] is grpc.StatusCode.INTERNAL and len(codes) < 20):
        async with Peer(site, compression=grpc.Compression.Gzip) as peer:
            with pytest.raises(grpc.aio.AioRpcError):
                await peer.send(hello())
                await peer.hear()
            codes.append(await peer.call.code())

    assert codes[-1] is grpc.StatusCode.UNIMPLEMENTED
    assert await site.pool.fetchval("select count(*) from sessions") == 0


@pytest.mark.logs("message_refused")
async def test_events_that_break_a_rule_change_nothing_and_do_not_lock_the_agent_out(
    site: Site, server: LinkServer
):
    session_id = new_session_id()
    bad = [
        link_pb2.AgentMessage(pressed=link_pb2.Pressed(session_id=session_id, clip_id="", end_ns=1)),
        link_pb2.AgentMessage(pressed=link_pb2.Pressed(session_id=session_id, clip_id="c", end_ns=-1)),
        link_pb2.AgentMessage(pressed=link_pb2.Pressed(session_id="f" * 32, clip_id="c", end_ns=1)),
        link_pb2.AgentMessage(gap=media_pb2.Gap(session_id=session_id, lane=1, first=5, last=2)),
        link_pb2.AgentMessage(gap=media_pb2.Gap(session_id=session_id, lane=99, first=1, last=2)),
        link_pb2.AgentMessage(gap=media_pb2.Gap(session_id=session_id, lane=1, first=1, last=2**64 - 1)),
        link_pb2.AgentMessage(session_ended=link_pb2.SessionEnded(session_id=session_id, duration_ns=-5)),
        link_pb2.AgentMessage(source_reply=link_pb2.SourceReply(request_id="nobody", state=2)),
        link_pb2.AgentMessage(session_started=link_pb2.SessionStarted(session_id="x")),
    ]
    async with Peer(site) as peer:
        await peer.greet(session_id)
        for message in bad:
            await peer.send(message)
        await peer.send(link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=77)))
        assert (await peer.hear()).heartbeat.unix_ms == 77

    for table in ("markers", "gaps"):
        assert await site.pool.fetchval(f"select count(*) from {table}") == 0


async def test_gaps_and_odd_texts_are_kept_as_plain_rows(site: Site, server: LinkServer):
    session_id = new_session_id()
    async with Peer(site) as peer:
        await peer.greet(session_id)
        for last in (3, 7):
            gap = media_pb2.Gap(
                session_id=session_id, lane=1, first=2, last=last, reason="full\0\n" + "x" * 999
            )
            await peer.send(link_pb2.AgentMessage(gap=gap))
        await peer.send(link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=1)))
        await peer.hear()

    row = await site.pool.fetchrow("select * from gaps")
    assert (row["first"], row["last"], row["reason"][:5], len(row["reason"])) == (2, 7, "fullx", 200)


async def test_more_than_an_accounts_pending_bytes_means_retry_later(site: Site):
    server = await site.start(
        max_user_pending_bytes=1_000_000, group=GroupSettings(gather_s=0.5, patience_s=1.0)
    )
    session_id = new_session_id()
    async with Peer(site) as peer:
        await peer.greet(session_id)
        for seq in range(3):
            await peer.send(chunk(session_id, seq=seq, payload=b"x" * 400_000))
        said = [await peer.hear(), await peer.hear()]
    await server.stop()

    assert said[0].ack.held[0].fsynced, "what was taken is acknowledged before the stream is put off"
    assert "still being written" in said[1].retry_later.reason


async def test_draining_says_not_ready_and_retry_later_and_refuses_newcomers_kindly(
    site: Site, server: LinkServer
):
    async with Peer(site) as peer:
        await peer.greet(new_session_id())
        async with channel(site) as health_channel:
            health = health_pb2_grpc.HealthStub(health_channel)
            request = health_pb2.HealthCheckRequest(service="clippy.v1.Link")
            before = (await health.Check(request)).status
            draining = asyncio.create_task(server.drain())
            said = await peer.hear()
            await draining
            after = (await health.Check(request)).status
        async with Peer(site) as late:
            newcomer = await late.hear()

    assert (before, after) == (
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    )
    assert said.retry_later.delay_ms > 0
    assert "restarting" in newcomer.retry_later.reason


async def test_a_silent_peer_is_dropped(site: Site):
    server = await site.start(dead_peer_s=0.3)
    async with Peer(site) as peer:
        await peer.greet(new_session_id())
        code, _ = await peer.end()
    await eventually(lambda: server.num_streams == 0)
    await server.stop()

    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_peer_that_vanishes_in_the_middle_leaves_no_stream_behind(site: Site, server: LinkServer):
    for _ in range(5):
        session_id = new_session_id()
        async with Peer(site) as peer:
            await peer.greet(session_id)
            await peer.send(chunk(session_id))

    await eventually(lambda: server.num_streams == 0)
    await still_serves(site)
