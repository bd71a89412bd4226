"""How fast what nobody kept goes: `python -m tests.bench.retention [--sessions N] [--chunks N]`, embedded PostgreSQL.

Sessions of a free account that are over: chunks of five lanes, all heard, the microphone's with words, rolled up into
objects of 150 chunks in a folder; one moment in fifty is kept. Beside them lie as many sessions that are young.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import asyncpg

from coordinator.model.jobs import Job, Queue
from coordinator.pipeline.expire import TASK, Expiring
from coordinator.store.connect import connect
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.migrate import migrate
from coordinator.store.objects import LocalObjects
from coordinator.store.retention import PostgresExpiry
from coordinator.store.tombstones import PostgresTombstones

_HOURS = {"free": 12.0}
_PER_OBJECT = 150
# $1 session, $2 chunks of each lane.
_FILL = (
    "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place, received_at)"
    " select $1, lane, seq, seq * 10000000000, (seq + 1) * 10000000000, 'audio/ogg', '\\x00', 1000,"
    " format('object:chunks/%s/%s.bin/%s/1000', $1::text, seq / 30, (seq % 30) * 5000 + lane * 1000),"
    " now() - interval '13 hours'"
    " from unnest('{1,2,4,5,6}'::smallint[]) as n (lane), generate_series(0, $2::bigint - 1) as s (seq)",
    "insert into features (session_id, lane, seq, start_ns, step_ns, tracks)"
    " select session_id, lane, seq, start_ns, 500000000, '{\"rms\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}'"
    " from chunks where session_id = $1 and $2::bigint > 0",
    "insert into transcripts (session_id, lane, seq, start_ns, end_ns, language, engine, model, words)"
    " select session_id, lane, seq, start_ns, end_ns, 'en', 'e', 'm', '[[\"word\", 1, 2]]'"
    " from chunks where session_id = $1 and lane = 1 and $2::bigint > 0",
    "with said as (insert into utterances (user_id, session_id, lane, seq, start_ns, end_ns, said)"
    " select 'u1', session_id, lane, seq, start_ns, end_ns, 'word' from chunks"
    " where session_id = $1 and lane = 1 and $2::bigint > 0 returning utterance_id, seq)"
    " insert into utterance_index (utterance_id, account_no, lexemes)"
    " select utterance_id, account_no, array_to_tsvector(array("
    " select to_hex(account_no) || '_w' || (seq * 7 + n) % 3000 from generate_series(1, 20) as n))"
    " from said, accounts where user_id = 'u1'",
    "insert into job_runs (key, queue, session_id, state) select format('stt:%s:%s:%s', session_id, lane, seq),"
    " 'transcription', session_id, 'done' from chunks where session_id = $1 and $2::bigint > 0",
    "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, evidence, is_kept)"
    " select $1 || n, $1, n * 100000000000, n * 100000000000 + 20000000000, n, 0.5, 'goal', '[]', n % 50 = 0"
    " from generate_series(0, $2::bigint / 10 - 1) as n",
)


async def fill(pool: asyncpg.Pool, objects: LocalObjects, chunks: int, *, hours: float) -> str:
    """One session that ended so long ago; returns its id."""
    session_id = uuid.uuid4().hex
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at, ended_at, is_live, is_over)"
        f" values ($1, 'u1', 'a1', now(), now() - interval '{hours} hours', false, true)",
        session_id,
    )
    for statement in _FILL if hours > 12 else ():
        await pool.execute(statement, session_id, chunks // 5)
    for number in range(-(-chunks // _PER_OBJECT) if hours > 12 else 0):
        await objects.put(f"chunks/{session_id}/{number}.bin", bytes(_PER_OBJECT * 1000 + 7000))
    return session_id


async def measure(url: str, folder: Path, sessions: int, chunks: int) -> None:
    """Fill, expire, and print how long it took."""
    pool: asyncpg.Pool = await connect(url, max_connections=4)
    objects = LocalObjects(folder, base_url="http://127.0.0.1:9", secret=b"x" * 32)
    await pool.execute("insert into accounts (user_id, tier) values ('u1', 'free')")
    await pool.execute("insert into agents (agent_id, user_id) values ('a1', 'u1')")
    for _ in range(sessions):
        await fill(pool, objects, chunks, hours=13)
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at, ended_at, is_live, is_over)"
        " select md5(n::text), 'u1', 'a1', now(), now() - interval '1 hour', false, true"
        " from generate_series(1, 100000) as n"
    )
    await pool.execute(
        "insert into search_words select account_no, 'w' || n, '{}' from accounts,"
        " generate_series(0, 2999) as n where user_id = 'u1'"
    )
    await pool.execute("analyze")
    expiry: Any = PostgresExpiry(pool, _HOURS)
    began_s = time.perf_counter()
    await expiry.due_sessions(50)
    print(f"due_sessions beside 100,000 young sessions: {(time.perf_counter() - began_s) * 1000:.0f} ms")
    began_s = time.perf_counter()
    print(f"dry run: {len(await expiry.preview(1000))} sessions, {time.perf_counter() - began_s:.2f} s")
    steps: list[float] = []
    expire = expiry.expire

    async def timed(session_id: str) -> Any:
        step_s = time.perf_counter()
        found = await expire(session_id)
        steps.append(time.perf_counter() - step_s)
        return found

    expiry.expire = timed
    expiring = Expiring(expiry=expiry, tombstones=PostgresTombstones(pool), objects=objects)
    began_s, rounds, is_more = time.perf_counter(), 0, True
    while is_more:
        effect = await expiring.handle(
            Job(job_id=1, queue=Queue.CLEANUP, key="k", payload={"task": TASK}, runs=1)
        )
        is_more, rounds = bool(await effect(pool)), rounds + 1
    took_s = time.perf_counter() - began_s
    num = sessions * (chunks // 5) * 5
    left = await pool.fetchval("select count(*) from chunks")
    print(
        f"{num - left} of {num} chunks, {sessions} sessions: {took_s:.1f} s in {rounds} rounds,"
        f" {(num - left) / took_s:.0f} chunks/s; a step {sorted(steps)[len(steps) // 2] * 1000:.0f} ms,"
        f" the longest {max(steps) * 1000:.0f} ms"
    )
    await pool.close()


def main() -> None:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--chunks", type=int, default=20_000)
    arguments = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="clippy-bench-", dir="/tmp"))
    data.chmod(0o711)
    server = EmbeddedPostgres(data)
    try:
        url = server.start()
        migrate(url)
        asyncio.run(measure(url, data / "objects", arguments.sessions, arguments.chunks))
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
