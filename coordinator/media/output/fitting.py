"""Meet a limit of bytes: which bit rate to ask for, and which one next when the file came out too large or too small.

The first try is one pass at an average bit rate; x264 notes in it what each picture costs, so that a second one
lands within about a hundredth. Pure.
"""

from __future__ import annotations

import dataclasses

from coordinator.media.output.presets import Preset

MAX_ATTEMPTS = 4
MIN_VIDEO_BPS = 60_000
# A file that fills less of its limit is tried once more with more bits, where more can be used.
MIN_FILL = 0.9
# What is aimed at: a first pass misses by a few hundredths, one that knows each picture's cost by one.
_FIRST_AIM, _NEXT_AIM = 0.955, 0.97
# Of the bits that were allowed: where fewer were used, the picture has no need of more.
_MIN_USED = 0.7


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came out of a bit rate."""

    bitrate_bps: int | None
    size_bytes: int
    duration_s: float


def first_bitrate_bps(wanted: Preset, length_s: float | None) -> int | None:
    """Return the picture's bit rate that fills the size limit, or None to encode by quality.

    By quality also where even the highest bit rate of the preset cannot reach the limit.
    """
    if wanted.max_size_bytes is None or length_s is None:
        return None
    total_bps = wanted.max_size_bytes * 8 * _FIRST_AIM / length_s
    bitrate_bps = max(MIN_VIDEO_BPS, round(total_bps - wanted.audio_bitrate_bps))
    if wanted.max_bitrate_bps is not None and bitrate_bps >= 1.4 * wanted.max_bitrate_bps:
        return None
    return min(bitrate_bps, wanted.max_bitrate_bps or bitrate_bps)


def next_bitrate_bps(wanted: Preset, last: Attempt) -> int | None:
    """Return the bit rate to try next, or None where what came out is good, or as good as it gets."""
    limit_bytes = wanted.max_size_bytes
    if limit_bytes is None:
        return None
    sound_bytes = wanted.audio_bitrate_bps * last.duration_s / 8
    picture_bytes = max(1.0, last.size_bytes - sound_bytes)
    used_bps = picture_bytes * 8 / last.duration_s
    aimed_bps = max(0.0, limit_bytes * _NEXT_AIM - sound_bytes) * 8 / last.duration_s
    if last.size_bytes > limit_bytes:
        asked_bps = min(used_bps, last.bitrate_bps or used_bps)
        return max(MIN_VIDEO_BPS, round(asked_bps * min(0.97, aimed_bps / used_bps)))
    if last.bitrate_bps is None or last.size_bytes >= MIN_FILL * limit_bytes:
        return None
    if used_bps < _MIN_USED * last.bitrate_bps:
        return None
    ceiling_bps = wanted.max_bitrate_bps or round(aimed_bps)
    following_bps = min(ceiling_bps, round(last.bitrate_bps * aimed_bps / used_bps))
    return following_bps if following_bps > 1.02 * last.bitrate_bps else None
