"""The stage `ai-analysis` with a judge, in a real worker on a real database: sessions in which something was said."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from coordinator.jobs.work import Work, in_batches
from coordinator.llm.opening import open_judge
from coordinator.model.highlight import Evidence, Moment, SessionSignals
from coordinator.model.jobs import NewJob, Queue
from coordinator.pipeline import steps
from coordinator.pipeline.detect import Detection, Found, RequestPolicy
from coordinator.pipeline.judging import JudgedLooks
from coordinator.ports import Judge
from coordinator.row_ports import Tastes
from coordinator.settings import Llm, LlmProvider
from coordinator.store.chats import PostgresChats
from coordinator.store.looks import PostgresLooks
from coordinator.store.rows import PostgresRows
from protos.timebase import SECOND_NS
from tests.fakes.llm_server import MODEL, LlmServer
from tests.fakes.worker_here import put, until_ended, working

HEARD_S = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Words of ten seconds that are a moment; of this score, if no model says anything."""

    start_s: int
    text: str
    score: float = 0.6


def find(signals: SessionSignals, _is_final: bool) -> Found:
    """Every utterance is a moment; its last word is its score in hundredths."""
    moments = [
        Moment(
            start_s=said.start_s,
            end_s=said.start_s + 10.0,
            peak_s=said.start_s + 5.0,
            score=int(said.text.split()[-1]) / 100,
            kind="loud",
            evidence=(Evidence(lane="mic", weight=1.0, note="loud"),),
        )
        for said in signals.utterances
    ]
    moments.sort(key=lambda moment: -moment.score)
    return Found(moments=moments, reason="" if moments else "nothing was said")


def providers(*servers: LlmServer, **first: Any) -> tuple[LlmProvider, ...]:
    """Of these servers, in their order. Args: first: settings of the first."""
    return tuple(
        LlmProvider(
            name=f"p{at}",
            base_url=server.url,
            **({"model": MODEL, "timeout_s": 20.0} | (first if at == 0 else {})),
        )
        for at, server in enumerate(servers)
    )


def detection_on(pool: asyncpg.Pool, *, min_score: float = 0.7, tastes: Tastes | None = None) -> Detection:
    """Looks that find what `find` does."""
    return Detection(
        rows=PostgresRows(pool),
        looks=PostgresLooks(pool),
        chats=PostgresChats(pool),
        detect=find,
        policy=RequestPolicy(min_score=min_score, max_per_hour=10, are_presses_exported=False),
        engine="test 1",
        tastes=tastes,
    )


def work_of(pool: asyncpg.Pool, judge: Judge, *, batch: int = 10, concurrency: int = 2) -> dict[Queue, Work]:
    """What a worker of the stage does."""
    detection = detection_on(pool)
    looks = JudgedLooks(detection=detection, rows=PostgresRows(pool), judge=judge)
    work = in_batches(looks.handle_many, batch=batch, concurrency=concurrency, on_failed=detection.give_up)
    return {Queue.AI_ANALYSIS: work}


@contextlib.asynccontextmanager
async def judging(pool: asyncpg.Pool, llm: Llm, **options: Any) -> AsyncIterator[None]:
    """A worker of the stage for as long as the block lasts."""
    async with open_judge(pool, llm, {}) as judge, working(pool, work_of(pool, judge, **options)):
        yield


async def judge_all(pool: asyncpg.Pool, llm: Llm, jobs: Sequence[NewJob], **options: Any) -> None:
    """Let a worker look at these, all of them waiting before it begins, until they are done."""
    num_done = await pool.fetchval("select count(*) from job_runs where state = 'done'")
    await put(pool, *jobs)
    async with judging(pool, llm, **options):
        await until_ended(pool, num_done + len(jobs))


async def add_session(
    pool: asyncpg.Pool, *said: Said, user: str = "owner", tier: str = "business", session_id: str = ""
) -> str:
    """A session of a minute that was heard, of an account of this tier; returns its id."""
    session_id = session_id or uuid.uuid4().hex
    await pool.execute(
        "insert into accounts (user_id, tier) values ($1, $2) on conflict do nothing", user, tier
    )
    await pool.execute(
        "insert into agents (agent_id, user_id) values ($1, $2) on conflict do nothing", f"agent-{user}", user
    )
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, $2, $3, now())",
        session_id, user, f"agent-{user}",
    )  # fmt: skip
    for one in said:
        await say(pool, session_id, one)
    await hear_until(pool, session_id, HEARD_S)
    return session_id


async def say(pool: asyncpg.Pool, session_id: str, said: Said) -> None:
    """Something was said, and heard."""
    start_ns, end_ns = said.start_s * SECOND_NS, (said.start_s + 10) * SECOND_NS
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " values ($1, 1, $2, $3, $4, 'x', ''::bytea, 1, 'object:x')",
        session_id, said.start_s // 10, start_ns, end_ns,
    )  # fmt: skip
    words = [*said.text.split(), str(round(100 * said.score))]
    spoken = [
        [word, start_ns + at * SECOND_NS // 10, start_ns + (at + 1) * SECOND_NS // 10]
        for at, word in enumerate(words)
    ]
    await pool.execute(
        "insert into transcripts (session_id, lane, seq, start_ns, end_ns, language, engine, model, words)"
        " values ($1, 1, $2, $3, $4, 'en', 'toy', '1', $5::jsonb)",
        session_id, said.start_s // 10, start_ns, end_ns, json.dumps(spoken),
    )  # fmt: skip


async def hear_until(pool: asyncpg.Pool, session_id: str, until_s: int) -> None:
    """All of it was heard up to there, so that the next look sees it."""
    await pool.execute(
        "insert into heard_lanes (session_id, lane, next_seq, until_ns) values ($1, 1, $2, $3), ($1, 4, $2, $3)"
        " on conflict (session_id, lane) do update set next_seq = $2, until_ns = $3",
        session_id, until_s // 10, until_s * SECOND_NS,
    )  # fmt: skip


def look(session_id: str, window_no: int = HEARD_S // 10) -> NewJob:
    """A look that is due."""
    return steps.analysis(session_id, window_no)


async def moments(pool: asyncpg.Pool, session_id: str) -> list[dict[str, Any]]:
    """What is offered, in order of time, with the part of a model read out of the evidence."""
    rows = await pool.fetch(
        "select moment_id, start_ns, end_ns, score, title, evidence, opinion from moments"
        " where session_id = $1 order by start_ns",
        session_id,
    )
    found = []
    for row in rows:
        evidence = json.loads(row["evidence"])
        moved = sum(item["weight"] for item in evidence if item["lane"] == "llm")
        found.append({**dict(row), "evidence": evidence, "moved": moved, "without": row["score"] - moved})
    return found


async def judged_by(pool: asyncpg.Pool) -> set[tuple[str, str]]:
    """(model, why not) of all looks."""
    rows = await pool.fetch("select judge, unjudged from analyses")
    return {(row["judge"], row["unjudged"]) for row in rows}
