"""What every screen source keeps: the generated one, the real ones on a real X server.

Those of other systems keep it over FFmpeg's test picture in place of their device; Qt's in a process of its own
(tests/integration/test_screen_qt.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import av
import pytest

from agent.capture import avfoundation, ddagrab
from agent.capture.avfoundation import AvfoundationScreen
from agent.capture.ddagrab import DdagrabScreen
from agent.capture.generated import GeneratedScreen
from agent.capture.mss_screen import MssScreen
from agent.capture.qt_screen import QtScreen
from agent.capture.x11grab import X11GrabScreen
from agent.errors import ScreenUnavailable
from agent.ports import ScreenSource
from tests.fakes.desktop_here import MISSING, REASON, desktop_here
from tests.fakes.lavfi_input import open_test_picture
from tests.fakes.own_process import IS_OWN_PROCESS, WHY_SKIPPED

SIZE = (641, 361)  # odd: the last column and row are left out
SECOND_NS = 1_000_000_000
ON_X11 = {"x11grab": X11GrabScreen, "mss": MssScreen, "qt": QtScreen}


@pytest.fixture(scope="module")
def desktop() -> Iterator[object]:
    if MISSING:
        pytest.skip(REASON)
    with desktop_here(SIZE) as running:
        yield running


def make(name: str) -> ScreenSource:
    if name in ON_X11:
        return ON_X11[name]()
    if name == "ddagrab":
        return DdagrabScreen(open_with=open_test_picture)
    if name == "avfoundation":
        return AvfoundationScreen(open_with=open_test_picture)
    return GeneratedScreen(*SIZE)


@pytest.fixture(
    params=[
        "generated",
        "ddagrab",
        "avfoundation",
        pytest.param("x11grab", marks=pytest.mark.desktop),
        pytest.param("mss", marks=pytest.mark.desktop),
        pytest.param(
            "qt", marks=[pytest.mark.desktop, pytest.mark.skipif(not IS_OWN_PROCESS, reason=WHY_SKIPPED)]
        ),
    ]
)
def source(request, monkeypatch):
    if request.param in ON_X11:
        request.getfixturevalue("desktop")
    monkeypatch.setattr(ddagrab, "_IS_WINDOWS", True)
    monkeypatch.setattr(avfoundation, "_IS_MACOS", True)
    made = make(request.param)
    yield made
    made.close()


def test_where_it_works_its_probe_says_nothing_and_opens_nothing(source):
    assert source.probe() == ""
    with pytest.raises(ScreenUnavailable):
        source.grab()


def test_its_pictures_have_the_size_it_said_and_that_is_even(source):
    size = source.open()
    picture = source.grab().picture

    assert (size.width_px, size.height_px) == (640, 360)
    assert (picture.width, picture.height) == (640, 360)


def test_a_picture_is_stamped_when_it_is_grabbed(source):
    source.open()
    before_ns = time.monotonic_ns()
    frame = source.grab()

    assert before_ns <= frame.monotonic_ns <= time.monotonic_ns()


def test_stamps_grow(source):
    source.open()
    stamps_ns = [source.grab().monotonic_ns for _ in range(5)]

    assert stamps_ns == sorted(set(stamps_ns))


def test_frames_in_a_queue_keep_their_own_memory(source):
    source.open()
    frames = [source.grab() for _ in range(5)]

    assert len({frame.picture.planes[0].buffer_ptr for frame in frames}) == 5
    assert all(isinstance(frame.picture, av.VideoFrame) for frame in frames)


def test_it_grabs_on_demand_and_never_paces_itself(source):
    source.open()
    source.grab()
    began_ns = time.monotonic_ns()
    for _ in range(10):
        source.grab()

    assert time.monotonic_ns() - began_ns < 5 * SECOND_NS  # at its own 1 fps it would take ten


def test_it_may_be_closed_twice_and_opened_again(source):
    source.open()
    source.close()
    source.close()
    source.open()

    assert source.grab().picture.width == 640


def test_a_closed_source_gives_no_picture(source):
    source.open()
    source.close()

    with pytest.raises(ScreenUnavailable):
        source.grab()


@pytest.mark.parametrize("name", ["x11grab", "mss", "qt"])
def test_without_a_display_it_says_so(name, monkeypatch):
    for variable, value in (("DISPLAY", ":4711"), ("WAYLAND_DISPLAY", ""), ("QT_QPA_PLATFORM", "xcb")):
        monkeypatch.setenv(variable, value)

    assert make(name).probe()
    with pytest.raises(ScreenUnavailable):
        make(name).open()


@pytest.mark.parametrize(("name", "system"), [("ddagrab", "Windows"), ("avfoundation", "macOS")])
def test_on_another_system_its_probe_says_which_it_is_for(name, system):
    assert system in make(name).probe()
