"""Bench `export`, intake: what making a recording normal costs, in the child that does it.

CPU by the picture, and the most memory held, of 1080p and 4K in 8 and 10 bit and in high dynamic range, beside what
each may take. Made by ffmpeg: shapes that move under grain, which is dear to decode and to encode.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
from pathlib import Path
from typing import Any

from coordinator.media.child_process import Child
from coordinator.media.limits import Limits, normalize_cpu_s_of, normalize_resident_bytes_of
from tests.bench import ffmpeg
from tests.bench.measure import CannotMeasure, cpu_s, say

_BT2020 = "colorprim=bt2020:colormatrix=bt2020nc:log-level=none:bframes=4:b-adapt=0:ref=4:transfer="
_HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "22", "-x265-params")
_MAX_CPU_S = 600.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Recording:
    """How a source is made. `length_s` at 1080p is long enough for the start not to count."""

    size: str
    length_s: float
    pixels: str
    encoding: tuple[str, ...]


_RECORDINGS = {
    "1080p_10bit": _Recording("1920x1080", 10, "yuv420p10le", (*_HEVC, "log-level=none")),
    "1080p_pq": _Recording("1920x1080", 10, "yuv420p10le", (*_HEVC, _BT2020 + "smpte2084")),
    "1080p_hlg": _Recording("1920x1080", 10, "yuv420p10le", (*_HEVC, _BT2020 + "arib-std-b67")),
    "4k_10bit": _Recording("3840x2160", 2, "yuv420p10le", (*_HEVC, "log-level=none:bframes=4:ref=4")),
    "4k_pq": _Recording("3840x2160", 2, "yuv420p10le", (*_HEVC, _BT2020 + "smpte2084")),
}
_EACH = ("cpu_ms_a_picture", "cpu_share", "peak_mb", "memory_share")
FIGURES = tuple(f"{figure}_{name}" for name in _RECORDINGS for figure in _EACH)


def measure_intake(folder: Path, scale: float = 1.0) -> dict[str, float]:
    """Make each recording, then make it normal; figures by the recording's name.

    Args:
        scale: of the recordings' lengths.

    Raises:
        CannotMeasure: ffmpeg is missing or lacks x265, or a recording was not made normal.
    """
    ffmpeg.version()
    found: dict[str, float] = {}
    for name, recording in _RECORDINGS.items():
        path = folder / f"{name}.mp4"
        _make(recording, path, max(0.5, recording.length_s * scale))
        figures = asyncio.run(_normalized(path, folder / f"{name}-normal.mp4"))
        say(f"export: {name}: {figures}")
        found |= {f"{figure}_{name}": value for figure, value in figures.items()}
        path.unlink()
    return found


def _make(recording: _Recording, path: Path, length_s: float) -> None:
    picture = f"testsrc2=s={recording.size}:r=30:d={length_s:g},scroll=h=0.003:v=0.001,noise=alls=3:allf=t"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture]
    command += ["-pix_fmt", recording.pixels, *recording.encoding, "-tag:v", "hvc1", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise CannotMeasure(f"ffmpeg: {done.stderr.strip().splitlines()[-1]}")


async def _normalized(src: Path, dst: Path) -> dict[str, float]:
    child = await Child.start(Limits())
    try:
        found = await _ask(child, "survey", {"path": str(src)})
        before_s = cpu_s(child.pid)
        await _ask(child, "normalize", {"src": str(src), "dst": str(dst), "found": found})
        used_s, peak_bytes = cpu_s(child.pid) - before_s, _peak_bytes(child.pid)
    finally:
        await child.end()
    return {
        "cpu_ms_a_picture": round(used_s * 1_000 / found["picture"]["num_packets"], 1),
        "cpu_share": round(used_s / normalize_cpu_s_of(found), 3),
        "peak_mb": round(peak_bytes / 1000**2),
        "memory_share": round(peak_bytes / normalize_resident_bytes_of(found), 3),
    }


async def _ask(child: Child, operation: str, arguments: dict[str, Any]) -> Any:
    header = {"operation": operation, "arguments": arguments, "cpu_s": _MAX_CPU_S}
    answer = await child.ask(header, b"")
    if answer is None or "error" in answer[0]:
        raise CannotMeasure(f"cannot {operation}: {answer and answer[0]['error']['message']}")
    return answer[0]["result"]


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    if peak is None:
        raise CannotMeasure("the system does not say how much memory a process held")
    return int(peak[1]) * 1024
