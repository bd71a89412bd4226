"""kill -9 of the coordinator's processes, one after the other, under one engine that goes on.

Each test makes work of its own, kills in the middle of it and looks at what became of that; the last one looks at
everything.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.processes import children_of, is_running, wait_until
from tests.e2e.promises import (
    ChunkKey,
    check_chunks,
    check_nothing_twice,
    promised_chunks,
    stop_cleanly,
    wait_post,
)
from tests.e2e.stack import SECOND_NS, Stack

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
_CLIP_S = 6
# Workers give what they run 5 s, PostgreSQL writes its checkpoint.
_GONE_WITHIN_S = 25.0


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A coordinator that exports presses alone, and an engine that makes its own picture and sound."""
    with Stack(coordinator={"AUTO_EXPORT__PER_HOUR": 0}, agent={"UPLINK__CHUNK_S": 2}) as stack:
        stack.start_coordinator()
        stack.start_engine()
        stack.wait_connected()
        wait_until(
            lambda: stack.status()["buffered_ns"] >= _CLIP_S * SECOND_NS, "enough is kept", deadline_s=40
        )
        yield stack


@pytest.fixture(scope="module")
def acknowledged() -> dict[ChunkKey, bytes]:
    """Every chunk that was seen as acknowledged in any of these tests, with its sha256."""
    return {}


def start_export(stack: Stack) -> tuple[dict[str, Any], str]:
    """Save a clip, and return it with the key of its export once a child of the worker encodes."""
    before = {row["key"] for row in stack.sql("select key from job_runs where queue = 'export'")}
    clip = stack.ask("clip", "--last", str(_CLIP_S))
    assert clip is not None

    def encoding() -> str | None:
        for row in stack.sql("select key from job_runs where queue = 'export' and state = 'running'"):
            if row["key"] not in before and children_of(stack.child("export")):
                return str(row["key"])
        return None

    return clip, wait_until(encoding, "the export runs", deadline_s=40)


def kill_with_children(stack: Stack, stage: str, once_killed: Callable[[], Any] = lambda: None) -> None:
    """kill -9 the stage's worker; wait until its children are gone and another one works."""
    worker = stack.child(stage)
    children = children_of(worker)
    assert children, "nothing works for it"
    os.kill(worker, signal.SIGKILL)
    once_killed()
    wait_until(
        lambda: not any(is_running(pid) for pid in children), f"gone with it: {children}", deadline_s=15
    )
    wait_until(
        lambda: stack.state().get("children", {}).get(stage) not in (None, worker),
        "another worker runs",
        deadline_s=20,
    )


def job(stack: Stack, key: str) -> tuple[str, int, int]:
    """A job's state, how often it was started, and its attempts (1: none failed in order)."""
    (row,) = stack.sql("select state, runs, attempts from job_runs where key = $1", key)
    return row["state"], row["runs"], row["attempts"]


def test_a_killed_export_worker_s_job_is_done_once_by_the_next(running: Stack) -> None:
    clip, key = start_export(running)

    kill_with_children(running, "export")

    post = wait_post(running, running.status()["session_id"], clip["clip_id"], deadline_s=90)
    assert post["duration_s"] == pytest.approx(_CLIP_S, abs=0.1)
    assert job(running, key) == ("done", 2, 1)
    # Neither the one that was killed nor the one that finished left files of its work behind.
    left = [path for path in (running.data / "scratch").rglob("*") if path.is_file()]
    assert [path for path in left if not path.name.startswith(".")] == []


def test_a_killed_transcribe_worker_s_chunk_is_heard_once_by_the_next(running: Stack) -> None:
    session_id = running.status()["session_id"]
    worker = running.child("transcribe")
    (speech,) = wait_until(
        lambda: [pid for pid, command in children_of(worker).items() if "coordinator.speech" in command],
        "the speech process runs",
        deadline_s=20,
    )
    # It stands still, so that a chunk is being heard when the kill comes.
    os.kill(speech, signal.SIGSTOP)
    mine = f"stt:{session_id}:1:%"
    heard = "select key from job_runs where key like $1 and state = 'running'"
    keys = wait_until(lambda: running.sql(heard, mine), "a chunk is being heard", deadline_s=40)

    kill_with_children(running, "transcribe", lambda: os.kill(speech, signal.SIGCONT))

    def all_jobs() -> list[tuple[str, int, int]]:
        return [job(running, row["key"]) for row in keys]

    wait_until(lambda: all(state == "done" for state, _, _ in all_jobs()), "heard", deadline_s=60)
    assert set(all_jobs()) == {("done", 2, 1)}


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_killed_serve_comes_back_and_so_do_the_chunks(
    running: Stack, acknowledged: dict[ChunkKey, bytes], turn: str
) -> None:
    def look(more_than: int) -> bool:
        acknowledged.update(promised_chunks(running, states=("fsynced",)))
        return len(acknowledged) > more_than

    look(0)
    wait_until(lambda: look(more_than=4), "chunks are acknowledged", deadline_s=60)
    serve = running.child("serve")
    os.kill(serve, signal.SIGKILL)
    wait_until(
        lambda: running.state().get("children", {}).get("serve") not in (None, serve),
        "another one runs",
        deadline_s=20,
    )
    before = len(acknowledged)

    wait_until(lambda: look(before + 3), "chunks are acknowledged again", deadline_s=60)


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_one_goes_on(
    running: Stack, acknowledged: dict[ChunkKey, bytes]
) -> None:
    clip, key = start_export(running)
    acknowledged.update(promised_chunks(running, states=("fsynced",)))
    commands = of_coordinator(running)
    assert any("postgres" in command for command in commands)
    assert any("coordinator.media.worker" in command for command in commands)
    assert running.coordinator is not None

    running.coordinator.kill()

    wait_until(lambda: of_coordinator(running) == [], "nothing of it is left", deadline_s=_GONE_WITHIN_S)
    running.start_coordinator()
    post = wait_post(running, running.status()["session_id"], clip["clip_id"], deadline_s=90)
    assert post["duration_s"] == pytest.approx(_CLIP_S, abs=0.1)
    assert job(running, key)[0] == "done"


def of_coordinator(stack: Stack) -> list[str]:
    """Command lines of its processes, the database's among them."""
    return [command for command in stack.processes().values() if " -m agent" not in command]


def test_after_all_kills_everything_is_there_once_and_stops_in_the_middle_of_an_export(
    running: Stack, acknowledged: dict[ChunkKey, bytes]
) -> None:
    session_id = running.status()["session_id"]
    running.wait_connected()
    assert running.ask("stop") is not None
    assert running.engine is not None
    assert running.engine.wait(within_s=40) == 0
    running.wait_settled(session_id, deadline_s=90)

    check_chunks(running, session_id, acknowledged)
    check_nothing_twice(running)

    running.start_engine()
    running.wait_connected()
    wait_until(
        lambda: running.status()["buffered_ns"] >= _CLIP_S * SECOND_NS, "enough is kept", deadline_s=40
    )
    start_export(running)
    stop_cleanly(running)
    assert not (running.data / "coordinator.json").exists()
