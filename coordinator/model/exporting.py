"""What is asked of an export: a recipe says all of it, so that equal recipes of equal clips give equal files."""

from __future__ import annotations

import dataclasses
from typing import Literal

from coordinator.model.speech import Word

CaptionFile = Literal["srt", "vtt", "ass"]
Profanity = Literal["keep", "mask"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How the picture is brought into the preset's shape. `preset`: as the preset says."""

    layout: Literal["preset", "blur"] = "preset"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionWish:
    """What becomes of the words that are heard.

    Attributes:
        style: a name in `media/captions/styles.toml`.
        is_burned: drawn on the picture (never by a preset that copies).
        is_soft: a track of text in the MP4 that players show or not.
        files: kinds of caption file to write beside the export.
        profanity: `mask` leaves the first letter of a swear word, everywhere.
        language: of the words, ISO 639; None: not known.
    """

    style: str = "pop"
    is_burned: bool = True
    is_soft: bool = False
    files: tuple[CaptionFile, ...] = ("srt",)
    profanity: Profanity = "keep"
    language: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundWish:
    """What is heard. `tracks`: numbers of the source's tracks of sound, mixed; None: the first, which is the mix."""

    tracks: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One export of a clip.

    Attributes:
        preset: a name in `media/output/presets.toml`.
        start_s, end_s: the part of the source, in seconds from its start; None: to its end.
        words: on the time line of the source; those outside the part are left out.
        title: kept in the file and, where the preset says so, shown at the start.
    """

    preset: str
    start_s: float = 0.0
    end_s: float | None = None
    words: tuple[Word, ...] = ()
    title: str | None = None
    framing: Framing = Framing()
    captions: CaptionWish = CaptionWish()
    sound: SoundWish = SoundWish()
