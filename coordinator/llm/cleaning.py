"""Text that goes to a model and text that comes from one: neither may be more than text. Pure."""

from __future__ import annotations

import re
import unicodedata

from coordinator.model.llm import MAX_TITLE_CHARACTERS

MAX_HASHTAGS = 5
MAX_HASHTAG_CHARACTERS = 30

_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+"  # with a scheme, or as people write it
    r"|\b(?:[\w-]+\.)+(?:com|net|org|io|gg|tv|me|ly|co|xyz|app|dev|link|live|shop|info|ru|de|uk)\b(?:/\S*)?",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(?:javascript|data|vbscript|mailto):\S*", re.IGNORECASE)
_MENTION = re.compile(r"@[\w.-]*")
_TAG = re.compile(r"<[^>]{0,200}>?")
_MARKUP = re.compile(r"[*_`~#\[\]{}<>|\\^]+")
_SPACE = re.compile(r"\s+")
# Words that address a model rather than a listener. Who plays with them is asked about alone.
_ORDER = re.compile(
    r"ignore (?:\w+ ){0,3}(?:instruction|prompt|rule|above|previous)|disregard|system prompt|you are now|jailbreak"
    r"|new instruction|other windows|every window|all windows|adjustment|as an ai|assistant:|system:|</?data|json",
    re.IGNORECASE,
)


def plain(text: str, *, max_characters: int) -> str:
    """One line without control, invisible and direction characters, cut to a length."""
    # Cut first, so that a huge text costs no more than a long one.
    text = unicodedata.normalize("NFKC", text[: 4 * max_characters])
    kept = "".join(" " if sign.isspace() else sign for sign in text if sign.isspace() or not _is_hidden(sign))
    return _SPACE.sub(" ", kept).strip()[:max_characters].rstrip()


def title(text: str) -> str:
    """A title as it may be shown: no address, mention, markup or hidden character, at most 80 characters."""
    line = plain(text, max_characters=4 * MAX_TITLE_CHARACTERS)
    # Taking one thing away, or cutting, may make another: until nothing changes. Each round shortens it.
    while (cleaned := _cleaned(line)) != line:
        line = cleaned
    return line


def _cleaned(line: str) -> str:
    for pattern in (_TAG, _MARKUP, _SCHEME, _URL, _MENTION):
        line = pattern.sub(" ", line)
    line = _SPACE.sub(" ", line).lstrip(" -:;,./").rstrip(" -:;,./(")
    if len(line) <= MAX_TITLE_CHARACTERS:
        return line
    return line[: MAX_TITLE_CHARACTERS + 1].rpartition(" ")[0] or line[:MAX_TITLE_CHARACTERS]


def hashtags(words: list[str]) -> tuple[str, ...]:
    """Hashtags without `#`: letters, digits and `_`, each once, at most five."""
    kept: dict[str, str] = {}
    for word in words[: 4 * MAX_HASHTAGS]:
        text = unicodedata.normalize("NFKC", word[: 4 * MAX_HASHTAG_CHARACTERS]).strip().lstrip("#")
        # A tag that holds anything else is none: what is left of an address is no tag.
        if 0 < len(text) <= MAX_HASHTAG_CHARACTERS and all(sign.isalnum() or sign == "_" for sign in text):
            kept.setdefault(text.casefold(), text)
    return tuple(kept.values())[:MAX_HASHTAGS]


def is_ordering(text: str) -> bool:
    """Does a text sound as if it spoke to the model? A guess that only costs a call of its own."""
    return _ORDER.search(text) is not None


def _is_hidden(sign: str) -> bool:
    # Cc, Cf (zero width, direction), Cs, Co, Cn.
    return unicodedata.category(sign).startswith("C")
