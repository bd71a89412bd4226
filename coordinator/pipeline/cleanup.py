"""Stage `cleanup`: what is over is closed. Until accounts have tiers nothing of `owner` expires by time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from coordinator.model.jobs import Job, NewJob
from coordinator.ports import Effect, Rows

if TYPE_CHECKING:
    import asyncpg


class Cleanup:
    """Closes wishes that no agent can fulfil any more, and what job keeping leaves behind."""

    def __init__(self, *, rows: Rows, tidy: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        self._rows = rows
        self._tidy = tidy

    async def handle(self, job: Job) -> Effect:
        """One round."""

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.expire_requests(connection)
            await self._tidy(connection)
            return []

        return write
