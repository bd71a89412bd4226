"""What a layout takes of a picture, and which layouts cannot be."""

import numpy as np
import pytest

from coordinator.errors import MediaUnusable
from coordinator.media.picture.composing import check_framing
from coordinator.media.picture.geometry import coded_part, fill, shaped
from coordinator.media.picture.shown import shown_parts, shown_share
from coordinator.model.framing import Framing, Rectangle

CAMERA = Rectangle(x=0.75, y=0.1, width=0.2, height=0.25)


@pytest.mark.parametrize("size", [(1, 1), (1, 8192), (8192, 1), (639, 361), (1080, 1920), (1920, 1080)])
@pytest.mark.parametrize("box", [(1080, 1920), (2, 2), (1080, 1312), (1920, 1080)])
@pytest.mark.parametrize("focus", [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.3, 0.9)])
def test_what_fills_a_box_lies_inside_the_picture(size, box, focus):
    at = fill((0, 0, *size), box, focus=(focus[0] * size[0], focus[1] * size[1]), zoom=1.3)

    assert at.crop_x >= 0 and at.crop_y >= 0 and at.crop_width >= 1 and at.crop_height >= 1
    assert at.crop_x + at.crop_width <= size[0] and at.crop_y + at.crop_height <= size[1]
    assert (at.width, at.height) == box


def test_a_part_keeps_its_shape_to_one_percent_and_its_focus():
    at = fill((0, 0, 1920, 1080), (1080, 1920), focus=(600, 540))

    assert at.crop_width / at.crop_height == pytest.approx(9 / 16, rel=0.01)
    assert at.crop_x + at.crop_width / 2 == pytest.approx(600, abs=1)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [("9:16", (1080, 1920)), ("16:9", (1920, 1080)), ("1:1", (1080, 1080)), ("4:5", (1080, 1350))],
)
def test_a_shape_takes_the_room_there_is(shape, expected):
    assert shaped(shape, 1080, 1920) == expected
    assert shaped(shape, 1920, 1080) == expected


def turned_upright(coded, degrees, *, is_mirrored):
    """As a display matrix says it, by numpy alone."""
    if degrees in (90, 270) and is_mirrored:
        return coded.T if degrees == 90 else np.rot90(coded, 2).T
    if degrees == 180:
        return coded[:, ::-1] if is_mirrored else np.rot90(coded, 2)
    if degrees == 0:
        return coded[::-1] if is_mirrored else coded
    return np.rot90(coded, -degrees // 90)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_part_of_the_upright_picture_is_found_in_the_coded_one(degrees, is_mirrored):
    coded = np.arange(40 * 60).reshape(40, 60)
    upright = turned_upright(coded, degrees, is_mirrored=is_mirrored)
    height, width = upright.shape
    x, y, across, down = 3, 7, 11, 19
    wanted = upright[y : y + down, x : x + across]

    part = coded_part(
        (x / width, y / height, across / width, down / height), degrees, is_mirrored=is_mirrored
    )
    left, top, right, bottom = (
        round(value)
        for value in (part[0] * 60, part[1] * 40, (part[0] + part[2]) * 60, (part[1] + part[3]) * 40)
    )

    assert sorted(coded[top:bottom, left:right].ravel()) == sorted(wanted.ravel())


@pytest.mark.parametrize(
    ("framing", "share"),
    [
        (Framing(), 1.0),
        (Framing(layout="blur"), 1.0),
        (Framing(layout="fit"), 1.0),
        (Framing(layout="blur", zoom=2.0), 0.5),
        (Framing(layout="crop"), 0.316),
        (Framing(layout="follow"), 0.316),
        (Framing(layout="stack", camera=CAMERA, game="whole"), 1.0),
        # The game's 0.633, the camera without its sides 0.158 x 0.25, less the 0.045 x 0.25 that both show.
        (Framing(layout="stack", camera=CAMERA, camera_share=0.5), 0.661),
    ],
)
def test_a_layout_says_how_much_of_the_picture_it_shows(framing, share):
    parts = shown_parts(framing, preset_layout="canvas", zoom=1.0, source=(1920, 1080), canvas=(1080, 1920))

    assert shown_share(parts) == pytest.approx(share, abs=0.003)


def test_a_stack_shows_all_of_its_camera_where_its_height_is_left_open():
    camera, _game = shown_parts(
        Framing(layout="stack", camera=CAMERA),
        preset_layout="canvas", zoom=1.0, source=(1920, 1080), canvas=(1080, 1920),
    )  # fmt: skip

    assert camera == pytest.approx((0.75, 0.1, 0.2, 0.25), abs=0.002)


@pytest.mark.parametrize(
    ("framing", "key"),
    [
        (Framing(layout="stack"), "camera"),
        (Framing(layout="blur", zoom=0.5), "zoom"),
        (Framing(layout="crop", focus_x=float("nan")), "focus_x"),
        (Framing(layout="crop", focus_y=1.2), "focus_y"),
        (Framing(layout="stack", camera=CAMERA, camera_share=0.95), "camera_share"),
        (Framing(layout="stack", camera=Rectangle(x=0.9, y=0, width=0.2, height=0.2)), "camera.width"),
        (Framing(layout="stack", camera=Rectangle(x=0, y=0.9, width=0.2, height=0.2)), "camera.height"),
        (Framing(layout="stack", camera=Rectangle(x=0, y=0, width=0, height=0.2)), "camera.width"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_by_its_key(framing, key):
    with pytest.raises(MediaUnusable, match=rf"{key} = "):
        check_framing(framing)
