"""Exports that were made before, in a folder, under what they were made from.

The key is the sha256 of the source's bytes, the recipe, the preset's name, the tables that say how exports look
(presets, styles, safe areas, swear words) and the versions of what renders: equal keys mean equal files. What
cannot be read is made anew; else nothing is ever thrown away here. The folder may be emptied at any time.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from pathlib import Path

import msgspec

from coordinator.errors import InputUnusable
from coordinator.media.intake.opening import translating
from coordinator.media.partial import replacing
from coordinator.model.exporting import Recipe
from coordinator.model.media import ExportResult

# Counts up when the same recipe gives another file than before.
RENDERER = 2
_RESULT = "result.json"
_MEDIA = Path(__file__).parent.parent
_WORDS = (".srt", ".vtt", ".ass")


class ExportCache:
    """What is kept of one source and recipe."""

    def __init__(self, folder: Path, src: Path, recipe: Recipe) -> None:
        """Read `src` whole, for its sum.

        Raises:
            InputUnusable: The folder cannot be made, or a file of the recipe cannot be read.
        """
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._content = _digest(src)
            brand = recipe.brand
            # Where the brand's files lie is of no account; what is in them is.
            brand = dataclasses.replace(
                brand,
                intro=_digest_of(brand.intro),
                outro=_digest_of(brand.outro),
                watermark=_digest_of(brand.watermark),
            )
        except OSError as exc:
            raise InputUnusable(
                f"cannot use the cache {folder}: {exc.strerror}; name another folder"
            ) from exc
        self._recipe = dataclasses.replace(recipe, preset="", brand=brand)

    def take(self, preset: str, dst: Path) -> ExportResult | None:
        """Put what is kept of this preset to `dst` and beside it; None where there is nothing.

        Raises:
            DiskFull, MediaUnusable: It cannot be written there.
        """
        entry = self._folder / self._key(preset)
        try:
            result = msgspec.json.decode((entry / _RESULT).read_bytes(), type=ExportResult)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError):
            # Made anew, and kept in its place.
            shutil.rmtree(entry, ignore_errors=True)
            return None
        for kept in sorted(entry.iterdir(), key=lambda path: path.name == f"post{dst.suffix}"):
            if kept.name != _RESULT:
                with replacing(dst.with_suffix(kept.suffix)) as partial:
                    shutil.copyfile(kept, partial)
        return dataclasses.replace(result, path=str(dst))

    def keep(self, result: ExportResult) -> None:
        """Keep a finished export and the words beside it; kept already is fine.

        Raises:
            DiskFull, MediaUnusable: The folder has no room for it, or cannot be written.
        """
        entry, post = self._folder / self._key(result.preset), Path(result.path)
        made_s = post.stat().st_mtime
        beside = [post.with_suffix(suffix) for suffix in _WORDS]
        # Words that are older than the post by more than its making are another's.
        found = [post, *(path for path in beside if path.exists() and path.stat().st_mtime >= made_s - 1)]
        with translating(entry, "keep"):
            making = Path(tempfile.mkdtemp(dir=self._folder, prefix=".making-"))
            try:
                for path in found:
                    shutil.copyfile(path, making / f"post{path.suffix}")
                (making / _RESULT).write_text(json.dumps(dataclasses.asdict(result)), encoding="utf-8")
                if not entry.exists():
                    making.rename(entry)
            finally:
                shutil.rmtree(making, ignore_errors=True)

    def _key(self, preset: str) -> str:
        made_from = {
            "content": self._content,
            "recipe": dataclasses.asdict(self._recipe),
            "preset": preset,
            "tables": _tables(),
            "renderer": RENDERER,
            "av": importlib.metadata.version("av"),
        }
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


@functools.cache
def _tables() -> str:
    tables = sorted(path for path in _MEDIA.rglob("*") if path.suffix in (".toml", ".txt"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in tables)).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(path: str | None) -> str | None:
    return None if path is None else _digest(Path(path))
