"""Finds what was said, titles, names and kinds in what this PC holds: saved clips, and the live buffer. Any thread.

All of a query's terms have to be in one thing. Where a word is not known, those that it may be a slip of are looked
for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from agent.errors import InputUnusable
from agent.library.library import Library
from agent.library.said import Held
from agent.model.clips import SavedClip
from protos.clippy.v1 import clips_pb2
from protos.words import MAX_WORD_CHARACTERS, Term, nearest, terms_of, words_of

_MAX_CLIPS = 5_000
_MAX_MOMENTS = 5_000
_MAX_CANDIDATES = 2_000
# A vocabulary is that of some hours of talk; a larger one is looked through no further.
_MAX_VOCABULARY = 100_000
_MAX_SLIPS = 8
# What a word is worth that is exactly, begins so, or is near.
_EXACT, _BEGINS, _NEAR = 1.0, 0.8, 0.5
# A title was chosen by somebody.
_TITLE_BONUS = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place where the words are. `clip` None: in the buffer alone, from where it can be saved yet.

    Attributes:
        start_ns, end_ns: on the session's line.
        score: 0 to 1, and a little more for a title.
    """

    clip: SavedClip | None
    session_id: str
    start_ns: int
    end_ns: int
    text: str
    score: float


class LibrarySearch:
    """Over one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def find(self, query: str, *, held: Held, limit: int) -> list[Hit]:
        """The best first, then the newest.

        Args:
            held: what the ring of a running engine holds.

        Raises:
            InputUnusable: There is no word in the query.
            EnvironmentProblem: The library cannot be read.
        """
        terms = self.check(query)
        clips = self._library.clips(_MAX_CLIPS)
        words = _Wanted(terms, self._vocabulary(), [_name_words(clip) for clip in clips])
        hits = [*self._said(words, clips, held), *_named(words, clips), *self._moments(words, clips, held)]
        best: dict[tuple[str, str, int], Hit] = {}
        for hit in hits:
            key = (hit.clip.clip_id if hit.clip else "", hit.session_id, hit.start_ns)
            if key not in best or hit.score > best[key].score:
                best[key] = hit
        return sorted(best.values(), key=lambda hit: (-hit.score, -hit.start_ns))[:limit]

    @staticmethod
    def check(query: str) -> list[Term]:
        """What a query asks for.

        Raises:
            InputUnusable: There is no word in it.
        """
        terms = terms_of(query)
        if not terms:
            raise InputUnusable(f"there is no word in {query[:80]!r}; give words to look for")
        return terms

    def _vocabulary(self) -> list[str]:
        with self._library.database.read() as db:
            rows = db.execute("select term from said_vocabulary limit ?", [_MAX_VOCABULARY]).fetchall()
        return [term for (term,) in rows]

    def _said(self, wanted: _Wanted, clips: Sequence[SavedClip], held: Held) -> list[Hit]:
        with self._library.database.read() as db:
            rows = list(
                db.query(
                    "select s.session_id, s.start_ns, s.end_ns, s.text from said_words w"
                    " join said s on s.row_id = w.rowid where said_words match ?"
                    " order by w.rowid desc limit ?",
                    [wanted.match(), _MAX_CANDIDATES],
                )
            )
        hits = []
        for row in rows:
            if (score := wanted.score(words_of(row["text"]))) > 0:
                hits += _placed(row, score, clips, held)
        return hits

    def _moments(self, wanted: _Wanted, clips: Sequence[SavedClip], held: Held) -> list[Hit]:
        hits = []
        for moment, _ in self._library.moments(_MAX_MOMENTS):
            score = wanted.score(words_of(f"{moment.title} {moment.kind}"))
            if score > 0:
                hits += _placed(_moment_row(moment), score + _TITLE_BONUS, clips, held)
        return hits


class _Wanted:
    """A query, with the words that its own may stand for."""

    def __init__(self, terms: Sequence[Term], spoken: Sequence[str], named: Sequence[list[str]]) -> None:
        self._terms = terms
        known = {*spoken, *(word for words in named for word in words)}
        ordered = sorted(known)
        self._near = {
            term.words[0]: set(nearest(term.words[0], ordered, most=_MAX_SLIPS))
            for term in terms
            if len(term.words) == 1 and not _is_known(term, known)
        }

    def match(self) -> str:
        """In FTS5's language; every word is quoted, so nobody's query is one of its operators."""
        parts = []
        for term in self._terms:
            phrase = " ".join(term.words)
            ways = [f'"{phrase}"' + ("*" if term.is_open else "")]
            ways += [f'"{word}"' for word in sorted(self._near.get(phrase, ()))]
            parts.append(f"({' OR '.join(ways)})")
        return " AND ".join(parts)

    def score(self, words: Sequence[str]) -> float:
        """The mean over the terms; 0 where one of them is not there."""
        scores = [self._score_of(term, words) for term in self._terms]
        return sum(scores) / len(scores) if all(scores) else 0.0

    def _score_of(self, term: Term, words: Sequence[str]) -> float:
        length = len(term.words)
        if any(tuple(words[at : at + length]) == term.words for at in range(len(words))):
            return _EXACT
        if term.is_open and any(word.startswith(term.words[0]) for word in words):
            return _BEGINS
        return _NEAR if length == 1 and not self._near.get(term.words[0], set()).isdisjoint(words) else 0.0


def _is_known(term: Term, known: Collection[str]) -> bool:
    word = term.words[0]
    if word in known:
        return True
    return term.is_open and len(word) < MAX_WORD_CHARACTERS and any(one.startswith(word) for one in known)


def _placed(row: dict[str, Any], score: float, clips: Sequence[SavedClip], held: Held) -> list[Hit]:
    """Where something of a session is: in each clip that holds part of it, else in the buffer, else nowhere."""
    inside = [
        clip
        for clip in clips
        if clip.session_id == row["session_id"]
        and clip.start_ns < row["end_ns"]
        and clip.end_ns > row["start_ns"]
    ]
    if not inside and not (row["session_id"] == held.session_id and row["end_ns"] > held.start_ns):
        return []
    places: list[SavedClip | None] = [*inside] or [None]
    return [Hit(clip=clip, score=score, **row) for clip in places]


def _named(wanted: _Wanted, clips: Sequence[SavedClip]) -> list[Hit]:
    """Clips by their titles and the names of their files."""
    return [
        Hit(
            clip=clip,
            session_id=clip.session_id,
            start_ns=clip.start_ns,
            end_ns=clip.end_ns,
            text=clip.title or Path(clip.path).name,
            score=score + _TITLE_BONUS,
        )
        for clip in clips
        if (score := wanted.score(_name_words(clip))) > 0
    ]


def _name_words(clip: SavedClip) -> list[str]:
    return words_of(f"{clip.title} {Path(clip.path).stem} {clip.trigger}")


def _moment_row(moment: clips_pb2.Moment) -> dict[str, Any]:
    return {
        "session_id": moment.session_id,
        "start_ns": moment.start_ns,
        "end_ns": moment.end_ns,
        "text": moment.title or moment.kind,
    }
