"""PostgreSQL as ingest asks it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from coordinator.database import TRANSIENT, Asking, translated
from coordinator.errors import DatabaseUnavailable
from coordinator.statements import load_statements

SQL = {
    **load_statements("coordinator.ingest", "link.sql"),
    **load_statements("coordinator.ingest", "nodes.sql"),
}
ACQUIRE_S = 10.0
STATEMENT_S = 20.0
_ASKING = Asking(SQL, acquire_s=ACQUIRE_S, statement_s=STATEMENT_S)
transaction, fetch = _ASKING.transaction, _ASKING.fetch


class HeldConnection:
    """One connection of a pool, kept by the one task that uses it.

    A pool resets a connection whenever it is given back: a round trip that a writer of 100 groups a second can spare.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connection: asyncpg.Connection | None = None

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """As the function of that name; after a failure the next one begins with a fresh connection."""
        try:
            with translated():
                if self._connection is None or self._connection.is_closed():
                    await self.give_back()
                    self._connection = await self._pool.acquire(timeout=ACQUIRE_S)
                async with self._connection.transaction():
                    yield self._connection
        except DatabaseUnavailable:
            await self.give_back()
            raise

    async def give_back(self) -> None:
        """Let the pool have it again. Twice is once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # One that is broken is closed by the pool, which says so with an error of its own.
            with contextlib.suppress(*TRANSIENT):
                await self._pool.release(connection, timeout=ACQUIRE_S)
