"""`clippy-coordinator forget`, and jobs about what is forgotten, which end quietly."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator.cli import main
from coordinator.errors import AudioUnusable, NotFound
from coordinator.model.jobs import Job, Queue
from coordinator.pipeline.quiet import chunk_of, unless_forgotten
from coordinator.ports import Effect
from coordinator.store.rows import PostgresRows
from tests.fakes.forgettable_stream import add_session
from tests.fakes.link_parts import new_session_id

NOBODY = "0" * 32


@pytest.fixture
def session_id(database_url: str) -> str:
    """A session of two minutes, with a chunk in it that was never heard."""

    async def fill() -> str:
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
        new = new_session_id()
        await add_session(pool, new)
        await add_chunk(pool, new)
        await pool.close()
        return new

    return asyncio.run(fill())


async def add_chunk(pool: asyncpg.Pool, session_id: str) -> None:
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " values ($1, 1, 0, 0, 10000000000, 'audio/ogg', ''::bytea, 4, 'spool:n9/00000001/100/4')",
        session_id,
    )


def run(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> tuple[int, dict[str, Any]]:
    exit_code = main(["--data", str(data), "forget", *words, "--json"])
    return exit_code, json.loads(capsys.readouterr().out)


def test_an_operators_order_deletes_at_once_and_is_listed_with_what_it_waits_for(
    tmp_path: Path,
    database_url: str,
    session_id: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CLIPPY_COORDINATOR_DATABASE__URL", database_url)

    exit_code, order = run(capsys, tmp_path, session_id, "--start", "5", "--end", "60")
    _, listed = run(capsys, tmp_path, "--list")

    assert (exit_code, order["state"], order["went"]) == (0, "open", ["1 chunk of the microphone"])
    (seen,) = listed["orders"]
    assert seen["forget_id"] == order["forget_id"]
    assert (seen["asked_by"], seen["agent_answered_at"], seen["state"]) == ("coordinator", None, "open")
    assert main(["--data", str(tmp_path), "forget", "--list"]) == 0
    assert "asked by the coordinator" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        ([], 2, "input_unusable"),
        (["SESSION", "--start", "5"], 2, "input_unusable"),
        (["SESSION", "--start", "5", "--end", "5"], 2, "input_unusable"),
        (["SESSION", "--start", "0", "--end", "7200"], 2, "input_unusable"),  # it ran for two minutes
        (["SESSION", "--list"], 2, "input_unusable"),
        (["../etc", "--start", "0", "--end", "1"], 2, "input_unusable"),
        ([NOBODY, "--start", "0", "--end", "1"], 1, "not_found"),
    ],
)
def test_what_is_no_order_is_refused(
    words: list[str],
    exit_code: int,
    code: str,
    tmp_path: Path,
    database_url: str,
    session_id: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CLIPPY_COORDINATOR_DATABASE__URL", database_url)

    answer = run(capsys, tmp_path, *(session_id if word == "SESSION" else word for word in words))

    assert (answer[0], answer[1]["error"]["code"]) == (exit_code, code)


async def test_a_job_ends_quietly_when_its_subject_is_forgotten_and_fails_when_it_is_there(
    pool: asyncpg.Pool,
):
    rows, session = PostgresRows(pool), new_session_id()
    await add_session(pool, session)
    await add_chunk(pool, session)
    job = Job(
        job_id=1,
        queue=Queue.TRANSCRIPTION,
        key="stt",
        payload={"session_id": session, "lane": 1, "seq": 0},
        runs=1,
    )

    async def hear(job: Job) -> Effect:
        # The bytes of a forgotten chunk are zeros by now.
        raise AudioUnusable("nothing to decode")

    handle = unless_forgotten(hear, rows, chunk_of)
    with pytest.raises(AudioUnusable):
        await handle(job)
    await pool.execute("delete from chunks")
    effect = await handle(job)
    async with pool.acquire() as connection:
        assert list(await effect(connection)) == []
    with pytest.raises(NotFound):
        await chunk_of(rows, job)
