"""Port `Media` without a decoder, for tests of what stands around it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from coordinator.model.exporting import Recipe
from coordinator.model.media import ExportResult, MediaFile, MediaTrack


class PlainMedia:
    """Copies for cuts; what it says of a file is always the same. `recipes`: what posts were asked for."""

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []

    async def probe(self, path: Path) -> MediaFile:
        video = MediaTrack(kind="video", codec="h264", num_packets=1, width=1920, height=1080)
        return MediaFile(duration_s=10.0, format="mp4", tracks=(video,))

    async def cut(
        self, src: Path, dst: Path, *, start_s: float, end_s: float, on_progress: Callable[[float], None]
    ) -> float:
        on_progress(0.5)
        await asyncio.to_thread(shutil.copyfile, src, dst)
        return end_s - start_s

    async def export_all(
        self,
        src: Path,
        orders: Sequence[tuple[Path, str]],
        recipe: Recipe,
        *,
        on_progress: Callable[[float], None],
    ) -> list[ExportResult]:
        on_progress(0.5)
        self.recipes.append(recipe)
        for dst, _ in orders:
            await asyncio.to_thread(shutil.copyfile, src, dst)
        return [plain_result(dst, preset) for dst, preset in orders]


def plain_result(dst: Path, preset: str) -> ExportResult:
    """What is said of a post that was not rendered."""
    return ExportResult(
        path=str(dst), preset=preset, width=1080, height=1920,
        duration_s=10.0, lufs=-14.0, captions=1, size_bytes=3,
    )  # fmt: skip
