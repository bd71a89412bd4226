"""`clippy-coordinator placement` on a real database: what it prints, changes, and refuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from coordinator import cli_placement
from coordinator.cli import main
from coordinator.model.accounts import TIERS
from coordinator.model.jobs import Queue
from coordinator.store.connect import connect


@pytest.fixture
def data(tmp_path: Path, database_url: str) -> Path:
    """A data directory with a worker that serves two places."""

    async def fill() -> None:
        pool = await connect(database_url, max_connections=2)
        await pool.execute(
            "insert into workers (worker_id, stage, pid, state, queues, routes, num_slots, num_busy, seen_at) values"
            " ('w', 'export', 1, 'ready', '{export}', '{export,export@small,export.v2@small}', 4, 1, now())"
        )
        await pool.close()

    (tmp_path / "database.url").write_text(database_url)
    asyncio.run(fill())
    return tmp_path


def answer(data: Path, capsys: pytest.CaptureFixture[str], *words: str, expect: int = 0) -> Any:
    code = main(["--data", str(data), "placement", *words, "--json"])
    printed = capsys.readouterr().out
    assert (code, printed.count("\n")) == (expect, 1), printed
    return json.loads(printed)


def test_the_repeated_names_are_the_models():
    assert cli_placement._TIERS == TIERS
    assert tuple(queue.value for queue in Queue) == cli_placement._QUEUES


def test_a_placement_is_set_listed_and_cleared(data: Path, capsys: pytest.CaptureFixture[str]):
    wanted = {"tier": "free", "queue": "export", "place": "small", "under_load": "any", "press": None}
    places = [
        {"queue": "export", "place": "any", "num_workers": 1, "num_slots": 4, "num_busy": 1},
        {"queue": "export", "place": "small", "num_workers": 1, "num_slots": 4, "num_busy": 1},
    ]

    assert answer(data, capsys, "list") == {"placements": [], "places": places}
    said = answer(data, capsys, "set", "free", "export", "--place", "small", "--under-load", "any")
    assert said == wanted
    assert answer(data, capsys, "list") == {"placements": [wanted], "places": places}
    assert answer(data, capsys, "clear", "free", "export")["was_set"] is True
    assert answer(data, capsys, "clear", "free", "export")["was_set"] is False
    assert answer(data, capsys, "list")["placements"] == []


def test_a_place_that_nobody_serves_is_told(data: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--data", str(data), "placement", "set", "pro", "export", "--place", "gpu"]) == 0
    assert "no worker serves gpu now, so any takes those jobs" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["", "GPU", "a b", "x" * 33, "-x", "a@b", "a.v2"])
def test_what_is_no_place_is_refused(data: Path, capsys: pytest.CaptureFixture[str], place: str):
    said = answer(data, capsys, "set", "pro", "export", f"--place={place}", expect=2)
    assert "no place" in said["error"]["message"]
