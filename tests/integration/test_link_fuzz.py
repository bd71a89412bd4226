"""Fuzzed messages over real gRPC: whatever the bytes are, the server says why, stays up, and writes nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.identity.owner import OwnerOnly
from coordinator.ingest.server import LinkServer
from coordinator.ops.tokens import load_token
from protos.clippy.v1 import link_pb2
from tests.fakes.link_parts import TOKEN, Site, eventually, make_site, new_session_id
from tests.fakes.link_peers import Peer, channel, chunk, files_outside, heartbeat, hello, still_serves

EVIL_TEXTS = (
    "../../evil", "/etc/evil", "..\\evil", "a\0evil", "evil/" * 2000, "evil\N{RIGHT-TO-LEFT OVERRIDE}\U0001f600é",
    "%2e%2e%2fevil", "'; drop table chunks; --", "x" * 65,
)  # fmt: skip
EVIL_NUMBERS = {
    FieldDescriptor.TYPE_INT64: (-(2**63), -1, 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (2**63, 2**64 - 1),
    FieldDescriptor.TYPE_UINT32: (2**32 - 1,),
    FieldDescriptor.TYPE_ENUM: (-1, -(2**31), 2**31 - 1, 77),
}
ANY_FAULT = pytest.mark.logs("stream_refused", "message_refused", "source_upload_refused")
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Site]:
    folder = tmp_path / "deep" / "site"
    folder.mkdir(parents=True)
    yield await make_site(folder, pool)


@pytest.fixture
async def server(site: Site) -> AsyncIterator[LinkServer]:
    started = await site.start()
    yield started
    await started.stop()


def samples(session_id: str) -> list[link_pb2.AgentMessage]:
    """A valid message of every kind there is; kinds that are new here get their ids by name."""
    messages = [hello(session_id), chunk(session_id)]
    for field in link_pb2.AgentMessage.DESCRIPTOR.oneofs_by_name["kind"].fields:
        if field.name in ("hello", "chunk"):
            continue
        message = link_pb2.AgentMessage()
        body = getattr(message, field.name)
        body.SetInParent()
        for inner in body.DESCRIPTOR.fields:
            if inner.type == FieldDescriptor.TYPE_STRING and not is_repeated(inner):
                setattr(body, inner.name, session_id)
            elif inner.type == FieldDescriptor.TYPE_ENUM and not is_repeated(inner):
                setattr(body, inner.name, 2)
            elif inner.type == FieldDescriptor.TYPE_BYTES:
                setattr(body, inner.name, b"x" * 32)
            elif inner.name in ("end_ns", "last", "unix_ms"):
                setattr(body, inner.name, 1)
        messages.append(message)
    return messages


def is_repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def spoiled(message: Message) -> Iterator[link_pb2.AgentMessage]:
    """The message with one field after the other set to what nobody should send."""
    for path in fields_of(message):
        values: tuple[Any, ...] = EVIL_NUMBERS.get(path[-1].type, ())
        if path[-1].type == FieldDescriptor.TYPE_STRING:
            values = EVIL_TEXTS
        for value in values:
            copy = link_pb2.AgentMessage.FromString(message.SerializeToString())
            body: Any = copy
            for field in path[:-1]:
                body = getattr(body, field.name)
                body = body[0] if is_repeated(field) else body
            setattr(body, path[-1].name, value)
            yield copy


def fields_of(
    message: Message, path: tuple[FieldDescriptor, ...] = ()
) -> Iterator[tuple[FieldDescriptor, ...]]:
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            body = getattr(message, field.name)
            if field in [present for present, _ in message.ListFields()]:
                yield from fields_of(body[0] if is_repeated(field) else body, (*path, field))
        elif not is_repeated(field):
            yield (*path, field)


@ANY_FAULT
async def test_no_field_of_any_message_reaches_beyond_its_rows(site: Site, server: LinkServer):
    session_id = new_session_id()
    greeting, *others = samples(session_id)
    num_sent = 0
    async with Peer(site) as peer:
        await peer.greet(session_id)
        for message in others:
            for bad in spoiled(message):
                await peer.send(bad)
                num_sent += 1
            await peer.echo(10**9 + num_sent)
    for bad in spoiled(greeting):
        async with Peer(site) as peer:
            await peer.send(bad)
            with contextlib.suppress(grpc.aio.AioRpcError):  # the stream ended instead
                assert (await peer.hear()).HasField("welcome")
                continue
            code, details = await peer.end()
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert details

    assert num_sent > 150
    assert server.num_streams <= 1
    assert files_outside(site) == set()
    for table, column in (("agents", "agent_id"), ("sessions", "session_id"), ("markers", "clip_id")):
        names = [row[0] for row in await site.pool.fetch(f"select {column} from {table}")]
        assert [name for name in names if "evil" in name or "drop" in name] == []
    await still_serves(site)


@ANY_FAULT
@QUICK
@given(data=st.data())
async def test_messages_of_spoiled_bytes_end_with_a_clear_code_or_are_passed_over(
    site: Site, server: LinkServer, data: st.DataObject
):
    session_id = new_session_id()
    wires = [message.SerializeToString() for message in samples(session_id)]
    sent = data.draw(st.lists(spoiled_bytes(wires), min_size=1, max_size=5))
    code = await outcome_of(site, [hello(session_id).SerializeToString(), *sent])

    assert code in (None, *CLEAR)
    await eventually(lambda: server.num_streams == 0)


CLEAR = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.OK,
)


def spoiled_bytes(wires: list[bytes]) -> st.SearchStrategy[bytes]:
    """Any bytes, a message cut short, one with a few bytes changed, or one message after the other."""

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        wire = bytearray(draw(st.sampled_from(wires)))
        for _ in range(draw(st.integers(1, 5))):
            wire[draw(st.integers(0, len(wire) - 1))] = draw(st.integers(0, 255))
        return bytes(wire)

    cut = st.builds(lambda wire, size: wire[: size % len(wire)], st.sampled_from(wires), st.integers(0, 999))
    joined = st.builds(lambda one, two: one + two, st.sampled_from(wires), st.sampled_from(wires))
    return st.one_of(st.binary(max_size=200), cut, changed(), joined)


async def outcome_of(site: Site, messages: list[bytes]) -> grpc.StatusCode | None:
    """Send all, and a heartbeat; None: it was echoed, else how the stream ended."""
    async with Peer(site) as peer:
        # The server may have ended the stream before the last message: grpc says so in either way.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for message in messages:
                await peer.send(message)
            await peer.send(heartbeat(2**62))
        try:
            while (said := await peer.hear(10)).heartbeat.unix_ms != 2**62:
                assert said.WhichOneof("kind")
        except (grpc.aio.AioRpcError, AssertionError):
            return (await peer.end())[0]
        return None


async def test_newer_kinds_and_unknown_fields_are_passed_over(site: Site, server: LinkServer):
    session_id = new_session_id()
    newer_kind = b"\xf2\x07\x03abc"  # field 126, a message of three bytes
    newer_field = b"\xfa\x3f\x03new"  # field 1023
    async with Peer(site) as peer:
        greeting = hello(session_id)
        greeting.hello.MergeFromString(newer_field)
        await peer.send(greeting)
        await peer.hear()
        await peer.send(newer_kind)
        message = chunk(session_id)
        message.chunk.MergeFromString(newer_field)
        await peer.send(message)
        told = await peer.hear()
        await peer.echo(4)

    assert told.ack.held[0].fsynced[0].last == 0
    assert len(message.SerializeToString()) == len(chunk(session_id).SerializeToString()) + len(newer_field)


@pytest.mark.logs("stream_refused")
async def test_a_second_hello_and_thousands_of_sessions_end_their_stream_alone(
    site: Site, server: LinkServer
):
    async with Peer(site) as twice, Peer(site) as many:
        await twice.greet(new_session_id())
        await twice.send(hello(new_session_id()))
        ends = [await twice.end()]
        await many.send(hello(*(new_session_id() for _ in range(5000)), agent_id="many"))
        ends.append(await many.end())

    assert [code for code, _ in ends] == [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.PERMISSION_DENIED,
    ]
    assert "5000 sessions" in ends[1][1]
    assert await site.pool.fetchval("select count(*) from sessions") == 1
    await still_serves(site)


FORGED = (
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJvd25lciIsImV4cCI6NDEwMjQ0NDgwMH0.",  # alg: none
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvd25lciJ9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvd25lciJ9.AAAA",
    "clippy_" + "A" * 43,
    "../../owner.token",
    "x" * 8000,
    "a.b.c",
    "' or 1=1 --",
    " ",
)


@pytest.mark.parametrize("identity", ["one token", "owner's file"])
async def test_tokens_that_are_none_are_refused_alike(site: Site, identity: str, tmp_path: Path):
    if identity == "owner's file":
        secrets = tmp_path / "data"
        secrets.mkdir()
        os.chmod(secrets, 0o700)  # noqa: PTH101  as the data directory is
        site.identity = OwnerOnly(load_token(secrets).is_valid)  # type: ignore[assignment]
    server = await site.start()
    metadatas: list[list[tuple[str, str | bytes]]] = [
        [("authorization", f"Bearer {token}")] for token in FORGED
    ]
    metadatas += [[], [("authorization", TOKEN)], [("authorization", f"Basic {TOKEN}")]]
    metadatas += [[("authorization-bin", f"Bearer {TOKEN}".encode())], [("x-token", TOKEN)]]
    ends = set()
    for metadata in metadatas:
        async with Peer(site, metadata=metadata) as peer:
            ends.add(await peer.end())
    await server.stop()

    assert ends == {(grpc.StatusCode.UNAUTHENTICATED, "no valid token; renew it, or pair this agent again")}


async def test_metadata_beyond_its_bound_is_refused_before_anybody_reads_it(site: Site, server: LinkServer):
    for metadata in ([("x-much", "x" * 60_000)], [(f"x-{index}", "x" * 100) for index in range(600)]):
        entries: list[tuple[str, str | bytes]] = [("authorization", f"Bearer {TOKEN}"), *metadata]
        async with Peer(site, metadata=entries) as peer:
            code, _ = await peer.end()
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await still_serves(site)


async def test_unknown_methods_and_services_are_unimplemented(site: Site, server: LinkServer):
    async with channel(site) as opened:
        for method in (
            "/clippy.v1.Link/Nothing",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ):
            call = opened.stream_stream(method)(metadata=(("authorization", f"Bearer {TOKEN}"),))
            assert await asyncio.wait_for(call.code(), 5) is grpc.StatusCode.UNIMPLEMENTED
