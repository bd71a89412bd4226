"""How captions look, read from `styles.toml` beside this file, which explains the fields."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from pathlib import Path
from typing import Literal

from coordinator.errors import MediaUnusable
from coordinator.media.captions.cards import MAX_CARD_S, MAX_CHARACTERS, MAX_WORDS, CardShape

_PATH = Path(__file__).with_name("styles.toml")
# A cue of a file holds as many words where it may: a player shows no word for a moment only.
_MIN_FILE_WORDS, _MIN_FILE_CHARACTERS = MAX_WORDS, MAX_CHARACTERS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionStyle:
    """One row of the table. Lengths are shares of the picture's shorter side."""

    name: str
    face: str
    case: Literal["upper", "sentence", "keep"]
    size: float
    outline: float
    max_width: float
    highlight: Literal["colour", "box", "none"]
    shadow: float
    max_words: int = MAX_WORDS
    max_characters: int = MAX_CHARACTERS
    max_card_s: float = MAX_CARD_S
    max_lines: int = 2
    line_height: float = 1.16
    pop: float = 1.0
    fill: str = "#ffffff"
    outline_fill: str = "#000000"
    spoken_fill: str = "#ffffff"
    box_fill: str = ""
    back_fill: str = ""

    @property
    def shape(self) -> CardShape:
        """What goes on one card."""
        return CardShape(
            max_words=self.max_words, max_characters=self.max_characters, max_card_s=self.max_card_s
        )

    @property
    def shape_in_files(self) -> CardShape:
        """What goes on one cue of a caption file."""
        return CardShape(
            max_words=max(self.max_words, _MIN_FILE_WORDS),
            max_characters=max(self.max_characters, _MIN_FILE_CHARACTERS),
            max_card_s=max(self.max_card_s, MAX_CARD_S),
        )


@functools.cache
def styles() -> dict[str, CaptionStyle]:
    """Return every style by its name."""
    table = tomllib.loads(_PATH.read_text(encoding="utf-8"))
    return {name: CaptionStyle(name=name, **row) for name, row in table.items() if isinstance(row, dict)}


def style_named(name: str) -> CaptionStyle:
    """Return one style.

    Raises:
        MediaUnusable: There is none of that name; says which there are.
    """
    found = styles().get(name)
    if found is None:
        raise MediaUnusable(
            f"there is no caption style {name!r}; choose one of {', '.join(sorted(styles()))}"
        )
    return found
