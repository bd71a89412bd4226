"""What a child process that reads outside media may use, set by itself before it reads any.

What a file costs is counted in CPU seconds and bytes, never in time on the clock, which says how busy the machine is.
Limits on CPU and memory are POSIX only; elsewhere the clock, and the parent's kill, are what holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any, Literal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one child.

    Attributes:
        memory_bytes: address space. From 1080p to 1080x1920 takes 0.8 GiB of it; larger sources take more.
        file_bytes: the largest file it may write.
    """

    memory_bytes: int = 3 * 1024**3
    file_bytes: int = 8 * 1024**3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one job may use. `resident_bytes`: None where only the address space is bounded."""

    cpu_s: float
    resident_bytes: int | None = None

    @property
    def clock_s(self) -> float:
        """How long it may take at the very most, on however busy a machine."""
        return max(STALL_S, self.cpu_s * CLOCK_PER_CPU)


# A process that works, reads or writes uses CPU; one that used none for so long waits for what does not come.
STALL_S = 60.0
# As much of one core as a tenth is left to it on a machine that does ten times too much.
CLOCK_PER_CPU = 10.0
# A longer turn of the one who watches is a time in which nobody ran: it was stopped, or the machine slept.
_LONGEST_TURN_S = 1.0
Overstep = Literal["memory", "stall", "clock"]


class Watch:
    """Says when a process at work has overstepped its bounds, by what is seen of it. Times come in; one owner."""

    def __init__(self, bounds: Bounds, *, now_s: float) -> None:
        """`now_s`: monotonic time, as for `overstepped`."""
        self._bounds = bounds
        self._last_s = now_s
        self._cpu_s: float | None = None
        self._took_s = self._idle_s = 0.0

    def overstepped(
        self, *, now_s: float, cpu_s: float | None, resident_bytes: int | None
    ) -> Overstep | None:
        """Return what it has overstepped, if anything.

        Args:
            cpu_s: what the process has used in all; None: not known, and nobody can say that it stands still.
            resident_bytes: what it holds now; None: not known.
        """
        turn_s = min(_LONGEST_TURN_S, now_s - self._last_s)
        self._last_s = now_s
        self._took_s += turn_s
        self._idle_s = self._idle_s + turn_s if cpu_s is not None and cpu_s == self._cpu_s else 0.0
        self._cpu_s = cpu_s
        if (resident_bytes or 0) > (self._bounds.resident_bytes or math.inf):
            return "memory"
        if self._idle_s >= STALL_S:
            return "stall"
        return "clock" if self._took_s >= self._bounds.clock_s else None


# Of one file: what the interpreter and the decoder need to start is in the first figure.
PROBE_CPU_S = 17.0
NORMALIZE_BASE_CPU_S = 17.0
NORMALIZE_CPU_S_PER_FULL_HD_S = 0.5
# Resident, of a probe or a normalisation: what stays of a machine's memory when many of them run.
INTAKE_RESIDENT_BYTES = 400 * 1000**2
# Of a normalisation, where that is more, beyond 6.7 million pixels: a decoder holds six or seven pictures, at 4K in
# 10 bit 31 MB each, x264 eight. 500 MB at 4K, 2 GB at 8K.
_RESIDENT_BYTES_PER_PX = 60
_FULL_HD_PX_PER_S = 1920 * 1080 * 30
_WORTH_GIVING_BACK_BYTES = 150 * 1000**2
# Holding a picture costs a fifth of showing a new one; no file may ask for more than half an hour of that.
_HELD_COST, _MAX_HELD_S = 0.2, 1800.0
_SOUND_CPU_S_PER_S = 0.02


# What the one whose file it is can do.
SMALLER = "record or convert it smaller (1080p, H.264, 8 bit), or cut it into shorter parts"


def resident_bytes(pid: int) -> int | None:
    """Return how much memory a process holds now; None where it is gone or the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def used_cpu_s(pid: int) -> float | None:
    """Return how much CPU a process has used, to a hundredth; None where it is gone or the system does not say."""
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def give_back_memory() -> None:
    """Return what is free to the system, so that the next job does not answer for the one before."""
    if sys.platform != "linux" or (resident_bytes(os.getpid()) or 0) < _WORTH_GIVING_BACK_BYTES:
        return
    gc.collect()
    with contextlib.suppress(AttributeError):  # Only glibc has it.
        ctypes.CDLL(None).malloc_trim(0)


def normalize_cpu_s(*, num_pictures: int, picture_px: int, duration_s: float) -> float:
    """Return the CPU seconds that making a file normal may take: by its pixels, not by what a header claims."""
    num_held = max(0.0, min(duration_s, _MAX_HELD_S) * 30 - num_pictures)
    pixels = picture_px * (num_pictures + _HELD_COST * num_held)
    return (
        NORMALIZE_BASE_CPU_S
        + NORMALIZE_CPU_S_PER_FULL_HD_S * pixels / _FULL_HD_PX_PER_S
        + _SOUND_CPU_S_PER_S * duration_s
    )


def normalize_cpu_s_of(found: dict[str, Any]) -> float:
    """The same, for what `survey.Survey` found, as its fields."""
    tracks = [track for track in (found["picture"], found["sound"]) if track is not None]
    picture = found["picture"] or {"num_packets": 0, "width": 0, "height": 0}
    return normalize_cpu_s(
        num_pictures=picture["num_packets"],
        picture_px=picture["width"] * picture["height"],
        duration_s=max((track["end_s"] for track in tracks), default=0.0),
    )


def normalize_resident_bytes_of(found: dict[str, Any]) -> int:
    """How much memory making a file normal may take, by what `survey.Survey` found."""
    picture = found["picture"] or {"width": 0, "height": 0}
    pixels = int(picture["width"]) * int(picture["height"])
    return max(INTAKE_RESIDENT_BYTES, _RESIDENT_BYTES_PER_PX * pixels)


def apply_limits(limits: Limits) -> None:
    """Bound this process for good: memory, file size, no core dump, death with its parent."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Past the size, a write fails with EFBIG and becomes a message; the signal would only kill.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if sys.platform == "linux":
        die_with_parent()


def allow_cpu_s(more_s: float) -> None:
    """Let this process use `more_s` seconds of CPU from now on; beyond, the kernel ends it (SIGXCPU)."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime + more_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends."""
    parent = os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # It died before the call: nobody will send the signal.
        os._exit(1)
