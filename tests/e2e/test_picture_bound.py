"""A coordinator that takes little of the small picture, and a real engine: bytes by the clock, and clips as ever."""

from __future__ import annotations

import itertools
import sys

import pytest

from tests.e2e.processes import wait_until
from tests.e2e.promises import wait_post
from tests.e2e.stack import SECOND_NS, Stack

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
PROXY = 3
BOUND_BPS = 48_000
MEASURED_S = 24
_CHUNKS = (
    "select start_ns, end_ns, size_bytes, extract(epoch from received_at) as at_s from chunks"
    " where session_id = $1 and lane = $2 order by seq"
)


def test_an_engine_keeps_its_picture_under_the_bound_and_all_else_as_it_was():
    settings = {"LIMITS__BUSINESS_PROXY_BPS": BOUND_BPS, "AUTO_EXPORT__PER_HOUR": 0}
    with Stack(coordinator=settings, agent={"UPLINK__PROXY": "on"}) as stack:
        stack.start_coordinator()
        stack.start_engine()
        stack.wait_connected()
        session_id = stack.status()["session_id"]

        def measured() -> bool:
            rows = stack.sql(_CHUNKS, session_id, PROXY)
            return bool(rows) and rows[-1]["end_ns"] - rows[0]["start_ns"] >= MEASURED_S * SECOND_NS

        wait_until(measured, "enough of the picture has come", deadline_s=90)
        clip = stack.ask("clip", "--last", "6")
        assert clip is not None
        wait_post(stack, session_id, clip["clip_id"], deadline_s=60)
        picture, status = stack.sql(_CHUNKS, session_id, PROXY), stack.status()

    # What was begun before the engine was told has the rate that it thinks best.
    told = [row for row in picture if row["start_ns"] >= 6 * SECOND_NS]
    made_bps = (
        8 * sum(row["size_bytes"] for row in told) * SECOND_NS / (told[-1]["end_ns"] - told[0]["start_ns"])
    )
    seconds = float(picture[-1]["at_s"] - picture[0]["at_s"])
    num_sent = sum(row["size_bytes"] for row in picture)
    first = picture[0]
    best_bps = 8 * first["size_bytes"] * SECOND_NS / (first["end_ns"] - first["start_ns"])
    sys.stdout.write(
        f"{num_sent} bytes in {seconds:.1f} s; made at {made_bps:.0f} bit/s, at first {best_bps:.0f}, of {BOUND_BPS}\n"
    )
    assert best_bps > BOUND_BPS, "the bound bounds nothing"
    assert made_bps <= BOUND_BPS
    # Ten seconds' worth may leave at once, and a chunk leave it in debt.
    at_once = BOUND_BPS / 8 * 10 + max(row["size_bytes"] for row in picture)
    assert num_sent <= at_once + BOUND_BPS / 8 * seconds * 1.1
    # No chunk waits for ever: the lane comes as it is recorded.
    assert all(late["start_ns"] == early["end_ns"] for early, late in itertools.pairwise(picture))
    assert status["picture"]["is_proxy_on"]
    assert status["state"] == "ready"
