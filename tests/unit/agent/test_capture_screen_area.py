"""What of the screen is recorded: how it is written, and how FFmpeg is told on systems that are not this one."""

from __future__ import annotations

import pytest

from agent.capture.avfoundation import AvfoundationScreen
from agent.capture.ddagrab import DdagrabScreen
from agent.config import load_config
from agent.errors import InputUnusable, ScreenUnavailable
from agent.model.screen import Rectangle, ScreenArea, parse_region
from tests.fakes.lavfi_input import open_test_picture

REGION = Rectangle(left_px=10, top_px=20, width_px=301, height_px=200)


def test_a_region_is_four_numbers():
    assert parse_region(" 10, 20,301 ,200") == REGION
    assert parse_region("") is None
    assert REGION.even().size == "300x200"


@pytest.mark.parametrize("text", ["10,20,30", "-1,0,100,100", "0,0,1,100", "a,b,c,d", "0,0,1e3,100"])
def test_what_is_no_region_is_refused_by_name(text, tmp_path):
    with pytest.raises(InputUnusable, match=r"capture\.region"):
        load_config(tmp_path / "none.toml", {"CLIPPY_AGENT_CAPTURE__REGION": text})


def test_one_of_monitor_region_and_window_alone_may_be_set(tmp_path):
    (tmp_path / "agent.toml").write_text('[capture]\nmonitor = "2"\nwindow = "arena"\n')

    with pytest.raises(InputUnusable, match=r"capture\.monitor and capture\.window are both set"):
        load_config(tmp_path / "agent.toml", {})


def test_the_settings_say_what_is_recorded(tmp_path):
    (tmp_path / "agent.toml").write_text('[capture]\nregion = "10,20,301,200"\n')

    assert load_config(tmp_path / "agent.toml", {}).capture.area == ScreenArea(region=REGION)


@pytest.mark.parametrize(
    ("area", "is_cursor_shown", "graph"),
    [
        (ScreenArea(), True, "ddagrab=output_idx=0:framerate=1000:draw_mouse=1"),
        (ScreenArea(monitor="2"), False, "ddagrab=output_idx=1:framerate=1000:draw_mouse=0"),
        (
            ScreenArea(region=REGION),
            True,
            "ddagrab=output_idx=0:framerate=1000:draw_mouse=1:video_size=300x200:offset_x=10:offset_y=20",
        ),
    ],
)
def test_ddagrab_is_asked_for_the_area(area, is_cursor_shown, graph):
    asked = []

    def open_and_note(file, format_name, options):
        asked.append((file, format_name))
        return open_test_picture(file, format_name, options)

    source = DdagrabScreen(area=area, is_cursor_shown=is_cursor_shown, open_with=open_and_note)
    source.open()
    source.close()

    assert asked[0] == (f"{graph},hwdownload,format=bgra", "lavfi")


def test_a_region_is_cut_out_of_what_avfoundation_gives():
    source = AvfoundationScreen(area=ScreenArea(region=REGION), open_with=open_test_picture)
    whole = AvfoundationScreen(open_with=open_test_picture)
    size = source.open()
    whole.open()
    part, all_of_it = source.grab().picture.to_ndarray(), whole.grab().picture.to_ndarray()

    assert (size.width_px, size.height_px) == (300, 200)
    assert (part == all_of_it[20:220, 10:310]).all()


def test_avfoundation_is_asked_for_the_monitor_and_the_pointer():
    device, options = AvfoundationScreen(area=ScreenArea(monitor="2"), is_cursor_shown=False).input()

    assert device == "Capture screen 1:none"
    assert options == {"framerate": "60", "capture_cursor": "0", "pixel_format": "bgr0"}


def test_a_region_beyond_the_mac_s_screen_is_refused():
    region = Rectangle(left_px=600, top_px=0, width_px=100, height_px=100)

    with pytest.raises(ScreenUnavailable, match=r"not on the screen, which has 641x361"):
        AvfoundationScreen(area=ScreenArea(region=region), open_with=open_test_picture).open()
