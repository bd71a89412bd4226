"""PostgreSQL as ingest uses it: short transactions, deadlines, and foreign exceptions turned into ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from coordinator.errors import DatabaseUnavailable
from coordinator.statements import load_statements

SQL = {
    **load_statements("coordinator.ingest", "link.sql"),
    **load_statements("coordinator.ingest", "nodes.sql"),
}
ACQUIRE_S = 10.0
STATEMENT_S = 20.0
# Worth another try later: the server is down, full, starting, failing over, or two of us got in each other's way.
TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
)


@contextlib.asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that commits when the block is left.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer; nothing can be said of what was not committed.
    """
    try:
        async with pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
            yield connection
    except TRANSIENT as exc:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {type(exc).__name__}: {exc}") from exc


async def fetch(pool: asyncpg.Pool, name: str, *values: object) -> list[asyncpg.Record]:
    """Run one named statement on a connection of its own.

    Raises:
        DatabaseUnavailable: As `transaction`.
    """
    try:
        async with pool.acquire(timeout=ACQUIRE_S) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(SQL[name], *values, timeout=STATEMENT_S)
            return rows
    except TRANSIENT as exc:
        raise DatabaseUnavailable(
            f"PostgreSQL does not answer ({name}): {type(exc).__name__}: {exc}"
        ) from exc


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
            if self._connection is None or self._connection.is_closed():
                await self.give_back()
                self._connection = await self._pool.acquire(timeout=ACQUIRE_S)
            async with self._connection.transaction():
                yield self._connection
        except TRANSIENT as exc:
            await self.give_back()
            raise DatabaseUnavailable(f"PostgreSQL does not answer: {type(exc).__name__}: {exc}") from exc

    async def give_back(self) -> None:
        """Let the pool have it again. Twice is once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # One that is broken is closed by the pool, which says so with an error of its own.
            with contextlib.suppress(*TRANSIENT):
                await self._pool.release(connection, timeout=ACQUIRE_S)
