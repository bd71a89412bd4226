"""Mask swear words: their first letter and asterisks. The lists are `profanity/LANGUAGE.txt`. Pure after reading."""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from coordinator.model.speech import Word

_FOLDER = Path(__file__).with_name("profanity")
# Where the language is not known: most of what is streamed, and its swear words are borrowed by the others.
_DEFAULT_LANGUAGE = "en"
_LETTERS = re.compile(r"[^\W\d_]+")


def masked_words(words: Sequence[Word], *, language: str | None) -> list[Word]:
    """Return the words with every swear word of the language masked, whatever marks stand about it.

    Args:
        language: ISO 639; None: English. Languages without a list are kept as they are.
    """
    return [dataclasses.replace(word, text=masked(word.text, language=language)) for word in words]


def masked(text: str, *, language: str | None) -> str:
    """Mask the swear words in a text. Whole words only, so that a town's name with one inside stays."""
    pattern = _pattern((language or _DEFAULT_LANGUAGE).lower().replace("_", "-").split("-")[0])
    if pattern is None:
        return text
    return _LETTERS.sub(
        lambda found: _mask(found[0]) if pattern.fullmatch(found[0].casefold()) else found[0],
        unicodedata.normalize("NFC", text),
    )


def _mask(word: str) -> str:
    return word[0] + "*" * (len(word) - 1)


def languages_with_lists() -> list[str]:
    """Return the languages that have a list, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.txt"))


@functools.cache
def _pattern(language: str) -> re.Pattern[str] | None:
    if language not in languages_with_lists():
        return None
    lines = (_FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    words = [
        re.escape(unicodedata.normalize("NFC", row.removesuffix("*")).casefold())
        + (r"[^\W\d_]*" if row.endswith("*") else "")
        for row in rows
    ]
    return re.compile("|".join(words))
