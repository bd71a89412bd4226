"""What of a line may leave: a pseudonym for its author, bounded text, and whether a person wrote it.

The key of the pseudonyms is made for one session, held in memory alone, and never leaves: the same author has the
same pseudonym within a session, and another one in the next. Owned by one thread.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import itertools
import re
import unicodedata
from collections import OrderedDict, deque

from agent.model.chat import ChatKind, CleanLine, Written

MAX_TEXT = 500
MAX_COUNT = 1_000_000
KEY_BYTES = 32
_MAX_AUTHORS = 5_000
_COMMAND = re.compile(r"![A-Za-z]")
_LINK = re.compile(r"(?:https?://|www\.)\S+|\b\w[\w-]*\.(?:com|net|org|gg|tv|io|ly|me)\b\S*", re.IGNORECASE)
# Names of others stand in lines, too.
_MENTION = re.compile(r"@[\w.-]+")
# Joins the parts of an emoji; every other invisible sign can only mislead.
_ZERO_WIDTH_JOINER = "\u200d"
# A program's timer: so many posts, no two closer than this, and all pauses alike to a fiftieth.
_TIMED_POSTS = 5
_LEAST_PAUSE_S = 20.0
_ALIKE = 0.02
_LINKED_POSTS = 3


def clean_text(text: str) -> str:
    """Bounded, on one line, without control characters, without names after an @."""
    # What is cut off here was never to be read: it keeps the work small for a hostile line.
    text = text[: 8 * MAX_TEXT]
    kept = "".join(
        " " if sign in "\t\n\r" else sign
        for sign in text
        if sign in "\t\n\r" or sign == _ZERO_WIDTH_JOINER or unicodedata.category(sign)[0] != "C"
    )
    return " ".join(_MENTION.sub("@", kept).split())[:MAX_TEXT]


def clean_name(name: str, *, most: int = 64) -> str:
    """What names a chat or a bridge: small letters, digits and `_ : . -`; others are left out."""
    return re.sub(r"[^a-z0-9_:.-]", "", name.lower())[:most]


class Cleaner:
    """Turns what sources hand over into what may leave."""

    def __init__(self, key: bytes) -> None:
        """Args: key: 32 random bytes, of one session."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes; wanted: {KEY_BYTES}")
        self._key = key
        self._bots = known_bots()
        self._habits: OrderedDict[str, _Habit] = OrderedDict()

    def clean(self, written: Written, *, chat: str, at_s: float) -> CleanLine | None:
        """One line; None: nothing of it is left.

        Args:
            chat: the source's, for a line that names none.
            at_s: when it was written, by any clock that only goes on.
        """
        text = clean_text(written.text)
        kind = written.kind
        if not text and kind in ("message", "command", "bot"):
            return None
        where = clean_name(written.chat) or chat
        author = self.pseudonym(where, written.author_id or written.author_name)
        if kind in ("message", "command"):
            kind = self._who(written, text, author, at_s)
        count = min(max(written.count, 0), MAX_COUNT)
        return CleanLine(text=text, author=author, kind=kind, count=count, chat=where)

    def pseudonym(self, chat: str, author: str) -> str:
        """Sixteen hexadecimal digits; empty for nobody. The same on all chats of a platform."""
        if not author:
            return ""
        platform = chat.partition(":")[0]
        named = f"{platform}\0{author.casefold()}".encode(errors="replace")
        return hashlib.blake2b(named, key=self._key, digest_size=8).hexdigest()

    def _who(self, written: Written, text: str, author: str, at_s: float) -> ChatKind:
        name = (written.author_name or written.author_id).casefold()
        if written.is_bot or name in self._bots:
            return "bot"
        if author and self._habit(author).post(at_s, is_link=bool(_LINK.search(text))):
            return "bot"
        return "command" if _COMMAND.match(text) else written.kind

    def _habit(self, author: str) -> _Habit:
        habit = self._habits.pop(author, None) or _Habit()
        self._habits[author] = habit
        if len(self._habits) > _MAX_AUTHORS:
            self._habits.popitem(last=False)
        return habit


class _Habit:
    """How one author posts: a timer, or nothing but links, is a program."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=_TIMED_POSTS)
        self._num_posts = 0
        self._num_links = 0

    def post(self, at_s: float, *, is_link: bool) -> bool:
        """One more post; does all of it look like a program's?"""
        self._times_s.append(at_s)
        self._num_posts += 1
        self._num_links += is_link
        if self._num_links == self._num_posts >= _LINKED_POSTS:
            return True
        times_s = list(self._times_s)
        pauses_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
        if len(times_s) < _TIMED_POSTS or min(pauses_s) < _LEAST_PAUSE_S:
            return False
        return max(pauses_s) - min(pauses_s) <= _ALIKE * max(pauses_s)


def known_bots() -> frozenset[str]:
    """The public list of programs that many channels have."""
    text = importlib.resources.files("agent.chat").joinpath("known_bots.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
