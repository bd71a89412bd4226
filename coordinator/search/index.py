"""What was said goes into the index, and out of it, in the caller's transaction. Port `UtteranceIndex`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordinator.model.sessions import Said
from coordinator.statements import load_statements
from protos.words import words_of

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.search", "search.sql")


class PostgresUtterances:
    """Port `UtteranceIndex`. Without state."""

    async def add(
        self, connection: asyncpg.Connection, session_id: str, lane: int, seq: int, said: Sequence[Said]
    ) -> None:
        """As the port says."""
        # By their beginning, which names them: a poor engine gives several the same.
        by_start: dict[int, tuple[Said, list[str]]] = {}
        for one in said:
            if words := words_of(one.text):
                by_start.setdefault(one.start_ns, (one, words))
        if not by_start:
            return
        heard = list(by_start.values())
        await connection.execute(
            SQL["add"],
            session_id,
            lane,
            seq,
            [one.start_ns for one, _ in heard],
            [one.end_ns for one, _ in heard],
            [one.text for one, _ in heard],
            [" ".join(words) for _, words in heard],
        )
