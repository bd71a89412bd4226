"""A clip that changes after its post was made: the post follows it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.processes import wait_until
from tests.e2e.promises import stop_cleanly, wait_post
from tests.e2e.stack import SECOND_NS, Stack

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
_CLIP_S = 6


def test_the_post_of_a_clip_is_made_anew_when_its_ends_are_moved(stacks: Callable[..., Stack]) -> None:
    stack = stacks(coordinator={"AUTO_EXPORT__PER_HOUR": 0}, agent={"UPLINK__CHUNK_S": 2})
    stack.start_coordinator()
    stack.start_engine()
    stack.wait_connected()
    wait_until(
        lambda: stack.status()["buffered_ns"] >= (_CLIP_S + 3) * SECOND_NS, "enough is kept", deadline_s=60
    )
    clip = stack.ask("clip", "--last", str(_CLIP_S))
    assert clip is not None
    session_id, clip_id = stack.status()["session_id"], clip["clip_id"]
    first = wait_post(stack, session_id, clip_id, deadline_s=90)
    assert first["duration_s"] == pytest.approx(clip["duration_s"], abs=0.1)

    moved = stack.ask("move", clip_id, "--start", "-2", "--end", "-1")
    assert moved is not None

    def followed() -> dict[str, Any] | None:
        [press] = stack.session(session_id)["presses"]
        others = [post for post in press["exports"] if post["export_id"] != first["export_id"]]
        is_alone = len(others) == len(press["exports"]) == 1
        return dict(others[0]) if is_alone and others[0]["state"] == "ready" else None

    post = wait_until(followed, "the post of the moved clip, and no other", deadline_s=90)
    assert post["duration_s"] == pytest.approx(_CLIP_S + 1, abs=0.2)
    assert moved["duration_s"] == pytest.approx(_CLIP_S + 1, abs=0.2)
    states = stack.sql("select state from source_requests order by requested_at")
    assert [row["state"] for row in states] == ["replaced", "uploaded"]
    stop_cleanly(stack)
