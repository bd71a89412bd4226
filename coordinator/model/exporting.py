"""What is asked of an export: a recipe says all of it, so that equal recipes of equal clips give equal files."""

from __future__ import annotations

import dataclasses
from typing import Literal

from coordinator.model.speech import Word


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How the picture is brought into the preset's shape. `preset`: as the preset says."""

    layout: Literal["preset", "blur"] = "preset"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionWish:
    """What becomes of the words: drawn on the picture or not, and how; a file of them is written in any case."""

    style: str = "pop"
    is_burned: bool = True


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
