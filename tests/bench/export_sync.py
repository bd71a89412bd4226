"""Bench `export`, sync: a flash and a beep each second, cut at random places by every way there is.

The beep must be where the flash is, in the cut and in the export.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from pathlib import Path

from coordinator.media.output.cut import cut
from coordinator.media.output.export import export
from coordinator.model.exporting import Recipe
from tests.bench.measure import CannotMeasure, quiet_log, say
from tests.fakes.flash_clip import beeps_s, flashes_s, write_clip

_LENGTH_S = 12.0
_PART_S = (1.4, 4.0)
# A mark that the cut goes through is none.
_EDGE_S = 0.15


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    """How a recording is encoded: pictures a second, x264's options, seconds between key frames, its container."""

    fps: int
    x264: dict[str, str] | None
    gop_s: float
    ending: str = "mp4"


_B = {"preset": "superfast", "x264-params": "bframes=3:b-adapt=0"}
_SOURCES = (
    _Source(30, None, 1.0),
    _Source(30, _B, 2.0),
    _Source(60, _B, 1.0),
    _Source(25, _B, 1.0),
    _Source(30, {"preset": "superfast", "x264-params": "open-gop=1:bframes=3:scenecut=0"}, 1.0),
    _Source(30, _B, 1.0, "mkv"),
    _Source(30, _B, 1.0, "ts"),
)
# Of each ten points, seven are cut and three exported; a vertical export takes most of the time.
_WAYS = ("cut", "cut", "discord", "cut", "cut", "discord", "cut", "cut", "cut", "vertical")


def measure_sync(num_points: int = 200) -> dict[str, float]:
    """Cut or export at `num_points` random places; returns `av_offset_ms_max`, and how many went which way.

    Every third cut starts on a key frame, so that copies are among them.
    """
    chance = random.Random(7)
    worst_ms, num_marks = 0.0, 0
    ways: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="clippy-bench-") as name, quiet_log():
        sources = [_write(Path(name), number, source) for number, source in enumerate(_SOURCES)]
        for number in range(num_points):
            source = sources[number % len(sources)]
            start_s = chance.uniform(0.0, _LENGTH_S - _PART_S[1])
            if number % 3 == 0:
                start_s = float(round(start_s / 2) * 2)
            end_s = start_s + chance.uniform(*_PART_S)
            dst = Path(name) / "part.mp4"
            way = _make(_WAYS[number % len(_WAYS)], source, dst, start_s, end_s)
            ways[f"points_{way}"] = ways.get(f"points_{way}", 0) + 1
            offsets_ms = _offsets_ms(dst, end_s - start_s)
            num_marks += len(offsets_ms)
            if max(offsets_ms, default=0.0) > 20:
                say(f"export sync: {source.name} {start_s:.3f}-{end_s:.3f} s by {way}: {offsets_ms}")
            worst_ms = max([worst_ms, *offsets_ms])
    if num_marks < num_points // 2:
        raise CannotMeasure(f"only {num_marks} flashes with a beep were found in {num_points} files")
    return {"av_offset_ms_max": round(worst_ms, 1)} | ways


def _write(folder: Path, number: int, source: _Source) -> Path:
    return write_clip(
        folder / f"source-{number}.{source.ending}",
        duration_s=_LENGTH_S,
        size=(160, 90),
        fps=source.fps,
        x264=source.x264,
        gop_s=source.gop_s,
    )


def _make(way: str, src: Path, dst: Path, start_s: float, end_s: float) -> str:
    if way == "cut":
        return cut(src, dst, start_s=start_s, end_s=end_s).method
    export(src, dst, Recipe(preset=way, start_s=start_s, end_s=end_s))
    return way


def _offsets_ms(path: Path, length_s: float) -> list[float]:
    """How far each flash is from its beep. One that has no partner counts as a whole second."""
    flashes, beeps = (
        [at_s for at_s in marks if _EDGE_S < at_s < length_s - _EDGE_S]
        for marks in (flashes_s(path), beeps_s(path))
    )
    if abs(len(flashes) - len(beeps)) > 1:
        return [1000.0]
    # Of a pair at the edge one may have been left out: such a flash is none either.
    inner = [flash for flash in flashes if 2 * _EDGE_S < flash < length_s - 2 * _EDGE_S]
    return [1000 * min((abs(flash - beep) for beep in beeps), default=1.0) for flash in inner]


if __name__ == "__main__":
    print(measure_sync())
