"""kill -9 of anything at any time, for minutes: whatever was promised before a kill holds after it."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tests.e2e.promises import (
    ChunkKey,
    check_chunks,
    check_nothing_twice,
    promised_chunks,
    stop_cleanly,
    wait_post,
)
from tests.e2e.stack import Stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
_ROUNDS = 14
_STAGES = ("media", "transcribe", "ai", "clip", "export", "maintenance")


def kill_something(stack: Stack, chance: random.Random) -> str:
    """kill -9 of one part, which comes back; says which."""
    victim = chance.choice(["engine", "serve", "supervisor", "postgres", "worker", "worker"])
    assert stack.engine is not None and stack.coordinator is not None
    if victim == "engine":
        stack.engine.kill()
        stack.start_engine()
    elif victim == "supervisor":
        stack.coordinator.kill()
        # At once, while the children of the one that was killed are still leaving.
        stack.start_coordinator()
    else:
        name = chance.choice(_STAGES) if victim == "worker" else victim
        state = stack.state()
        pid = (state.get("children", {}) | state.get("services", {})).get(name)
        if pid:
            os.kill(pid, signal.SIGKILL)
        victim = name
    return victim


@pytest.mark.parametrize("seed", [1, 2])
def test_random_kills_of_everything_lose_and_double_nothing(stacks: Callable[..., Stack], seed: int) -> None:
    chance = random.Random(seed)
    stack = stacks(coordinator={"AUTO_EXPORT__PER_HOUR": 0}, agent={"UPLINK__CHUNK_S": 2})
    stack.start_coordinator()
    stack.start_engine()
    stack.wait_connected()
    promised: dict[ChunkKey, bytes] = {}
    clips: dict[str, str] = {}
    for _ in range(_ROUNDS):
        # No event is waited for here: the moment of the kill is what is random.
        time.sleep(chance.uniform(1.0, 6.0))
        if chance.random() < 0.5:
            clip = stack.ask("clip", "--last", "3")
            assert clip is not None
            clips[clip["clip_id"]] = stack.status()["session_id"]
        promised |= promised_chunks(stack, states=("waiting", "fsynced"))
        stack.note(f"{time.monotonic():.1f} killed {kill_something(stack, chance)}")
        promised |= promised_chunks(stack, states=("waiting", "fsynced"))

    stack.wait_ready()
    stack.wait_connected()
    assert stack.engine is not None
    # Posts of presses need their agent; it is stopped when all that was pressed has left.
    for clip_id, session_id in clips.items():
        wait_post(stack, session_id, clip_id, deadline_s=180)
    assert stack.ask("stop") is not None
    assert stack.engine.wait(within_s=40) == 0
    for session_id in {row["session_id"] for row in stack.sql("select session_id from sessions")}:
        stack.wait_settled(session_id, deadline_s=120)
        check_chunks(stack, session_id, promised)
    assert {key[0] for key in promised} <= {row[0] for row in stack.sql("select session_id from sessions")}
    check_nothing_twice(stack)
    stop_cleanly(stack)
