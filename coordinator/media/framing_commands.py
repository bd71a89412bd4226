"""What `thumbnail` and `layouts` of the command line do: a limited child, and a JSON object back.

Each returns what `--json` prints on success, and raises what it prints on failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coordinator.errors import InputUnusable, MediaUnusable
from coordinator.media.child import LimitedMedia
from coordinator.media.commands import require_file, require_place
from coordinator.media.output.presets import preset_named
from coordinator.model.framing import Framing


async def thumbnails_command(
    src: Path, dst: Path, *, count: int, peak_s: float | None, at_s: float | None = None
) -> dict[str, Any]:
    """Write the best pictures of `src`, or the one at `at_s`, and return `{thumbnails: [...]}`, the best first.

    Raises:
        MediaUnusable, DiskFull: See `thumbnail.thumbnails`.
        InputUnusable: No such file, or no folder to write to.
    """
    require_file(src)
    require_place(dst)
    async with LimitedMedia() as media:
        if at_s is None:
            return {"thumbnails": await media.thumbnails(src, dst, count=count, peak_s=peak_s)}
        width, height = await media.thumbnail(src, dst, at_s=at_s)
    one = {"path": str(dst), "at_s": at_s, "score": None, "width": width, "height": height}
    return {"thumbnails": [one]}


async def layout_still_command(
    src: Path, dst: Path, framing: Framing, *, preset: str, at_s: float | None
) -> dict[str, Any]:
    """Draw what a layout makes of a clip and return the fields of `LayoutStill`.

    Raises:
        MediaUnusable, DiskFull: See `layout_still.layout_still`.
        InputUnusable: No such file, preset or folder to write to.
    """
    require_file(src)
    require_place(dst)
    try:
        preset_named(preset)
    except MediaUnusable as exc:
        raise InputUnusable(str(exc)) from exc
    async with LimitedMedia() as media:
        return await media.layout_still(src, dst, framing, preset=preset, at_s=at_s)


async def find_cameras_command(src: Path) -> dict[str, Any]:
    """Return `{cameras: [{camera: {x, y, width, height}, score}]}`, the likeliest first.

    Raises:
        MediaUnusable: It cannot be decoded.
        InputUnusable: There is no such file.
    """
    require_file(src)
    async with LimitedMedia() as media:
        return {"cameras": await media.find_cameras(src)}
