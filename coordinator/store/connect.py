"""Connections to PostgreSQL: a small pool, and foreign errors translated at the call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 30.0
ACQUIRE_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 60.0
_FIRST_RETRY_S, _MAX_RETRY_S = 0.2, 2.0


async def connect(
    url: str,
    *,
    max_connections: int = 5,
    wait_s: float = 30.0,
    connect_s: float = CONNECT_TIMEOUT_S,
    idle_s: float = IDLE_S,
    stop: asyncio.Event | None = None,
) -> asyncpg.Pool:
    """Open a pool of up to `max_connections`; while the server starts, try again for `wait_s`, or until `stop`.

    One attempt may take `connect_s`; a connection that nobody used for `idle_s` is closed.

    JSON columns travel as text, as PgQueuer needs them.

    Raises:
        DatabaseUnavailable: It does not answer in time, or refuses us.
    """
    import asyncpg

    began, delay_s = time.monotonic(), _FIRST_RETRY_S
    deadline = began + wait_s
    while True:
        try:
            pool = await asyncpg.create_pool(
                url,
                # A floor would be kept up by a task of its own that only fills the log while the server is away.
                min_size=0,
                max_size=max_connections,
                timeout=connect_s,
                max_inactive_connection_lifetime=idle_s,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings={"application_name": "clippy"},
            )
            try:
                await pool.fetchval("select 1", timeout=connect_s)
            except BaseException:
                pool.terminate()
                raise
            return pool
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as exc:
            raise DatabaseUnavailable(f"PostgreSQL refuses us: {exc}; check database.url") from exc
        except (ValueError, asyncpg.InterfaceError) as exc:
            raise DatabaseUnavailable(f"database.url cannot be used: {exc}") from exc
        except (OSError, TimeoutError, asyncpg.PostgresError) as exc:
            if time.monotonic() > deadline or (stop is not None and stop.is_set()):
                raise DatabaseUnavailable(
                    f"PostgreSQL did not answer for {time.monotonic() - began:.0f} s: {exc or type(exc).__name__}; "
                    f"is it running, and is database.url right?"
                ) from exc
            if delay_s == _FIRST_RETRY_S:
                log.info("database_waited_for", reason=str(exc) or type(exc).__name__, at_most_s=wait_s)
        if stop is None:
            await asyncio.sleep(delay_s)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), delay_s)
        delay_s = min(2 * delay_s, _MAX_RETRY_S)


@contextlib.contextmanager
def translated(action: str = "the database") -> Iterator[None]:
    """Raise DatabaseUnavailable for what means that PostgreSQL is not there; other errors pass."""
    import asyncpg

    try:
        yield
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a call on a connection that is being torn down
        asyncpg.TooManyConnectionsError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
    ) as exc:
        # OSError: TimeoutError is one of them.
        raise DatabaseUnavailable(f"PostgreSQL does not answer ({action}): {exc}") from exc


@contextlib.asynccontextmanager
async def transaction(pool: asyncpg.Pool, action: str = "the database") -> AsyncIterator[asyncpg.Connection]:
    """A connection inside a transaction, had within 5 s.

    Raises:
        DatabaseUnavailable: None is free in time, or the server went away.
    """
    with translated(action):
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
            yield connection
