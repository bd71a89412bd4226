"""What pocketsphinx may hear when only some phrases are expected: any of them, in any order, any pauses.

Beside the phrases stands a loop of bare phones that takes up whatever else is said, so that other speech
does not have to be one of the phrases. Words go by numbers in the grammar: what a phrase is written with
never becomes grammar.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from coordinator.speech.pronounce import Pronunciations, pronounce

MAX_PHRASES = 2_000
MAX_PHRASE_WORDS = 24

_WORD_PREFIX = "w"
_OTHER_PREFIX = "other"
_PHONES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()
# Measured over 25 phrases in 8 espeak voices, and 6 other sentences. Words missed, and phrase words heard
# for each word of other speech: 1e-9 .066 and .35; 1e-10 .037 and .35; 1e-11 .026 and .68; no loop 0 and .89.
_OTHER_WEIGHT = "1e-10"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """A grammar and the dictionary it needs, both as text pocketsphinx reads.

    Attributes:
        texts: the word as its author wrote it, by its name in the grammar.
        dropped: phrases left out, each with the reason.
    """

    jsgf: str
    dictionary: str
    texts: Mapping[str, str]
    dropped: tuple[tuple[str, str], ...]


def build_grammar(phrases: Sequence[str], dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> Grammar:
    """Build a grammar of the phrases; those that cannot be said are in `dropped`.

    With no phrase left the grammar is empty (`texts` is): it would hear nothing.
    """
    names: dict[str, str] = {}
    sounds: dict[str, Pronunciations] = {}
    rules: dict[str, None] = {}
    dropped: list[tuple[str, str]] = []
    for phrase in phrases:
        words = phrase.split()
        reason = _objection(words, len(rules))
        if reason is None:
            found = {word: pronounce(word, dictionary) for word in words}
            silent = [word for word, ways in found.items() if not ways]
            reason = f"no pronunciation for {', '.join(silent)}" if silent else None
        if reason is not None:
            dropped.append((phrase, reason))
            continue
        for word in words:
            name = names.setdefault(word, f"{_WORD_PREFIX}{len(names)}")
            sounds[name] = found[word]
        rules[" ".join(names[word] for word in words)] = None
    return Grammar(
        jsgf=_jsgf(list(rules)),
        dictionary=_dictionary_text(sounds),
        texts={name: word for word, name in names.items()},
        dropped=tuple(dropped),
    )


def _objection(words: Sequence[str], num_phrases: int) -> str | None:
    if not words:
        return "it is empty"
    if len(words) > MAX_PHRASE_WORDS:
        return f"it has {len(words)} words, more than {MAX_PHRASE_WORDS}"
    if num_phrases >= MAX_PHRASES:
        return f"there are more than {MAX_PHRASES} phrases"
    return None


def _jsgf(rules: Sequence[str]) -> str:
    others = " | ".join(_other_name(phone) for phone in _PHONES)
    return (
        "#JSGF V1.0;\ngrammar expected;\n"
        f"public <heard> = ( /1/ <phrase> | /{_OTHER_WEIGHT}/ <other> )*;\n"
        f"<phrase> = {' | '.join(rules) or '<VOID>'};\n"
        f"<other> = {others};\n"
    )


def _dictionary_text(sounds: Mapping[str, Pronunciations]) -> str:
    lines = [f"{_other_name(phone)} {phone}" for phone in _PHONES]
    for name, ways in sounds.items():
        for index, phones in enumerate(ways, start=1):
            variant = f"({index})" if index > 1 else ""
            lines.append(f"{name}{variant} {' '.join(phones)}")
    return "\n".join(lines) + "\n"


def _other_name(phone: str) -> str:
    return f"{_OTHER_PREFIX}{phone.lower()}"
