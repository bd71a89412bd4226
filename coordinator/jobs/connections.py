"""Connections for job keeping: had within a deadline, their losses in our words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from coordinator.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import asyncpg

ACQUIRE_TIMEOUT_S = 5.0


@contextlib.contextmanager
def translated(action: str) -> Iterator[None]:
    """Raise DatabaseUnavailable for what means that PostgreSQL is not there; other errors pass."""
    import asyncpg

    try:
        yield
    except (
        OSError,  # TimeoutError is one
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a call on a connection that is being torn down
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.TooManyConnectionsError,
    ) as exc:
        raise DatabaseUnavailable(
            f"PostgreSQL does not answer ({action}): {exc or type(exc).__name__}"
        ) from exc


@contextlib.asynccontextmanager
async def connection(pool: asyncpg.Pool, action: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for one statement, which is a transaction by itself.

    Raises:
        DatabaseUnavailable: None is free within 5 s, or the server went away.
    """
    with translated(action):
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            yield connection


@contextlib.asynccontextmanager
async def transaction(pool: asyncpg.Pool, action: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection inside a transaction.

    Raises:
        DatabaseUnavailable: None is free within 5 s, or the server went away.
    """
    with translated(action):
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
            yield connection
