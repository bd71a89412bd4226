"""Where a picture goes on a canvas."""

from fractions import Fraction

import pytest

from coordinator.media.picture.geometry import display_size, place, within


def test_a_wide_picture_is_shown_whole_in_the_middle_of_a_tall_canvas():
    at = place(1280, 720, (1080, 1920), zoom=1.0)

    assert (at.x, at.y, at.width, at.height) == (0, 656, 1080, 608)
    assert (at.crop_x, at.crop_y, at.crop_width, at.crop_height) == (0, 0, 1280, 720)


def test_zoom_crops_the_sides_evenly():
    at = place(1280, 720, (1080, 1920), zoom=1.25)

    assert (at.width, at.crop_width, at.crop_x) == (1080, 1024, 128)


def test_zoom_without_end_covers_the_canvas():
    at = place(1280, 720, (1080, 1920), zoom=float("inf"))

    assert (at.x, at.y, at.width, at.height) == (0, 0, 1080, 1920)


@pytest.mark.parametrize("size", [(1, 1), (1, 8192), (8192, 1), (639, 361), (1080, 1920), (1079, 1919)])
@pytest.mark.parametrize("canvas", [(1080, 1920), (2, 2), (1080, 1080)])
@pytest.mark.parametrize("zoom", [1.0, 1.3, float("inf")])
def test_a_placement_is_even_and_inside_whatever_the_sizes(size, canvas, zoom):
    at = place(*size, canvas, zoom=zoom)

    assert not (at.x % 2 or at.y % 2 or at.width % 2 or at.height % 2)
    assert at.x + at.width <= canvas[0] and at.y + at.height <= canvas[1]
    assert at.crop_x + at.crop_width <= size[0] and at.crop_y + at.crop_height <= size[1]


@pytest.mark.parametrize(
    ("aspect", "expected"),
    [
        (None, (640, 360)),
        (Fraction(2, 3), (640, 540)),  # narrow pixels: taller, so that nothing is lost
        (Fraction(4, 3), (853, 360)),
        (Fraction(0), (640, 360)),  # a damaged header
        (Fraction(9999), (640, 360)),
    ],
)
def test_pixels_become_square(aspect, expected):
    assert display_size(640, 360, aspect) == expected


def test_a_picture_is_made_smaller_but_never_larger():
    assert within(1920, 1080, max_long_px=1280, max_short_px=720) == (1280, 720)
    assert within(720, 1280, max_long_px=960, max_short_px=540) == (540, 960)
    assert within(320, 180, max_long_px=1280, max_short_px=720) == (320, 180)
