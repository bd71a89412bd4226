"""`clippy-coordinator taste`: what it prints, and what it deletes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from coordinator.cli import main
from coordinator.store.connect import connect
from coordinator.taste.verdicts import PostgresTastes
from tests.fakes.seeded_session import seed


async def judged(url: str) -> None:
    """A session with moments, of which one is kept and one skipped."""
    pool: asyncpg.Pool = await connect(url, max_connections=2)
    try:
        await seed(pool)
        await PostgresTastes(pool).judge("m-ready", "keep")
        await PostgresTastes(pool).judge("m-failed", "skip")
    finally:
        await pool.close()


def test_a_taste_is_shown_and_reset_by_account(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    asyncio.run(judged(database_url))
    (tmp_path / "database.url").write_text(database_url)
    words = ["--data", str(tmp_path), "taste"]

    assert main([*words, "show", "owner"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "you kept 1, skipped 1"
    assert main([*words, "show", "owner", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"keep": 1, "skip": 1}
    assert main([*words, "reset", "owner", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"num_verdicts": 2}
    assert main([*words, "show", "owner", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {}
    assert main([*words, "show", "nobody", "--json"]) != 0
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_found"
