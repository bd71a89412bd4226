"""What a `CaptionWish` means for one export: what is drawn, what lies beside it, what is a track of it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from coordinator.media.captions.burning import Captioner, Place
from coordinator.media.captions.cards import words_within
from coordinator.media.captions.files import file_cards, write_caption_files
from coordinator.media.captions.profanity import masked, masked_words
from coordinator.media.captions.soft_track import add_soft_track
from coordinator.media.captions.styles import style_named
from coordinator.media.picture.safe_areas import Box, safe_area
from coordinator.model.exporting import CaptionWish
from coordinator.model.speech import Word


def words_to_show(wish: CaptionWish, words: Sequence[Word], *, start_s: float, length_s: float) -> list[Word]:
    """Return the words of a part of the source, counted from its start, masked where that is wished."""
    found = words_within(words, start_s=start_s, end_s=start_s + length_s)
    return masked_words(found, language=wish.language) if wish.profanity == "mask" else found


def title_to_show(wish: CaptionWish, title: str) -> str:
    """Return a title as it is drawn, masked where that is wished."""
    return masked(title, language=wish.language) if wish.profanity == "mask" else title


def free_area(presets: Sequence[str], width: int, height: int) -> Box:
    """Return what every one of some presets leaves free of a picture."""
    areas = [safe_area(preset, width, height) for preset in presets]
    return Box(
        left_px=max(area.left_px for area in areas),
        top_px=max(area.top_px for area in areas),
        right_px=min(area.right_px for area in areas),
        bottom_px=min(area.bottom_px for area in areas),
    )


def captioner_of(
    wish: CaptionWish,
    words: Sequence[Word],
    *,
    presets: Sequence[str],
    size: tuple[int, int],
    centre_y: float,
    duration_s: float,
    rate: Fraction,
) -> Captioner | None:
    """Return what burns the words into pictures of `size`; None where nothing is to be burned.

    Args:
        words: as `words_to_show` gives them.
        presets: whose buttons are kept clear of: one file may be for several.
        centre_y: where the preset wants them, as a share of the height.
        rate: of the export's pictures.

    Raises:
        MediaUnusable: There is no such style.
    """
    style = style_named(wish.style)
    if not words or not wish.is_burned:
        return None
    width, height = size
    place = Place(
        width=width,
        height=height,
        centre_y=centre_y,
        area=free_area(presets, width, height),
        frame_s=float(1 / rate),
    )
    captioner = Captioner(words, place=place, duration_s=duration_s, style=style, language=wish.language)
    return captioner if captioner.words else None


def add_wished_track(wish: CaptionWish, words: Sequence[Word], path: Path, *, duration_s: float) -> None:
    """Put the words into the MP4 at `path` as a track of text, where that is wished.

    Raises:
        DiskFull, MediaUnusable: It cannot be written.
    """
    if wish.is_soft and words:
        cards = file_cards(words, style_named(wish.style), duration_s=duration_s)
        add_soft_track(path, cards, language=wish.language)


def write_wished_files(
    wish: CaptionWish, words: Sequence[Word], export: Path, *, duration_s: float, size: tuple[int, int]
) -> None:
    """Write the caption files that are wished beside `export`; without a word they hold none.

    Raises:
        DiskFull, MediaUnusable: One cannot be written.
    """
    style = style_named(wish.style)
    write_caption_files(wish.files, words, export, style=style, duration_s=duration_s, size=size)
