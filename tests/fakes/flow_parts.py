"""The stages from a chunk to a look, on real rows: sessions of signals alone, one job at a time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from coordinator.highlight.promise import is_promising
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.reconciler import Want, reconcile_once
from coordinator.model.highlight import Moment, SessionSignals
from coordinator.model.jobs import Job, Queue
from coordinator.pipeline.detect import Detection, Found, RequestPolicy
from coordinator.pipeline.hear import Hearing
from coordinator.ports import Effect
from coordinator.search.index import PostgresUtterances
from coordinator.statements import load_statements
from coordinator.store.chats import PostgresChats
from coordinator.store.looks import PostgresLooks
from coordinator.store.rows import PostgresRows
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

SESSION = "5e55" * 8
SIGNALS, MIC, DESKTOP = media_pb2.LANE_SIGNALS, media_pb2.LANE_MIC, media_pb2.LANE_DESKTOP
CHUNK_S = 10
QUIET, LOUD = -40.0, -12.0


def signals_of(start_ns: int, *, loudness_db: float) -> bytes:
    """A chunk of the signals lane: ten seconds of one loudness."""
    batch = media_pb2.SignalBatch(start_ns=start_ns, step_ns=SECOND_NS // 2)
    batch.tracks.add(name="mic_loudness_db", values=[loudness_db] * (2 * CHUNK_S))
    return batch.SerializeToString()


class KeptBytes:
    """Chunks in memory, by their place."""

    def __init__(self) -> None:
        self.by_place: dict[str, bytes] = {}

    async def read(self, place: str) -> bytes:
        return self.by_place[place]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Stages on one database. `enqueued` are the jobs that effects wanted, as keys."""

    pool: asyncpg.Pool
    hearing: Hearing
    detection: Detection
    kept: KeptBytes
    seen: list[tuple[float, bool]]
    enqueued: list[str]

    async def begin(self, session_id: str = SESSION) -> None:
        """A session that runs."""
        await self.pool.execute(
            "insert into agents (agent_id, user_id) values ('a1', 'owner') on conflict do nothing"
        )
        await self.pool.execute(
            "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
            session_id,
        )

    async def end(self, session_id: str = SESSION, **counts: int) -> None:
        """It ends, with the counts of its lanes."""
        await self.pool.execute(
            "update sessions set is_live = false, ended_at = now() - interval '1 minute', lane_counts = $2::jsonb"
            " where session_id = $1",
            session_id,
            json.dumps(counts),
        )

    async def receive(
        self, seq: int, *, lane: int = SIGNALS, loudness_db: float = QUIET, session_id: str = SESSION
    ) -> None:
        """A chunk is durable."""
        start_ns = seq * CHUNK_S * SECOND_NS
        place = f"object:{session_id}/{lane}/{seq}"
        self.kept.by_place[place] = signals_of(start_ns, loudness_db=loudness_db)
        await self.pool.execute(
            "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place,"
            " received_at) values ($1, $2, $3, $4, $5, 'x', ''::bytea, 1, $6, now() - interval '1 minute')",
            session_id, lane, seq, start_ns, start_ns + CHUNK_S * SECOND_NS, place,
        )  # fmt: skip

    async def effect_of_hearing(self, seq: int, *, session_id: str = SESSION) -> Effect:
        """What hearing a chunk of signals wants written."""
        return await self.hearing.handle(hearing_job(session_id, SIGNALS, seq))

    async def hear(self, seq: int, *, loudness_db: float = QUIET, session_id: str = SESSION) -> list[str]:
        """A chunk of signals comes and is heard; returns the keys of the looks that follow."""
        await self.receive(seq, loudness_db=loudness_db, session_id=session_id)
        return await self.commit(await self.effect_of_hearing(seq, session_id=session_id))

    async def hear_lane(self, lane: int, seq: int) -> list[str]:
        """A chunk of another lane is heard: its rows, as the stage would write them."""
        await self.receive(seq, lane=lane)
        return await self.commit(self.hearing.give_up(hearing_job(SESSION, lane, seq), "not heard here"))

    async def look(self, key: str = "ai", session_id: str = SESSION) -> list[str]:
        """A look is made; returns the keys of what follows."""
        return await self.commit(await self.detection.handle(look_job(session_id, key)))

    async def commit(self, effect: Effect) -> list[str]:
        """In one transaction: the effect, and the jobs it wants."""
        async with self.pool.acquire() as connection, connection.transaction():
            jobs = list(await effect(connection))
            await PgQueuerQueue().enqueue(connection, jobs)
        self.enqueued.extend(job.key for job in jobs)
        return [job.key for job in jobs]

    async def queued(self) -> list[str]:
        """Keys that wait to be worked."""
        rows = await self.pool.fetch("select key from job_keys order by key")
        return [row["key"] for row in rows]

    async def work_off(self, queue: Queue) -> None:
        """Everything that is queued there now has ended, without an effect."""
        await self.pool.execute("delete from pgqueuer where entrypoint = $1", queue.value)

    async def reconcile(self) -> dict[str, int]:
        """The reconciler's turn."""
        wants = [
            Want(name=name, sql=sql)
            for name, sql in load_statements("coordinator.store", "wants.sql").items()
        ]
        async with self.pool.acquire() as connection, connection.transaction():
            return await reconcile_once(connection, PgQueuerQueue(), wants)

    async def analyses(self) -> list[tuple[int, bool, str]]:
        """(window, is it the last, state) of each look that is written down."""
        rows = await self.pool.fetch("select window_no, is_final, state from analyses order by window_no")
        return [(row["window_no"], row["is_final"], row["state"]) for row in rows]


def flow_on(
    pool: asyncpg.Pool, find: Callable[[SessionSignals], Sequence[Moment] | Found] = lambda _signals: ()
) -> Flow:
    """Args: find: what a look finds."""
    seen: list[tuple[float, bool]] = []

    def detect(signals: SessionSignals, is_final: bool) -> Found:
        seen.append((signals.duration_s, is_final))
        found = find(signals)
        return found if isinstance(found, Found) else Found(moments=found, reason="nothing stood out")

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a chunk of signals needs neither speech nor media")

    kept, rows, looks = KeptBytes(), PostgresRows(pool), PostgresLooks(pool)
    return Flow(
        pool=pool,
        hearing=Hearing(
            rows=rows, looks=looks, utterances=PostgresUtterances(), chunk_bytes=kept, media=never,  # type: ignore[arg-type]
            chats=PostgresChats(pool), speech=never, extract=never, is_promising=is_promising,
        ),
        detection=Detection(
            rows=rows,
            looks=looks,
            chats=PostgresChats(pool),
            detect=detect,
            policy=RequestPolicy(min_score=0.5, max_per_hour=10, are_presses_exported=False),
            engine="test 1",
        ),
        kept=kept,
        seen=seen,
        enqueued=[],
    )  # fmt: skip


def hearing_job(session_id: str, lane: int, seq: int) -> Job:
    """A claimed job of the stage `transcription`."""
    return Job(
        job_id=1,
        queue=Queue.TRANSCRIPTION,
        key=f"stt:{session_id}:{lane}:{seq}",
        payload={"session_id": session_id, "lane": lane, "seq": seq},
        runs=1,
    )


def look_job(session_id: str, key: str) -> Job:
    """A claimed job of the stage `ai-analysis`."""
    return Job(job_id=1, queue=Queue.AI_ANALYSIS, key=key, payload={"session_id": session_id}, runs=1)
