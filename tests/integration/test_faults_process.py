"""A recorder that stood still, and a machine that slept: a new epoch begins, and no clip jumps over the gap."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from protos.timebase import SECOND_NS
from tests.fakes.jumping_clocks import JumpingClocks
from tests.fakes.told_command import ToldEngine
from tests.fakes.watched_recording import WatchedRecording


def test_sleep_and_a_wall_clock_that_jumps(tmp_path: Path):
    clocks = JumpingClocks()
    with WatchedRecording(tmp_path, is_generated=True, clocks=clocks) as watched:
        ring = watched.recording.ring
        clocks.pass_time(0.5, wall_s=-86_400)
        newest_ns = ring.newest_ns
        watched.wait_until(lambda: ring.newest_ns > newest_ns + SECOND_NS, "a second more")
        assert [epoch.reason for epoch in ring.epochs()] == ["start"]

        # A picture that was grabbed before and is encoded after it belongs to the new epoch.
        slept_ns = watched.recording.now_ns - SECOND_NS // 2
        clocks.pass_time(0.5, asleep_s=3600)
        watched.wait_until(lambda: len(ring.epochs()) == 2, "the new epoch")
        newest_ns = ring.newest_ns
        watched.wait_until(lambda: ring.newest_ns > newest_ns + SECOND_NS, "a second more")

        assert [epoch.reason for epoch in ring.epochs()] == ["start", "suspended"]
        clip = watched.clip(30)
        assert clip.start_ns >= slept_ns
        assert watched.state == "ready" and watched.alarms == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="only POSIX stops a process")
def test_a_process_that_was_stopped_goes_on_in_a_new_epoch(tmp_path: Path):
    with ToldEngine(tmp_path, HEALTH__CHECK_INTERVAL_S=2) as engine:
        os.kill(engine.pid, signal.SIGSTOP)
        time.sleep(5)  # what the fault is: five seconds of nothing
        os.kill(engine.pid, signal.SIGCONT)

        engine.wait_for("a new epoch", lambda status: len(status.buffer.epochs) == 2)
        status = engine.wait_for("two seconds in it", lambda status: status.buffered_ns > 2 * SECOND_NS)
        before, after = status["buffer"]["epochs"]
        assert after["reason"] == "stopped"
        assert after["start_ns"] - before["end_ns"] > 3 * SECOND_NS

        exit_code, clip = engine.ask("clip", "--last", "30")
        assert exit_code == 0
        # Thirty seconds were asked for: it begins where the gap ended, and says so.
        assert clip["start_ns"] >= after["start_ns"]
        # A finding that is not sure yet is in the checks before it is, or is not, an alarm.
        engine.wait_for(
            "a check that finds nothing",
            lambda status: (
                status.health.checks
                and all(check.is_ok for check in status.health.checks)
                and not status.health.alarms
                and status.state == "ready"
            ),
        )
