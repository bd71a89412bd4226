"""Orders to forget in PostgreSQL: port `Tombstones`. The SQL is in tombstones.sql, by the methods' names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from coordinator.database import translated
from coordinator.model.forgetting import DoomedObject, HeldChunk, Receipt, went_lines
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.store", "tombstones.sql")
_ACQUIRE_TIMEOUT_S = 10.0
# A spool's owner says that it is there every few seconds.
GONE_AFTER_S = 60.0


class PostgresTombstones:
    """Port `Tombstones` on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        with translated(" (forgetting)"):
            async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
                yield connection

    async def doomed(self, forget_id: str) -> list[DoomedObject]:
        async with self._transaction() as connection:
            rows = await connection.fetch(SQL["doomed"], forget_id)
        return [
            DoomedObject(
                key=row["object_key"], session_id=row["session_id"], holds_others=row["holds_others"]
            )
            for row in rows
        ]

    async def chunks_in(self, session_id: str, key: str) -> list[HeldChunk]:
        async with self._transaction() as connection:
            rows = await connection.fetch(SQL["chunks_in"], session_id, key)
        found: list[HeldChunk] = []
        for row in rows:
            offset, length = str(row["place"]).rsplit("/", 2)[1:]
            found.append(HeldChunk(lane=row["lane"], seq=row["seq"], offset=int(offset), length=int(length)))
        return found

    async def move_chunks(
        self, session_id: str, old_key: str, new_key: str, moves: Sequence[tuple[HeldChunk, int]]
    ) -> bool:
        columns = (
            [chunk.lane for chunk, _ in moves],
            [chunk.seq for chunk, _ in moves],
            [f"object:{old_key}/{chunk.offset}/{chunk.length}" for chunk, _ in moves],
            [f"object:{new_key}/{offset}/{chunk.length}" for chunk, offset in moves],
        )
        try:
            async with self._transaction() as connection:
                moved = await connection.fetch(SQL["move_chunks"], session_id, *columns)
                if len(moved) != len(moves):
                    raise _RowsChanged
        except _RowsChanged:
            return False
        return True

    async def settle(self, forget_id: str, key: str) -> None:
        async with self._transaction() as connection:
            await connection.execute(SQL["settle"], forget_id, key)

    async def finish(
        self, connection: asyncpg.Connection, forget_id: str, *, remains: Sequence[str]
    ) -> Receipt | None:
        tombstone = await connection.fetchrow(SQL["lock_tombstone"], forget_id)
        if tombstone is None or await connection.fetchval(SQL["num_doomed"], forget_id):
            return None
        unreachable: list[str] = []
        for row in await connection.fetch(SQL["spools"], forget_id):
            if row["is_swept"]:
                continue
            if row["age_s"] is not None and row["age_s"] < GONE_AFTER_S:
                return None
            seen = f"not seen since {row['seen_at']:%Y-%m-%d %H:%M} UTC" if row["seen_at"] else "never seen"
            unreachable.append(
                f"what the disk of node {row['node']} holds of it: {seen}; it is overwritten when that node comes back"
            )
        receipt = Receipt(
            went=tuple(went_lines(json.loads(tombstone["went"]))),
            remains=tuple(remains),
            unreachable=tuple(unreachable),
        )
        document = {name: list(getattr(receipt, name)) for name in ("went", "remains", "unreachable")}
        await connection.execute(SQL["finish"], forget_id, json.dumps(document))
        return receipt

    async def note_problem(self, connection: asyncpg.Connection, forget_id: str, reason: str) -> None:
        await connection.execute(SQL["note_problem"], forget_id, reason)

    async def doomed_again(self) -> list[str]:
        async with self._transaction() as connection:
            return [row["object_key"] for row in await connection.fetch(SQL["doomed_again"])]

    async def end_again(self, connection: asyncpg.Connection) -> None:
        await connection.execute(SQL["end_again"])


class _RowsChanged(Exception):
    """Ends the transaction: not all rows are as they were read."""
