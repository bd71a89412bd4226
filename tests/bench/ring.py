"""Bench `ring`: what the buffer costs beside one in memory, and what kill -9 leaves of it."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.errors import AgentError
from agent.ring.recovery import find_orphans, open_orphan
from protos.timebase import MILLISECOND_NS
from tests.bench.content import Recording, encode_recording
from tests.bench.measure import ROOT, CannotMeasure, Result, median, quiet_log, say, spread

PARTS = ("cost", "kills")
_LENGTH_S = 300


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure; `scale` shortens it for a test."""
    with tempfile.TemporaryDirectory(prefix="clippy-bench-") as name:
        folder = Path(name)
        file = folder / "recording.pickle"
        file.write_bytes(pickle.dumps(encode_recording()))
        if "cost" in parts:
            with result.promising(
                "cpu_ms_per_s", "rss_mib_per_300s", "memory_cpu_ms_per_s", "memory_rss_mib_per_300s"
            ):
                _cost(result, file, folder, max(20, round(_LENGTH_S * scale)))
        if "kills" in parts:
            with result.promising("kills", "frames_lost_max", "newest_ms_lost_max"), quiet_log():
                _kills(result, encode_recording(), file, folder, max(2, round(50 * scale)))


# ---- cost


def _cost(result: Result, file: Path, folder: Path, seconds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {"ring": [], "memory": []}
    for turn in range(3):
        for kind, values in found.items():
            say(f"ring cost: turn {turn + 1} of 3, {kind}")
            values.append(_ask(file, folder / "ring", seconds, kind))
            shutil.rmtree(folder / "ring", ignore_errors=True)
    for prefix, values in (("", found["ring"]), ("memory_", found["memory"])):
        result.figures[f"{prefix}cpu_ms_per_s"] = median([one["cpu_ms_per_s"] for one in values])
        result.figures[f"{prefix}rss_mib_per_300s"] = median([one["rss_mib"] for one in values], 1)
    result.rivals["memory"] = "a deque of the same packets in this Python"
    result.notes.append(
        f"{seconds} s of 1080p30 at 8 Mbit/s and three sounds, CPU of all threads, ms a second: "
        f"{spread([one['cpu_ms_per_s'] for one in found['ring']])}; in memory "
        f"{spread([one['cpu_ms_per_s'] for one in found['memory']])}"
    )


def _ask(file: Path, folder: Path, seconds: int, kind: str) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "tests.bench.ring_process",
        "cost",
        str(file),
        str(folder),
        str(seconds),
        kind,
    ]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    except subprocess.CalledProcessError as exc:
        raise CannotMeasure(f"the measuring process failed: {exc.stderr[-300:]}") from exc
    values: dict[str, float] = json.loads(done.stdout)
    return values


# ---- kills


def _kills(result: Result, recording: Recording, file: Path, folder: Path, num_kills: int) -> None:
    chance = random.Random(7)
    frames, newest_ms = [], []
    for number in range(num_kills):
        if number % 10 == 0:
            say(f"ring kills: {number} of {num_kills}")
        home = folder / f"killed-{number}"
        num_handed, handed_ns = _kill(file, home, alive_s=chance.uniform(0.2, 1.4))
        num_found, found_ns = _recovered(home, recording)
        frames.append(max(0, num_handed - num_found))
        newest_ms.append(max(0, handed_ns - found_ns) / MILLISECOND_NS)
        shutil.rmtree(home, ignore_errors=True)
    result.figures["kills"] = num_kills
    result.figures["frames_lost_max"] = max(frames)
    result.figures["newest_ms_lost_max"] = round(max(newest_ms), 1)
    result.notes.append(
        f"{num_kills} kills while packets came in real time: pictures handed over and not found again, in all "
        f"{sum(frames)}; how far the newest sound or picture found is behind the newest picture handed over "
        f"{max(newest_ms):.0f} ms at most"
    )


def _kill(file: Path, home: Path, *, alive_s: float) -> tuple[int, int]:
    """Run a ring, kill it; how many pictures it had taken, and the newest one's time."""
    command = [sys.executable, "-m", "tests.bench.ring_process", "feed", str(file), str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        try:
            first = child.stdout.readline()
            time.sleep(alive_s)
        finally:
            os.kill(child.pid, signal.SIGKILL)
        lines = [line for line in (first + child.stdout.read()).splitlines() if line]
    if not lines:
        raise CannotMeasure("the ring's process took no picture")
    number, pts_ns = lines[-1].split()
    return int(number), int(pts_ns)


def _recovered(home: Path, recording: Recording) -> tuple[int, int]:
    """How many pictures the next start finds, and up to when it has all tracks."""
    (orphan,) = find_orphans(home)
    try:
        with open_orphan(orphan) as span:
            packets = list(span.packets())
    except AgentError as exc:
        raise CannotMeasure(f"a killed ring cannot be opened: {exc}") from exc
    newest_ns = [
        max((packet.pts_ns + packet.duration_ns for packet in packets if packet.track == track), default=0)
        for track in range(len(recording.tracks))
    ]
    return sum(packet.track == 0 for packet in packets), min(newest_ns)
