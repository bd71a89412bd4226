"""Which encoders there are for a codec on a platform, and what each is told. Pure.

What is common to all: one constant rate with a buffer of a second, no B-frames, no look-ahead, every picture out as
soon as it is in, key frames only where they are forced. Source of the hardware options: FFmpeg's own documentation of
each encoder (`ffmpeg -h encoder=NAME`); none of them was run on its hardware by us.
"""

from __future__ import annotations

from typing import Literal

from agent.encode.quality import Preset
from protos.timebase import MP4_TICKS_PER_S

CodecName = Literal["h264", "hevc", "av1"]
# Runs everywhere, and its header can be made again to the byte; what every other one falls back to.
SOFTWARE_ENCODER = "libx264"
# Two slices at a time: one thread saves 5 % of the CPU time, but then 1080p60 leaves 3 ms of 16 on an old core.
_NUM_THREADS = 2

# In the order in which they are tried: a card of its own before the processor's graphics.
_FAMILIES: dict[str, tuple[str, ...]] = {
    "linux": ("nvenc", "qsv", "amf"),
    "win32": ("nvenc", "amf", "qsv"),
    "darwin": ("videotoolbox",),
}
_AV1_FAMILIES = ("nvenc", "qsv", "amf")

_OF_FAMILY: dict[str, dict[str, str]] = {
    "nvenc": {
        "preset": "p4",
        "tune": "ll",
        "rc": "cbr",
        "zerolatency": "1",
        "delay": "0",
        "rc-lookahead": "0",
        "no-scenecut": "1",
        "b_ref_mode": "disabled",
        "forced-idr": "1",
    },
    "qsv": {"preset": "veryfast", "async_depth": "1", "low_delay_brc": "1", "forced_idr": "1"},
    "amf": {
        "usage": "lowlatency",
        "quality": "speed",
        "rc": "cbr",
        "enforce_hrd": "1",
        "filler_data": "0",
        "forced_idr": "1",
    },
    "videotoolbox": {"realtime": "1", "allow_sw": "0", "prio_speed": "1"},
    # Windows' own software encoder behind this name is worse than x264.
    "mf": {"rate_control": "cbr", "scenario": "live_streaming", "hw_encoding": "1"},
}


def candidates(codec: CodecName, platform: str) -> tuple[str, ...]:
    """Hardware encoders of a codec, the first to try first.

    Args:
        platform: as `sys.platform`.
    """
    names = [
        f"{codec}_{family}"
        for family in _FAMILIES.get(platform, ())
        if codec != "av1" or family in _AV1_FAMILIES
    ]
    if codec == "h264" and platform == "win32":
        names.append("h264_mf")
    return tuple(names)


def known_encoders(platform: str) -> tuple[str, ...]:
    """Every encoder that may be named on a platform."""
    codecs: tuple[CodecName, ...] = ("h264", "hevc", "av1")
    return (SOFTWARE_ENCODER, *(name for codec in codecs for name in candidates(codec, platform)))


def pixel_format(encoder: str) -> str:
    """What an encoder takes, and takes fastest."""
    return "yuv420p" if encoder == SOFTWARE_ENCODER or encoder.endswith("_nvenc") else "nv12"


def encoder_options(
    encoder: str, *, frame_rate: int, rate_bps: int, preset: Preset = "ultrafast"
) -> tuple[tuple[str, str], ...]:
    """Every option of an encoder; with the size and the frame rate they make the same stream again (x264)."""
    options = {
        "time_base": f"1/{MP4_TICKS_PER_S}",
        "b": str(rate_bps),
        "maxrate": str(rate_bps),
        "bufsize": str(rate_bps),
        # Key frames are forced by time; this is only what happens if nobody forces one.
        "g": str(frame_rate * 4),
        "bf": "0",
        # Without it some write the header into the stream alone, and a file would have none.
        "flags": "+global_header",
        "colorspace": "bt709",
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "color_range": "tv",
    }
    if encoder == SOFTWARE_ENCODER:
        options |= {
            "preset": preset,
            "tune": "zerolatency",
            "threads": str(_NUM_THREADS),
            "sc_threshold": "0",
            "forced-idr": "1",
        }
    return tuple((options | _OF_FAMILY.get(encoder.rpartition("_")[2], {})).items())
