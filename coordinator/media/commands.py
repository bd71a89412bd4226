"""What `probe`, `normalize` and `export` of the command line do: a limited child, and a JSON object back.

Each returns what `--json` prints on success, and raises what it prints on failure.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import msgspec

from coordinator.errors import InputUnusable, MediaUnusable
from coordinator.media.child import LimitedMedia
from coordinator.media.output.presets import preset_named
from coordinator.model.exporting import Recipe
from coordinator.model.media import MediaFile
from coordinator.model.speech import Word


class _SpokenWord(msgspec.Struct):
    text: str
    start_s: float
    end_s: float
    channel: int | None = 0


class _Captions(msgspec.Struct):
    words: list[_SpokenWord]


async def probe_command(path: Path) -> dict[str, Any]:
    """Return `{duration_s, format, tracks: [...]}`, unknown values as None.

    Raises:
        InputUnusable: There is no such file.
        MediaUnusable: It cannot be read.
    """
    require_file(path)
    async with LimitedMedia() as media:
        return _as_json(await media.probe(path))


async def normalize_command(src: Path, dst: Path) -> dict[str, Any]:
    """Normalise `src` to `dst` and return what `dst` holds, with its path.

    Raises:
        InputUnusable: There is no such file, or no folder to write to.
        MediaUnusable, DiskFull: See `normalize.normalize`.
    """
    require_file(src)
    require_place(dst)
    async with LimitedMedia() as media:
        return {"path": str(dst)} | _as_json(await media.normalize(src, dst))


async def export_command(
    src: Path,
    dst: Path,
    recipe: Recipe,
    *,
    captions: Path | None = None,
) -> dict[str, Any]:
    """Export `src` and return the fields of `ExportResult`.

    Args:
        captions: a JSON file as `transcribe --json` prints it; its words go into the recipe.

    Raises:
        MediaUnusable, DiskFull: See `export.export`.
        InputUnusable: No such file, preset or folder to write to, or the captions cannot be read.
    """
    require_file(src)
    require_place(dst)
    try:
        preset_named(recipe.preset)
    except MediaUnusable as exc:
        raise InputUnusable(str(exc)) from exc
    if captions is not None:
        recipe = dataclasses.replace(recipe, words=tuple(read_captions(captions)))
    async with LimitedMedia() as media:
        result = await media.export(src, dst, recipe)
    return dataclasses.asdict(result)


def require_file(path: Path) -> None:
    """Raise InputUnusable where there is no file to read; whether it is media is seen when it is opened."""
    if path.is_dir():
        raise InputUnusable(f"{path} is a folder; give the path of a recording")
    if not path.exists():
        raise InputUnusable(f"{path}: no such file; give the path of a recording")


def require_place(path: Path) -> None:
    """Raise InputUnusable where no file can be written at `path`, before minutes are spent on what goes there."""
    if path.is_dir():
        raise InputUnusable(f"cannot write {path}: it is a folder; name the file to write")
    if not path.parent.is_dir():
        raise InputUnusable(
            f"cannot write {path}: there is no folder {path.parent}; make it, or name another"
        )
    if not os.access(path.parent, os.W_OK):
        raise InputUnusable(f"cannot write {path}: {path.parent} may not be written; name another folder")


def read_captions(path: Path) -> list[Word]:
    """Read the words of a transcript file.

    Raises:
        InputUnusable: It is missing, or not what `transcribe --json` prints.
    """
    try:
        captions = msgspec.json.decode(path.read_bytes(), type=_Captions)
    except (OSError, msgspec.MsgspecError) as exc:
        raise InputUnusable(
            f"cannot read captions from {path.name}: {exc}; give the output of transcribe --json"
        ) from exc
    return [
        Word(text=w.text, start_s=w.start_s, end_s=w.end_s, channel=w.channel or 0) for w in captions.words
    ]


def _as_json(found: MediaFile) -> dict[str, Any]:
    return dataclasses.asdict(found)
