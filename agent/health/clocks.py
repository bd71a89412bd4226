"""The machine's clocks behind one port, and what two readings of them say. `break_between` is pure.

Linux's monotonic clock stands still while the machine sleeps and CLOCK_BOOTTIME does not; macOS and Windows have the
same pair under other names.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Any, Literal, Protocol

from protos.timebase import MILLISECOND_NS, SECOND_NS

Break = Literal["suspended", "stopped"]
_MIN_SLEEP_NS = SECOND_NS // 2
_MIN_STOP_NS = 2 * SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Three clocks at one moment.

    Attributes:
        monotonic_ns: what stamps the media; stands still while the machine sleeps (not on Windows).
        asleep_ns: for how long the machine has slept since it was started: only its growth says something.
        unix_ms: the wall's; anybody may set it, so nothing hangs on it.
    """

    monotonic_ns: int
    asleep_ns: int
    unix_ms: int


class Clocks(Protocol):
    """Reads the clocks. Any thread."""

    def read(self) -> Reading:
        """All of them, now."""
        ...


class MachineClocks:
    """This machine's own."""

    def read(self) -> Reading:
        """As the port says."""
        monotonic_ns = time.monotonic_ns()
        return Reading(
            monotonic_ns=monotonic_ns,
            asleep_ns=_asleep_ns(monotonic_ns),
            unix_ms=time.time_ns() // MILLISECOND_NS,
        )


def break_between(before: Reading, after: Reading, *, interval_ns: int) -> Break | None:
    """Did the machine sleep, or did this process stand still, between two readings meant `interval_ns` apart?"""
    if after.asleep_ns - before.asleep_ns >= _MIN_SLEEP_NS:
        return "suspended"
    if after.monotonic_ns - before.monotonic_ns - interval_ns >= _MIN_STOP_NS:
        return "stopped"
    return None


def _asleep_ns(monotonic_ns: int, platform: str = sys.platform) -> int:
    if platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - monotonic_ns
    if platform == "darwin":
        # CLOCK_MONOTONIC goes on in sleep there; Python's monotonic clock is mach_absolute_time, which does not.
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) - monotonic_ns
    return _windows_asleep_ns() if platform == "win32" else 0


def _windows_asleep_ns() -> int:
    """Interrupt time with and without sleep, both in units of 100 ns (Windows 10 and later)."""
    import ctypes

    kernel: Any = ctypes.WinDLL("kernelbase")  # type: ignore[attr-defined, unused-ignore]
    with_sleep, without_sleep = ctypes.c_ulonglong(), ctypes.c_ulonglong()
    kernel.QueryInterruptTime(ctypes.byref(with_sleep))
    kernel.QueryUnbiasedInterruptTime(ctypes.byref(without_sleep))
    return (with_sleep.value - without_sleep.value) * 100
