"""Measuring processes and files, and what a bench hands back."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import structlog

from agent.capture import barcode
from protos.timebase import MILLISECOND_NS, SECOND_NS
from tests.bench.content import is_flash

ROOT = Path(__file__).resolve().parents[2]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class CannotMeasure(Exception):
    """A figure cannot be had on this machine; the message says why."""


@dataclasses.dataclass(slots=True)
class Result:
    """A bench's outcome on its way. A figure that was promised and not measured stays None, with a note why."""

    figures: dict[str, float | int | None] = dataclasses.field(default_factory=dict)
    rivals: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    @contextlib.contextmanager
    def promising(self, *names: str) -> Iterator[None]:
        """Figures that the block is to measure; CannotMeasure leaves them null."""
        for name in names:
            self.figures.setdefault(name, None)
        try:
            yield
        except CannotMeasure as exc:
            missing = [name for name in names if self.figures[name] is None]
            self.notes.append(f"{', '.join(missing)}: not measured: {exc}")
            say(f"not measured: {exc}")


def say(words: str) -> None:
    """Progress, to standard error."""
    print(words, file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Parts of the agent that run in this process log nothing below a warning, and that to standard error."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


# ---- processes


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants, as /proc tells them now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process and its children, those that it has waited for included."""
    ticks = 0
    for one in process_tree(pid):
        with contextlib.suppress(OSError):
            ticks += sum(int(field) for field in _stat(one)[11:15])
    return ticks / _TICKS_PER_S


def rss_mib(pid: int) -> float:
    """Resident memory of a process and its children."""
    kib = 0
    for one in process_tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmRSS:"):
                    kib += int(line.split()[1])
    return kib / 1024


def own_rss_mib() -> float:
    """Resident memory of this process, its children left out; after what is garbage was given back."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat from the state on: the name before it may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


@contextlib.contextmanager
def running(
    command: Sequence[str], *, environment: dict[str, str], log: Path, has_input: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A child that is ended with the block: by its input's end, SIGTERM, SIGKILL, whichever it heeds."""
    # A bench that is itself killed leaves nothing running, where util-linux can tell the kernel.
    dying = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    with log.open("ab") as out:
        child = subprocess.Popen(
            [*dying, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE if has_input else out,
            stderr=out,
            text=True,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        end(child)


def end(child: subprocess.Popen[str], patience_s: float = 10.0) -> None:
    """End a child of ours, politely first. Twice is once."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(patience_s)
    if child.stdout is not None:
        child.stdout.close()


def wait_until(is_true: Callable[[], Any], *, timeout_s: float, what: str) -> None:
    """Poll.

    Raises:
        CannotMeasure: Not within the time.
    """
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            raise CannotMeasure(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.05)


def last_words(log: Path, num_lines: int = 3) -> str:
    """The end of a child's log, on one line."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(line.strip()[:200] for line in lines[-num_lines:])


# ---- figures


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: of 50 values p95 is the third largest."""
    return sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


def median(values: Sequence[float], digits: int = 3) -> float:
    """The median, rounded."""
    return round(statistics.median(values), digits)


def spread(values: Sequence[float], digits: int = 3) -> str:
    """All of them, for the notes: whoever reads the median sees how far they lay apart."""
    return " ".join(f"{value:.{digits}f}" for value in values)


# ---- files


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was decoded of a file. Times in ns of the file's own line.

    Attributes:
        numbers: of each picture's barcode, None where it has none that can be read.
        times_ns: when each picture is shown.
        flashes_ns: when each flash begins, the first picture that shows it.
        beeps_ns: when each beep begins in the first sound.
    """

    numbers: tuple[int | None, ...]
    times_ns: tuple[int, ...]
    flashes_ns: tuple[int, ...]
    beeps_ns: tuple[int, ...]

    @property
    def unique(self) -> set[int]:
        """The numbers that were read."""
        return {number for number in self.numbers if number is not None}

    def av_offsets_ms(self) -> list[float]:
        """How much later each beep is than its flash."""
        offsets = []
        for flash_ns in self.flashes_ns:
            near = [at_ns - flash_ns for at_ns in self.beeps_ns if abs(at_ns - flash_ns) < SECOND_NS // 2]
            offsets += [min(near, key=abs) / MILLISECOND_NS] if near else []
        return offsets


def see(path: Path, *, has_sound: bool = True) -> Seen:
    """Decode a whole file, as a player shows it."""
    numbers: list[int | None] = []
    times_ns: list[int] = []
    flashes_ns: list[int] = []
    was_bright = True
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            luma = luma_of(frame)
            numbers.append(barcode.read(luma))
            times_ns.append(round((frame.time or 0.0) * SECOND_NS))
            is_bright = is_flash(luma)
            if is_bright and not was_bright:
                flashes_ns.append(times_ns[-1])
            was_bright = is_bright
    beeps_ns = _beeps_ns(path) if has_sound else ()
    return Seen(
        numbers=tuple(numbers), times_ns=tuple(times_ns), flashes_ns=tuple(flashes_ns), beeps_ns=beeps_ns
    )


def luma_of(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """A decoded picture's luma, not copied: uint8, shape (height, width)."""
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def _beeps_ns(path: Path) -> tuple[int, ...]:
    found: list[int] = []
    quiet_since_ns = 0
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            level = np.abs(frame.to_ndarray()).max(axis=0)
            if level.dtype != np.float32:
                level = level / 32768
            start_ns = round((frame.time or 0.0) * SECOND_NS)
            for index in np.flatnonzero(level > 0.08):
                at_ns = start_ns + int(index) * SECOND_NS // frame.sample_rate
                if at_ns - quiet_since_ns > 300 * MILLISECOND_NS:
                    found.append(at_ns)
                quiet_since_ns = at_ns
    return tuple(found)


# ---- where it ran


def machine() -> str:
    """This machine, in general terms: what a reader needs to judge the figures."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if sys.platform == "linux" else ""
    return f"{cores} cores ({model}), {system or platform.platform()}, Python {platform.python_version()}, load {load}"


def commit() -> str:
    """The commit that is measured; with a plus where the working tree differs, empty without git."""
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=ROOT, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return head.stdout.strip()
