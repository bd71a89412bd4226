"""What a real X server can do to a recording: each fault is told and ends, and what is none is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from agent.capture.x11grab import X11GrabScreen
from tests.fakes.desktop_here import MISSING, REASON
from tests.fakes.own_xvfb import OwnXvfb
from tests.fakes.watched_recording import WatchedRecording

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(bool(MISSING), reason=REASON),
    pytest.mark.logs("alarm_raised", "stage_has_problem", "screen_lost"),
]
NO_SOUND = {"CAPTURE__MICROPHONE": "none", "CAPTURE__DESKTOP_SOUND": "none"}


@pytest.fixture
def recorded_screen() -> Iterator[OwnXvfb]:
    """The screen that is recorded: DISPLAY of this process."""
    with OwnXvfb() as screen, mock.patch.dict(os.environ, {"DISPLAY": screen.display}):
        screen.paint("stripes")
        yield screen


# python-xlib leaves its socket to the garbage collector where a server dies while it connects.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_screen_that_dies_is_told_and_recorded_again_when_it_is_back(
    recorded_screen: OwnXvfb, tmp_path: Path
):
    with WatchedRecording(tmp_path, **NO_SOUND) as watched:
        recorded_screen.kill()
        watched.wait_until(lambda: watched.alarms[:1] == ["screen_lost"], "the alarm")
        assert watched.state == "problem"
        assert recorded_screen.display in watched.recording.session.problem
        assert watched.heard == 1

        recorded_screen.start()
        recorded_screen.paint("stripes")
        watched.wait_until(lambda: not watched.alarms and watched.state == "ready", "the recovery")

        before_ns = watched.recording.now_ns
        watched.wait_until(lambda: watched.recording.ring.newest_ns > before_ns, "a picture after it")
        assert watched.clip(1).size_bytes > 0


@pytest.mark.slow
def test_a_screen_that_does_not_answer_is_stale_within_a_minute_and_recovers(
    recorded_screen: OwnXvfb, tmp_path: Path
):
    with WatchedRecording(tmp_path, **NO_SOUND) as watched:
        watched.wait_for_looks(1)
        recorded_screen.stop()
        try:
            watched.wait_until(lambda: watched.alarms == ["stale"], "the alarm", 60)
            assert watched.state == "problem"
            assert "does not answer" in watched.recording.session.problem
        finally:
            recorded_screen.go_on()
        watched.wait_until(lambda: not watched.alarms and watched.state == "ready", "the recovery", 60)


@pytest.mark.slow
def test_a_still_desktop_is_none_and_a_frozen_and_a_black_picture_are_told(
    recorded_screen: OwnXvfb, tmp_path: Path
):
    with OwnXvfb() as shown:
        # What the streamer sees is another server than the one recorded: the recording is blind to its changes.
        shown.paint("stripes")
        with WatchedRecording(
            tmp_path, make_second=lambda: X11GrabScreen(shown.display, is_cursor_shown=True), **NO_SOUND
        ) as watched:
            watched.wait_for_looks(3)
            assert watched.alarms == [] and watched.detail("frozen") == "still, as the screen is"

            shown.paint("white")
            watched.wait_until(lambda: watched.alarms == ["frozen"], "frozen", 60)
            assert watched.state == "problem"

            shown.paint("stripes")
            watched.wait_until(lambda: not watched.alarms and watched.state == "ready", "the recovery", 60)

            recorded_screen.paint("black")
            watched.wait_until(lambda: watched.alarms == ["black"], "black", 60)

            shown.paint("black")
            watched.wait_until(lambda: not watched.alarms, "a black desktop is no fault", 60)
            assert watched.detail("black") == "black, as the screen itself is"


@pytest.mark.slow
def test_a_desktop_that_changes_now_and_then_raises_nothing(recorded_screen: OwnXvfb, tmp_path: Path):
    with WatchedRecording(tmp_path, **NO_SOUND) as watched:
        for colour in ("white", "stripes", "black", "white", "stripes", "stripes"):
            recorded_screen.paint(colour)
            watched.wait_for_looks(1)

        assert watched.alarms == [] and watched.heard == 0


@pytest.mark.slow
def test_what_changes_outside_of_the_recorded_part_is_no_fault(recorded_screen: OwnXvfb, tmp_path: Path):
    with WatchedRecording(tmp_path, CAPTURE__REGION="0,0,320,360", **NO_SOUND) as watched:
        for colour in ("white", "stripes", "black", "white"):
            recorded_screen.paint(colour, from_stripe=4)
            watched.wait_for_looks(1)

        assert watched.alarms == [] and watched.detail("frozen") == "still, as the screen is"
