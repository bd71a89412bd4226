"""Outside media in a limited child process: whatever a file does, it does it there.

A child has bounds on memory, CPU, file size and picture size, ends with its parent, and is killed when it
stands still or its caller is cancelled. It is reused while it behaves (importing the decoder costs
0.3 s). Two lanes, so that a chunk of speech never waits behind an export. One event loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import structlog

from coordinator.errors import (
    AudioUnusable,
    CoordinatorError,
    DiskFull,
    MediaTooCostly,
    MediaUnusable,
)
from coordinator.media.child_process import Child, Lane, OnProgress, death, unheard, watched
from coordinator.media.limits import (
    INTAKE_RESIDENT_BYTES,
    PROBE_CPU_S,
    Bounds,
    Limits,
    normalize_cpu_s_of,
    normalize_resident_bytes_of,
)
from coordinator.media.partial import discard_partials, numbered
from coordinator.model.exporting import Recipe
from coordinator.model.framing import Framing
from coordinator.model.media import ExportResult, MediaFile, MediaTrack

log = structlog.get_logger()
LightOrHeavy = Literal["light", "heavy"]
LIGHT_CPU_S = 60.0
# An export of the worst texture costs 2.5 CPU seconds a second on one core; encoding again for size, four times.
HEAVY_CPU_S_PER_S, HEAVY_BASE_CPU_S = 15.0, 120.0
_ERRORS: dict[str, type[CoordinatorError]] = {
    e.code: e for e in (MediaUnusable, MediaTooCostly, AudioUnusable, DiskFull)
}


class LimitedMedia:
    """Every reading of outside media, each in a limited child. A context; or call `close` at the end.

    All methods raise `MediaUnusable` (decoding sound: `AudioUnusable`) when the file cannot be used,
    breaks a limit or kills its child, and `DiskFull` when the result has no room; `MediaInterrupted` where its child
    was killed from outside or (`MediaStalled`) stood still, which says nothing of the file. Cancelling a call kills
    its child and removes what it had not finished.
    """

    def __init__(self, limits: Limits | None = None, *, num_light: int = 1, num_heavy: int = 1) -> None:
        """`num_light`, `num_heavy`: children at work at once for short jobs, and for those that encode."""
        limits = limits or Limits()
        self._lanes = {"light": Lane(num_light, limits), "heavy": Lane(num_heavy, limits)}

    async def __aenter__(self) -> LimitedMedia:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the idle children. Twice is once."""
        for lane in self._lanes.values():
            await lane.close()

    async def probe(self, path: Path) -> MediaFile:
        """See `probe.probe`.

        Raises:
            MediaTooCostly: It takes more than `PROBE_CPU_S`, or more memory than `INTAKE_RESIDENT_BYTES`.
        """
        bounds = Bounds(cpu_s=PROBE_CPU_S, resident_bytes=INTAKE_RESIDENT_BYTES)
        result, _ = await self._do("light", "probe", {"path": str(path)}, bounds)
        return _media_file(result)

    async def normalize(self, src: Path, dst: Path) -> MediaFile:
        """See `normalize.normalize`. Its packets are counted first; limits follow from them.

        Raises:
            MediaTooCostly: It takes more than `normalize_cpu_s`, or more memory than such a picture may.
        """
        bounds = Bounds(cpu_s=PROBE_CPU_S, resident_bytes=INTAKE_RESIDENT_BYTES)
        found, _ = await self._do("heavy", "survey", {"path": str(src)}, bounds)
        cpu_s = normalize_cpu_s_of(found)
        bounds = Bounds(cpu_s=cpu_s, resident_bytes=normalize_resident_bytes_of(found))
        arguments = {"src": str(src), "dst": str(dst), "found": found}
        result, _ = await self._do("heavy", "normalize", arguments, bounds, written=(dst,))
        return _media_file(result)

    async def cut(
        self,
        src: Path,
        dst: Path,
        *,
        start_s: float,
        end_s: float | None,
        on_progress: OnProgress = unheard,
    ) -> float:
        """See `cut.cut`; returns the length in seconds."""
        bounds = {"start_s": start_s, "end_s": end_s}
        length_s = _length_s(start_s, end_s)
        result = await self._heavy("cut", src, dst, bounds, length_s, on_progress)
        return float(result["duration_s"])

    async def export(
        self,
        src: Path,
        dst: Path,
        recipe: Recipe,
        *,
        on_progress: OnProgress = unheard,
    ) -> ExportResult:
        """See `export.export`."""
        arguments = {"recipe": dataclasses.asdict(recipe)}
        length_s = _length_s(recipe.start_s, recipe.end_s)
        result = await self._heavy("export", src, dst, arguments, length_s, on_progress)
        return ExportResult(**result)

    async def export_all(
        self,
        src: Path,
        orders: Sequence[tuple[Path, str]],
        recipe: Recipe,
        *,
        on_progress: OnProgress = unheard,
    ) -> list[ExportResult]:
        """See `export.export_all`; `orders`: where, and by which preset."""
        arguments = {
            "recipe": dataclasses.asdict(recipe),
            "orders": [(str(dst), preset) for dst, preset in orders],
        }
        length_s = _length_s(recipe.start_s, recipe.end_s)
        dst = orders[0][0]
        results = await self._heavy("export_all", src, dst, arguments, length_s, on_progress)
        return [ExportResult(**result) for result in results]

    async def thumbnail(self, src: Path, dst: Path, *, at_s: float | None = None) -> tuple[int, int]:
        """See `thumbnail.thumbnail`."""
        arguments = {"src": str(src), "dst": str(dst), "at_s": at_s}
        result, _ = await self._light("thumbnail", arguments, written=(dst,))
        return int(result[0]), int(result[1])

    async def thumbnails(
        self,
        src: Path,
        dst: Path,
        *,
        count: int,
        peak_s: float | None = None,
    ) -> list[dict[str, Any]]:
        """See `thumbnail.thumbnails`; each as plain values."""
        arguments = {"src": str(src), "dst": str(dst), "count": count, "peak_s": peak_s}
        result, _ = await self._light("thumbnails", arguments, written=numbered(dst, count))
        return list(result)

    async def layout_still(
        self,
        src: Path,
        dst: Path,
        framing: Framing,
        *,
        preset: str,
        at_s: float | None = None,
    ) -> dict[str, Any]:
        """See `layout_still.layout_still`; as plain values."""
        wanted = {"framing": dataclasses.asdict(framing), "preset": preset, "at_s": at_s}
        arguments = {"src": str(src), "dst": str(dst), **wanted}
        result, _ = await self._light("layout_still", arguments, written=(dst,))
        return dict(result)

    async def clean_watermark(self, src: Path, dst: Path) -> tuple[int, int]:
        """See `brand.clean_watermark`."""
        arguments = {"src": str(src), "dst": str(dst)}
        result, _ = await self._light("clean_watermark", arguments, written=(dst,))
        return int(result[0]), int(result[1])

    async def find_cameras(self, path: Path) -> list[dict[str, Any]]:
        """See `camera_search.propose_cameras`; each as plain values."""
        result, _ = await self._light("find_cameras", {"path": str(path)})
        return list(result)

    async def decode_pcm16k(self, source: bytes | Path) -> npt.NDArray[np.float32]:
        """See `audio.decode_pcm16k`."""
        if isinstance(source, bytes):
            return await self._decode("decode_pcm16k", {}, source)
        return await self._decode("decode_pcm16k", {"path": str(source)}, b"")

    async def decode_channels(self, path: Path) -> npt.NDArray[np.float32]:
        """See `audio.decode_channels`."""
        return await self._decode("decode_channels", {"path": str(path)}, b"")

    async def _decode(
        self, operation: str, arguments: dict[str, Any], data: bytes
    ) -> npt.NDArray[np.float32]:
        try:
            result, samples = await self._light(operation, arguments, data)
        except MediaUnusable as exc:
            raise AudioUnusable(str(exc)) from exc
        return np.frombuffer(samples, np.float32).reshape(result["shape"])

    async def _light(
        self,
        operation: str,
        arguments: dict[str, Any],
        payload: bytes = b"",
        *,
        written: Iterable[Path] = (),
    ) -> tuple[Any, bytes]:
        bounds = Bounds(cpu_s=LIGHT_CPU_S)
        return await self._do("light", operation, arguments, bounds, payload, written)

    async def _heavy(
        self,
        operation: str,
        src: Path,
        dst: Path,
        arguments: dict[str, Any],
        length_s: float | None,
        on_progress: OnProgress = unheard,
    ) -> Any:
        if length_s is None:
            header, _ = await self._light("outline", {"path": str(src)})
            length_s = header["duration_s"] or 600.0  # Files that do not say are mostly short recordings.
        written = [Path(each) for each, _ in arguments["orders"]] if "orders" in arguments else [dst]
        bounds = Bounds(cpu_s=HEAVY_BASE_CPU_S + HEAVY_CPU_S_PER_S * length_s * len(written))
        arguments = arguments | {"src": str(src), "dst": str(dst)}
        result, _ = await self._do(
            "heavy", operation, arguments, bounds, written=written, on_progress=on_progress
        )
        return result

    async def _do(
        self,
        lane: LightOrHeavy,
        operation: str,
        arguments: dict[str, Any],
        bounds: Bounds,
        payload: bytes = b"",
        written: Iterable[Path] = (),
        on_progress: OnProgress = unheard,
    ) -> tuple[Any, bytes]:
        """Ask a child; `written`: what it makes, of which nothing half-done stays where it dies."""
        header = {"operation": operation, "arguments": arguments, "cpu_s": bounds.cpu_s}
        name = Path(str(arguments.get("path") or arguments.get("src") or "a chunk")).name
        child: Child | None = None
        try:
            async with self._lanes[lane].child() as child:
                async with watched(child, bounds):
                    answer = await child.ask(header, payload, on_progress)
                if answer is None:
                    raise death(f"cannot {operation} {name}", child, await child.died(), bounds)
        finally:
            if child is not None and not child.is_alive:
                for dst in written:
                    discard_partials(dst, child.pid)
        error = answer[0].get("error")
        if error is not None:
            raise _ERRORS.get(error["code"], MediaUnusable)(error["message"])
        return answer[0]["result"], answer[1]


def _length_s(start_s: float, end_s: float | None) -> float | None:
    return None if end_s is None else max(0.0, end_s - start_s)


def _media_file(result: dict[str, Any]) -> MediaFile:
    tracks = tuple(MediaTrack(**track) for track in result["tracks"])
    return MediaFile(duration_s=result["duration_s"], format=result["format"], tracks=tracks)
