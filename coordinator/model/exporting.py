"""What is asked of an export: a recipe says all of it, so that equal recipes of equal clips give equal files."""

from __future__ import annotations

import dataclasses
from typing import Literal

from coordinator.model.framing import Framing
from coordinator.model.speech import Word

CaptionFile = Literal["srt", "vtt", "ass"]
Profanity = Literal["keep", "mask"]


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
    """What is heard.

    Attributes:
        tracks: names of the source's tracks of sound, or their numbers from 0, to be mixed; None: the first,
            which is the mix.
        should_duck: everything but the voice goes down while it speaks. Then None means all parts of the mix.
    """

    tracks: tuple[str, ...] | None = None
    should_duck: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A named place, in seconds of the source; it lasts until the next one."""

    start_s: float
    title: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the file says of itself beside its title."""

    artist: str | None = None
    comment: str | None = None
    chapters: tuple[Chapter, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """A streamer's own frame around a clip: paths of files, each used only where the preset takes it.

    Attributes:
        intro, outro: films shown before and after the clip.
        watermark: a picture, drawn in a corner.
        watermark_width: as a share of the picture's shorter side.
        watermark_opacity: 1 covers what is behind it.
    """

    intro: str | None = None
    outro: str | None = None
    watermark: str | None = None
    watermark_corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "top-left"
    watermark_width: float = 0.16
    watermark_opacity: float = 0.85


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One export of a clip.

    Attributes:
        preset: a name in `media/output/presets.toml`.
        start_s, end_s: the part of the source, in seconds from its start; None: to its end.
        words: on the time line of the source; those outside the part are left out.
        title: kept in the file and, where the preset says so, shown at the start, masked like captions.
        is_title_shown: False keeps it from the picture; the file has it all the same.
        encoder: `x264`, an encoder of a graphics card by FFmpeg's name, or `auto`: a card's where one works.
    """

    preset: str
    start_s: float = 0.0
    end_s: float | None = None
    words: tuple[Word, ...] = ()
    title: str | None = None
    is_title_shown: bool = True
    framing: Framing = dataclasses.field(default_factory=Framing)
    captions: CaptionWish = CaptionWish()
    sound: SoundWish = SoundWish()
    about: About = About()
    brand: Brand = Brand()
    encoder: str = "x264"
