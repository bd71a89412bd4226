"""`clippy-coordinator jobs` on a real database: what it prints, and its exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator import cli_jobs
from coordinator.app.examining import unserved_checks
from coordinator.app.installation import Installation
from coordinator.cli import main
from coordinator.cli_jobs import seconds
from coordinator.config import load_config
from coordinator.errors import InputUnusable
from coordinator.jobs.desk import STATES
from coordinator.model.jobs import Queue
from coordinator.store.connect import connect
from tests.fakes.job_parts import export, put

ROOT = Path(__file__).resolve().parents[2]
_FAILED = """
insert into job_runs (key, queue, state, stage, reason, code, attempts, finished_at, tried)
values ('exp:bad', 'export', 'failed', 'cut', 'the source is empty', 'media_unusable', 2, now(),
        with_try('[]', 'cut', 'timeout', 'it took too long'));
insert into pgqueuer (priority, status, entrypoint, dedupe_key, payload)
values (10, 'failed', 'export', 'exp:bad', '{"key": "exp:bad", "data": {"clip_id": "bad"}}');
"""


@pytest.fixture
def data(tmp_path: Path, database_url: str) -> Path:
    """A data directory whose database has one job that waits and one that failed."""

    async def fill(pool: asyncpg.Pool) -> None:
        await put(pool, export("a"))
        await pool.execute(_FAILED)

    (tmp_path / "database.url").write_text(database_url)
    on_database(database_url, fill)
    return tmp_path


def on_database(url: str, work: Callable[[asyncpg.Pool], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        pool = await connect(url, max_connections=2)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


class Shell:
    """Runs our command line in this process."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._data = data
        self._capsys = capsys

    def json(self, *words: str, expect: int = 0) -> Any:
        """The one object that it prints."""
        code = main(["--data", str(self._data), "jobs", *words, "--json"])
        printed = self._capsys.readouterr().out
        assert (code, printed.count("\n")) == (expect, 1), printed
        return json.loads(printed)

    def text(self, *words: str) -> str:
        """What a person reads."""
        assert main(["--data", str(self._data), "jobs", *words]) == 0
        return str(self._capsys.readouterr().out)


@pytest.fixture
def shell(data: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(data, capsys)


def test_the_list_says_of_each_queue_what_waits_and_of_each_job_why(shell: Shell):
    value = shell.json("list")
    text = shell.text("list")

    [line] = [line for line in value["queues"] if line["queue"] == "export"]
    assert (line["num_ready"], line["num_held"], line["words"]) == (1, 1, "no worker serves export")
    first = value["jobs"][0]
    assert (first["key"], first["state"]) == ("exp:a", "waiting")
    assert first["words"] == "waiting: no worker serves export"
    assert "exp:a  waiting: no worker serves export" in text.splitlines()
    assert [job["key"] for job in shell.json("list", "--state", "failed")["jobs"]] == ["exp:bad"]
    assert shell.json("list", "--queue", "cleanup")["jobs"] == []
    assert len(shell.json("list", "--limit", "1")["jobs"]) == 1


def test_one_job_is_shown_with_what_was_tried_and_what_to_do(shell: Shell):
    value = shell.json("show", "exp:bad")
    text = shell.text("show", "exp:bad")

    assert value["payload"] == {"clip_id": "bad"}
    assert [(one["stage"], one["code"]) for one in value["tried"]] == [("cut", "timeout")]
    assert "ask for its source anew" in value["remedy"]
    assert "failed at cut after 2 attempts: the source is empty; nothing to do here" in text
    assert "cut  timeout: it took too long" in text


def test_dead_jobs_are_listed_retried_and_given_up(shell: Shell):
    assert [job["key"] for job in shell.json("dead")["jobs"]] == ["exp:bad"]
    assert shell.json("dead", "--code", "timeout")["jobs"] == []

    retried = shell.json("retry", "--all", "--code", "media_unusable")["jobs"]
    assert [(one["key"], one["did"]) for one in retried] == [("exp:bad", "retried")]
    assert shell.text("dead").strip() == "no job has failed for good"
    assert shell.json("show", "exp:bad")["state"] == "waiting"


def test_a_failed_job_is_forgotten_by_name(shell: Shell):
    assert shell.json("dead", "--forget", "exp:bad", "--by", "ann")["did"] == "given up"
    assert shell.json("show", "exp:bad")["cancelled_by"] == "operator:ann"


def test_jobs_are_cancelled_and_taken_back(shell: Shell):
    cancelled, unknown = shell.json("cancel", "exp:a", "exp:nothing", "--by", "ann")["jobs"]
    assert (cancelled["did"], unknown["words"]) == ("cancelled", "nobody ever asked for this key")
    assert "cancelled by operator:ann" in shell.text("show", "exp:a")

    assert "in the queue again" in shell.text("retry", "exp:a")


def test_a_queue_is_paused_and_resumed_by_its_owner(shell: Shell):
    paused = shell.json("pause", "export", "--for", "10m", "--reason", "new disk", "--by", "ann")
    assert (paused["owner"], paused["reason"]) == ("operator:ann", "new disk")
    assert "queue paused by operator:ann (new disk), until " in shell.text("list")

    refused = shell.json("resume", "export", "--by", "bob", expect=1)
    assert refused["error"]["code"] == "paused_by_another"
    assert shell.json("resume", "export", "--by", "bob", "--force")["lifted"] == ["operator:ann"]
    assert "was not paused" in shell.text("resume", "export")


# Each leaves the database as it was, so that one does for all.
_REFUSED = [
    (("show", "exp:nothing"), 1, "not_found"),
    (("cancel", "exp:nothing"), 1, "not_found"),
    (("retry", "exp:nothing"), 1, "not_found"),
    (("retry",), 2, "input_unusable"),
    (("retry", "exp:a", "--all"), 2, "input_unusable"),
    (("retry", "exp:a", "--code", "bug"), 2, "input_unusable"),
    (("dead", "--forget", "exp:a"), 1, "not_found"),  # it has not failed
    (("list", "--limit", "0"), 2, "input_unusable"),
    (("list", "--state", "lost"), 2, "usage"),
    (("pause", "no-such-queue"), 2, "usage"),
    (("pause", "export", "--for", "soon"), 2, "input_unusable"),
    (("pause", "export", "--for", "0"), 2, "input_unusable"),
    (("pause", "export", "--by", "two words"), 2, "input_unusable"),
    ((), 2, "usage"),
]


def test_what_cannot_be_done_is_told_by_code(shell: Shell):
    told = [shell.json(*words, expect=exit_code)["error"]["code"] for words, exit_code, _ in _REFUSED]

    assert told == [error for _, _, error in _REFUSED]


def test_a_watched_list_comes_again_until_it_is_interrupted(data: Path):
    words = ["--data", str(data), "jobs", "list", "--watch", "--json"]
    # Whoever was started in the background ignores the signal, and hands that on.
    heeding = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import signal, sys; from coordinator.cli import main; {heeding}; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as watching:
        assert watching.stdout is not None
        seen = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=60)

    assert [value["jobs"][0]["key"] for value in seen] == ["exp:a", "exp:a"]
    assert watching.returncode == 130


def test_without_a_database_the_command_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--data", str(tmp_path), "jobs", "list", "--json"]) == 3
    assert "clippy-coordinator all" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_the_doctor_names_a_queue_that_nobody_works(data: Path, tmp_path_factory: pytest.TempPathFactory):
    [check] = unserved_checks(Installation(data, load_config(data)))
    empty = tmp_path_factory.mktemp("empty")

    assert (check.name, check.is_ok) == ("queue export", False)
    assert unserved_checks(Installation(empty, load_config(empty))) == []


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86_400)]
)
def test_times_are_read_as_people_write_them(text: str, expected: float):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-5", "5 weeks", "1e9", "nan"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(InputUnusable):
        seconds(text)


def test_what_people_choose_from_is_what_the_product_knows():

    assert tuple(queue.value for queue in Queue) == cli_jobs._QUEUES
    assert STATES == cli_jobs._STATES
