"""The capture thread on an X server that dies, changes its mode, or whose window closes and grows: it comes back."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from agent.capture.clock import SessionClock
from agent.capture.mss_screen import MssScreen
from agent.capture.qt_screen import QtScreen
from agent.capture.video import CaptureWorker, FrameQueue, VideoCounters
from agent.capture.x11grab import X11GrabScreen
from agent.model.screen import ScreenArea
from tests.fakes.desktop_here import wait_until
from tests.fakes.own_process import IS_OWN_PROCESS, WHY_SKIPPED
from tests.fakes.x_server import RED, painting, x_server_here

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="not installed: Xvfb"),
    pytest.mark.logs("screen_lost"),
]
SOURCES = {"x11grab": X11GrabScreen, "mss": MssScreen, "qt": QtScreen}


class Capturing:
    """A capture thread, and what it handed over."""

    def __init__(self, source) -> None:
        self.queue = FrameQueue(max_frames=3)
        self.counters = VideoCounters()
        self.problems: list[str] = []
        self.worker = CaptureWorker(
            source,
            self.queue,
            clock=SessionClock(),
            frame_rate=30,
            counters=self.counters,
            on_problem=lambda exc: self.problems.append(str(exc)),
        )

    def gives(self, size: tuple[int, int]) -> bool:
        """Does a frame of this size come now? Everything older is thrown away."""
        while (frame := self.queue.get(0)) is not None:
            pass
        frame = self.queue.get(0.5)
        return frame is not None and (frame.picture.width, frame.picture.height) == size


@contextlib.contextmanager
def capturing(source) -> Iterator[Capturing]:
    running = Capturing(source)
    running.worker.start()
    try:
        yield running
    finally:
        assert running.worker.stop(5)


each = pytest.mark.parametrize(
    "name",
    [
        "x11grab",
        "mss",
        pytest.param("qt", marks=pytest.mark.skipif(not IS_OWN_PROCESS, reason=WHY_SKIPPED)),
    ],
)


@each
def test_a_killed_x_server_is_one_outage_and_recording_goes_on_when_it_is_back(name):
    with x_server_here() as server, capturing(SOURCES[name]()) as running:
        assert wait_until(lambda: running.gives((640, 360)))
        server.kill()
        assert wait_until(lambda: running.worker.problem)
        assert not running.gives((640, 360))
        server.start()
        assert wait_until(lambda: running.gives((640, 360)) and not running.worker.problem)

        assert running.counters.num_outages == len(running.problems) == 1


@each
@pytest.mark.skipif(shutil.which("xrandr") is None, reason="not installed: xrandr")
def test_another_screen_mode_gives_pictures_of_another_size(name):
    with x_server_here() as _, capturing(SOURCES[name]()) as running:
        assert wait_until(lambda: running.gives((640, 360)))
        for words in (
            "--newmode 320x200 4.0 320 330 340 350 200 210 220 230",
            "--addmode screen 320x200",
            "--output screen --mode 320x200",
        ):
            subprocess.run(["xrandr", *words.split()], check=True, timeout=10)
        assert wait_until(lambda: running.gives((320, 200)))
        subprocess.run(["xrandr", "--output", "screen", "--mode", "640x360"], check=True, timeout=10)
        assert wait_until(lambda: running.gives((640, 360)))
        assert running.worker.problem == ""


@pytest.mark.parametrize("name", ["x11grab", "mss"])
def test_a_window_that_grows_closes_and_comes_back_is_followed(name):
    with x_server_here() as _, painting() as painter:
        window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
        with capturing(SOURCES[name](area=ScreenArea(window="arena"))) as running:
            assert wait_until(lambda: running.gives((100, 60)))
            window.configure(width=200, height=120)
            painter.settle()
            assert wait_until(lambda: running.gives((200, 120)))
            window.destroy()
            painter.settle()
            assert wait_until(lambda: "arena" in running.worker.problem)
            painter.show("arena", RED, at=(50, 40), size=(80, 40))
            assert wait_until(lambda: running.gives((80, 40)) and not running.worker.problem)
