"""A preview of a layout shows what is taken, what is cut off and what an app covers."""

import av
import numpy as np
import pytest
from PIL import Image

from coordinator.errors import MediaUnusable
from coordinator.media.output.layout_still import HEIGHT_PX, layout_still
from coordinator.model.framing import Framing, Rectangle
from tests.fakes.drawn_frames import grey_frame


def clip_of(path, size, *, value=180, num_pictures=10):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(num_pictures):
            luma = np.full(size[::-1], value, np.uint8)
            container.mux(stream.encode(grey_frame(luma, index=index, fps=10)))
        container.mux(stream.encode(None))
    return path


def test_what_is_cut_off_is_dark_and_what_an_app_covers_is_dimmed(tmp_path):
    src = clip_of(tmp_path / "clip.mkv", (320, 180))

    still = layout_still(src, tmp_path / "a.jpg", Framing(layout="crop"), preset="tiktok", at_s=0.5)

    assert (still.width, still.height, still.at_s) == (1080, 1920, 0.5)
    with Image.open(tmp_path / "a.jpg") as image:
        luma = np.asarray(image.convert("L"), int)
    left, right = luma[:, :1280], luma[:, 1300:]
    middle = HEIGHT_PX // 2
    assert left[middle, 640] > left[middle, 200] + 60
    assert right.shape[1] == HEIGHT_PX * 9 // 16
    # TikTok's text below, and the middle of the picture.
    assert right[middle, 250] > right[-20, 250] + 30


@pytest.mark.parametrize("size", [(2, 2), (16, 360), (640, 2), (360, 640)])
@pytest.mark.parametrize(
    "framing",
    [
        Framing(layout="blur"),
        Framing(layout="follow"),
        Framing(layout="stack", camera=Rectangle(x=0.98, y=0.98, width=0.02, height=0.02)),
    ],
    ids=lambda framing: framing.layout,
)
def test_pictures_of_any_shape_can_be_previewed(size, framing, tmp_path):
    src = clip_of(tmp_path / "clip.mkv", size, num_pictures=2)

    still = layout_still(src, tmp_path / "a.jpg", framing, preset="square", at_s=None)

    assert (still.width, still.height) == (1080, 1080)
    assert 0 < still.shown_share <= 1


def test_a_preset_that_copies_has_no_layout(tmp_path):
    src = clip_of(tmp_path / "clip.mkv", (64, 36), num_pictures=2)

    with pytest.raises(MediaUnusable, match="as it is"):
        layout_still(src, tmp_path / "a.jpg", Framing(layout="crop"), preset="source", at_s=None)
