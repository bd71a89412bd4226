"""PostgreSQL for adapters that ask it themselves: short transactions, deadlines, foreign exceptions turned into ours.

Each adapter has its own statements and its own patience; what a failure means is the same for all.

A server that ends a connection says so, and closes it a moment later. One that lies in the pool meanwhile is handed out
like any other, and asyncpg refuses the first thing that is asked of it (InternalClientError: "another operation is in
progress", where the operation is the goodbye) before it sends a byte. So it is asked once more, of another connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

import asyncpg

from coordinator.errors import DatabaseUnavailable

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


class Asking:
    """Named statements, asked with a deadline.

    Args:
        statements: by name.
        acquire_s: how long a free connection of the pool is waited for.
        statement_s: how long one statement may take.
    """

    def __init__(self, statements: Mapping[str, str], *, acquire_s: float, statement_s: float) -> None:
        self._statements = statements
        self._acquire_s = acquire_s
        self._statement_s = statement_s

    @contextlib.asynccontextmanager
    async def transaction(self, pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
        """A connection in a transaction that commits when the block is left.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer; nothing can be said of what was not committed.
        """
        with translated():
            async with contextlib.AsyncExitStack() as stack:
                yield await self._begin(pool, stack)

    async def fetch(self, pool: asyncpg.Pool, name: str, *values: object) -> list[asyncpg.Record]:
        """Run one named statement on a connection of its own.

        Raises:
            DatabaseUnavailable: As `transaction`.
        """
        with translated(f" ({name})"):
            try:
                return await self._fetch_once(pool, name, values)
            except asyncpg.InternalClientError:
                return await self._fetch_once(pool, name, values)

    async def fetch_in(
        self, connection: asyncpg.Connection, name: str, *values: object
    ) -> list[asyncpg.Record]:
        """Run one named statement in `connection`'s transaction."""
        rows: list[asyncpg.Record] = await connection.fetch(
            self._statements[name], *values, timeout=self._statement_s
        )
        return rows

    async def _fetch_once(
        self, pool: asyncpg.Pool, name: str, values: tuple[object, ...]
    ) -> list[asyncpg.Record]:
        async with pool.acquire(timeout=self._acquire_s) as connection:
            return await self.fetch_in(connection, name, *values)

    async def _begin(self, pool: asyncpg.Pool, stack: contextlib.AsyncExitStack) -> asyncpg.Connection:
        """A connection in a transaction; both end with `stack`."""
        try:
            async with contextlib.AsyncExitStack() as first:
                connection = await first.enter_async_context(pool.acquire(timeout=self._acquire_s))
                await first.enter_async_context(connection.transaction())
                stack.push_async_exit(first.pop_all())
        except asyncpg.InternalClientError:
            connection = await stack.enter_async_context(pool.acquire(timeout=self._acquire_s))
            await stack.enter_async_context(connection.transaction())
        return connection


@contextlib.contextmanager
def translated(what: str = "") -> Iterator[None]:
    """Raise DatabaseUnavailable for what is worth another try; other errors pass."""
    try:
        yield
    except TRANSIENT as exc:
        raise DatabaseUnavailable(f"PostgreSQL does not answer{what}: {type(exc).__name__}: {exc}") from exc
