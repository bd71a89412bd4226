"""Where a line or a card of captions may end, and how well it reads there: pure, no pictures.

Words are what speech recognition gives: in scripts that write no spaces often single characters, which stand
together without a gap.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Iterator, Sequence

from coordinator.model.speech import Word

# Longer ones are cut, so that a line can end inside: six characters of East Asia, or twelve of Thai.
MAX_UNSPACED_COLUMNS = 12
# A break that must not be: all others are below 2.
FORBIDDEN = 100.0
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।", "॥")
_CLAUSE_ENDS = (",", ";", ":", "、", "，", "；", "：", "،", "؛", "—", "–")
_CLOSERS = "\"'”’»)]}）」』】〉》"
# Kinsoku (JIS X 4051) and what goes with it in Thai: no line begins with these, none ends with those.
_NEVER_FIRST = frozenset(
    "!%),.:;?]}°’”‰′″℃、。〃々〉》」』】〕〗〙〛ゝゞ・ーヽヾ！％），．：；？］｝～ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
    # No Japanese word begins with these, and no Thai syllable.
    "んンะาำๅๆฯ"
)
_NEVER_LAST = frozenset("([{‘“〈《「『【〔〖〘〚（［｛$£¥￥＄っッเแโใไ")


def num_columns(text: str) -> int:
    """Return how wide `text` is, counted in Latin letters: two a character of East Asia, none a mark."""
    return sum(_columns(c) for c in text)


@functools.lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@functools.lru_cache(maxsize=4096)
def is_unspaced(character: str) -> bool:
    """Is this of a script that writes no spaces between words (Han, kana, Thai), or its punctuation?"""
    code = ord(character)
    return (
        0x2E80 <= code <= 0x312F  # radicals, CJK punctuation, kana, bopomofo
        or 0x31A0 <= code <= 0x31FF
        or 0x3400 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFF01 <= code <= 0xFF9F
        or 0x20000 <= code <= 0x3FFFF
        or 0x0E01 <= code <= 0x0E5B
    )


def is_glued(left: str, right: str) -> bool:
    """Do two words stand together without a space?"""
    return bool(left) and bool(right) and is_unspaced(left[-1]) and is_unspaced(right[0])


def joined(texts: Sequence[str]) -> str:
    """Return one line of text, with spaces where the script writes them."""
    return "".join(
        text if index == 0 or is_glued(texts[index - 1], text) else f" {text}"
        for index, text in enumerate(texts)
    )


def ends_sentence(text: str) -> bool:
    """Does a sentence end with this word?"""
    return text.rstrip(_CLOSERS).endswith(_SENTENCE_ENDS)


def ends_clause(text: str) -> bool:
    """Does a part of a sentence, or all of it, end with this word?"""
    return text.rstrip(_CLOSERS).endswith(_SENTENCE_ENDS + _CLAUSE_ENDS)


def break_penalties(texts: Sequence[str]) -> list[float]:
    """Return how badly it reads when a line ends before each of some words, from 0 (well) on; FORBIDDEN: never."""
    penalties = [0.0]
    before = ""
    for left, right in itertools.pairwise(texts):
        before = before + left if is_glued(before, left) else left
        penalties.append(_break_penalty(before, right))
    return penalties


def _break_penalty(left: str, right: str) -> float:
    """`left`: all that stands before without a space."""
    if right[0] in _NEVER_FIRST or left[-1] in _NEVER_LAST:
        return FORBIDDEN
    if ends_clause(left):
        return 0.0
    if is_glued(left, right):
        return 0.3 if _is_phrase_boundary(left, right[0]) else 0.9
    # Short words (articles, prepositions, pronouns) mostly belong to what follows, in every language with spaces.
    if not any(map(str.isalnum, right)):
        return 0.9  # An emoji belongs to what was said before.
    num_letters = sum(c.isalpha() or c == "*" for c in left)
    return 1.2 if 0 < num_letters <= 3 else 0.7 if num_letters == 4 else 0.4


def _is_phrase_boundary(left: str, right: str) -> bool:
    """Japanese phrases mostly end with a particle, and a Thai syllable may begin with a vowel."""
    if right in _NEVER_LAST:
        return True
    if not _is_hiragana(left[-1]):
        return False
    is_after_noun = len(left) > 1 and left[-2].isalpha() and not _is_hiragana(left[-2])
    is_particle = left[-1] in "はをが" or (is_after_noun and left[-1] in "にでともへの")
    return is_particle if _is_hiragana(right) else right.isalpha()


def _is_hiragana(character: str) -> bool:
    return 0x3041 <= ord(character) <= 0x309F


def readable_words(words: Sequence[Word]) -> list[Word]:
    """Make words that a line can be broken between: tails joined to their heads, long runs cut.

    A word that begins with a mark, or in such a script with what no line begins with, belongs to the one before.
    Times inside a word that is cut are taken in proportion to its characters.
    """
    whole: list[Word] = []
    for word in words:
        if not word.text:
            continue
        is_tail = unicodedata.category(word.text[0])[0] == "M" or (
            word.text[0] in _NEVER_FIRST and is_unspaced(word.text[0])
        )
        if whole and is_tail and is_unspaced(whole[-1].text[-1]):
            head = whole[-1]
            whole[-1] = dataclasses.replace(
                head, text=head.text + word.text, end_s=max(head.end_s, word.end_s)
            )
        else:
            whole.append(word)
    return [part for word in whole for part in _parts(word)]


def readable_texts(text: str) -> list[str]:
    """Cut what is written without spaces and is longer than a line's half; anything else is one piece."""
    if num_columns(text) <= MAX_UNSPACED_COLUMNS or not any(map(is_unspaced, text)):
        return [text]
    return _cut(text)


def _parts(word: Word) -> Iterator[Word]:
    pieces = readable_texts(word.text)
    length_s = word.end_s - word.start_s
    ends = list(itertools.accumulate(len(piece) for piece in pieces))
    for piece, end in zip(pieces, ends, strict=True):
        yield dataclasses.replace(
            word,
            text=piece,
            start_s=word.start_s + length_s * (end - len(piece)) / ends[-1],
            end_s=word.start_s + length_s * end / ends[-1],
        )


def _cut(text: str) -> list[str]:
    """Cut where it reads best into pieces of about a line's half; never inside a character."""
    costs = []
    for first in range(len(text)):
        columns = list(itertools.accumulate(_columns(c) for c in text[first:]))
        # Beyond the limit only where nothing may be cut.
        costs.append(
            [0.3 + (c > MAX_UNSPACED_COLUMNS) * c - min(c, MAX_UNSPACED_COLUMNS) / 32 for c in columns]
        )
    penalties = break_penalties(text)
    for k in range(1, len(text)):
        if not is_glued(text[k - 1], text[k]) or unicodedata.category(text[k])[0] == "M":
            penalties[k] = FORBIDDEN
        elif penalties[k] == 0:
            penalties[k] = -0.5  # Where a clause ends, a piece does.
    return [text[first:after] for first, after in best_breaks(penalties, costs)]


def best_breaks(penalties: Sequence[float], costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Split items into consecutive groups with the least cost: their own, and of the breaks between them.

    Args:
        penalties: entry k of a break before item k (entry 0 is unused).
        costs: entry [i][n] of a group of n + 1 items from item i on; missing or inf: cannot be. One item can.

    Returns:
        (first, after the last) of each group.
    """
    num_items = len(costs)
    best = [0.0] + [float("inf")] * num_items
    came_from = [0] * (num_items + 1)
    for first in range(num_items):
        so_far = best[first] + (penalties[first] if first else 0.0)
        for index, cost in enumerate(costs[first]):
            if so_far + cost < best[first + index + 1]:
                best[first + index + 1], came_from[first + index + 1] = so_far + cost, first
    groups = []
    after = num_items
    while after:
        groups.append((came_from[after], after))
        after = came_from[after]
    return groups[::-1]
