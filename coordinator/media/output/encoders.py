"""Which H.264 encoder makes the picture: x264, or a graphics card's where one really works.

"Listed" is not "usable": an encoder counts when it has encoded two frames here. What a card makes was not seen by
us: there was none where this was written.
"""

from __future__ import annotations

import functools
from fractions import Fraction

import av
import structlog
from av.codec import Codec
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from coordinator.errors import MediaUnusable

log = structlog.get_logger()
X264 = "libx264"
# In the order in which `auto` tries them.
HARDWARE = ("h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox")
_PIXELS = {"h264_qsv": "nv12"}
_PROBE_PX = (320, 240)


def encoder_for(wish: str) -> str:
    """Return FFmpeg's name of the encoder that a recipe means.

    Args:
        wish: `x264`; `auto`: the first of `HARDWARE` that works here, else x264; or one of `HARDWARE`.

    Raises:
        MediaUnusable: There is no such encoder, or it does not work here.
    """
    if wish in ("x264", X264):
        return X264
    if wish == "auto":
        return next((name for name in HARDWARE if failure_of(name) is None), X264)
    if wish not in HARDWARE:
        raise MediaUnusable(
            f"there is no encoder {wish!r}; choose x264, auto or one of {', '.join(HARDWARE)}"
        )
    reason = failure_of(wish)
    if reason is not None:
        raise MediaUnusable(f"the encoder {wish} does not work here: {reason}; use x264 or auto")
    return wish


@functools.cache
def failure_of(name: str) -> str | None:
    """Return why an encoder cannot be used here, or None where it encoded two frames."""
    try:
        context: VideoCodecContext = Codec(name, "w").create("video")
        context.width, context.height = _PROBE_PX
        context.pix_fmt = pixels_of(name)
        context.time_base = Fraction(1, 30)
        packets = []
        for number in range(2):
            frame = VideoFrame(*_PROBE_PX, "yuv420p").reformat(format=context.pix_fmt)
            frame.pts = number
            packets += context.encode(frame)
        packets += context.encode(None)
    except (av.FFmpegError, ValueError, OSError) as exc:
        return str(exc) or type(exc).__name__
    return None if len(packets) == 2 else f"it made {len(packets)} pictures of 2"


def pixels_of(name: str) -> str:
    """Return the layout of pixels that an encoder takes."""
    return _PIXELS.get(name, "yuv420p")


def quality_options(name: str, crf: float, peak_bps: int | None) -> dict[str, str]:
    """Return an encoder's own words for "as good as x264's `crf`, with peaks below `peak_bps`"."""
    options = {"maxrate": str(peak_bps), "bufsize": str(peak_bps * 2)} if peak_bps else {}
    level = f"{crf:g}"
    if name == "h264_nvenc":
        return options | {"preset": "p4", "tune": "hq", "rc": "vbr", "cq": level}
    if name == "h264_qsv":
        return options | {"preset": "veryfast", "global_quality": level}
    if name == "h264_amf":
        return options | {"quality": "balanced", "rc": "qvbr", "qvbr_quality_level": level}
    # VideoToolbox counts from 1 to 100, the better the higher.
    return options | {"q:v": f"{max(1, 100 - 2 * crf):g}"}
