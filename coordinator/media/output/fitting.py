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
# What is aimed at: a first pass misses by some hundredths, one that knows each picture's cost by two or three.
_FIRST_AIM, _NEXT_AIM = 0.955, 0.965
# Of the bits that were allowed: where fewer were used, the picture has no need of more.
_MIN_USED = 0.3
# What the index of an MP4 takes: for itself, and a second of pictures and sound.
_INDEX_BYTES, _INDEX_BYTES_PER_S = 2_000, 900


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came out of a bit rate.

    `picture_bytes`: of the picture alone, where it was counted: sound may take far less than it was allowed.
    `knows_costs`: the encoder knew what each picture costs.
    """

    bitrate_bps: int | None
    size_bytes: int
    duration_s: float
    picture_bytes: int | None = None
    knows_costs: bool = False


def first_bitrate_bps(wanted: Preset, length_s: float | None) -> int | None:
    """Return the picture's bit rate that fills the size limit, or None to encode by quality.

    By quality also where even the highest bit rate of the preset cannot reach the limit.
    """
    if wanted.max_size_bytes is None or length_s is None:
        return None
    picture_bytes = wanted.max_size_bytes * _FIRST_AIM - _beside_bytes(wanted, length_s)
    bitrate_bps = max(MIN_VIDEO_BPS, round(picture_bytes * 8 / length_s))
    if wanted.max_bitrate_bps is not None and bitrate_bps >= 1.4 * wanted.max_bitrate_bps:
        return None
    return min(bitrate_bps, wanted.max_bitrate_bps or bitrate_bps)


def next_bitrate_bps(wanted: Preset, last: Attempt) -> int | None:
    """Return the bit rate to try next, or None where what came out is good, or as good as it gets."""
    limit_bytes = wanted.max_size_bytes
    if limit_bytes is None:
        return None
    beside_bytes = _beside_bytes(wanted, last.duration_s)
    if last.picture_bytes is not None:
        beside_bytes = last.size_bytes - last.picture_bytes
    used_bps = max(1.0, last.size_bytes - beside_bytes) * 8 / last.duration_s
    aimed_bps = max(1.0, limit_bytes * _NEXT_AIM - beside_bytes) * 8 / last.duration_s
    # A pass that knows the costs does what it is told; how far it was off the last time, it is off again.
    told_bps = aimed_bps
    if last.knows_costs and last.bitrate_bps is not None:
        told_bps = last.bitrate_bps * aimed_bps / used_bps
    if last.size_bytes > limit_bytes:
        return max(MIN_VIDEO_BPS, round(told_bps))
    if last.bitrate_bps is None or last.size_bytes >= MIN_FILL * limit_bytes:
        return None
    if used_bps < _MIN_USED * last.bitrate_bps:
        return None
    following_bps = min(wanted.max_bitrate_bps or round(told_bps), round(told_bps))
    return following_bps if following_bps > 1.02 * used_bps else None


def _beside_bytes(wanted: Preset, length_s: float) -> float:
    """What a file takes beside its picture."""
    return _INDEX_BYTES + (wanted.audio_bitrate_bps / 8 + _INDEX_BYTES_PER_S) * length_s
