"""Finds what was said: the words asked for, their beginnings, and what they were probably meant to be.

A common word is looked for among the account's newest utterances, a rare one among all of them: whichever it is, no
more than some thousand rows are ranked. What is read in the end is read as a role that is shown this account alone.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from coordinator.database import Asking
from coordinator.errors import DatabaseUnavailable, InputUnusable, NotFound
from coordinator.model.search import Found, Hit
from coordinator.search.index import SQL
from coordinator.search.queries import tsquery
from protos.words import Term, nearest, terms_of

if TYPE_CHECKING:
    import asyncpg

MAX_QUERY_CHARACTERS: Final = 200
MAX_HITS: Final = 100
_NEWEST: Final = 2000
# So many among the newest, and the word is a common one: nobody misses the others.
_ENOUGH: Final = 100
# Two letters changed in a short word leave little alike: many are taken, and compared letter by letter.
_MIN_LIKENESS: Final = 0.1
_MAX_ALIKE: Final = 50
_MAX_MEANT: Final = 3
_MIN_MENDED_CHARACTERS: Final = 4

_ASKING: Final = Asking(SQL, acquire_s=5.0, statement_s=5.0)


async def find(pool: asyncpg.Pool, user_id: str, query: str, *, limit: int = 20) -> Found:
    """Find utterances of one account.

    Raises:
        InputUnusable: Nothing is asked for, or too much.
        NotFound: There is no such account.
        DatabaseUnavailable: PostgreSQL does not answer in time.
    """
    if len(query) > MAX_QUERY_CHARACTERS:
        raise InputUnusable(f"the question is longer than {MAX_QUERY_CHARACTERS} characters")
    terms = terms_of(query.replace("\0", " "))
    if not terms:
        raise InputUnusable("say a word to look for")
    limit = min(max(1, limit), MAX_HITS)
    async with _ASKING.transaction(pool) as connection:
        account_no = await connection.fetchval(SQL["account_no"], user_id)
        if account_no is None:
            raise NotFound(f"no account {user_id[:64]!r}")
        ranks = await _ranks(connection, account_no, terms, limit)
        meant: dict[str, Sequence[str]] = {}
        is_any = False
        if not ranks:
            meant = await _meant(connection, account_no, terms)
            mended = [_mended(term, meant) for term in terms]
            if meant:
                ranks = await _ranks_of_mended(connection, account_no, mended, limit)
            if not ranks and len(terms) > 1:
                every = [one for choices in mended for one in choices]
                ranks, is_any = await _ranks(connection, account_no, every, limit, is_any=True), True
        hits = await _read(connection, user_id, ranks) if ranks else []
    return Found(hits=hits, meant=meant, is_any=is_any and bool(hits))


async def _ranks(
    connection: asyncpg.Connection,
    account_no: int,
    terms: Sequence[Term],
    limit: int,
    *,
    is_any: bool = False,
) -> dict[int, float]:
    """Utterances that match, and how well; best first."""
    wide = tsquery(terms, account_no, is_any=is_any)
    exact = tsquery(terms, account_no, is_any=is_any, is_exact=True)
    return await _ranks_of(connection, account_no, wide, exact, limit)


async def _ranks_of_mended(
    connection: asyncpg.Connection, account_no: int, mended: Sequence[Sequence[Term]], limit: int
) -> dict[int, float]:
    """As `_ranks`, one choice of each."""
    joined = " & ".join(f"({tsquery(choices, account_no, is_any=True, is_exact=True)})" for choices in mended)
    return await _ranks_of(connection, account_no, joined, joined, limit)


async def _ranks_of(
    connection: asyncpg.Connection, account_no: int, wide: str, exact: str, limit: int
) -> dict[int, float]:
    rows = await _ASKING.fetch_in(connection, "newest", account_no, wide, exact, _NEWEST, _ENOUGH)
    if len(rows) < _ENOUGH:
        rows = await _ASKING.fetch_in(connection, "matching", wide, exact, limit)
    return {row["utterance_id"]: row["rank"] for row in rows[:limit]}


async def _meant(
    connection: asyncpg.Connection, account_no: int, terms: Sequence[Term]
) -> dict[str, Sequence[str]]:
    """Words that nobody said, with those that come nearest."""
    asked = sorted({word for term in terms for word in term.words if len(word) >= _MIN_MENDED_CHARACTERS})
    meant: dict[str, Sequence[str]] = {}
    for row in await _ASKING.fetch_in(connection, "unknown", account_no, asked):
        word = row["asked"]
        alike = await _ASKING.fetch_in(connection, "alike", account_no, word, _MAX_ALIKE, _MIN_LIKENESS)
        if near := nearest(word, [one["word"] for one in alike], most=_MAX_MEANT):
            meant[word] = near
    return meant


def _mended(term: Term, meant: Mapping[str, Sequence[str]]) -> list[Term]:
    """A term, or each of what it may have meant; a phrase is mended in its first wrong word."""
    for place, word in enumerate(term.words):
        if word in meant:
            return [
                dataclasses.replace(
                    term, words=(*term.words[:place], other, *term.words[place + 1 :]), is_open=False
                )
                for other in meant[word]
            ]
    return [term]


async def _read(connection: asyncpg.Connection, user_id: str, ranks: Mapping[int, float]) -> list[Hit]:
    import asyncpg

    try:
        await _ASKING.fetch_in(connection, "become_reader", user_id)
        rows = await _ASKING.fetch_in(connection, "read", list(ranks))
    except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as exc:
        raise DatabaseUnavailable(
            f"searches need the role clippy_reader: {exc}; see docs/operations.md"
        ) from exc
    hits = [
        Hit(
            session_id=row["session_id"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            said_at=row["started_at"] + datetime.timedelta(microseconds=row["start_ns"] / 1000),
            said=row["said"],
            rank=ranks[row["utterance_id"]],
            moment_id=row["moment_id"],
            title=row["title"] or None,
            export_id=row["export_id"],
        )
        for row in rows
    ]
    return sorted(hits, key=lambda hit: (-hit.rank, -hit.said_at.timestamp()))
