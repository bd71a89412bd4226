"""Stage `cleanup`, orders to forget: a span's objects go, what others have in them is moved first; then the receipt.

The rows went with the order itself (coordinator/ingest/forgetting.py), and the spools' owners overwrite what they hold.
Killed anywhere, the same job again goes on: a new object always has the same key, rows move all or none, an object is
deleted when no row names it, and only then is it settled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import ObjectsAway, StoreUnavailable
from coordinator.model.jobs import Job, NewJob
from coordinator.pipeline.moving import move_others
from coordinator.ports import Effect, ObjectStore
from coordinator.row_ports import Tombstones

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

# Where words that were deleted may still be read by who has the database's files.
DATABASE_REMAINS = (
    "words and titles in unused parts of the database's own files and log, until PostgreSQL writes over them"
)


class Forgetting:
    """Works orders off. One instance a worker."""

    def __init__(
        self, *, tombstones: Tombstones, objects: ObjectStore, find_backups: Callable[[], Sequence[str]]
    ) -> None:
        """Args: find_backups: what copies of the database there are that may hold it, in words, and until when."""
        self._tombstones = tombstones
        self._objects = objects
        self._find_backups = find_backups

    async def handle(self, job: Job) -> Effect:
        """Work one order off, as far as it goes now.

        Raises:
            DatabaseUnavailable: Goes on later.
            ObjectsAway: The store is down. The order waits alone: orders go first, and would keep the rounds of
                cleaning from closing what has expired.
        """
        forget_id = str(job.payload["forget_id"])
        try:
            await self._delete_objects(forget_id)
        except StoreUnavailable as exc:
            raise ObjectsAway(f"order to forget {forget_id} waits for the store: {exc}") from exc
        remains = [*self._find_backups(), DATABASE_REMAINS]

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            receipt = await self._tombstones.finish(connection, forget_id, remains=remains)
            if receipt is not None:
                log.info(
                    "span_forgotten", forget_id=forget_id, went=receipt.went, unreachable=receipt.unreachable
                )
            return []

        return write

    async def _delete_objects(self, forget_id: str) -> None:
        for doomed in await self._tombstones.doomed(forget_id):
            if doomed.holds_others:
                await move_others(self._tombstones, self._objects, doomed, reason=f"forget:{forget_id}")
            await self._objects.delete([doomed.key])
            await self._tombstones.settle(forget_id, doomed.key)


def give_up(tombstones: Tombstones) -> Callable[[Job, str], Effect]:
    """An order whose job failed for good says why; the reconciler tries it again. A round of cleaning has no row."""

    def effect(job: Job, reason: str) -> Effect:
        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            if "forget_id" in job.payload:
                await tombstones.note_problem(connection, str(job.payload["forget_id"]), reason)
            return []

        return write

    return effect
