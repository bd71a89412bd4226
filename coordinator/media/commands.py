"""What `probe`, `normalize` and `export` of the command line do: a limited child, and a JSON object back.

Each returns what `--json` prints on success, and raises what it prints on failure.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from coordinator.errors import InputUnusable, MediaUnusable
from coordinator.media.captions.styles import style_named
from coordinator.media.child import LimitedMedia
from coordinator.media.child_process import OnProgress
from coordinator.media.output.cache import ExportCache
from coordinator.media.output.presets import preset_named
from coordinator.model.exporting import Recipe
from coordinator.model.media import ExportResult, MediaFile
from coordinator.model.speech import Word


class _SpokenWord(msgspec.Struct):
    text: str
    start_s: float
    end_s: float
    channel: int | None = 0


class _Captions(msgspec.Struct):
    words: list[_SpokenWord]
    language: str | None = None


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
    """Export `src` by the recipe's own preset and return the fields of `ExportResult`. See `export_all_command`."""
    return (await export_all_command(src, [(dst, recipe.preset)], recipe, captions=captions))[0]


async def export_all_command(
    src: Path,
    orders: Sequence[tuple[Path, str]],
    recipe: Recipe,
    *,
    captions: Path | None = None,
    cache: Path | None = None,
    on_progress: OnProgress = lambda _share: None,
) -> list[dict[str, Any]]:
    """Export `src` to each (file, preset) from one decode, and return the fields of each `ExportResult`.

    Args:
        captions: a JSON file as `transcribe --json` prints it; its words go into the recipe.
        cache: a folder that keeps what was exported; what it holds of this recipe is not made again.

    Raises:
        MediaUnusable, DiskFull: See `export.export_all`.
        InputUnusable: No such file, preset, caption style or folder to write to, or the captions cannot be read.
    """
    require_file(src)
    for film in (recipe.brand.intro, recipe.brand.outro, recipe.brand.watermark):
        if film is not None:
            require_file(Path(film))
    try:
        for dst, preset in orders:
            require_place(dst)
            preset_named(preset)
        style_named(recipe.captions.style)
    except MediaUnusable as exc:
        raise InputUnusable(str(exc)) from exc
    if captions is not None:
        recipe = with_captions(recipe, captions)
    kept = ExportCache(cache, src, recipe) if cache is not None else None
    results: dict[Path, ExportResult] = {}
    for dst, preset in orders:
        if kept is not None and (before := kept.take(preset, dst)) is not None:
            results[dst] = before
    missing = [(dst, preset) for dst, preset in orders if dst not in results]
    if missing:
        async with LimitedMedia() as media:
            made = await media.export_all(src, missing, recipe, on_progress=on_progress)
        for (dst, _), result in zip(missing, made, strict=True):
            results[dst] = result
            if kept is not None:
                kept.keep(result)
    return [dataclasses.asdict(results[dst]) for dst, _ in orders]


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
    if path.exists() and not path.is_file():
        # The result takes its place by a rename: a device or a pipe would be gone.
        raise InputUnusable(f"cannot write {path}: it is a device or a pipe; name a file to write")
    if not path.parent.is_dir():
        raise InputUnusable(
            f"cannot write {path}: there is no folder {path.parent}; make it, or name another"
        )
    if not os.access(path.parent, os.W_OK):
        raise InputUnusable(f"cannot write {path}: {path.parent} may not be written; name another folder")


def with_captions(recipe: Recipe, path: Path) -> Recipe:
    """Return the recipe with the words of a transcript file, and its language where the recipe names none.

    Raises:
        InputUnusable: It is missing, or not what `transcribe --json` prints.
    """
    try:
        captions = msgspec.json.decode(path.read_bytes(), type=_Captions)
    except (OSError, msgspec.MsgspecError) as exc:
        raise InputUnusable(
            f"cannot read captions from {path.name}: {exc}; give the output of transcribe --json"
        ) from exc
    words = tuple(
        Word(text=w.text, start_s=w.start_s, end_s=w.end_s, channel=w.channel or 0) for w in captions.words
    )
    wish = recipe.captions
    wish = dataclasses.replace(wish, language=wish.language or captions.language)
    return dataclasses.replace(recipe, words=words, captions=wish)


def _as_json(found: MediaFile) -> dict[str, Any]:
    return dataclasses.asdict(found)
