"""Pictures made small enough to be compared: 64x36 of brightness, ours and the screen's by the same way.

Pure. What compression and scaling change stays under `is_same`'s bounds; what a person would call another picture is
over `is_different`'s. Between the two nothing is said.
"""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

WIDTH, HEIGHT = 64, 36
SmallPicture = npt.NDArray[np.uint8]
# Of limited-range brightness, 16 to 235. x264 at 8 Mbit/s, decoded, lies within 2 of the screen's own cells.
_SAME_MEAN, _SAME_MAX = 2.0, 16
_OTHER_MEAN, _OTHER_MAX = 4.0, 40
_BLACK_MAX = 24
_LIT_MIN = 40
# The pointer is drawn into a black screen too: up to six cells of a small screen.
_POINTER_SHARE = 0.01
_LIT_SHARE = 0.02


def shrink(
    picture: av.VideoFrame, *, into_px: tuple[int, int], reformatter: VideoReformatter | None = None
) -> SmallPicture:
    """The brightness of a picture as it lies in a track of `into_px`: fitted in, with black beside it.

    Returns:
        uint8, shape (36, 64), limited range. # 1080p: measured 2-3 ms
    """
    scale = min(into_px[0] / picture.width, into_px[1] / picture.height)
    width = min(WIDTH, max(2, round(WIDTH * picture.width * scale / into_px[0])))
    height = min(HEIGHT, max(2, round(HEIGHT * picture.height * scale / into_px[1])))
    small = (reformatter or VideoReformatter()).reformat(
        picture,
        width=width,
        height=height,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.AREA,
        threads=1,
    )
    luma = np.asarray(small.planes[0], np.uint8).reshape(-1, small.planes[0].line_size)[:height, :width]
    whole = np.full((HEIGHT, WIDTH), 16, np.uint8)
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    whole[top : top + height, left : left + width] = luma
    return whole


def is_same(one: SmallPicture, other: SmallPicture) -> bool:
    """Nothing that a person would see lies between the two."""
    mean, most = _distance(one, other)
    return mean < _SAME_MEAN and most < _SAME_MAX


def is_different(one: SmallPicture, other: SmallPicture) -> bool:
    """The two certainly show something else."""
    mean, most = _distance(one, other)
    return mean >= _OTHER_MEAN or most >= _OTHER_MAX


def is_black(picture: SmallPicture) -> bool:
    """Nothing but perhaps the pointer is to be seen."""
    return float((picture >= _BLACK_MAX).mean()) < _POINTER_SHARE


def is_lit(picture: SmallPicture) -> bool:
    """Something is certainly to be seen."""
    return float((picture >= _LIT_MIN).mean()) >= _LIT_SHARE


def has_detail(picture: SmallPicture) -> bool:
    """It is no even surface: being like it says something."""
    return int(picture.max()) - int(picture.min()) >= _OTHER_MAX


def _distance(one: SmallPicture, other: SmallPicture) -> tuple[float, int]:
    apart = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return float(apart.mean()), int(apart.max())
