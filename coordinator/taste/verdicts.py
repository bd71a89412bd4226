"""Verdicts in PostgreSQL, and the taste that is learnt from them: port `Tastes`. The SQL is in taste.sql.

A taste is fitted once for each change of an account's verdicts, not once a look: what a look asks is one small row.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from coordinator.database import Asking
from coordinator.errors import ChunkRefused, NotFound
from coordinator.statements import load_statements
from protos.clippy.v1 import clips_pb2, link_pb2
from protos.taste import Subject, Verdict, VerdictKind, plain_lanes, plain_score
from protos.taste_model import NO_TASTE, Taste, fit
from protos.taste_wire import VerdictInvalid, verdict_message, verdict_of

if TYPE_CHECKING:
    import asyncpg

SQL: Final = load_statements("coordinator.taste", "taste.sql")
PAGE: Final = "page"
# Four times what is learnt from: several verdicts may be about one moment.
MAX_KEPT: Final = 2000
_MAX_CACHED: Final = 5000
_ASKING: Final = Asking(SQL, acquire_s=5.0, statement_s=5.0)


class PostgresTastes:
    """Port `Tastes` on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._fitted: OrderedDict[str, tuple[int, Taste]] = OrderedDict()

    async def of_session(self, session_id: str) -> Taste:
        """As the port says."""
        return await self._of(await _ASKING.fetch(self._pool, "taste_no_of_session", session_id))

    async def of_account(self, user_id: str) -> Taste:
        """As the port says."""
        return await self._of(await _ASKING.fetch(self._pool, "taste_no", user_id))

    async def verdicts(self, user_id: str) -> list[Verdict]:
        """What is kept of an account, newest first."""
        return [_verdict(row) for row in await _ASKING.fetch(self._pool, "verdicts", user_id, MAX_KEPT)]

    async def moments(self, user_id: str) -> list[Subject]:
        """An account's newest moments, as a taste would be asked about them."""
        return [_subject(row) for row in await _ASKING.fetch(self._pool, "newest_moments", user_id)]

    async def _of(self, rows: Sequence[asyncpg.Record]) -> Taste:
        if not rows or rows[0]["taste_no"] == 0:
            return NO_TASTE
        user_id, taste_no = rows[0]["user_id"], rows[0]["taste_no"]
        known = self._fitted.get(user_id)
        if known is not None and known[0] == taste_no:
            self._fitted.move_to_end(user_id)
            return known[1]
        verdicts = await self.verdicts(user_id)
        untouched = [_subject(row) for row in await _ASKING.fetch(self._pool, "untouched", user_id)]
        # Some milliseconds: the loop also keeps the leases of jobs.
        taste = await asyncio.to_thread(fit, verdicts, untouched=untouched)
        self._fitted[user_id] = taste_no, taste
        if len(self._fitted) > _MAX_CACHED:
            self._fitted.popitem(last=False)
        return taste

    async def take(self, user_id: str, agent_id: str, news: link_pb2.TasteNews) -> None:
        """As the port says."""
        now_unix_ms = _unix_ms()
        if news.WhichOneof("kind") == "reset":
            await self.reset(user_id, up_to_unix_ms=min(news.reset.at_unix_ms, now_unix_ms))
        elif news.WhichOneof("kind") == "verdict":
            try:
                verdict = verdict_of(news.verdict, now_unix_ms=now_unix_ms)
            except VerdictInvalid as exc:
                raise ChunkRefused(f"a verdict: {exc}") from exc
            await self._add(user_id, verdict, made_by=agent_id)

    async def judge(self, moment_id: str, kind: VerdictKind) -> str:
        """Somebody keeps or skips a moment on the page; returns its session.

        Raises:
            NotFound: There is no such moment.
        """
        rows = await _ASKING.fetch(self._pool, "moment", moment_id)
        if not rows:
            raise NotFound(f"there is no moment {moment_id[:64]!r}; it may have been forgotten")
        verdict = Verdict(
            verdict_id=uuid.uuid4().hex, kind=kind, subject=_subject(rows[0]), at_unix_ms=_unix_ms()
        )
        await self._add(rows[0]["user_id"], verdict, made_by=PAGE)
        return str(rows[0]["session_id"])

    async def _add(self, user_id: str, verdict: Verdict, *, made_by: str) -> None:
        subject = verdict.subject
        async with _ASKING.transaction(self._pool) as connection:
            rows = await _ASKING.fetch_in(
                connection, "lock_session", subject.session_id, subject.start_ns, subject.end_ns
            )
            if not rows or rows[0]["is_forgotten"]:
                return  # nothing of it is here, nor is it to be
            if rows[0]["user_id"] != user_id:
                raise ChunkRefused(f"session {subject.session_id} belongs to another account")
            [account] = await _ASKING.fetch_in(connection, "lock_account", user_id)
            if verdict.at_unix_ms <= account["taste_reset_unix_ms"]:
                return
            values = (subject.start_ns, subject.end_ns, verdict.kind, subject.kind, subject.score)
            is_new = await _ASKING.fetch_in(
                connection,
                "add_verdict",
                user_id,
                verdict.verdict_id,
                subject.session_id,
                subject.moment_id,
                *values,
                json.dumps(dict(subject.lanes), allow_nan=False),
                verdict.before_s,
                verdict.after_s,
                verdict.at_unix_ms,
                made_by,
            )
            if is_new:
                # Before old verdicts go: what this one says of its moment outlives it.
                await _ASKING.fetch_in(connection, "note_keep", subject.moment_id, subject.session_id)
                await _ASKING.fetch_in(connection, "keep_newest", user_id, MAX_KEPT)
                await _ASKING.fetch_in(connection, "note_change", user_id)

    async def reset(self, user_id: str, *, up_to_unix_ms: int | None = None) -> int:
        """Forget an account's verdicts up to a time, or up to now; returns how many there were."""
        up_to_unix_ms = _unix_ms() if up_to_unix_ms is None else up_to_unix_ms
        async with _ASKING.transaction(self._pool) as connection:
            if not await _ASKING.fetch_in(connection, "lock_account", user_id):
                raise NotFound(f"there is no account {user_id[:64]!r}")
            gone = await _ASKING.fetch_in(connection, "reset", user_id, up_to_unix_ms)
            await _ASKING.fetch_in(connection, "note_reset", user_id, up_to_unix_ms)
        return len(gone)

    async def news(self, asked: Sequence[tuple[str, str]]) -> list[list[link_pb2.TasteNews]]:
        """As the port says."""
        found: list[list[link_pb2.TasteNews]] = [[] for _ in asked]
        users, agents = [user_id for user_id, _ in asked], [agent_id for _, agent_id in asked]
        for row in await _ASKING.fetch(self._pool, "news", users, agents):
            news = found[row["number"] - 1]
            if not news and row["taste_reset_unix_ms"]:
                reset = clips_pb2.TasteReset(at_unix_ms=row["taste_reset_unix_ms"])
                news.append(link_pb2.TasteNews(reset=reset))
            if row["verdict_id"] is not None:
                news.append(link_pb2.TasteNews(verdict=verdict_message(_verdict(row))))
        return found


def _verdict(row: asyncpg.Record) -> Verdict:
    return Verdict(
        verdict_id=row["verdict_id"],
        kind=row["kind"],
        subject=Subject(
            moment_id=row["moment_id"],
            session_id=row["session_id"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            kind=row["moment_kind"],
            score=row["score"],
            lanes=plain_lanes(json.loads(row["lanes"]).items()),
        ),
        at_unix_ms=row["at_unix_ms"],
        before_s=row["before_s"],
        after_s=row["after_s"],
    )


def _subject(row: asyncpg.Record) -> Subject:
    evidence: list[Any] = [(item["lane"], item["weight"]) for item in json.loads(row["evidence"])]
    return Subject(
        moment_id=row["moment_id"],
        session_id=row["session_id"],
        start_ns=row["start_ns"] + row["roll_before_ns"],
        end_ns=row["end_ns"] - row["roll_after_ns"],
        kind=row["kind"],
        score=plain_score(row["score"], evidence),
        lanes=plain_lanes(evidence),
    )


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
