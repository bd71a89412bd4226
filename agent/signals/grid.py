"""The grid that all signals keep to: half seconds of the session's line. Pure."""

from __future__ import annotations

from protos.timebase import SECOND_NS

STEP_NS = SECOND_NS // 2
SIGNAL_NAMES = ("mic_loudness_db", "desktop_loudness_db", "voice", "motion")


def step_end_ns(time_ns: int) -> int:
    """The end of the half second that holds `time_ns`."""
    return (time_ns // STEP_NS + 1) * STEP_NS
