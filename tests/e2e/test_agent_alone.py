"""An engine without a coordinator, and one that is killed: what was kept survives, and arrives.

One stack: the engine is there first, the coordinator comes later, and then the engine is killed.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.decoded import decode
from tests.e2e.processes import wait_until
from tests.e2e.promises import (
    ChunkKey,
    check_chunks,
    check_nothing_twice,
    promised_chunks,
    stop_cleanly,
    wait_post,
)
from tests.e2e.stack import SECOND_NS, Stack
from tests.fakes.desktop_here import MISSING, REASON

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(MISSING), reason=REASON),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What an engine did while nobody answered; the coordinator is there now, and nobody else was stopped."""

    stack: Stack
    by_key: dict[str, Any]
    by_command: dict[str, Any]
    status: dict[str, Any]
    promised: dict[ChunkKey, bytes]


@pytest.fixture(scope="module")
def alone(desktop: Any) -> Iterator[Alone]:
    """Press by key and by command first, then start the coordinator."""
    # A session is stored when it has ended, not before: what was promised can still be counted at the agent.
    later = {"ROLL_UP_S": 60}
    with Stack(desktop, coordinator=later, agent={"CLIPS__PRESS_LENGTH_S": 4, "UPLINK__CHUNK_S": 2}) as stack:
        stack.start_engine()
        by_key = stack.press()
        by_command = stack.ask("clip", "--last", "2")
        assert by_command is not None
        status = stack.status()
        promised = wait_until(
            lambda: promised_chunks(stack, states=("waiting",)), "chunks are kept", deadline_s=20
        )
        stack.start_coordinator()
        stack.wait_connected()
        yield Alone(stack=stack, by_key=by_key, by_command=by_command, status=status, promised=promised)


def test_without_a_coordinator_key_and_command_save_and_the_link_says_why_it_waits(alone: Alone) -> None:
    for clip in (alone.by_key, alone.by_command):
        seen = decode(Path(clip["path"]))

        assert seen.picture_s == pytest.approx(clip["duration_s"], abs=1 / 30)
    assert alone.status["state"] == "ready"
    assert alone.status["uplink"]["state"] in ("waiting", "connecting")
    assert alone.status["uplink"]["problem"] != ""


def test_when_the_coordinator_comes_what_was_kept_arrives_and_its_presses_become_posts(alone: Alone) -> None:
    session_id = alone.by_key["session_id"]
    for clip in (alone.by_key, alone.by_command):
        wait_post(alone.stack, session_id, clip["clip_id"], deadline_s=90)

    def is_here() -> bool:
        rows = alone.stack.sql("select session_id, lane, seq, sha256 from chunks")
        here = {(row["session_id"], row["lane"], row["seq"]): row["sha256"] for row in rows}
        return all(here.get(key) == sha256 for key, sha256 in alone.promised.items())

    wait_until(is_here, "what was kept is here", deadline_s=20)


def test_a_killed_engine_loses_nothing_that_was_kept_and_its_press_is_still_exported(alone: Alone) -> None:
    stack = alone.stack
    old_id = stack.status()["session_id"]
    wait_until(
        lambda: stack.status()["uplink"]["chunks_fsynced"] >= 6, "chunks are acknowledged", deadline_s=40
    )
    # The coordinator stands still, so that the press's full quality is asked of the engine that comes after.
    serve = stack.child("serve")
    os.kill(serve, signal.SIGSTOP)
    clip = stack.press()
    promised = promised_chunks(stack, states=("waiting", "fsynced"))
    assert stack.engine is not None
    stack.engine.kill()
    assert [command for command in stack.processes().values() if " -m agent" in command] == []
    os.kill(serve, signal.SIGCONT)

    stack.start_engine()

    session = stack.wait_settled(old_id, deadline_s=90)
    post = wait_post(stack, old_id, clip["clip_id"], deadline_s=1)
    assert post["duration_s"] == pytest.approx(clip["duration_s"], abs=0.1)
    check_source(stack, clip)
    assert [press["clip_id"] for press in session["presses"]].count(clip["clip_id"]) == 1
    assert len(promised) >= 6
    check_chunks(stack, old_id, promised)
    new = stack.press()
    assert new["session_id"] != old_id
    stop_agent(stack, new["session_id"])
    check_nothing_twice(stack)
    stop_cleanly(stack)


def check_source(stack: Stack, clip: dict[str, Any]) -> None:
    """What the new engine sent of the old session is the press's span, whole, and nothing from before it."""
    (row,) = stack.sql("select * from source_requests where marker_clip_id = $1", clip["clip_id"])
    assert (row["covered_start_ns"], row["covered_end_ns"]) == (clip["start_ns"], clip["end_ns"])
    held = decode(stack.objects("sources")[row["object_key"]], is_everything=True)
    assert held.picture_s == pytest.approx((clip["end_ns"] - clip["start_ns"]) / SECOND_NS, abs=1 / 30)


def stop_agent(stack: Stack, session_id: str) -> None:
    """Stop the engine; what it recorded is whole at the coordinator."""
    assert stack.ask("stop") is not None
    stack.wait_settled(session_id, deadline_s=90)
    check_chunks(stack, session_id, {})
