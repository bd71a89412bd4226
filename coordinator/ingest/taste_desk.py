"""What agents say of moments, and what they are told of it at each connect. Owned by the loop."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.ingest.batched import Batched
from coordinator.row_ports import Tastes
from protos.clippy.v1 import link_pb2

log = structlog.get_logger(__name__)


class TasteDesk:
    """One process's desk. `tastes` None: nothing of it is kept here."""

    def __init__(self, tastes: Tastes | None) -> None:
        self._tastes = tastes
        self._news: Batched[tuple[str, str], list[link_pb2.TasteNews]] = Batched(self._read)

    async def take(self, user_id: str, agent_id: str, news: link_pb2.TasteNews) -> None:
        """Write down what an agent says. Raises as `Tastes.take`."""
        if self._tastes is not None:
            await self._tastes.take(user_id, agent_id, news)

    async def news(self, user_id: str, agent_id: str) -> list[link_pb2.CoordinatorMessage]:
        """What this agent is told; nothing while the database does not answer: the next connect tells it."""
        if self._tastes is None:
            return []
        try:
            found = await self._news.ask((user_id, agent_id))
        except DatabaseUnavailable as exc:
            log.info("taste_not_told", agent_id=agent_id, problem=str(exc))
            return []
        return [link_pb2.CoordinatorMessage(taste=one) for one in found]

    async def _read(self, asked: Sequence[tuple[str, str]]) -> Sequence[list[link_pb2.TasteNews]]:
        assert self._tastes is not None
        return await self._tastes.news(asked)
