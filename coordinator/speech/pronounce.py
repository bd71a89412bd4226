"""How words sound: a pronouncing dictionary, and what can be built from it for words it lacks.

Streams are full of words no dictionary has: "1v4", "gg", "headshots", "one-shot". Those are put together
from numbers, letters, parts and endings the dictionary knows; what remains has no pronunciation here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Every way to say it, each a tuple of phones.
Pronunciations = tuple[tuple[str, ...], ...]

_MAX_VARIANTS = 4
_MIN_PART_LETTERS = 3
_MAX_SPELLED_LETTERS = 5
_MAX_WORD_LETTERS = 40
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_PIECES = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*")
_VARIANT = re.compile(r"\(\d+\)$")
_VOICELESS = frozenset("P T K F TH".split())
_SIBILANT = frozenset("S Z SH ZH CH JH".split())


def read_dictionary(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """Read a dictionary in CMU's format: a word, then its phones; `word(2)` is another way to say it.

    Raises:
        OSError: The file cannot be read.
    """
    entries: dict[str, list[tuple[str, ...]]] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            word, *phones = line.split()
            if phones:
                entries.setdefault(_VARIANT.sub("", word), []).append(tuple(phones))
    return entries


def pronounce(word: str, dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> Pronunciations:
    """Return the ways to say a word as somebody wrote it; empty when none can be built."""
    if len(word) > _MAX_WORD_LETTERS:
        return ()
    plain = word.lower().replace("’", "'")
    if known := dictionary.get(plain.strip('.,!?;:"()[]…')):
        return tuple(known[:_MAX_VARIANTS])
    pieces = _PIECES.findall(plain)
    if not pieces or len("".join(pieces)) < len(re.sub(r"[\s\W_]", "", plain)):
        return ()
    return _one_after_another(_pronounce_piece(piece, dictionary) for piece in pieces)


def number_words(number: int) -> list[str]:
    """Return how a number from 0 to 9,999 is said; larger ones digit by digit."""
    if number < len(_ONES):
        return [_ONES[number]]
    if number < 100:
        tens, ones = divmod(number, 10)
        return [_TENS[tens - 2], *([_ONES[ones]] if ones else [])]
    for size, name in ((1_000, "thousand"), (100, "hundred")):
        if size <= number < 10 * size:
            count, rest = divmod(number, size)
            return [_ONES[count], name, *(number_words(rest) if rest else [])]
    return [_ONES[int(digit)] for digit in str(number)]


def _pronounce_piece(piece: str, dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> Pronunciations:
    if piece.isdecimal():
        words = number_words(int(piece))
        return _one_after_another(tuple(dictionary.get(word, ())) for word in words)
    if known := dictionary.get(piece):
        return tuple(known[:_MAX_VARIANTS])
    for build in (_with_ending, _compound, _spelled):
        if built := build(piece, dictionary):
            return built
    return ()


def _with_ending(word: str, dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> Pronunciations:
    for ending in ("'s", "es", "s", "ed", "ing", "in'", "er", "ers"):
        if not word.endswith(ending):
            continue
        stem = word[: -len(ending)]
        stems = [stem, stem + "e"]
        if len(stem) > 2 and stem[-1] == stem[-2]:
            stems.append(stem[:-1])
        for each in stems:
            if len(each) >= _MIN_PART_LETTERS and (known := dictionary.get(each)):
                return tuple(phones + _ending_phones(ending, phones[-1]) for phones in known[:_MAX_VARIANTS])
    return ()


def _ending_phones(ending: str, last: str) -> tuple[str, ...]:
    if ending in ("'s", "s", "es"):
        if last in _SIBILANT:
            return ("IH", "Z")
        return ("S",) if last in _VOICELESS else ("Z",)
    if ending == "ed":
        if last in ("T", "D"):
            return ("IH", "D")
        return ("T",) if last in _VOICELESS | _SIBILANT - {"Z", "ZH", "JH"} else ("D",)
    return {"ing": ("IH", "NG"), "in'": ("IH", "N"), "er": ("ER",), "ers": ("ER", "Z")}[ending]


def _compound(word: str, dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> Pronunciations:
    cuts = range(_MIN_PART_LETTERS, len(word) - _MIN_PART_LETTERS + 1)
    # Halves of like length are real words more often than a long one with a three-letter rest.
    for cut in sorted(cuts, key=lambda each: abs(len(word) - 2 * each)):
        first, second = dictionary.get(word[:cut]), dictionary.get(word[cut:])
        if first and second:
            return _one_after_another((tuple(first), tuple(second)))
    return ()


def _spelled(word: str, dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> Pronunciations:
    if len(word) > _MAX_SPELLED_LETTERS or any(letter in "aeiouy" for letter in word):
        return ()
    letters = (dictionary.get(f"{letter}.") or dictionary.get(letter, ()) for letter in word)
    return _one_after_another(tuple(each[:1]) for each in letters)


def _one_after_another(parts: Iterable[Pronunciations]) -> Pronunciations:
    listed = list(parts)
    if not listed or not all(listed):
        return ()
    ways = itertools.islice(itertools.product(*listed), _MAX_VARIANTS)
    return tuple(tuple(itertools.chain.from_iterable(way)) for way in ways)
