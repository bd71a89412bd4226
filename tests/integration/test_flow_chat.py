"""Chat and events on the coordinator: a chunk becomes rows once, a look sees them, an order to forget takes them."""

from __future__ import annotations

import asyncpg
import pytest

from coordinator.errors import ChatUnusable
from coordinator.model.highlight import SessionSignals
from coordinator.statements import load_statements
from coordinator.store.chats import PostgresChats
from coordinator.store.looks import PostgresLooks
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS
from tests.fakes.flow_parts import CHUNK_S, SESSION, Flow, flow_on, hearing_job

pytestmark = pytest.mark.filterwarnings("error")
CHAT, EVENTS = media_pb2.LANE_CHAT, media_pb2.LANE_EVENTS


@pytest.fixture
def seen() -> list[SessionSignals]:
    return []


@pytest.fixture
async def flow(pool: asyncpg.Pool, seen: list[SessionSignals]) -> Flow:
    def find(signals: SessionSignals) -> tuple[()]:
        seen.append(signals)
        return ()

    flow = flow_on(pool, find)
    await flow.begin()
    return flow


async def receive(flow: Flow, lane: int, seq: int, payload: bytes) -> None:
    """A chunk of a lane is durable, with these bytes."""
    await flow.receive(seq, lane=lane)
    flow.kept.by_place[f"object:{SESSION}/{lane}/{seq}"] = payload


def chat_of(seq: int, num_lines: int = 3) -> bytes:
    batch = media_pb2.ChatBatch()
    for index in range(num_lines):
        at_ns = (seq * CHUNK_S + index) * SECOND_NS
        batch.lines.add(at_ns=at_ns, text=f"line {index}", chat="twitch:a", author="a1")
    batch.audiences.add(at_ns=seq * CHUNK_S * SECOND_NS, chat="kick:a", num_viewers=40)
    return batch.SerializeToString()


def events_of(seq: int, weight: float = 0.9) -> bytes:
    batch = media_pb2.EventBatch()
    batch.events.add(
        at_ns=(seq * CHUNK_S + 1) * SECOND_NS, kind="clutch", weight=weight, text="ace", source="cs2"
    )
    return batch.SerializeToString()


async def hear(flow: Flow, lane: int, seq: int, payload: bytes) -> list[str]:
    await receive(flow, lane, seq, payload)
    return await flow.commit(await flow.hearing.handle(hearing_job(SESSION, lane, seq)))


async def count(flow: Flow, table: str) -> int:
    return int(await flow.pool.fetchval(f"select count(*) from {table}"))


async def test_a_look_sees_what_was_written_and_said_in_its_span(flow: Flow, seen: list[SessionSignals]):
    await hear(flow, CHAT, 0, chat_of(0))
    await hear(flow, EVENTS, 0, events_of(0))
    for seq in range(2):
        await flow.hear(seq)
    await flow.look()

    [signals] = seen
    assert [(line.at_s, line.text, line.chat, line.author) for line in signals.chat] == [
        (float(index), f"line {index}", "twitch:a", "a1") for index in range(3)
    ]
    assert [(one.num_viewers, one.chat) for one in signals.audiences] == [(40, "kick:a")]
    assert [(one.at_s, one.kind, round(one.weight, 3), one.text) for one in signals.events] == [
        (1.0, "clutch", 0.9, "ace")
    ]


async def test_a_chunk_that_is_heard_twice_has_its_rows_once(flow: Flow):
    for lane, payload in ((CHAT, chat_of(0)), (EVENTS, events_of(0))):
        await receive(flow, lane, 0, payload)
        for _ in range(2):
            await flow.commit(await flow.hearing.handle(hearing_job(SESSION, lane, 0)))

    assert [await count(flow, table) for table in ("chat_lines", "audiences", "game_events")] == [3, 1, 1]


async def test_a_silent_chat_holds_no_look_up(flow: Flow):
    await hear(flow, CHAT, 0, chat_of(0))
    for seq in range(4):
        await flow.hear(seq)

    assert (await PostgresLooks(flow.pool).state(SESSION)).until_ns == 4 * CHUNK_S * SECOND_NS


async def test_the_last_look_waits_for_the_last_lines(flow: Flow):
    await flow.hear(0)
    await receive(flow, CHAT, 0, chat_of(0))
    await flow.end(signals=1, chat=1)
    looks = PostgresLooks(flow.pool)
    assert not (await looks.state(SESSION)).is_all_heard

    await flow.commit(await flow.hearing.handle(hearing_job(SESSION, CHAT, 0)))

    assert (await looks.state(SESSION)).is_all_heard


async def test_a_heavy_event_makes_windows_promising(flow: Flow):
    for seq in range(21):
        await flow.hear(seq)
        await flow.look()
    calm = await flow.hear(21)
    await hear(flow, EVENTS, 21, events_of(21))
    state = await PostgresLooks(flow.pool).state(SESSION)

    assert calm == []
    assert state.promising_until_ns > 22 * CHUNK_S * SECOND_NS


async def test_chunks_that_nobody_heard_are_found_by_the_reconciler(flow: Flow):
    await receive(flow, CHAT, 0, chat_of(0))
    await receive(flow, EVENTS, 0, events_of(0))
    await flow.reconcile()

    assert await flow.queued() == [f"stt:{SESSION}:{lane}:0" for lane in (CHAT, EVENTS)]


async def test_a_chunk_that_is_none_is_unusable_and_waited_for_no_more(flow: Flow):
    await receive(flow, CHAT, 0, b"\xff\xff")
    job = hearing_job(SESSION, CHAT, 0)
    with pytest.raises(ChatUnusable):
        await flow.hearing.handle(job)
    await flow.commit(flow.hearing.give_up(job, "no batch"))
    await flow.hear(0)
    await flow.end(signals=1, chat=1)

    assert (await PostgresLooks(flow.pool).state(SESSION)).is_all_heard


async def test_what_is_forgotten_goes_with_its_chunk_and_does_not_come_back(flow: Flow):
    await hear(flow, CHAT, 0, chat_of(0))
    await hear(flow, EVENTS, 0, events_of(0))
    late = await flow.hearing.handle(hearing_job(SESSION, CHAT, 0))
    forget = load_statements("coordinator.ingest", "forgetting.sql")["forget_chunks"]
    await flow.pool.execute(forget, SESSION, 0, CHUNK_S * SECOND_NS)
    await flow.commit(late)

    assert [await count(flow, table) for table in ("chat_lines", "audiences", "game_events")] == [0, 0, 0]


async def test_rows_go_with_their_session(flow: Flow):
    await hear(flow, CHAT, 0, chat_of(0))
    await flow.pool.execute("delete from sessions where session_id = $1", SESSION)

    assert await count(flow, "chat_lines") == 0


async def test_of_very_much_the_newest_is_seen(flow: Flow):
    await hear(flow, CHAT, 0, chat_of(0, num_lines=9))
    chats = PostgresChats(flow.pool, max_lines=4)

    chatter = await chats.chatter(SESSION, start_ns=0, end_ns=60 * SECOND_NS)

    assert [row.text for row in chatter.lines] == [f"line {index}" for index in range(5, 9)]
