"""Stage `cleanup`: what is over is closed, and what uploads leave behind is deleted.

Orders to forget come in the same queue: see `forget.py`; and what expires by its age: see `expire.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import EnvironmentProblem, StoreUnavailable
from coordinator.model.jobs import Job, NewJob
from coordinator.model.sessions import LeftoverUpload
from coordinator.pipeline.expire import TASK, Expiring
from coordinator.pipeline.forget import Forgetting
from coordinator.policy.source_uploads import parts_of
from coordinator.ports import Effect, ObjectStore
from coordinator.row_ports import Rows, Tombstones

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)


class Cleanup:
    """Closes wishes that no agent can fulfil any more, deletes what uploads leave behind, works off what to forget."""

    def __init__(
        self,
        *,
        rows: Rows,
        tombstones: Tombstones,
        objects: ObjectStore,
        forgetting: Forgetting,
        expiring: Expiring,
        tidy: Callable[[asyncpg.Connection], Awaitable[None]],
    ) -> None:
        self._rows = rows
        self._tombstones = tombstones
        self._objects = objects
        self._forgetting = forgetting
        self._expiring = expiring
        self._tidy = tidy

    async def handle(self, job: Job) -> Effect:
        """One round of closing or of what expires, or one order to forget."""
        if "forget_id" in job.payload:
            return await self._forgetting.handle(job)
        if job.payload.get("task") == TASK:
            return await self._expiring.handle(job)
        are_deleted, swept = await self._delete_again(), await self._sweep()

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.expire_requests(connection)
            if are_deleted:
                await self._tombstones.end_again(connection)
            await self._rows.mark_swept(connection, swept)
            await self._tidy(connection)
            return []

        return write

    async def _delete_again(self) -> bool:
        """Delete what a stage or an agent that was writing when an order to forget came may have put since."""
        try:
            await self._objects.delete(await self._tombstones.doomed_again())
        except StoreUnavailable as exc:
            # As below; the next round looks again.
            log.warning("forgotten_objects_not_deleted_again", problem=str(exc))
            return False
        return True

    async def _sweep(self) -> list[str]:
        """Delete what lies in the store for nobody; returns of which requests."""
        swept: list[str] = []
        try:
            for upload in await self._rows.leftover_uploads():
                await self._objects.delete(leftover_keys(upload))
                swept.append(upload.request_id)
        except EnvironmentProblem as exc:
            # A store that is down must not keep requests open.
            log.warning("uploads_not_swept", num_swept=len(swept), problem=str(exc))
        return swept


def leftover_keys(upload: LeftoverUpload) -> list[str]:
    """What may be deleted of an upload. Pure."""
    keys = [] if upload.is_object_kept else [upload.object_key]
    if upload.size_bytes is not None and upload.sha256 is not None:
        parts = parts_of(
            upload.object_key,
            size_bytes=upload.size_bytes,
            part_bytes=upload.part_bytes or 0,
            sha256=upload.sha256,
        )
        keys += [part.key for part in parts]
    return keys
