"""Connections for job keeping: had within a deadline, their losses in our words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from coordinator.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import asyncpg

ACQUIRE_TIMEOUT_S = 5.0
_KEEP_S = 1.0


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


class KeptConnection:
    """A connection that one user after the other uses, kept for a second after the last.

    A pool resets a connection at each return, which costs as much as a statement. Owned by the loop.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._kept: asyncpg.pool.PoolConnectionProxy | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._giving_back: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def use(self, action: str) -> AsyncIterator[asyncpg.Connection]:
        """The connection, for one user at a time; after an error it is not used again.

        Raises:
            DatabaseUnavailable: None is free within 5 s, or the server went away.
        """
        if self._timer is not None:
            self._timer.cancel()
        with translated(action):
            own = self._kept or await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
            self._kept = None
            try:
                yield own
            except BaseException:
                await self._pool.release(own)
                raise
            self._kept = own
        self._timer = asyncio.get_running_loop().call_later(_KEEP_S, self._let_go)

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            self._giving_back = asyncio.create_task(self._give_back(kept))

    async def _give_back(self, kept: asyncpg.pool.PoolConnectionProxy) -> None:
        with contextlib.suppress(DatabaseUnavailable), translated("giving a connection back"):
            await self._pool.release(kept)
