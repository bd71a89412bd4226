"""Rows of one session with everything that a page can show, in each state it can be in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asyncpg

from protos.timebase import SECOND_NS

SESSION_ID = "5e55" * 8
POST_KEY = "exports/ready.mp4"
HOSTILE = "<script>alert('x')</script> & \"quoted\""
# (moment, score, title, state of the request, state of the export)
_MOMENTS = [
    ("m-ready", 0.93, "What a strike", "uploaded", "ready"),
    ("m-failed", 0.81, HOSTILE, "uploaded", "failed"),
    ("m-pending", 0.72, "", "uploaded", "pending"),
    ("m-gone", 0.55, "Too late", "unavailable", None),
    ("m-quiet", 0.21, "", None, None),
]


async def seed(pool: asyncpg.Pool, session_id: str = SESSION_ID) -> None:
    """Write it all."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
        await connection.execute(
            "insert into sessions (session_id, user_id, agent_id, started_at, moments_reason)"
            " values ($1, 'owner', 'a1', '2026-03-12 20:00:00+00', '')",
            session_id,
        )
        await _seed_heard(connection, session_id)
        for number, values in enumerate(_MOMENTS):
            await _seed_moment(connection, session_id, number, *values)
        await _seed_press(connection, session_id)
        await _seed_work(connection, session_id)


async def _seed_heard(connection: asyncpg.Connection, session_id: str) -> None:
    for lane, seq, place in ((1, 0, "object:a"), (1, 2, "spool:n/1/0"), (2, 0, "object:b")):
        await connection.execute(
            "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
            " values ($1, $2, $3, $4, $5, 'audio/ogg', ''::bytea, 1000, $6)",
            session_id, lane, seq, seq * 10 * SECOND_NS, (seq + 1) * 10 * SECOND_NS, place,
        )  # fmt: skip
    words = [["what", SECOND_NS, SECOND_NS + 1], [HOSTILE, 2 * SECOND_NS, 3 * SECOND_NS]]
    for seq, said in ((0, words), (2, [["goal", 21 * SECOND_NS, 22 * SECOND_NS]])):
        await connection.execute(
            "insert into transcripts (session_id, lane, seq, start_ns, end_ns, language, engine, model, words)"
            " values ($1, 1, $2, 0, 1, 'en', 'pocketsphinx', 'en-us', $3)",
            session_id, seq, json.dumps(said),
        )  # fmt: skip
    await connection.execute("insert into gaps values ($1, 1, 1, 1, 'the outbox was full')", session_id)


async def _seed_moment(
    connection: asyncpg.Connection,
    session_id: str,
    number: int,
    moment_id: str,
    score: float,
    title: str,
    request_state: str | None,
    export_state: str | None,
) -> None:
    start_ns = (60 + 30 * number) * SECOND_NS
    end_ns = start_ns + 15 * SECOND_NS
    evidence = [
        {"lane": "crowd", "weight": 0.6, "note": "11 dB over the last 90 s"},
        {"lane": "speech", "weight": 0.4, "note": HOSTILE},
    ]
    await connection.execute(
        "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, title, evidence)"
        " values ($1, $2, $3, $4, $3, $5, 'goal', $6, $7)",
        moment_id, session_id, start_ns, end_ns, score, title, json.dumps(evidence),
    )  # fmt: skip
    if request_state is not None:
        await _seed_request(connection, session_id, f"r-{moment_id}", moment_id, None, request_state)
    if export_state is not None:
        await _seed_clip(connection, session_id, f"r-{moment_id}", moment_id, (start_ns, end_ns))
        await _seed_export(connection, f"e-{moment_id}", f"c-r-{moment_id}", export_state)


async def _seed_press(connection: asyncpg.Connection, session_id: str) -> None:
    at_ns = 40 * SECOND_NS
    await connection.execute(
        "insert into markers (session_id, clip_id, at_ns, start_ns, end_ns) values ($1, 'k1', $2, $3, $2)",
        session_id, at_ns, at_ns - 30 * SECOND_NS,
    )  # fmt: skip
    await _seed_request(connection, session_id, "r-press", None, "k1", "uploaded")
    await _seed_clip(connection, session_id, "r-press", None, (at_ns - 30 * SECOND_NS, at_ns))
    await _seed_export(connection, "e-press", "c-r-press", "pending")


async def _seed_request(
    connection: asyncpg.Connection,
    session_id: str,
    request_id: str,
    moment_id: str | None,
    marker: str | None,
    state: str,
) -> None:
    reason = "the ring had moved on" if state == "unavailable" else ""
    await connection.execute(
        "insert into source_requests (request_id, session_id, moment_id, marker_clip_id, start_ns, end_ns, state,"
        " reason, object_key, expires_at) values ($1, $2, $3, $4, 0, 1, $5, $6, 'source', now())",
        request_id, session_id, moment_id, marker, state, reason,
    )  # fmt: skip


async def _seed_clip(
    connection: asyncpg.Connection,
    session_id: str,
    request_id: str,
    moment_id: str | None,
    span_ns: tuple[int, int],
) -> None:
    await connection.execute(
        "insert into clips (clip_id, session_id, moment_id, request_id, object_key, start_ns, end_ns, width, height)"
        " values ($1, $2, $3, $4, 'cut', $5, $6, 1920, 1080)",
        f"c-{request_id}", session_id, moment_id, request_id, *span_ns,
    )  # fmt: skip


async def _seed_export(connection: asyncpg.Connection, export_id: str, clip_id: str, state: str) -> None:
    ready: dict[str, Any] = {}
    if state == "ready":
        ready = {"object_key": POST_KEY, "width": 1080, "height": 1920, "duration_s": 3.0, "lufs": -14.02,
                 "captions": 7, "size_bytes": 4242}  # fmt: skip
    reason = "the upload is cut off after 3 MB" if state == "failed" else ""
    names = ["export_id", "clip_id", "preset", "state", "reason", *ready]
    values = [export_id, clip_id, "vertical", state, reason, *ready.values()]
    marks = ", ".join(f"${number + 1}" for number in range(len(values)))
    await connection.execute(f"insert into exports ({', '.join(names)}) values ({marks})", *values)
    if state == "ready":
        await connection.execute(
            "update exports set ready_at = '2026-03-12 20:01:45+00' where export_id = $1", export_id
        )


async def _seed_work(connection: asyncpg.Connection, session_id: str) -> None:
    for key, state, stage, reason in (
        ("j1", "done", "", ""),
        ("j2", "done", "", ""),
        ("j3", "running", "cut", ""),
        ("j4", "failed", "export", f"ffmpeg said {HOSTILE}"),
    ):
        await connection.execute(
            "insert into job_runs (key, queue, session_id, state, stage, reason) values ($1, 'export', $2, $3, $4, $5)",
            key, session_id, state, stage, reason,
        )  # fmt: skip
    await connection.execute(
        "insert into workers (worker_id, stage, pid, state, detail) values ('w1', 'transcribe', 7, 'ready', $1)",
        json.dumps({"engine": "pocketsphinx", "engine_reason": "no Whisper model is at hand"}),
    )


async def finish_export(pool: asyncpg.Pool, export_id: str, key: Path | str = POST_KEY) -> None:
    """A pending post becomes ready, as a worker would make it."""
    await pool.execute(
        "update exports set state = 'ready', object_key = $2, width = 1080, height = 1920, duration_s = 3.0,"
        " captions = 0, size_bytes = 1, ready_at = now() where export_id = $1",
        export_id, str(key),
    )  # fmt: skip
