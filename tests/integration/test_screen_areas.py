"""Real windows of known colours on a real X server: what is recorded is exactly what was asked for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from agent.capture.mss_screen import MssScreen
from agent.capture.x11grab import X11GrabScreen
from agent.errors import ScreenUnavailable
from agent.model.screen import Rectangle, ScreenArea
from agent.ports import ScreenSource
from tests.fakes.x_server import BGR, BLUE, GREEN, RED, Painter, painting, x_server_here

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="not installed: Xvfb"),
]
DIRECT = {"x11grab": X11GrabScreen, "mss": MssScreen}


@pytest.fixture(scope="module")
def server() -> Iterator[object]:
    with x_server_here((640, 360)) as running:
        yield running


@pytest.fixture
def painter(server) -> Iterator[Painter]:
    with painting() as running:
        running.point_at(639, 359)
        yield running


def pixels_of(picture) -> np.ndarray:
    """Blue, green and red of a picture, shape (height, width, 3)."""
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: picture.height]
    return rows[:, : picture.width * 4].reshape(picture.height, picture.width, 4)[..., :3]


def now(source: ScreenSource) -> np.ndarray:
    return pixels_of(source.grab().picture)


def shows(source: ScreenSource, colour: int, *, left: int, top: int, width: int, height: int) -> bool:
    """Is exactly that rectangle of this colour, with another on all sides of it that lie in the picture?"""
    is_it = (now(source) == BGR[colour]).all(axis=2)
    wanted = np.zeros_like(is_it)
    wanted[top : top + height, left : left + width] = True
    return bool((is_it == wanted).all())


@pytest.fixture
def opened():
    sources = []

    def open_one(name: str, **area) -> ScreenSource:
        source = DIRECT[name](area=ScreenArea(**area), is_cursor_shown=False)
        sources.append(source)
        source.open()
        return source

    yield open_one
    for source in sources:
        source.close()


def area(left: int, top: int, width: int, height: int) -> Rectangle:
    return Rectangle(left_px=left, top_px=top, width_px=width, height_px=height)


each = pytest.mark.parametrize("name", DIRECT)


@each
def test_the_whole_desktop_shows_a_window_where_it_is(name, painter, opened):
    painter.show("red", RED, at=(101, 53), size=(201, 99))

    assert shows(opened(name), RED, left=101, top=53, width=201, height=99)


@each
def test_a_region_is_exact_to_the_pixel(name, painter, opened):
    painter.show("red", RED, at=(101, 53), size=(201, 99))
    source = opened(name, region=area(99, 50, 33, 21))  # odd: cut to 32 by 20

    assert shows(source, RED, left=2, top=3, width=30, height=17)
    assert now(source).shape == (20, 32, 3)


@each
def test_a_region_that_is_not_on_the_screen_names_the_setting(name, server, opened):
    with pytest.raises(ScreenUnavailable, match=r"640x360; set capture\.region"):
        opened(name, region=area(600, 0, 100, 100))


@each
@pytest.mark.skipif(shutil.which("xrandr") is None, reason="not installed: xrandr")
def test_a_monitor_is_found_by_its_number_and_by_its_name(name, painter, opened):
    for monitor, geometry in (("left", "320/80x360/90+0+0"), ("right", "320/80x360/90+320+0")):
        subprocess.run(["xrandr", "--setmonitor", monitor, geometry, "none"], check=True, timeout=10)
    try:
        painter.show("green", GREEN, at=(330, 20), size=(50, 40))
        listed = opened(name, monitor="RIGHT")
        assert shows(listed, GREEN, left=10, top=20, width=50, height=40)
        assert now(listed).shape == (360, 320, 3)
        with pytest.raises(ScreenUnavailable, match=r"left, 320x360.*set capture\.monitor"):
            opened(name, monitor="4")
    finally:
        for monitor in ("left", "right"):
            subprocess.run(["xrandr", "--delmonitor", monitor], check=True, timeout=10)
    assert now(opened(name, monitor="1")).shape == (360, 640, 3)


@each
@pytest.mark.parametrize("wanted", ["arena", "PIT"])
def test_a_window_is_found_by_part_of_its_title_or_class(name, wanted, painter, opened):
    painter.show("My Arena 3", RED, at=(50, 40), size=(101, 61), class_name="pit")

    source = opened(name, window=wanted)

    assert shows(source, RED, left=0, top=0, width=100, height=60)


@each
def test_with_a_window_manager_its_list_is_what_is_searched_topmost_first(name, painter, opened):
    first = painter.show("arena", RED, at=(10, 10), size=(100, 60))
    second = painter.show("arena", GREEN, at=(300, 10), size=(80, 40))
    painter.show("arena's tooltip", BLUE, at=(300, 200), size=(20, 20))
    painter.list_windows(first, second)
    try:
        assert shows(opened(name, window="arena"), GREEN, left=0, top=0, width=80, height=40)
    finally:
        painter.list_windows()


@each
def test_a_window_is_followed_while_it_moves(name, painter, opened):
    window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened(name, window="arena")

    for place in ((200, 40), (333, 111)):
        window.configure(x=place[0], y=place[1])
        painter.settle()
        assert shows(source, RED, left=0, top=0, width=100, height=60)


def test_what_covers_a_window_is_not_recorded_with_it_by_x11grab(painter, opened):
    painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened("x11grab", window="arena")
    painter.show("chat", BLUE, at=(70, 50), size=(200, 200))
    source.grab()

    assert shows(source, RED, left=0, top=0, width=100, height=60)


def test_a_window_half_outside_of_the_screen_is_recorded_whole_by_x11grab(painter, opened):
    window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened("x11grab", window="arena")
    window.configure(x=-50, y=330)
    painter.settle()

    assert shows(source, RED, left=0, top=0, width=100, height=60)


def test_a_window_half_outside_of_the_screen_is_black_there_by_mss(painter, opened):
    window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened("mss", window="arena")
    window.configure(x=-50, y=330)
    painter.settle()

    assert shows(source, RED, left=50, top=0, width=50, height=30)


@each
def test_a_closed_window_is_gone_until_one_of_its_name_is_back(name, painter, opened):
    window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened(name, window="arena")
    window.destroy()
    painter.settle()

    with pytest.raises(ScreenUnavailable, match=r"the window 'arena' is gone"):
        source.grab()
    source.close()
    with pytest.raises(ScreenUnavailable, match=r"no window's title or class holds 'arena'"):
        source.open()
    painter.show("arena", GREEN, at=(10, 10), size=(80, 40))
    source.open()

    assert shows(source, GREEN, left=0, top=0, width=80, height=40)


@each
def test_a_minimised_window_is_waited_for(name, painter, opened):
    window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened(name, window="arena")
    window.unmap()
    painter.settle()

    with pytest.raises(ScreenUnavailable):
        source.grab()
    source.close()
    with pytest.raises(ScreenUnavailable, match="minimised"):
        source.open()


@each
def test_a_resized_window_is_a_change_of_size(name, painter, opened):
    window = painter.show("arena", RED, at=(50, 40), size=(100, 60))
    source = opened(name, window="arena")
    window.configure(width=141, height=81)
    painter.settle()

    with pytest.raises(ScreenUnavailable, match="changed its size to 141x81"):
        source.grab()
    size = source.open()

    assert (size.width_px, size.height_px) == (140, 80)
    assert shows(source, RED, left=0, top=0, width=140, height=80)


@each
@pytest.mark.parametrize("kind", ["desktop", "region", "window"])
def test_the_pointer_is_drawn_if_wanted_and_only_then(name, kind, painter):
    painter.show("arena", RED, at=(50, 40), size=(100, 60))
    painter.point_at(90, 70)
    wanted = {
        "desktop": ScreenArea(),
        "region": ScreenArea(region=area(50, 40, 100, 60)),
        "window": ScreenArea(window="arena"),
    }[kind]
    pictures = []
    for is_shown in (True, False):
        source = DIRECT[name](area=wanted, is_cursor_shown=is_shown)
        try:
            source.open()
            pictures.append(now(source))
        finally:
            source.close()
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=2))
    corner = (0, 0) if kind == "desktop" else (50, 40)

    # X's own pointer, a cross of some 15 pixels around its hot spot.
    assert len(rows) > 20
    assert abs(rows.mean() + corner[1] - 70) < 10 and abs(columns.mean() + corner[0] - 90) < 10
