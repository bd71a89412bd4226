"""What the coordinator heard comes down to the agent that said it: with news, once, and from where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from coordinator.ingest.words_down import MAX_WORDS, OVERLAP_S, WordsTold, is_more
from protos.clippy.v1 import link_pb2
from tests.fakes.link_parts import Site, eventually, new_session_id


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    yield opened
    opened.close()


async def hear(pool: asyncpg.Pool, session_id: str, seq: int, *texts: str, user: str = "owner") -> None:
    """Say that this was heard in a chunk, as a worker does, and that there is news."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
            " values ($1, 1, $2, $3, $4, 'x', ''::bytea, 1, 'object:x')",
            session_id, seq, 1_000 * seq, 1_000 * seq + 999,
        )  # fmt: skip
        for at, text in enumerate(texts):
            await connection.execute(
                "insert into utterances (user_id, session_id, lane, seq, start_ns, end_ns, said)"
                " values ($1, $2, 1, $3, $4, $5, $6)",
                user, session_id, seq, 1_000 * seq + at, 1_000 * seq + at + 1, text,
            )  # fmt: skip
        await connection.execute("select pg_notify('clippy_link', $1)", session_id)


class Came:
    """What came down."""

    def __init__(self) -> None:
        self.words: list[tuple[str, link_pb2.HeardWords]] = []

    def take(self, heard: link_pb2.Heard) -> None:
        self.words += [(heard.session_id, one) for one in heard.words]

    @property
    def texts(self) -> list[str]:
        return [one.text for _, one in self.words]

    def last_id(self, session_id: str) -> int:
        return max((one.id for name, one in self.words if name == session_id), default=0)


async def test_words_come_down_once_and_after_a_new_connect_only_what_is_new(site: Site, outbox: Outbox):
    server, came = await site.start(), Came()
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    client = site.client(outbox, hooks=LinkHooks(on_heard=came.take), words_after=came.last_id)
    client.start()
    await eventually(lambda: site.pool.fetchval("select count(*) from sessions"))

    await hear(site.pool, session_id, 0, "what a shot", "and again")
    await eventually(lambda: len(came.texts) == 2)
    await hear(site.pool, session_id, 1, "a save")
    await eventually(lambda: len(came.texts) == 3)
    await asyncio.to_thread(client.stop)
    await hear(site.pool, session_id, 2, "while nobody listened")
    again = site.client(outbox, hooks=LinkHooks(on_heard=came.take), words_after=came.last_id)
    again.start()
    await eventually(lambda: len(came.texts) == 4)
    await asyncio.to_thread(again.stop)
    await server.stop()

    assert came.texts == ["what a shot", "and again", "a save", "while nobody listened"]
    assert [(one.start_ns, one.end_ns) for _, one in came.words[:2]] == [(0, 1), (1, 2)]


async def test_more_than_a_message_holds_comes_in_several(site: Site, outbox: Outbox):
    server, came = await site.start(), Came()
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    client = site.client(outbox, hooks=LinkHooks(on_heard=came.take), words_after=came.last_id)
    client.start()
    await eventually(lambda: site.pool.fetchval("select count(*) from sessions"))
    wanted = [f"word {at}" for at in range(2 * MAX_WORDS + 10)]

    await hear(site.pool, session_id, 0, *wanted)
    await eventually(lambda: len(came.texts) >= len(wanted))
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert came.texts == wanted


async def test_an_agent_that_wants_no_words_gets_none(site: Site, outbox: Outbox):
    server, came = await site.start(), Came()
    moments: list[str] = []
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    hooks = LinkHooks(on_heard=came.take, on_moment=lambda moment: moments.append(moment.moment_id))
    client = site.client(outbox, hooks=hooks)
    client.start()
    await eventually(lambda: site.pool.fetchval("select count(*) from sessions"))
    await site.pool.execute(
        "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, title, evidence)"
        " values ('m1', $1, 0, 5, 2, 0.5, 'loud', '', '[]')",
        session_id,
    )

    await hear(site.pool, session_id, 0, "what a shot")
    await eventually(lambda: moments)
    await asyncio.to_thread(client.stop)
    await server.stop()

    assert came.texts == []


def words(*ids: int) -> list[link_pb2.HeardWords]:
    return [link_pb2.HeardWords(id=at, text=str(at)) for at in ids]


def sent(messages: list[link_pb2.CoordinatorMessage]) -> list[int]:
    return [one.id for message in messages for one in message.heard.words]


def test_a_number_that_commits_late_goes_down_too_and_no_number_twice():
    told = WordsTold()
    told.begin({"s": 10}, is_wanted=True)

    first = sent(told.messages({"s": words(11, 13)}, now_s=0.0))
    second = sent(told.messages({"s": words(11, 12, 13)}, now_s=1.0))
    told.messages({"s": words(11, 12, 13)}, now_s=OVERLAP_S + 2.0)

    assert (first, second) == ([11, 13], [12])
    assert told.after(["s", "unknown"]) == {"s": 13}


def test_a_full_look_is_not_looked_at_again():
    told = WordsTold()
    told.begin({"s": 0}, is_wanted=True)
    many = words(*range(1, MAX_WORDS + 1))

    told.messages({"s": many}, now_s=0.0)

    assert told.after(["s"]) == {"s": MAX_WORDS}
    assert is_more({"s": many, "t": words(1)}) == {"s"}
