"""Options of `export` that say what becomes of the words."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.model.exporting import CaptionFile, CaptionWish

_KINDS: tuple[CaptionFile, ...] = ("srt", "vtt", "ass")


def add_options(export: argparse.ArgumentParser) -> None:
    """Add them to the parser of the verb."""
    export.add_argument(
        "--caption-style", default="pop", metavar="NAME", help="pop (default), karaoke, clean, one-word, calm"
    )
    export.add_argument(
        "--profanity", choices=["keep", "mask"], default="keep", help="mask: the first letter and asterisks"
    )
    export.add_argument(
        "--caption-files",
        type=_kinds,
        default=("srt",),
        metavar="KINDS",
        help="files to write beside the export: srt,vtt,ass (default srt), or none",
    )
    export.add_argument(
        "--soft-captions", action="store_true", help="add a track of text that players show or not"
    )
    export.add_argument("--no-burn", action="store_true", help="draw no captions on the picture")
    export.add_argument(
        "--caption-language", metavar="CODE", help="ISO 639, where the file of words does not say"
    )


def wish_of(arguments: argparse.Namespace) -> CaptionWish:
    """Return what was asked for."""
    from coordinator.model.exporting import CaptionWish

    return CaptionWish(
        style=arguments.caption_style,
        is_burned=not arguments.no_burn,
        is_soft=arguments.soft_captions,
        files=arguments.caption_files,
        profanity=arguments.profanity,
        language=arguments.caption_language,
    )


def _kinds(text: str) -> tuple[CaptionFile, ...]:
    names = [name.strip() for name in text.split(",")]
    found = tuple(kind for kind in _KINDS if kind in names)
    if names != ["none"] and len(found) != len(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(_KINDS)}, or none")
    return found
