"""A screen's picture in the size, colours and pixel format that an encoder takes. Used by one thread."""

from __future__ import annotations

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter


class PictureFitter:
    """Converts pictures to limited-range BT.709 4:2:0 of one size.

    Args:
        width_px, height_px: even; the shape is the caller's business (`quality.fitted_size`).
        pixel_format: FFmpeg's name.

    Attributes:
        size_px: width and height.
    """

    def __init__(self, width_px: int, height_px: int, pixel_format: str = "yuv420p") -> None:
        self._width_px = width_px
        self._height_px = height_px
        self.size_px = (width_px, height_px)
        self._pixel_format = pixel_format
        self._reformatter = VideoReformatter()

    def fit(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture at our size; the same object where it fits already."""
        if (
            picture.width == self._width_px
            and picture.height == self._height_px
            and picture.format.name == self._pixel_format
        ):
            return picture
        # threads=1: the default starts a pool, which costs more than it gains beside the encoder's own.
        return self._reformatter.reformat(
            picture,
            width=self._width_px,
            height=self._height_px,
            format=self._pixel_format,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        )
