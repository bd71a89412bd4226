"""Qt's screen capture on a real X server, in a process that, like the engine, has no other Qt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.capture.qt_screen import QtScreen
from agent.errors import ScreenUnavailable
from agent.model.screen import Rectangle, ScreenArea
from tests.fakes.desktop_here import wait_until
from tests.fakes.own_process import IS_OWN_PROCESS, WHY_SKIPPED, run_tests
from tests.fakes.x_server import BGR, GREEN, RED, Painter, painting, x_server_here

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="not installed: Xvfb"),
]
own_process = pytest.mark.skipif(not IS_OWN_PROCESS, reason=WHY_SKIPPED)
REGION = Rectangle(left_px=99, top_px=50, width_px=33, height_px=21)  # odd: cut to 32 by 20
OTHERS = ("contract/test_screen_source_contract.py", "integration/test_screen_recovery.py")


@pytest.fixture(scope="module")
def server() -> Iterator[object]:
    with x_server_here((640, 360)) as running:
        yield running


@pytest.fixture
def painter(server) -> Iterator[Painter]:
    with painting() as running:
        yield running


def shows(source: QtScreen, colour: int, *, left: int, top: int, width: int, height: int) -> bool:
    picture = source.grab().picture
    is_it = (picture.to_ndarray()[..., :3] == BGR[colour]).all(axis=2)
    wanted = np.zeros_like(is_it)
    wanted[top : top + height, left : left + width] = True
    return bool((is_it == wanted).all())


@pytest.mark.skipif(IS_OWN_PROCESS, reason=WHY_SKIPPED)
def test_qt_keeps_the_contract_and_comes_back_in_a_process_of_its_own():
    folder = Path(__file__).parents[1]
    said = run_tests(__file__, *(str(folder / name) for name in OTHERS), "-k", "[qt] or test_screen_qt")

    assert " passed" in said and " failed" not in said


@own_process
def test_a_region_is_exact(painter):
    painter.show("red", RED, at=(101, 53), size=(201, 99))
    source = QtScreen(area=ScreenArea(region=REGION))
    source.open()
    try:
        assert wait_until(lambda: shows(source, RED, left=2, top=3, width=30, height=17))
    finally:
        source.close()


@own_process
def test_a_monitor_is_found_by_name(painter):
    painter.show("green", GREEN, at=(30, 20), size=(50, 40))
    source = QtScreen(area=ScreenArea(monitor="screen"))
    source.open()
    try:
        assert wait_until(lambda: shows(source, GREEN, left=30, top=20, width=50, height=40))
    finally:
        source.close()
    with pytest.raises(ScreenUnavailable, match="no monitor is called '7'"):
        QtScreen(area=ScreenArea(monitor="7")).open()


@own_process
def test_a_window_that_is_not_there_is_named(server):
    with pytest.raises(ScreenUnavailable, match="no window's title holds 'arena'"):
        QtScreen(area=ScreenArea(window="arena")).open()


@own_process
def test_a_capture_that_lingers_is_taken_up_again(server):
    source = QtScreen(linger_s=60)
    source.open()
    capture = source._capture
    source.close()
    source.open()
    try:
        assert source._capture is capture and source.grab().picture.width == 640
    finally:
        source._linger_s = 0
        source.close()
    assert capture.is_ended
