"""One real failure for good in each of the six queues, through real workers, and what people are told of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator.model.jobs import NewJob, Queue
from coordinator.model.object_keys import clip_id_of, clip_key, export_id_of
from coordinator.pipeline import steps
from protos.clippy.v1 import media_pb2
from tests.bench.jobs_outage_site import OutageSite
from tests.bench.measure import ROOT, wait_until
from tests.fakes.job_parts import put

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(480),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
SESSION = uuid.uuid4().hex
NO_VIDEO = b"this is no video, whatever its name says" * 100
LANE = media_pb2.LANE_SIGNALS


async def _upload(pool: asyncpg.Pool, data: Path, request: str) -> None:
    key = f"sources/{SESSION}/{request}.mp4"
    _store(data, key)
    await pool.execute(
        "insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, state, object_key,"
        " size_bytes, sha256, covered_start_ns, covered_end_ns, expires_at)"
        " values ($1, $2, $1, 0, 1000000000, 'uploaded', $3, $4, $5, 0, 1000000000, now() + interval '1 day')",
        request, SESSION, key, len(NO_VIDEO), hashlib.sha256(NO_VIDEO).digest(),
    )  # fmt: skip


def _store(data: Path, key: str) -> None:
    path = data / "objects" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(NO_VIDEO)


async def _spoilt_session(pool: asyncpg.Pool) -> str:
    """A session whose signals are spoilt in the database; returns its id."""
    other = uuid.uuid4().hex
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
        other,
    )
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " values ($1, $2, 0, 0, 10000000000, 'x', ''::bytea, 100, 'lost:x')", other, LANE,
    )  # fmt: skip
    await pool.execute(
        "insert into features (session_id, lane, seq, start_ns, step_ns, tracks)"
        " values ($1, $2, 0, 0, 500000000, '[7]')",
        other, LANE,
    )  # fmt: skip
    return other


async def seed(pool: asyncpg.Pool, data: Path) -> dict[Queue, NewJob]:
    """Jobs that cannot be done, one for each queue."""
    await pool.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
        SESSION,
    )
    prepared, cut, rendered = (uuid.uuid4().hex for _ in range(3))
    for request in (prepared, cut, rendered):
        await _upload(pool, data, request)
    clip = clip_id_of(rendered)
    _store(data, clip_key(SESSION, clip))
    await pool.execute(
        "insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)"
        " values ($1, $2, $3, $4, 0, 1000000000, 320, 180)", clip, SESSION, rendered, clip_key(SESSION, clip),
    )  # fmt: skip
    await pool.execute(
        "insert into exports (export_id, clip_id, preset) values ($1, $2, 'vertical')",
        export_id_of(clip, "vertical"),
        clip,
    )
    before = [steps.preparation(request, is_press=True) for request in (cut, rendered)]
    for job in (*before, steps.cutting(rendered, is_press=True)):
        await pool.execute(
            "insert into job_runs (key, queue, state, finished_at) values ($1, $2, 'done', now())",
            job.key,
            job.queue.value,
        )
    place = f"object:sources/{SESSION}/{cut}.mp4/0/100"
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " values ($1, $2, 0, 0, 10000000000, 'x', ''::bytea, 100, $3)", SESSION, LANE, place,
    )  # fmt: skip
    other = await _spoilt_session(pool)
    await pool.execute(
        "insert into tombstones (forget_id, session_id, start_ns, end_ns, asked_by)"
        " values ('f1', $1, 0, 1, 'coordinator')",
        SESSION,
    )
    await pool.execute(
        "insert into doomed_objects (forget_id, object_key, holds_others) values ('f1', '../escaped', false)"
    )
    return {
        Queue.VIDEO_PROCESSING: steps.preparation(prepared, is_press=True),
        Queue.TRANSCRIPTION: steps.hearing(SESSION, LANE, 0),
        Queue.AI_ANALYSIS: steps.analysis(other, 1),
        Queue.CLIP_GENERATION: steps.cutting(cut, is_press=True),
        Queue.EXPORT: steps.exporting(clip, "vertical", is_press=True),
        Queue.CLEANUP: steps.forgetting("f1"),
    }


def _told(data: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "coordinator", "--data", str(data), *words, "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


async def test_a_failure_for_good_in_any_queue_tells_stage_reason_what_was_tried_and_what_to_do(
    pool: asyncpg.Pool, database_url: str, tmp_path: Path
):
    jobs = await seed(pool, tmp_path)
    site = OutageSite("terminal", tmp_path, database_url, lambda _key, _content: None)
    site.wanted = [job.key for job in jobs.values()]

    def run() -> tuple[Any, dict[str, Any], Any]:
        with site.workers(['asr.engine = "faster-whisper"', "asr.allow_download = false"]):
            wait_until(site.is_empty, timeout_s=300, what="each job ended")
        dead = {job["key"]: job for job in _told(tmp_path, "jobs", "dead")["jobs"]}
        shown = {key: _told(tmp_path, "jobs", "show", key) for key in site.wanted}
        return dead, shown, _told(tmp_path, "forget", "--list")["orders"]

    await put(pool, *jobs.values())
    dead, shown, orders = await asyncio.to_thread(run)

    for queue, job in jobs.items():
        for told in (dead[job.key], shown[job.key]):
            assert (told["queue"], told["state"]) == (queue.value, "failed"), told["words"]
            assert told["stage"] and told["reason"] and told["code"] and told["remedy"]
            assert told["words"].startswith(f"failed at {told['stage']}")
            assert told["reason"] in told["words"]
            assert told["words"].endswith(told["remedy"])
            assert told["tried"][-1]["reason"] == told["reason"]
    # A fault that may pass was tried as often as its queue allows, each time written down.
    looked = shown[jobs[Queue.AI_ANALYSIS].key]
    assert (looked["attempts"], len(looked["tried"])) == (6, 6)
    assert all(
        len(shown[job.key]["tried"]) == 1 for queue, job in jobs.items() if queue is not Queue.AI_ANALYSIS
    )
    [order] = orders
    assert order["state"] == "open"
    assert order["problem"] == shown[jobs[Queue.CLEANUP].key]["reason"]
    # And where the user looks.
    rows = await pool.fetch("select state, reason from source_requests where state <> 'uploaded'")
    assert [row["state"] for row in rows] == ["failed", "failed"]
    assert await pool.fetchval("select state from exports") == "failed"
    assert await pool.fetchval("select reason <> '' from features where session_id = $1", SESSION)
    assert await pool.fetchval("select state from analyses") == "failed"
