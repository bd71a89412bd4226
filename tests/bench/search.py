"""Bench `search`: how soon words are found, of 1,000 accounts that share an index and of one that said much.

The embedded PostgreSQL as it comes, utterances of made-up words with Zipf's frequencies, each account's searches for
common, middling and rare words, beginnings, pairs and slips, while other utterances arrive through the product's own
code. The rivals have the same utterances of the one account: PostgreSQL's ILIKE on the same server, and SQLite's FTS5.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import numpy as np

from coordinator.model.sessions import Said
from coordinator.search.find import find
from coordinator.search.index import PostgresUtterances
from coordinator.store.connect import connect
from protos.timebase import SECOND_NS
from protos.words import words_of
from tests.bench.ingest_site import open_site
from tests.bench.measure import CannotMeasure, Result, percentile, quiet_log, say

PARTS = ("one", "many")
_FIGURES = {
    "one": ("p50_ms_200k", "p95_ms_200k", "ilike_p95_ms_200k", "fts5_p95_ms_200k"),
    "many": ("p50_ms_2m", "p95_ms_2m", "arrived_per_s_2m", "index_mib_2m"),
}
_NUM_ONE, _NUM_MANY, _NUM_ACCOUNTS = 200_000, 2_000_000, 1_000
_NUM_WORDS = 20_000
_NUM_SEARCHES = 600
_ARRIVING_PER_S = 200
_BLOCK = 20_000
_MIC = 1
_LETTERS = "aaabcdeeefghiiiklmnooprssttuvz"

_COPY_INDEX = """
insert into utterance_index (utterance_id, account_no, lexemes)
select u.utterance_id, a.account_no,
       (select string_agg(format('''%s_%s'':%s', to_hex(a.account_no), word, place), ' ')
        from unnest(string_to_array(u.said, ' ')) with ordinality as spoken (word, place))::tsvector
from utterances u join accounts a using (user_id) order by u.utterance_id
"""
_COPY_WORDS = """
insert into search_words (account_no, word, trigrams)
select account_no, word, clippy_trigrams(account_no, word)
from (select distinct a.account_no, word
      from utterances u join accounts a using (user_id) cross join unnest(string_to_array(u.said, ' ')) as word
      where length(word) between 3 and 30) as spoken
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Speech:
    """Made-up words, by how often they are said, and utterances of them."""

    words: Sequence[str]
    random: np.random.Generator

    def utterances(self, num: int) -> list[str]:
        lengths = self.random.integers(4, 14, num)
        # Zipf: the second word half as often as the first.
        odds = 1 / np.arange(1, len(self.words) + 1)
        chosen = self.random.choice(len(self.words), size=int(lengths.sum()), p=odds / odds.sum())
        ends = np.cumsum(lengths)
        return [
            " ".join(self.words[word] for word in chosen[end - length : end])
            for end, length in zip(ends, lengths, strict=True)
        ]

    def queries(self, num: int) -> list[tuple[str, str]]:
        """(kind, query), each kind as often as the others."""
        rank = self.random.integers
        kinds = {
            "common": lambda: self.words[rank(0, 20)],
            "middling": lambda: self.words[rank(100, 1000)],
            "rare": lambda: self.words[rank(5000, _NUM_WORDS)],
            "beginning": lambda: self.words[rank(100, _NUM_WORDS)][:4],
            "pair": lambda: f"{self.words[rank(0, 50)]} {self.words[rank(50, 1000)]}",
            "slip": lambda: _slipped(self.words[rank(100, 5000)]),
        }
        names = list(kinds)
        return [(names[at % len(names)], kinds[names[at % len(names)]]()) for at in range(num)]


def _slipped(word: str) -> str:
    return word[:2] + word[3:] if len(word) > 4 else word + "x"


def _speech(seed: int) -> _Speech:
    random = np.random.default_rng(seed)
    words: dict[str, None] = {}
    while len(words) < _NUM_WORDS:
        words.setdefault("".join(random.choice(list(_LETTERS), size=random.integers(3, 10))))
    return _Speech(words=list(words), random=random)


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure."""
    for part in parts:
        with result.promising(*_FIGURES[part]), quiet_log(), open_site(needed_bytes=4 * 2**30) as site:
            asyncio.run((_run_one if part == "one" else _run_many)(result, site.postgres.url, scale))


async def _run_one(result: Result, url: str, scale: float) -> None:
    num, speech = max(2000, round(_NUM_ONE * scale)), _speech(1)
    async with _filled(url, speech, num=num, num_accounts=1) as pool:
        queries = speech.queries(_num_searches(scale))
        waited = await _search(pool, queries, num_accounts=1)
        result.figures |= {"p50_ms_200k": _p(waited, 0.5), "p95_ms_200k": _p(waited, 0.95)}
        result.notes.append(f"one account, {num} utterances: {_by_kind(waited)}")
        simple = [query for kind, query in queries if kind in ("common", "middling", "rare")][:120]
        ilike = [await _timed_ilike(pool, query) for query in simple]
        result.figures["ilike_p95_ms_200k"] = round(percentile(ilike, 0.95), 1)
        said = [row["said"] for row in await pool.fetch("select said from utterances")]
    fts5 = _timed_fts5(said, simple)
    result.figures["fts5_p95_ms_200k"] = round(percentile(fts5, 0.95), 1)
    ours = [ms for kind, ms in waited if kind in ("common", "middling", "rare")]
    result.rivals |= {"sqlite": sqlite3.sqlite_version, "postgresql": "the same server"}
    result.notes.append(
        f"whole words alone, p50 and p95 ms: ours {percentile(ours, 0.5):.1f} {percentile(ours, 0.95):.1f}, "
        f"ILIKE {percentile(ilike, 0.5):.1f} {percentile(ilike, 0.95):.1f}, "
        f"FTS5 {percentile(fts5, 0.5):.1f} {percentile(fts5, 0.95):.1f}"
    )


async def _run_many(result: Result, url: str, scale: float) -> None:
    num, speech = max(20_000, round(_NUM_MANY * scale)), _speech(2)
    accounts = max(10, round(_NUM_ACCOUNTS * min(1.0, scale)))
    async with _filled(url, speech, num=num, num_accounts=accounts) as pool:
        queries = speech.queries(_num_searches(scale))
        stop = asyncio.Event()
        arriving = asyncio.create_task(_arrive(pool, speech, accounts, stop))
        began_s = time.monotonic()
        waited = await _search(pool, queries, num_accounts=accounts, rest_s=0.05)
        took_s = time.monotonic() - began_s
        stop.set()
        num_arrived = await arriving
        if num_arrived < 0.9 * _ARRIVING_PER_S * took_s:
            raise CannotMeasure(f"only {num_arrived / took_s:.0f} utterances/s arrived")
        index_bytes = await pool.fetchval(
            "select pg_total_relation_size('utterance_index') + pg_total_relation_size('search_words')"
        )
    result.figures |= {
        "p50_ms_2m": _p(waited, 0.5),
        "p95_ms_2m": _p(waited, 0.95),
        "arrived_per_s_2m": round(num_arrived / took_s),
        "index_mib_2m": round(index_bytes / 2**20),
    }
    result.notes.append(f"{accounts} accounts, {num} utterances: {_by_kind(waited)}")


def _num_searches(scale: float) -> int:
    return max(60, round(_NUM_SEARCHES * min(1.0, scale)))


@contextlib.asynccontextmanager
async def _filled(url: str, speech: _Speech, *, num: int, num_accounts: int) -> AsyncIterator[asyncpg.Pool]:
    """Accounts u0, u1 ... with a session each, and `num` utterances in turn; indexed in one go, as a restore would."""
    pool = await connect(url, max_connections=4)
    try:
        began_s = time.monotonic()
        async with pool.acquire() as connection:
            await connection.execute("set statement_timeout = 0")
            await _make_sessions(connection, num_accounts)
            made_again = await _without_word_indexes(connection)
            for first in range(0, num, _BLOCK):
                said = speech.utterances(min(_BLOCK, num - first))
                rows = [
                    (f"u{of}", f"s{of}", _MIC, 0, at * SECOND_NS, (at + 1) * SECOND_NS, text)
                    for at, text in enumerate(said, first)
                    for of in (at % num_accounts,)
                ]
                await connection.copy_records_to_table(
                    "utterances",
                    records=rows,
                    columns=["user_id", "session_id", "lane", "seq", "start_ns", "end_ns", "said"],
                )
            say(
                f"search: {num} utterances are in, {time.monotonic() - began_s:.0f} s; their index comes next"
            )
            for statement in (_COPY_INDEX, _COPY_WORDS, *made_again, "analyze"):
                await connection.execute(statement, timeout=1800)
        say(f"search: {num} utterances of {num_accounts} accounts in {time.monotonic() - began_s:.0f} s")
        yield pool
    finally:
        await pool.close()


async def _without_word_indexes(connection: asyncpg.Connection) -> list[str]:
    """Drop them, as a restore has none while it fills; returns what makes them again."""
    names = ["utterance_index_lexemes", "search_words_alike"]
    made_again = await connection.fetch(
        "select indexdef from pg_indexes where indexname = any($1::text[])", names
    )
    await connection.execute(f"drop index {', '.join(names)}")
    await connection.execute("set maintenance_work_mem = '512MB'")
    return [row["indexdef"] for row in made_again]


async def _make_sessions(connection: asyncpg.Connection, num: int) -> None:
    await connection.execute(
        "insert into accounts (user_id, name) select 'u' || n, 'u' || n from generate_series(0, $1::int - 1) n",
        num,
    )
    await connection.execute(
        "insert into agents (agent_id, user_id) select 'a' || n, 'u' || n from generate_series(0, $1::int - 1) n",
        num,
    )
    await connection.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) "
        "select 's' || n, 'u' || n, 'a' || n, now() from generate_series(0, $1::int - 1) n",
        num,
    )
    await _add_chunks(connection, [f"s{number}" for number in range(num)], 0)


async def _add_chunks(connection: asyncpg.Connection, sessions: Sequence[str], seq: int) -> None:
    await connection.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place) "
        "select s, $2, $3, 0, 1, 'x', '', 1, 'object:x' from unnest($1::text[]) s",
        list(sessions),
        _MIC,
        seq,
    )


async def _search(
    pool: asyncpg.Pool, queries: Sequence[tuple[str, str]], *, num_accounts: int, rest_s: float = 0.0
) -> list[tuple[str, float]]:
    """(kind, milliseconds) of each; the first tenth warms up."""
    waited: list[tuple[str, float]] = []
    num_hits = 0
    for at, (kind, query) in enumerate(queries):
        began_s = time.perf_counter()
        found = await find(pool, f"u{at * 7 % num_accounts}", query)
        waited.append((kind, 1000 * (time.perf_counter() - began_s)))
        num_hits += bool(found.hits)
        await asyncio.sleep(rest_s)
    if num_hits < len(queries) / 3:
        raise CannotMeasure(f"only {num_hits} of {len(queries)} searches found something")
    return waited[len(waited) // 10 :]


async def _arrive(pool: asyncpg.Pool, speech: _Speech, num_accounts: int, stop: asyncio.Event) -> int:
    """Chunks of two utterances each, in commits of 20, through the product's own statement; returns how many."""
    index, num, began_s, turn = PostgresUtterances(), 0, time.monotonic(), 0
    texts = speech.utterances(20_000)
    while not stop.is_set():
        if num > (time.monotonic() - began_s) * _ARRIVING_PER_S:
            await asyncio.sleep(0.01)
            continue
        turn += 1
        async with pool.acquire() as connection, connection.transaction():
            sessions = [f"s{(turn * 20 + at) % num_accounts}" for at in range(min(20, num_accounts))]
            await _add_chunks(connection, sessions, turn)
            for session_id in sessions:
                said = [
                    Said(start_ns=at, end_ns=at + 1, text=texts[(num + at) % len(texts)]) for at in range(2)
                ]
                await index.add(connection, session_id, _MIC, turn, said)
                num += len(said)
    return num


async def _timed_ilike(pool: asyncpg.Pool, query: str) -> float:
    began_s = time.perf_counter()
    await pool.fetch(
        "select said from utterances where user_id = 'u0' and said ilike $1 order by utterance_id desc limit 20",
        f"%{query}%",
    )
    return 1000 * (time.perf_counter() - began_s)


def _timed_fts5(said: Sequence[str], queries: Sequence[str]) -> list[float]:
    """Best 20 by FTS5's own rank, of a database on disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(sqlite3.connect(Path(folder) / "x.db")) as database,
    ):
        database.execute("create virtual table said using fts5(text)")
        database.executemany("insert into said values (?)", ((text,) for text in said))
        database.commit()
        waited = []
        for query in queries:
            began_s = time.perf_counter()
            words = " ".join(f'"{word}"' for word in words_of(query))
            database.execute(
                "select text from said where said match ? order by rank limit 20", (words,)
            ).fetchall()
            waited.append(1000 * (time.perf_counter() - began_s))
    return waited


def _p(waited: Sequence[tuple[str, float]], share: float) -> float:
    return round(percentile([ms for _, ms in waited], share), 1)


def _by_kind(waited: Sequence[tuple[str, float]]) -> str:
    kinds = sorted({kind for kind, _ in waited})
    p95 = {kind: percentile([ms for one, ms in waited if one == kind], 0.95) for kind in kinds}
    slowest = max(ms for _, ms in waited)
    return f"p95 ms {', '.join(f'{kind} {ms:.1f}' for kind, ms in p95.items())}; slowest {slowest:.1f}"
