"""Connections for pages: one consistent, read-only view each, with deadlines, and foreign exceptions made ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from coordinator.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import asyncpg

_ACQUIRE_S = 5.0


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise DatabaseUnavailable for everything that means that PostgreSQL is not there."""
    import asyncpg

    try:
        yield
    except (
        OSError,  # a timeout is one of them
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
    ) as exc:
        raise DatabaseUnavailable(
            f"PostgreSQL does not answer: {exc or type(exc).__name__}; the page comes back with it"
        ) from exc


@contextlib.asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees one moment in time: what a page shows never contradicts itself.

    Raises:
        DatabaseUnavailable: None is free within 5 s, or the server went away.
    """
    with translated():
        async with (
            pool.acquire(timeout=_ACQUIRE_S) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection
