"""Which bundled font draws which characters: runs of one font each, and nothing that none can draw.

The table is `fonts/fonts.toml`. One thread.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageFont

FOLDER = Path(__file__).with_name("fonts")
CAN_SHAPE = bool(ImageFont.core.HAVE_RAQM)
_LAYOUT = ImageFont.Layout.RAQM if CAN_SHAPE else ImageFont.Layout.BASIC
# The only size that the font of colour pictures has.
EMOJI_EM_PX = 109
_NOWHERE = "\U0010fffe"
_JOINER, _TEXT_LOOK, _EMOJI_LOOK, _KEYCAP = "\u200d", "\ufe0e", "\ufe0f", "\u20e3"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One font. `scale`: its size against the style's."""

    file: str
    scale: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Characters that one face draws."""

    text: str
    face: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    faces: dict[str, Face]
    order: tuple[str, ...]
    emoji: str


@functools.cache
def _table() -> _Table:
    read = tomllib.loads((FOLDER / "fonts.toml").read_text(encoding="utf-8"))
    faces = {name: Face(**row) for name, row in read["faces"].items()}
    return _Table(faces=faces, order=tuple(read["order"]), emoji=read["emoji"])


def is_emoji_face(name: str) -> bool:
    """Does this face hold colour pictures?"""
    return name == _table().emoji


@functools.lru_cache(maxsize=128)
def font_of(face: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Return a face for letters of `size_px` (its own scale applied), shaped by raqm where Pillow has it."""
    row = _table().faces[face]
    px = EMOJI_EM_PX if is_emoji_face(face) else max(1, round(size_px * row.scale))
    return ImageFont.truetype(str(FOLDER / row.file), px, layout_engine=_LAYOUT)


@functools.lru_cache(maxsize=16384)
def has_glyph(face: str, character: str) -> bool:
    """Can this face draw this character?"""
    if unicodedata.category(character)[0] == "C":
        return False
    try:
        return bytes(font_of(face, 32).getmask(character)) != _missing(face)
    except ValueError:  # raqm: a selector that it finds no glyph for, alone.
        return False


@functools.cache
def _missing(face: str) -> bytes:
    return bytes(font_of(face, 32).getmask(_NOWHERE))


def can_draw(character: str) -> bool:
    """Has any font of letters this character?"""
    faces = _table().faces
    return any(has_glyph(face, character) for face in faces if not is_emoji_face(face))


def runs_of(text: str, first_face: str) -> list[Run]:
    """Split `text` (NFC) into runs of one font each; `first_face` draws what it can.

    Emoji are one run each. What no font can draw is left out.
    """
    runs: list[Run] = []
    for cluster in _clusters(text):
        last = runs[-1].face if runs else first_face
        run = _run_of(cluster, first_face, last)
        if run is None:
            continue
        if runs and run.face == last and not is_emoji_face(last):
            runs[-1] = Run(text=runs[-1].text + run.text, face=last)
        else:
            runs.append(run)
    return runs


def _clusters(text: str) -> Iterator[str]:
    """Yield what stays together: a character with its marks, an emoji with all that belongs to it."""
    cluster = ""
    for c in text:
        is_flag = _is_flag_letter(c) and len(cluster) == 1 and _is_flag_letter(cluster)
        if cluster and (is_flag or _extends(c) or _joins_emoji(cluster)):
            cluster += c
        else:
            if cluster:
                yield cluster
            cluster = c
    if cluster:
        yield cluster


def _joins_emoji(cluster: str) -> bool:
    return cluster.endswith(_JOINER) and _has_picture(cluster[0])


def _extends(c: str) -> bool:
    code = ord(c)
    return unicodedata.category(c)[0] == "M" or _is_invisible(c) or 0x1F3FB <= code <= 0x1F3FF


def _is_invisible(c: str) -> bool:
    """Joiners, selectors and tags: they change how others look."""
    return c in "\u200c\u200d" or 0xFE00 <= ord(c) <= 0xFE0F or 0xE0020 <= ord(c) <= 0xE007F


def _is_flag_letter(c: str) -> bool:
    return 0x1F1E6 <= ord(c) <= 0x1F1FF


def _has_picture(c: str) -> bool:
    return has_glyph(_table().emoji, c)


def _run_of(cluster: str, first_face: str, last_face: str) -> Run | None:
    base, emoji = cluster[0], _table().emoji
    wants_picture = ord(base) >= 0x1F000 or _EMOJI_LOOK in cluster or _KEYCAP in cluster
    if wants_picture and _has_picture(base):
        return Run(text=_known_picture(cluster), face=emoji)
    is_symbol = unicodedata.category(base) == "So"
    faces = [first_face, *_table().order]
    if is_symbol and _TEXT_LOOK not in cluster:
        faces.insert(1, emoji)  # The warning sign looks better than the one of a script's font.
    if unicodedata.category(base)[0] in "PZ":
        faces.insert(0, last_face)  # Marks of a sentence look as its letters do.
    for wanted in (cluster, base):  # An accent that no font has costs the accent alone.
        seen = [c for c in wanted if not _is_invisible(c)]
        for face in faces:
            if all(has_glyph(face, c) for c in seen):
                text = wanted.replace(_TEXT_LOOK, "").replace(_EMOJI_LOOK, "")
                return Run(text=text, face=face)
    return None


@functools.lru_cache(maxsize=1024)
def _known_picture(cluster: str) -> str:
    """Return as much of an emoji as the font has one picture for: without skin tones, then its first part."""
    font = font_of(_table().emoji, EMOJI_EM_PX)
    plain = "".join(c for c in cluster if not 0x1F3FB <= ord(c) <= 0x1F3FF)
    for wanted in (cluster, plain, plain.split(_JOINER)[0]):
        is_known = all(_is_invisible(c) or _has_picture(c) for c in wanted)
        if is_known and font.getlength(wanted) <= 1.1 * font.getlength(cluster[0]):
            return wanted
    return cluster[0]
