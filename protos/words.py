"""Words as both sides index and ask for them. Pure.

Case, accents and apostrophes do not count. Writings without spaces (Chinese, Japanese, Thai) are indexed by the
character, and what was written without a space is asked for as a phrase.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

MAX_WORD_CHARACTERS: Final = 40
MAX_QUERY_WORDS: Final = 12
# A shorter beginning is that of too many words.
MIN_PREFIX_CHARACTERS: Final = 3
# A word so short is another word with every slip.
_MIN_SLIP_CHARACTERS: Final = 3

_APOSTROPHES: Final = re.compile("['\u2019\u02bc`]")
_TOKEN: Final = re.compile(r"[^\W_]+")
# Han, kana, Thai, Lao, Khmer, Burmese: no spaces between words.
_UNSPACED: Final = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)
_PARTS: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One thing that is asked for: words that follow one another, mostly a single one.

    Attributes:
        is_open: more may follow its last letter.
    """

    words: tuple[str, ...]
    is_open: bool


def words_of(text: str) -> list[str]:
    """The words of a text as they are indexed, in order."""
    return [word for words in _tokens(text) for word in words]


def terms_of(query: str) -> list[Term]:
    """What a query asks for, all of it; words between quotation marks follow one another. Empty: nothing to ask."""
    terms: list[Term] = []
    num_words = 0
    for quoted, bare in _PARTS.findall(query):
        for words in [words_of(quoted)] if quoted else _tokens(bare):
            kept = tuple(words[: MAX_QUERY_WORDS - num_words])
            if not kept:
                continue
            num_words += len(kept)
            is_open = not quoted and len(kept) == 1 and len(kept[0]) >= MIN_PREFIX_CHARACTERS
            terms.append(Term(words=kept, is_open=is_open))
    return terms


def nearest(asked: str, words: Sequence[str], *, most: int) -> list[str]:
    """Of these words, in the order of how probable they are, those that `asked` may be a slip of; at most `most`.

    One slip in a word of up to five letters, two in a longer one: a letter more, less, other, or changed with its
    neighbour.
    """
    if len(asked) < _MIN_SLIP_CHARACTERS:
        return []
    max_slips = 1 if len(asked) <= 5 else 2
    slips = [
        (num_slips(asked, word), place)
        for place, word in enumerate(words)
        if abs(len(word) - len(asked)) <= max_slips
    ]
    return [words[place] for num, place in sorted(slips) if num <= max_slips][:most]


def num_slips(one: str, other: str) -> int:
    """Optimal string alignment distance: letters inserted, deleted, replaced, or changed with their neighbour."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        row = [at]
        for to, wanted in enumerate(other, 1):
            least = min(above[to] + 1, row[-1] + 1, above[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == wanted:
                least = min(least, before[to - 2] + 1)
            row.append(least)
        before, above = above, row
    return above[-1]


def _tokens(text: str) -> list[list[str]]:
    """For each run of letters and digits its words: one, or each character of a writing without spaces."""
    # Decomposed, so that accents fall off, and composed again, which only Korean needs.
    spread = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text).casefold())
    bare = "".join(letter for letter in spread if unicodedata.category(letter) != "Mn")
    return [
        [part[:MAX_WORD_CHARACTERS] for part in _UNSPACED.split(token) if part]
        for token in _TOKEN.findall(unicodedata.normalize("NFC", bare))
    ]
