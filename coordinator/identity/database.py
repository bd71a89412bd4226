"""PostgreSQL as identity uses it: short transactions, deadlines, and foreign exceptions turned into ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from coordinator.errors import DatabaseUnavailable
from coordinator.statements import load_statements

SQL = load_statements("coordinator.identity", "identity.sql")
_ACQUIRE_S = 5.0
_STATEMENT_S = 10.0
# Worth another try later: the server is down, full, starting, failing over, or two of us got in each other's way.
_TRANSIENT = (
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
        async with pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
            yield connection
    except _TRANSIENT as exc:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {type(exc).__name__}: {exc}") from exc


async def fetch(pool: asyncpg.Pool, name: str, *values: object) -> list[asyncpg.Record]:
    """Run one named statement on a connection of its own.

    Raises:
        DatabaseUnavailable: As `transaction`.
    """
    try:
        async with pool.acquire(timeout=_ACQUIRE_S) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(SQL[name], *values, timeout=_STATEMENT_S)
            return rows
    except _TRANSIENT as exc:
        raise DatabaseUnavailable(
            f"PostgreSQL does not answer ({name}): {type(exc).__name__}: {exc}"
        ) from exc


async def fetch_in(connection: asyncpg.Connection, name: str, *values: object) -> list[asyncpg.Record]:
    """Run one named statement in `connection`'s transaction."""
    rows: list[asyncpg.Record] = await connection.fetch(SQL[name], *values, timeout=_STATEMENT_S)
    return rows
