"""From a bridge's request to a moment: endpoint, chunks, link over TLS, rows, look; and an engine that is asked."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from agent.lanes.chat import ChatLane
from agent.model.media import LaneChunk
from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from coordinator.app.working import look_for_moments
from coordinator.model.highlight import SessionSignals
from coordinator.model.jobs import Job, Queue
from coordinator.pipeline.detect import Detection, Found, RequestPolicy
from coordinator.pipeline.hear import Hearing
from coordinator.pipeline.windows import PROMISE_NS
from coordinator.search.index import PostgresUtterances
from coordinator.store.chats import PostgresChats
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from coordinator.store.looks import PostgresLooks
from coordinator.store.rows import PostgresRows
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS
from tests.fakes.chat_peers import LocalPeer
from tests.fakes.link_parts import eventually, make_site, new_session_id
from tests.fakes.told_command import ToldEngine

LENGTH_S, BURST_S = 300, 180


def loud_db(at_s: float) -> float:
    """A voice that moves by some decibels, and shouts for eight seconds."""
    return -12.0 if BURST_S - 6 <= at_s < BURST_S + 2 else -40.0 + 3.0 * (at_s % 7 > 3)


def signals_chunk(start_s: int) -> LaneChunk:
    """Ten seconds of a quiet streamer, who is loud just before the burst."""
    batch = media_pb2.SignalBatch(start_ns=start_s * SECOND_NS, step_ns=SECOND_NS // 2)
    batch.tracks.add(name="mic_loudness_db", values=[loud_db(start_s + step / 2) for step in range(20)])
    return LaneChunk(
        lane="signals", start_ns=start_s * SECOND_NS, end_ns=(start_s + 10) * SECOND_NS, content_type="x",
        payload=batch.SerializeToString(),
    )  # fmt: skip


class Stream:
    """Five minutes of a stream, second by second: a calm chat, and one burst of it with an event before."""

    def __init__(self, folder: Path, outbox: Outbox, session_id: str) -> None:
        self.peer = LocalPeer(folder)
        self.now_s = 0
        self.lanes: Counter[str] = Counter()
        self._outbox, self._session_id = outbox, session_id
        self.lane = ChatLane([self.peer.source()], now_ns=lambda: self.now_s * SECOND_NS, on_chunk=self.put)

    def put(self, chunk: LaneChunk) -> None:
        self.lanes[chunk.lane] += 1
        self._outbox.put(self._session_id, chunk)

    def run(self) -> None:
        [reader] = self.lane.readers
        reader.step()  # connects
        for self.now_s in range(1, LENGTH_S + 1):
            lines = [{"text": f"how are you {self.now_s}", "author": "Ada"}] if self.now_s % 4 == 0 else []
            if BURST_S <= self.now_s < BURST_S + 6:
                lines += [{"text": "LUL KEKW hahaha", "author": f"Viewer{index}"} for index in range(25)]
            if lines:
                self.peer.post("/v1/chat", {"lines": lines})
                reader.step()
            if self.now_s == BURST_S - 4:
                event = {"kind": "clutch", "weight": 0.9, "text": "ace", "source": "cs2"}
                self.peer.post("/v1/events", {"events": [event]})
                reader.step()
            if self.now_s % 5 == 0:
                self.lane.cut()
            if self.now_s % 10 == 0:
                self.put(signals_chunk(self.now_s - 10))
        self.peer.close()


async def hear_all(pool: asyncpg.Pool, hearing: Hearing) -> None:
    """Every chunk that has come is heard, each in a transaction of its own."""
    for row in await pool.fetch("select session_id, lane, seq from chunks order by lane, seq"):
        job = Job(job_id=1, queue=Queue.TRANSCRIPTION, key="stt", payload=dict(row), runs=1)
        effect = await hearing.handle(job)
        async with pool.acquire() as connection, connection.transaction():
            await effect(connection)


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("chat needs neither speech nor media")


async def test_a_burst_of_chat_becomes_a_moment_whose_evidence_says_so(tmp_path: Path, pool: asyncpg.Pool):
    site = await make_site(tmp_path, pool)
    server = await site.start()
    outbox, session_id = Outbox(tmp_path / "outbox.db"), new_session_id()
    left: Counter[str] = Counter()
    client = site.client(outbox, hooks=LinkHooks(on_bytes=lambda num, lane: left.update({lane: num})))
    outbox.start_session(session_id, 1_700_000_000_000)
    stream = Stream(tmp_path, outbox, session_id)
    await asyncio.to_thread(stream.run)
    client.start()
    num_chunks = sum(stream.lanes.values())
    await eventually(lambda: client.counters.chunks_fsynced == num_chunks)
    await asyncio.to_thread(client.stop)
    await server.stop()
    outbox.close()

    rows, looks, chats = PostgresRows(pool), PostgresLooks(pool), PostgresChats(pool)
    hearing = Hearing(
        rows=rows, looks=looks, utterances=PostgresUtterances(), chats=chats,
        chunk_bytes=PlacedBytes(spools=SpoolFolders(tmp_path / "spool"), objects=site.objects),
        media=never, speech=never, extract=never, is_promising=lambda *_chunk: False,  # type: ignore[arg-type]
    )  # fmt: skip
    await hear_all(pool, hearing)
    await hear_all(pool, hearing)
    # The chat's own: what the game said ended ten seconds before.
    assert (await looks.state(session_id)).promising_until_ns >= (BURST_S + 6) * SECOND_NS + PROMISE_NS
    seen: list[SessionSignals] = []

    def detect(signals: SessionSignals, is_final: bool) -> Found:
        seen.append(signals)
        return look_for_moments(signals, is_final)

    policy = RequestPolicy(min_score=0.5, max_per_hour=10, are_presses_exported=False)
    detection = Detection(rows=rows, looks=looks, chats=chats, detect=detect, policy=policy)
    look = await detection.look(
        Job(job_id=1, queue=Queue.AI_ANALYSIS, key="ai", payload={"session_id": session_id}, runs=1)
    )

    [signals] = seen
    # The one of the last second lies beyond what was heard of the sound.
    assert len(signals.chat) == LENGTH_S // 4 - 1 + 6 * 25
    assert len({line.author for line in signals.chat}) == 26
    assert not any("Ada" in line.author or "Viewer" in line.author for line in signals.chat)
    assert [(event.kind, event.at_s, event.text) for event in signals.events] == [("clutch", 176.0, "ace")]
    assert look.moments, look.analysis.reason
    moment = look.moments[0]
    assert moment.start_ns <= (BURST_S + 6) * SECOND_NS and moment.end_ns >= (BURST_S - 10) * SECOND_NS
    assert {evidence.lane for evidence in moment.evidence} & {"chat", "events"}
    assert left["chat"] > 0 and left["events"] > 0


# ---- an engine that runs


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_an_engine_takes_lines_keeps_no_name_and_forgets_them(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("not a certificate", encoding="ascii")
    (tmp_path / "token").write_text("a-token\n", encoding="ascii")
    port = free_port()
    settings = {"UPLINK__ADDRESS": "127.0.0.1:9", "UPLINK__CA_FILE": tmp_path / "ca.pem"}
    settings |= {"UPLINK__TOKEN_FILE": tmp_path / "token", "CHAT__LOCAL_PORT": port}
    with ToldEngine(tmp_path, **settings) as engine:
        engine.wait_for("the endpoint", lambda status: [chat.is_connected for chat in status.chats] == [True])
        _, told = engine.ask("chat")
        token = Path(told["endpoint"]["token_file"]).read_text(encoding="ascii").strip()
        lines = [{"text": "hello @SomebodyElse", "author": "SecretName"}]
        with httpx.Client(trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
            assert client.post(f"{told['endpoint']['url']}/v1/chat", json={"lines": lines}).status_code == 202
        outbox = Path(engine.environment["CLIPPY_AGENT_DATA"]) / "outbox.db"

        sql = "select payload from chunks join payloads using (chunk_id) where lane = 5"

        def chat_payloads() -> list[bytes]:
            with sqlite3.connect(f"file:{outbox}?mode=ro", uri=True) as db:
                found = [row[0] for row in db.execute(sql).fetchall()]
            db.close()
            return found

        engine.wait_for("a chunk of chat", lambda _status: chat_payloads())
        [payload] = chat_payloads()
        [line] = media_pb2.ChatBatch.FromString(payload).lines
        assert (line.chat, line.text, len(line.author)) == ("local", "hello @", 16)
        assert b"SecretName" not in payload and b"SomebodyElse" not in payload
        _, status = engine.ask("status")
        assert [(chat["name"], chat["num_lines"]) for chat in status["chats"]] == [("local", 1)]

        exit_code, _ = engine.ask("forget", "--last", "60", "--yes")

        assert (exit_code, chat_payloads()) == (0, [])
