"""Nanoseconds to stream ticks and back, in integers only.

Floats lose a tick after some hours; these never do. Rounds half up, also below zero.
"""

from __future__ import annotations

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
MP4_TICKS_PER_S = 90_000


def ns_to_ticks(time_ns: int, ticks_per_s: int) -> int:
    """Return `time_ns` as a count of 1 / `ticks_per_s` seconds, to the nearest."""
    return (2 * time_ns * ticks_per_s + SECOND_NS) // (2 * SECOND_NS)


def ticks_to_ns(ticks: int, ticks_per_s: int) -> int:
    """Return `ticks` of 1 / `ticks_per_s` seconds as nanoseconds, to the nearest."""
    return (2 * ticks * SECOND_NS + ticks_per_s) // (2 * ticks_per_s)
