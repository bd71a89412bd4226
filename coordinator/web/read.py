"""Reads what the page shows into plain JSON values: the page and the JSON twin show the same.

Times on a session's line leave here as seconds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coordinator.errors import NotFound
from coordinator.model.llm import unjudged_words
from coordinator.policy.remedies import remedy_of
from coordinator.statements import load_statements
from coordinator.web.expiry import Age
from protos.segment import LANE_NAMES
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.web", "page.sql")
MAX_MOMENTS = 100
# What our ids are made of; PostgreSQL itself refuses a text with a NUL in it.
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")


async def read_sessions(connection: asyncpg.Connection, limit: int = 20) -> list[dict[str, Any]]:
    """The newest sessions first."""
    return [
        {
            "session_id": row["session_id"],
            "started_at": row["started_at"].isoformat(),
            "is_live": row["is_live"],
            "num_moments": row["num_moments"],
        }
        for row in await connection.fetch(SQL["sessions"], limit)
    ]


async def read_session(
    connection: asyncpg.Connection,
    session_id: str,
    *,
    hours_by_tier: Mapping[str, float],
    has_words: bool = True,
) -> dict[str, Any]:
    """Everything about one session.

    Args:
        hours_by_tier: until what nobody kept expires; 0: never.
        has_words: False leaves the transcript's words out (hours of speech, for a page that only counts them).

    Raises:
        NotFound: There is no such session.
    """
    row = await connection.fetchrow(SQL["session"], session_id) if _ID.match(session_id) else None
    if row is None:
        raise NotFound(f"no session {session_id[:64]!r}; the page's first lines list them")
    exports = [
        _export(export, row["started_at"].timestamp())
        for export in await connection.fetch(SQL["exports"], session_id)
    ]
    heard_ns = await connection.fetchval(SQL["heard_until"], session_id)
    age = Age.of(await connection.fetchrow(SQL["age"], session_id), hours_by_tier)
    moments = [
        _moment(moment, exports, age)
        for moment in await connection.fetch(SQL["moments"], session_id, MAX_MOMENTS)
    ]
    return {
        "session_id": session_id,
        "started_at": row["started_at"].isoformat(),
        "is_live": row["is_live"],
        "duration_s": None if row["duration_ns"] is None else _s(row["duration_ns"]),
        "heard_s": None if heard_ns is None else _s(heard_ns),
        "expiry": age.of_session(),
        "moments": moments,
        "moments_reason": "" if moments else row["moments_reason"],
        "judge": await _judge(connection, session_id),
        "presses": [_press(press, exports) for press in await connection.fetch(SQL["presses"], session_id)],
        "transcript": await _transcript(connection, session_id, has_words=has_words),
        "jobs": await _jobs(connection, session_id),
        "chunks": {
            LANE_NAMES.get(lane["lane"], str(lane["lane"])): {
                "num": lane["num"],
                "num_stored": lane["num_stored"],
                "size_bytes": lane["size_bytes"],
                "num_missing": lane["last_seq"] + 1 - lane["num"],
            }
            for lane in await connection.fetch(SQL["chunks"], session_id)
        },
        "gaps": [
            {
                "lane": LANE_NAMES.get(gap["lane"], str(gap["lane"])),
                **{k: gap[k] for k in ("first", "last", "reason")},
            }
            for gap in await connection.fetch(SQL["gaps"], session_id)
        ],
    }


async def read_workers(connection: asyncpg.Connection) -> list[dict[str, Any]]:
    """What the processes said of themselves within the last minute."""
    return [
        {
            **{key: row[key] for key in ("worker_id", "stage", "pid", "state", "reason")},
            "detail": json.loads(row["detail"]),
            "age_s": float(row["age_s"]),
        }
        for row in await connection.fetch(SQL["workers"])
    ]


async def read_export_key(connection: asyncpg.Connection, export_id: str) -> str:
    """The object of a post that is ready. Raises NotFound."""
    key = await connection.fetchval(SQL["export_object"], export_id) if _ID.match(export_id) else None
    if key is None:
        raise NotFound(f"no finished export {export_id[:64]!r}")
    return str(key)


def _s(time_ns: int) -> float:
    return round(time_ns / SECOND_NS, 6)


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: silence has a loudness of minus infinity, and that is unknown to a reader."""
    return value if value is not None and math.isfinite(value) else None


def _moment(row: asyncpg.Record, exports: list[dict[str, Any]], age: Age) -> dict[str, Any]:
    return {
        "moment_id": row["moment_id"],
        "start_s": _s(row["start_ns"]),
        "end_s": _s(row["end_ns"]),
        "peak_s": _s(row["peak_ns"]),
        "score": round(_finite(row["score"]) or 0.0, 4),
        "kind": row["kind"],
        "title": row["title"],
        "evidence": json.loads(row["evidence"]),
        "verdict": row["verdict"],
        "is_kept": row["is_kept"],
        "expiry": age.of_moment(is_kept=row["is_kept"], made_age_s=row["made_age_s"]),
        "opinion": json.loads(row["opinion"]) if row["opinion"] else None,
        "source": {"state": row["source_state"], "reason": row["source_reason"]},
        "exports": [export for export in exports if export["moment_id"] == row["moment_id"]],
    }


def _press(row: asyncpg.Record, exports: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "clip_id": row["clip_id"],
        "at_s": _s(row["at_ns"]),
        "start_s": _s(row["start_ns"]),
        "end_s": _s(row["end_ns"]),
        "source": {"state": row["source_state"], "reason": row["source_reason"]},
        "exports": [export for export in exports if export["press_clip_id"] == row["clip_id"]],
    }


def _export(row: asyncpg.Record, started_unix_s: float) -> dict[str, Any]:
    names = (
        "export_id",
        "clip_id",
        "preset",
        "state",
        "reason",
        "width",
        "height",
        "captions",
        "size_bytes",
        "moment_id",
    )
    ready_s = None if row["ready_at"] is None else row["ready_at"].timestamp() - started_unix_s
    return {
        **{name: row[name] for name in names},
        "duration_s": _finite(row["duration_s"]),
        "lufs": _finite(row["lufs"]),
        "press_clip_id": row["marker_clip_id"],
        # Of the press's clip before it grew or its ends were moved; gone once the same post of it now is ready.
        "is_earlier": bool(row["is_earlier"]),
        "start_s": _s(row["start_ns"]),
        "end_s": _s(row["end_ns"]),
        "url": f"/exports/{row['export_id']}.mp4" if row["state"] == "ready" else None,
        # From the end of what it shows to the finished post, by the wall clocks of agent and coordinator.
        "moment_to_post_s": None if ready_s is None else round(ready_s - row["end_ns"] / SECOND_NS, 3),
    }


async def _judge(connection: asyncpg.Connection, session_id: str) -> dict[str, str] | None:
    row = await connection.fetchrow(SQL["judge"], session_id)
    if row is None:
        return None
    words = f"judged by {row['judge']}" if row["judge"] else unjudged_words(row["unjudged"])
    return {"model": row["judge"], "reason": row["unjudged"], "words": words}


async def _transcript(connection: asyncpg.Connection, session_id: str, *, has_words: bool) -> dict[str, Any]:
    last = await connection.fetchrow(SQL["heard"], session_id)
    detail = json.loads(await connection.fetchval(SQL["speech_reason"]) or "{}")
    transcript = {
        "engine": last["engine"] if last else detail.get("engine"),
        "model": last["model"] if last else detail.get("model"),
        "reason": detail.get("engine_reason", ""),
        "num_words": last["num_words"] if last else 0,
    }
    if has_words:
        rows = await connection.fetch(SQL["transcript"], session_id)
        transcript["words"] = [
            {"text": text, "start_s": _s(start_ns), "end_s": _s(end_ns)}
            for row in rows
            for text, start_ns, end_ns in json.loads(row["words"])
        ]
    return transcript


async def _jobs(connection: asyncpg.Connection, session_id: str) -> dict[str, Any]:
    counts = {row["state"]: row["num"] for row in await connection.fetch(SQL["jobs"], session_id)}
    return {
        "done": counts.get("done", 0),
        "failed": counts.get("failed", 0),
        "running": counts.get("running", 0),
        "waiting": await connection.fetchval(SQL["num_unheard"], session_id),
        "failures": [
            {
                **{name: row[name] for name in ("key", "queue", "stage", "reason")},
                "remedy": remedy_of(row["code"]),
            }
            for row in await connection.fetch(SQL["failed_jobs"], session_id)
        ],
    }
