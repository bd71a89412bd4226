"""Words as the agent indexes and asks for them. Pure.

Case, accents and apostrophes do not count; writings without spaces are indexed by the character. The coordinator's
search does the same, in code of its own: the two sides share the contract and nothing else.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MAX_WORD_CHARACTERS: Final = 40
MAX_QUERY_WORDS: Final = 12
# A shorter beginning is that of too many words.
MIN_PREFIX_CHARACTERS: Final = 3
# A word so short is another word with every slip.
_MIN_SLIP_CHARACTERS: Final = 3

_APOSTROPHES: Final = re.compile("['\u2019\u02bc`]")
_TOKEN: Final = re.compile(r"[^\W_]+")
# Han, kana, Thai, Lao, Burmese, Khmer: no spaces between words.
_UNSPACED: Final = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)
_QUERY: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One thing that is asked for: words that follow one another. `is_open`: more letters may follow the last."""

    words: tuple[str, ...]
    is_open: bool


def words_of(text: str) -> list[str]:
    """The words of a text as they are indexed, in order."""
    spread = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text).casefold())
    bare = unicodedata.normalize(
        "NFC", "".join(sign for sign in spread if unicodedata.category(sign) != "Mn")
    )
    return [
        part[:MAX_WORD_CHARACTERS]
        for token in _TOKEN.findall(bare)
        for part in _UNSPACED.split(token)
        if part
    ]


def terms_of(query: str) -> list[Term]:
    """What a query asks for, all of it; words between quotation marks follow one another. Empty: nothing."""
    terms: list[Term] = []
    num_words = 0
    for quoted, bare in _QUERY.findall(query):
        groups = [words_of(quoted)] if quoted else [words_of(token) for token in _TOKEN.findall(bare)]
        for group in groups:
            words = tuple(group[: MAX_QUERY_WORDS - num_words])
            num_words += len(words)
            if words:
                is_open = not quoted and len(words) == 1 and len(words[0]) >= MIN_PREFIX_CHARACTERS
                terms.append(Term(words=words, is_open=is_open))
    return terms


def nearest(asked: str, known: Iterable[str], *, most: int) -> list[str]:
    """Of the words that are known, those that `asked` may be a slip of, the nearest first; at most `most`.

    One slip in a word of up to five letters, two in a longer one.
    """
    if len(asked) < _MIN_SLIP_CHARACTERS:
        return []
    max_slips = 1 if len(asked) <= 5 else 2
    slips = [(num_slips(asked, word), word) for word in known if abs(len(word) - len(asked)) <= max_slips]
    return [word for num, word in sorted(slips) if num <= max_slips][:most]


def num_slips(one: str, other: str) -> int:
    """How many letters were inserted, deleted, replaced, or changed with their neighbour."""
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
