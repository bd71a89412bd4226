"""The reconciler's questions at 10,000 streams: none of them reads all chunks."""

from __future__ import annotations

import json
import re
import sys
import time

import asyncpg
import pytest

from coordinator.statements import load_statements
from coordinator.store.looks import PostgresLooks

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.slow, pytest.mark.timeout(900)]

_SECONDS_NS = 1_000_000_000
_DECISIONS = 200


@pytest.fixture
async def pool(pool: asyncpg.Pool) -> asyncpg.Pool:
    """10,000 live sessions with a million chunks, of which the newest two of each lane are not heard."""
    await pool.execute("insert into agents (agent_id, user_id) values ('a', 'owner')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at)"
        " select md5(n::text), 'owner', 'a', now() - interval '6 minutes' from generate_series(1, 10000) n"
    )
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place,"
        " received_at) select md5(n::text), lane, seq, seq * 10 * $1::bigint, (seq + 1) * 10 * $1::bigint, 'audio/ogg',"
        " '\\x00'::bytea, 1, 'object:x/' || n, now() - interval '1 minute'"
        " from generate_series(1, 10000) n, unnest('{1,2,4}'::int[]) lane, generate_series(0, 33) seq",
        _SECONDS_NS,
        timeout=600,
    )
    await pool.execute(
        "insert into features (session_id, lane, seq, start_ns, step_ns, tracks)"
        " select session_id, lane, seq, start_ns, 1, '{}' from chunks where seq < 32",
        timeout=600,
    )
    await pool.execute(
        "insert into heard_lanes select session_id, lane, 32, 320 * $1::bigint from sessions,"
        " unnest('{1,2,4}'::int[]) lane",
        _SECONDS_NS,
    )
    await pool.execute(
        "insert into looks (session_id, until_ns, looked_no) select session_id, 320 * $1::bigint, 31 from sessions",
        _SECONDS_NS,
    )
    await pool.execute(
        "insert into job_runs (key, queue, state) select format('stt:%s:%s:%s', session_id, lane, seq),"
        " 'transcription', 'done' from features",
        timeout=600,
    )
    await pool.execute(
        "insert into pgqueuer (priority, status, entrypoint, dedupe_key) select 10, 'queued', 'transcription',"
        " format('stt:%s:%s:%s', session_id, lane, seq) from chunks where seq >= 32",
        timeout=600,
    )
    for table in ("chunks", "features", "heard_lanes", "looks", "job_runs", "pgqueuer", "sessions"):
        await pool.execute(f"vacuum analyze {table}", timeout=600)
    return pool


async def test_no_want_reads_all_chunks_and_a_missing_job_is_found(
    pool: asyncpg.Pool,
):
    wants = load_statements("coordinator.store", "wants.sql")
    for name, sql in wants.items():
        plan = await pool.fetchval(
            f"explain (analyze, format json) select * from (\n{sql}\n) as wanted limit 500", timeout=300
        )
        sys.stdout.write(f"{name}: {json.loads(plan)[0]['Execution Time']:.0f} ms\n")
        read = set(re.findall(r'"Node Type": "Seq Scan"[^{}]*"Relation Name": "(\w+)"', plan))
        assert not read & {"chunks", "features"}, f"{name} reads all of {read}"
    session_id = await pool.fetchval("select md5('7')")
    assert await pool.fetch(wants["unheard_chunks"]) == []

    await pool.execute("delete from pgqueuer where dedupe_key = $1", f"stt:{session_id}:4:33")

    assert [row["key"] for row in await pool.fetch(wants["unheard_chunks"])] == [f"stt:{session_id}:4:33"]
    looks, began_s = PostgresLooks(pool), time.monotonic()
    async with pool.acquire() as connection, connection.transaction():
        for _ in range(_DECISIONS):
            await looks.hear_lane(connection, session_id, 4)
            await looks.save(connection, await looks.state(session_id, connection))
    sys.stdout.write(f"a decision: {1000 * (time.monotonic() - began_s) / _DECISIONS:.2f} ms\n")
