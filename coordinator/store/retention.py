"""What was not kept expires, in PostgreSQL: port `Expiry`. The SQL is in retention.sql.

Rows go in steps, each one commit: it deletes rows, and writes down the objects that they named. So a kill leaves no row
that points to nothing, and no object that nobody knows. A step holds its session's row, as an order to forget does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coordinator.database import Asking
from coordinator.model.object_keys import clip_id_of, clip_key, export_key
from coordinator.model.retention import Expired, ExpiredObject
from coordinator.policy.retention import ages_by_tier
from coordinator.statements import load_statements
from protos.clippy.v1 import media_pb2

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.store", "retention.sql")
# A step takes some 0.1 s.
CHUNKS_AT_ONCE = 500
_ASKING = Asking(SQL, acquire_s=10.0, statement_s=60.0)


class PostgresExpiry:
    """Port `Expiry` on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool, hours_by_tier: Mapping[str, float]) -> None:
        """Args: hours_by_tier: until what was not kept expires; 0 or less: never."""
        self._pool = pool
        ages = ages_by_tier(hours_by_tier)
        self._ages: tuple[list[str], list[datetime.timedelta]] = (list(ages), list(ages.values()))

    async def due_sessions(self, limit: int) -> list[str]:
        """As the port says."""
        rows = await _ASKING.fetch(self._pool, "due_sessions", *self._ages, limit)
        return [row["session_id"] for row in rows]

    async def expire(self, session_id: str) -> Expired | None:
        """As the port says."""
        async with self._transaction() as step:
            [[is_ours]] = await step.fetch("try_lock_looks", session_id)
            rows = await step.fetch("lock_due", session_id, *self._ages) if is_ours else []
            if not rows:
                return None
            [due] = rows
            await step.fetch("lock_clips", session_id)
            [[held]] = await step.fetch("held_spans", session_id, due["age"])
            await step.fetch("mark_session", session_id, held)
            counts = await _drop_moments(step, session_id, due["age"])
            num_chunks = await _drop_chunks(step, session_id, held, counts)
            is_finished = num_chunks < CHUNKS_AT_ONCE
            if is_finished:
                await _finish(step, session_id)
            numbers = (counts["moments"], counts["clips"], counts["posts"])
            await step.fetch("count", int(due["is_first"]), num_chunks, *numbers, 0, 0)
        return Expired(
            session_id=session_id,
            user_id=due["user_id"],
            tier=due["tier"],
            num_chunks=num_chunks,
            num_moments=counts["moments"],
            num_clips=counts["clips"],
            num_posts=counts["posts"],
            num_bytes=counts["bytes"],
            is_finished=is_finished,
        )

    async def put_off_session(self, session_id: str) -> None:
        """As the port says."""
        await _ASKING.fetch(self._pool, "put_off_session", session_id)

    async def claim_objects(self, limit: int) -> list[ExpiredObject]:
        """As the port says."""
        rows = await _ASKING.fetch(self._pool, "claim_objects", limit)
        return [
            ExpiredObject(
                key=row["object_key"],
                session_id=row["session_id"],
                holds_others=row["holds_others"],
                size_bytes=row["size_bytes"],
                is_gone=row["is_gone"],
            )
            for row in rows
        ]

    async def settle_objects(self, keys: Sequence[str], *, num_freed: int, freed_bytes: int) -> None:
        """As the port says."""
        async with self._transaction() as step:
            await step.fetch("settle_objects", list(keys))
            if num_freed:
                await step.fetch("count", 0, 0, 0, 0, 0, num_freed, freed_bytes)

    async def put_off_objects(self, keys: Sequence[str], problem: str) -> None:
        """As the port says."""
        await _ASKING.fetch(self._pool, "put_off_objects", list(keys), problem[:500])

    async def preview(self, limit: int) -> list[Expired]:
        """What would go now, by session, the oldest first; deletes nothing."""
        rows = await _ASKING.fetch(self._pool, "preview", *self._ages, limit)
        return [Expired(**dict(row)) for row in rows]

    async def state(self, num_days: int) -> dict[str, Any]:
        """How far it is, for people: what is overdue, objects that wait, what went by day."""
        [overdue] = await _ASKING.fetch(self._pool, "overdue", *self._ages)
        [waiting] = await _ASKING.fetch(self._pool, "waiting_objects")
        days = await _ASKING.fetch(self._pool, "days", num_days)
        return {
            "sessions": dict(overdue),
            "objects": {**dict(waiting), "problem": waiting["problem"] or ""},
            "days": [{**dict(row), "day": row["day"].isoformat()} for row in days],
        }

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[_Step]:
        async with _ASKING.transaction(self._pool) as connection:
            yield _Step(connection=connection)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One transaction's statements, by name."""

    connection: asyncpg.Connection

    async def fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        return await _ASKING.fetch_in(self.connection, name, *values)


async def _drop_moments(step: _Step, session_id: str, age: datetime.timedelta) -> Counter[str]:
    """Moments that are not kept, and what presses' clips were before, with wishes, cuts and posts.

    Those that a stage is making just now, too.
    """
    due = await step.fetch("due_media", session_id, age)
    clip_ids = [row["clip_id"] for row in due if row["clip_id"] is not None]
    moment_ids = [row["moment_id"] for row in due if row["moment_id"] is not None]
    replaced = [row["request_id"] for row in due if row["moment_id"] is None and not row["is_awaited"]]
    posts = await step.fetch("due_posts", session_id, age)
    doomed: dict[str, datetime.datetime | None] = {}
    runs: list[str] = []
    awaited: list[str] = []
    for row in due:
        request_id = row["request_id"]
        if request_id is None:
            continue
        doomed[row["object_key"]] = row["expires_at"]
        doomed[row["clip_key"] or clip_key(session_id, clip_id_of(request_id))] = None
        runs += [f"prep:{request_id}", f"clip:{request_id}", f"exp:{clip_id_of(request_id)}"]
        if row["is_awaited"]:
            awaited.append(request_id)
    for post in posts:
        doomed[post["object_key"] or export_key(session_id, post["export_id"])] = None
        runs.append(f"exp:{post['clip_id']}:{post['preset']}")
    await step.fetch("doom_media", session_id, list(doomed), list(doomed.values()))
    await step.fetch("empty_wishes", awaited)
    await step.fetch("drop_posts", [row["export_id"] for row in posts])
    await step.fetch("drop_clips", clip_ids)
    await step.fetch("drop_wishes", replaced)
    await step.fetch("drop_moments", moment_ids)
    await step.fetch("drop_runs", runs)
    num_bytes = sum(row["size_bytes"] or 0 for row in [*due, *posts])
    return Counter(moments=len(moment_ids), clips=len(clip_ids), posts=len(posts), bytes=num_bytes)


async def _drop_chunks(step: _Step, session_id: str, held: str, counts: Counter[str]) -> int:
    """The next chunks, with all that was heard in them; returns how many."""
    going = await step.fetch("going_chunks", session_id, held, CHUNKS_AT_ONCE)
    numbers = ([row["lane"] for row in going], [row["seq"] for row in going])
    spoken = [row["seq"] for row in going if row["lane"] == media_pb2.LANE_MIC]
    words = await step.fetch("words_of_chunks", session_id, [media_pb2.LANE_MIC] * len(spoken), spoken)
    await step.fetch("drop_chunks", session_id, *numbers)
    if words:
        await step.fetch("drop_words", words[0]["account_no"], [row["word"] for row in words])
    await step.fetch("keep_gaps", session_id, *numbers)
    await step.fetch(
        "drop_runs", [f"stt:{session_id}:{lane}:{seq}" for lane, seq in zip(*numbers, strict=True)]
    )
    bytes_by_key: Counter[str] = Counter()
    for row in going:
        counts["bytes"] += row["size_bytes"]
        # What lies in a spool goes with its segment, once all of that has been moved or has gone.
        if row["place"].startswith("object:"):
            bytes_by_key[row["place"].removeprefix("object:").rsplit("/", 2)[0]] += row["size_bytes"]
    await step.fetch("doom_chunks", session_id, list(bytes_by_key), list(bytes_by_key.values()))
    return len(going)


async def _finish(step: _Step, session_id: str) -> None:
    gaps = await step.fetch("take_gaps", session_id)
    columns = ([row[name] for row in gaps] for name in ("lane", "first", "last"))
    await step.fetch("write_gaps", session_id, *columns)
    await step.fetch("finish_session", session_id)
