"""What viewers wrote and games said, in PostgreSQL: port `Chats`. The SQL is in chats.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.database import Asking
from coordinator.model.chat import AudienceRow, ChatRow, Chatter, EventRow
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.store", "chats.sql")
_ASKING = Asking(SQL, acquire_s=10.0, statement_s=60.0)
# Of a look's ten minutes: a hundred lines a second, which is more than the busiest chats there are.
MAX_LINES = 60_000


class PostgresChats:
    """Port `Chats` on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool, *, max_lines: int = MAX_LINES) -> None:
        self._pool = pool
        self._max_lines = max_lines

    async def add(
        self, connection: asyncpg.Connection, session_id: str, lane: int, seq: int, chatter: Chatter
    ) -> None:
        if lines := chatter.lines:
            await connection.execute(
                SQL["add_lines"], session_id, lane, seq,
                [row.at_ns for row in lines], [row.chat for row in lines], [row.author for row in lines],
                [row.kind for row in lines], [row.count for row in lines], [row.text for row in lines],
            )  # fmt: skip
        if audiences := chatter.audiences:
            await connection.execute(
                SQL["add_audiences"], session_id, lane, seq,
                [row.at_ns for row in audiences], [row.chat for row in audiences],
                [row.num_viewers for row in audiences],
            )  # fmt: skip
        if events := chatter.events:
            await connection.execute(
                SQL["add_events"], session_id, lane, seq,
                [row.at_ns for row in events], [row.kind for row in events], [row.weight for row in events],
                [row.text for row in events], [row.source for row in events],
            )  # fmt: skip

    async def chatter(self, session_id: str, *, start_ns: int, end_ns: int) -> Chatter:
        span = (session_id, start_ns, end_ns, self._max_lines)
        lines = await _ASKING.fetch(self._pool, "lines_of", *span)
        audiences = await _ASKING.fetch(self._pool, "audiences_of", *span)
        events = await _ASKING.fetch(self._pool, "events_of", *span)
        return Chatter(
            lines=tuple(ChatRow(**dict(row)) for row in lines),
            audiences=tuple(AudienceRow(**dict(row)) for row in audiences),
            events=tuple(EventRow(**dict(row)) for row in events),
        )
