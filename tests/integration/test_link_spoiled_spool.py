"""A restart on a spool that something spoiled, and a peer whose one small message would unpack to very much."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.ingest.records import Record, pack
from tests.fakes.link_parts import Site, make_site, new_session_id
from tests.fakes.link_peers import Peer, chunk, files_outside, still_serves

FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Site]:
    folder = tmp_path / "deep" / "site"
    folder.mkdir(parents=True)
    yield await make_site(folder, pool)


async def add_session(pool: asyncpg.Pool) -> str:
    session_id = new_session_id()
    await pool.execute("insert into agents (agent_id, user_id) values ('a', 'owner') on conflict do nothing")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a', now())",
        session_id,
    )
    return session_id


def packed(
    session_id: str, seq: int, payload: bytes, *, lane: int = 1, content_type: str = "audio/ogg"
) -> bytes:
    record = Record(
        session_id=session_id,
        lane=lane,
        seq=seq,
        start_ns=0,
        end_ns=1,
        content_type=content_type,
        sha256=hashlib.sha256(payload).digest(),
    )
    return b"".join(pack(record, payload))


def segment_of(site: Site, number: int, data: bytes) -> Path:
    folder = site.folder / "spool" / "n1"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:08d}"
    path.write_bytes(data)
    return path


SPOILS = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 10**6)),
    st.tuples(st.just("cut"), st.integers(0, 10**6)),
    st.tuples(st.just("insert"), st.integers(0, 10**6)),
    st.tuples(st.just("length"), st.integers(0, 10**6)),
)


def spoil(data: bytes, how: str, where: int) -> bytes:
    at = where % len(data)
    if how == "flip":
        return data[:at] + bytes([data[at] ^ (1 << (where % 8))]) + data[at + 1 :]
    if how == "cut":
        return data[:at]
    if how == "insert":
        return data[:at] + b"CLP1" * (1 + where % 30) + data[at:]
    return data + b"CLP1" + b"\xff" * (4 + where % 90)


@FEW
@given(spoils=st.lists(SPOILS, min_size=1, max_size=3))
async def test_a_start_on_a_spoiled_spool_makes_rows_of_whole_records_only(
    site: Site, spoils: list[tuple[str, int]]
):
    session_id = await add_session(site.pool)
    payloads = {seq: bytes([65 + seq]) * (50 + seq) for seq in range(6)}
    whole = b"".join(packed(session_id, seq, payload) for seq, payload in payloads.items())
    for path in (site.folder / "spool" / "n1").glob("0*"):
        path.unlink()
    await site.pool.execute("delete from chunks")
    data = whole
    for how, where in spoils:
        data = spoil(data, how, where) if data else data
    path = segment_of(site, 1, data)

    site.port = 0
    server = await site.start()
    try:
        rows = await site.pool.fetch("select seq, place from chunks order by seq")
        kept = b""
        with contextlib.suppress(
            FileNotFoundError
        ):  # nothing in it was whole: it went as a drained segment does
            kept = path.read_bytes()
    finally:
        await server.stop()

    assert [row["seq"] for row in rows] == list(range(len(rows)))
    assert kept == b"".join(packed(session_id, seq, payloads[seq]) for seq in range(len(rows)))
    assert files_outside(site) == set()


@pytest.mark.logs("spooled_records_unusable")
async def test_whole_records_that_no_row_can_hold_are_told_and_do_not_keep_the_server_from_starting(
    site: Site,
):
    session_id = await add_session(site.pool)
    records = [
        packed(session_id, 0, b"good"),
        packed(session_id, 2**63, b"number"),
        packed(session_id, 1, b"lane", lane=2**16 - 1),
        packed(session_id, 2, b"type", content_type="a\0b"),
        packed("f" * 32, 3, b"nobody's"),
        packed(session_id, 4, b"good too"),
    ]
    segment_of(site, 1, b"".join(records))
    server = await site.start()
    seqs = [row["seq"] for row in await site.pool.fetch("select seq from chunks order by seq")]
    await still_serves(site)
    await server.stop()

    assert seqs == [0, 4]


async def test_a_compressed_bomb_is_refused_before_it_is_unpacked(site: Site):
    server = await site.start()
    session_id = new_session_id()
    bomb = chunk(session_id, payload=b"\0" * 64_000_000)
    async with Peer(site, compression=grpc.Compression.Gzip) as peer:
        # The headers name the encoding: refused before a message is read.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await peer.send(bomb)
        code, _ = await peer.end()
    await still_serves(site)
    await server.stop()

    # INTERNAL is the client's own word, where its write fails before it has read the server's answer.
    assert code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL)
