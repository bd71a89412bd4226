"""Many agents that connect at once are written and answered together, each by what is its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from coordinator.errors import ChunkRefused
from coordinator.ingest.hellos import Greeting, Hellos
from protos.clippy.v1 import link_pb2, media_pb2
from tests.fakes.link_parts import new_session_id


def hello(agent_id: str, *session_ids: str) -> link_pb2.Hello:
    started = [
        link_pb2.SessionStarted(session_id=item, started_unix_ms=1_700_000_000_000, is_live=True)
        for item in session_ids
    ]
    return link_pb2.Hello(agent_id=agent_id, agent_version="1", sessions=started)


async def add_chunk(pool: asyncpg.Pool, session_id: str, seq: int, place: str) -> None:
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " values ($1, 1, $2, 0, 1, 'audio/ogg', '\\x00', 1, $3)",
        session_id,
        seq,
        place,
    )


async def test_each_of_300_agents_hears_of_its_own_sessions_only(pool: asyncpg.Pool, tmp_path: Path):
    hellos = Hellos(pool, lambda: ("n1",))
    sessions = [new_session_id() for _ in range(300)]
    before = [new_session_id() for _ in range(300)]
    await asyncio.gather(*(hellos.hello("owner", hello(f"a{n}", before[n])) for n in range(300)))
    for n in range(300):
        await add_chunk(pool, before[n], n, "spool:n1/00000001/0/1" if n % 2 else "object:k/0/1")

    greetings = await asyncio.gather(
        *(hellos.hello("owner", hello(f"a{n}", before[n], sessions[n])) for n in range(300))
    )

    for n, greeting in enumerate(greetings):
        assert set(greeting.recent) == {before[n], sessions[n]}
        (lane,) = greeting.held.values()
        expected = [media_pb2.SeqRange(first=n, last=n)]
        assert lane.session_id == before[n]
        assert list(lane.fsynced if n % 2 else lane.stored) == expected
        assert not (lane.stored if n % 2 else lane.fsynced)


async def test_one_that_takes_what_is_anothers_is_refused_and_its_neighbours_are_not(pool: asyncpg.Pool):
    await pool.execute("insert into accounts (user_id) values ('u1'), ('u2')")
    hellos = Hellos(pool, lambda: ())
    first, second = new_session_id(), new_session_id()
    await hellos.hello("u1", hello("a1", first))

    found = await asyncio.gather(
        hellos.hello("u2", hello("a1", second)),  # its agent
        hellos.hello("u2", hello("a2", first)),  # its session
        hellos.hello("u2", hello("a3", second)),
        return_exceptions=True,
    )

    assert isinstance(found[0], ChunkRefused) and "agent 'a1'" in str(found[0])
    assert isinstance(found[1], ChunkRefused) and first in str(found[1])
    assert isinstance(found[2], Greeting)
    owners = dict(await pool.fetch("select session_id, user_id from sessions"))
    assert owners == {first: "u1", second: "u2"}


async def test_the_same_agent_twice_at_once_and_a_session_named_twice_are_written_once(pool: asyncpg.Pool):
    hellos = Hellos(pool, lambda: ())
    session_id = new_session_id()

    found = await asyncio.gather(
        *(hellos.hello("owner", hello("a1", session_id, session_id)) for _ in range(5)),
        hellos.hello("owner", hello("a2", session_id)),
    )

    assert all(item.held == {} for item in found)
    assert await pool.fetchval("select count(*) from sessions") == 1
