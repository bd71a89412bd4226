"""How far sessions were heard, and what looks found, in PostgreSQL: port `Looks`. The SQL is in looks.sql."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from coordinator.database import Asking
from coordinator.errors import NotFound
from coordinator.model.sessions import AnalysisRow, FeatureRow, LookState
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.store", "looks.sql")
_ASKING = Asking(SQL, acquire_s=10.0, statement_s=60.0)


class PostgresLooks:
    """Port `Looks` on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def state(self, session_id: str, connection: asyncpg.Connection | None = None) -> LookState:
        if connection is not None:
            rows = await connection.fetch(SQL["look_state"], session_id)
        else:
            rows = await _ASKING.fetch(self._pool, "look_state", session_id)
        if not rows:
            raise NotFound(f"no session {session_id}; it may have been deleted")
        return LookState(**dict(rows[0]))

    async def features_before(self, session_id: str, lane: int, seq: int) -> list[FeatureRow]:
        return [
            FeatureRow(
                lane=row["lane"],
                seq=row["seq"],
                start_ns=row["start_ns"],
                step_ns=row["step_ns"],
                tracks=json.loads(row["tracks"]),
            )
            for row in await _ASKING.fetch(self._pool, "features_before", session_id, lane, seq)
        ]

    async def hear_lane(self, connection: asyncpg.Connection, session_id: str, lane: int) -> None:
        await connection.execute(SQL["hear_lane"], session_id, lane)

    async def save(self, connection: asyncpg.Connection, state: LookState) -> None:
        await connection.execute(
            SQL["save_look_state"],
            state.session_id,
            state.until_ns,
            state.promising_until_ns,
            state.queued_no,
            state.looked_no,
        )

    async def add_analysis(self, connection: asyncpg.Connection, row: AnalysisRow) -> bool:
        added = await connection.fetchval(
            SQL["add_analysis"],
            row.session_id,
            row.window_no,
            row.until_ns,
            row.is_final,
            row.state,
            row.num_moments,
            row.reason,
            row.engines,
            row.judge,
            row.unjudged,
        )
        return added is not None

    async def end_session(self, connection: asyncpg.Connection, session_id: str) -> None:
        await connection.execute(SQL["end_session"], session_id)

    async def give_up_sessions(self, connection: asyncpg.Connection) -> None:
        await connection.execute(SQL["give_up_sessions"])
