"""What every screen source keeps: the generated one, and the real ones on a real X server."""

from __future__ import annotations

import time
from collections.abc import Iterator

import av
import pytest

from agent.capture.generated import GeneratedScreen
from agent.capture.mss_screen import MssScreen
from agent.capture.x11grab import X11GrabScreen
from agent.errors import ScreenUnavailable
from tests.fakes.desktop_here import MISSING, REASON, desktop_here

SIZE = (641, 361)  # odd: the last column and row are left out
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def desktop() -> Iterator[object]:
    if MISSING:
        pytest.skip(REASON)
    with desktop_here(SIZE) as running:
        yield running


@pytest.fixture(
    params=[
        "generated",
        pytest.param("x11grab", marks=pytest.mark.desktop),
        pytest.param("mss", marks=pytest.mark.desktop),
    ]
)
def source(request):
    if request.param == "generated":
        made = GeneratedScreen(*SIZE)
    else:
        request.getfixturevalue("desktop")
        made = X11GrabScreen() if request.param == "x11grab" else MssScreen()
    yield made
    made.close()


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


@pytest.mark.parametrize("make", [X11GrabScreen, MssScreen])
def test_without_a_display_it_says_so(make, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":4711")

    with pytest.raises(ScreenUnavailable):
        make().open()
