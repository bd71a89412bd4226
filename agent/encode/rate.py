"""How many bits a second a picture deserves. Pure."""

from __future__ import annotations

import math

_REFERENCE_BPS = 8_000_000  # at 1080p30
_REFERENCE_PIXELS = 1920 * 1080
_REFERENCE_FRAME_RATE = 30
_MIN_BPS = 500_000


def bit_rate_bps(width_px: int, height_px: int, frame_rate: int) -> int:
    """8 Mbit/s at 1080p30, in proportion to the pixels and to the root of the frame rate.

    The root, because neighbouring frames are more alike the closer they are.
    """
    share = width_px * height_px / _REFERENCE_PIXELS
    rate = _REFERENCE_BPS * share * math.sqrt(frame_rate / _REFERENCE_FRAME_RATE)
    return max(_MIN_BPS, round(rate / 1000) * 1000)
