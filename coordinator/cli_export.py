"""The verb `presets`, and what `export` takes beside a clip and its words: presets, a brand kit, a cache."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator import cli_layouts
from coordinator.errors import InputUnusable

if TYPE_CHECKING:
    from coordinator.model.exporting import About, Brand, Recipe, SoundWish

_BRAND_KEYS = ("intro", "outro", "watermark")


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add `presets` to the command line."""
    verbs.add_parser("presets", help="where an export can go, and what it may be there", parents=[common])


def add_export_options(export: argparse.ArgumentParser) -> None:
    """Add what this module reads to `export`."""
    export.add_argument("clip", type=Path)
    export.add_argument(
        "--preset", action="append", help="see `presets` (vertical); again for more, all made from one decode"
    )
    export.add_argument(
        "-o", "--output", type=Path, required=True, help="the file, or with several presets the folder"
    )
    export.add_argument("--artist", help="kept in the file")
    export.add_argument("--comment", help="kept in the file")
    export.add_argument(
        "--chapter",
        action="append",
        default=[],
        metavar="S=NAME",
        help="a named place, in seconds of the clip",
    )
    export.add_argument(
        "--brand", type=Path, metavar="FILE", help="TOML: intro, outro, watermark, watermark_corner, ..."
    )
    export.add_argument(
        "--encoder", default="x264", help="x264, auto (a graphics card where one works), h264_nvenc, ..."
    )
    export.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="keep exports there, and take them from there"
    )


def add_sound_options(export: argparse.ArgumentParser) -> None:
    """Let `export` choose what is heard."""
    export.add_argument(
        "--sound-tracks",
        metavar="NAMES",
        help="tracks of sound to mix, by name or number: mic,app (default: the first, the mix)",
    )
    export.add_argument("--duck", action="store_true", help="lower what is not the voice while it speaks")


def sound_of(arguments: argparse.Namespace) -> SoundWish:
    """Read what shall be heard."""
    from coordinator.model.exporting import SoundWish

    names = arguments.sound_tracks
    tracks = tuple(name.strip() for name in names.split(",")) if names is not None else None
    return SoundWish(tracks=tracks, should_duck=arguments.duck)


def run_presets(arguments: argparse.Namespace) -> int:
    """List the presets."""
    from coordinator.media.output.presets import described

    found = described()
    lines = [
        f"{row['name']:14} {_shape(row):10} {_limits(row):22} {row['about']}" for row in found["presets"]
    ]
    lines.append(f"limits as of {found['checked_on']}")
    print(json.dumps(found) if arguments.json else "\n".join(lines), flush=True)
    return 0


def _shape(row: dict[str, Any]) -> str:
    return f"{row['width']}x{row['height']}" if row["width"] else "its own"


def _limits(row: dict[str, Any]) -> str:
    size, length_s = row["max_size_bytes"], row["max_duration_s"]
    found = [f"{size // 1_000_000} MB"] if size else []
    found += [f"{length_s:g} s"] if length_s else []
    found += [f"first {row['keeps_s']:g} s"] if row["keeps_s"] else []
    return ", ".join(found)


def run_export(arguments: argparse.Namespace, recipe: Recipe) -> int:
    """Export the clip by `recipe`, to which what this module reads is added, and print what was made.

    Raises:
        InputUnusable: A preset, chapter or brand kit that cannot be; or see `export_all_command`.
        MediaUnusable, DiskFull: See `export_all_command`.
    """
    import asyncio
    import dataclasses

    from coordinator.media.commands import export_all_command

    names = list(dict.fromkeys(arguments.preset or ["vertical"]))
    recipe = dataclasses.replace(
        recipe,
        preset=names[0],
        about=about_of(arguments),
        brand=brand_of(arguments.brand),
        encoder=arguments.encoder,
    )
    orders = orders_of(arguments.clip, names, arguments.output)
    results = asyncio.run(
        export_all_command(
            arguments.clip,
            orders,
            recipe,
            captions=arguments.captions,
            cache=arguments.cache,
            on_progress=_telling(is_json=arguments.json),
        )
    )
    value = results[0] if len(names) == 1 else {"exports": results}
    print(json.dumps(value) if arguments.json else "\n".join(map(_said_of, results)), flush=True)
    return 0


def _said_of(result: dict[str, Any]) -> str:
    note = f" (sound: {result['sound_note']})" if result["sound_note"] else ""
    return f"wrote {result['path']}: {cli_layouts.seen(result['shown_share'])}{note}"


def _telling(*, is_json: bool) -> Callable[[float], None]:
    """How far it is, on a terminal alone."""

    def tell(share: float) -> None:
        if not is_json and sys.stderr.isatty():
            print(f"\r{share:4.0%}", end="\r" if share < 1 else "\n", file=sys.stderr, flush=True)

    return tell


def orders_of(clip: Path, names: list[str], output: Path) -> list[tuple[Path, str]]:
    """Return (file, preset) for each preset: the file itself for one, files in a folder for more.

    Raises:
        InputUnusable: A preset is unknown, or there can be no such folder.
    """
    from coordinator.media.output.presets import presets

    if len(names) == 1:
        return [(output, names[0])]
    if unknown := [name for name in names if name not in presets()]:
        raise InputUnusable(
            f"there is no preset {unknown[0]!r}; choose one of {', '.join(sorted(presets()))}"
        )
    if output.exists() and not output.is_dir():
        raise InputUnusable(f"cannot write several files to {output}: it is a file; name a folder")
    try:
        output.mkdir(exist_ok=True)
    except OSError as exc:
        raise InputUnusable(f"cannot make the folder {output}: {exc.strerror}; name another") from exc
    return [(output / f"{clip.stem}-{name}.{presets()[name].container}", name) for name in names]


def about_of(arguments: argparse.Namespace) -> About:
    """Read what the file says of itself.

    Raises:
        InputUnusable: A chapter is not `SECONDS=NAME`.
    """
    import math

    from coordinator.model.exporting import About, Chapter

    chapters = []
    for text in arguments.chapter:
        start, _, title = text.partition("=")
        try:
            start_s = float(start)
        except ValueError:
            start_s = math.nan
        if not (math.isfinite(start_s) and start_s >= 0 and title.strip()):
            raise InputUnusable(f"--chapter {text!r} is no chapter; write SECONDS=NAME, such as 12.5=Boss")
        chapters.append(Chapter(start_s=start_s, title=title.strip()))
    return About(artist=arguments.artist, comment=arguments.comment, chapters=tuple(chapters))


def brand_of(path: Path | None) -> Brand:
    """Read a brand kit; the files it names lie beside it unless their paths say otherwise.

    Raises:
        InputUnusable: It cannot be read, or holds what a brand kit does not.
    """
    import tomllib

    import msgspec

    from coordinator.model.exporting import Brand

    if path is None:
        return Brand()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        known = set(Brand.__dataclass_fields__)
        if unknown := sorted(set(found) - known):
            raise InputUnusable(
                f"{path.name}: {unknown[0]} is no key of a brand kit; there are {', '.join(sorted(known))}"
            )
        files = {key: str(path.parent / found[key]) for key in _BRAND_KEYS if key in found}
        brand = msgspec.convert(found | files, Brand)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, msgspec.ValidationError) as exc:
        raise InputUnusable(f"cannot read the brand kit {path.name}: {exc}") from exc
    for key in ("watermark_width", "watermark_opacity"):
        if not 0 < getattr(brand, key) <= 1:
            raise InputUnusable(f"{path.name}: {key} = {getattr(brand, key)!r} is not above 0 and at most 1")
    return brand
