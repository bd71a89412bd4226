"""What an app's own buttons leave free of a picture."""

import pytest

from coordinator.media.output.presets import presets
from coordinator.media.picture.safe_areas import safe_area, safe_area_names


@pytest.mark.parametrize("name", safe_area_names())
def test_a_safe_area_is_most_of_the_picture_and_lies_inside(name):
    box = safe_area(name, 1080, 1920)

    assert 0 < box.left_px < box.right_px < 1080
    assert 0 < box.top_px < box.bottom_px < 1920
    assert box.width_px * box.height_px > 0.5 * 1080 * 1920


def test_what_is_safe_in_the_vertical_preset_is_safe_in_every_app_it_is_for():
    common = safe_area("vertical", 1080, 1920)

    for app in ("tiktok", "shorts", "reels"):
        box = safe_area(app, 1080, 1920)
        assert common.left_px >= box.left_px and common.right_px <= box.right_px
        assert common.top_px >= box.top_px and common.bottom_px <= box.bottom_px


def test_a_name_that_nobody_knows_leaves_a_margin():
    box = safe_area("myspace", 1000, 500)

    assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == (50, 25, 950, 475)


def test_every_preset_for_an_app_has_its_row():
    assert {"tiktok", "shorts", "reels", "vertical"} <= set(safe_area_names()) & set(presets())
