"""One more post of a clip, because somebody asks for it: its row and its job, in one commit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from coordinator.jobs.connections import transaction
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.object_keys import export_id_of
from coordinator.model.posts import AskedPost
from coordinator.pipeline import steps
from coordinator.posts import check_preset
from coordinator.store.rows import PostgresRows

if TYPE_CHECKING:
    import asyncpg


class AskedPosts:
    """Where posts are asked for. One loop."""

    def __init__(self, pool: asyncpg.Pool, jobs: PgQueuerQueue) -> None:
        self._pool = pool
        self._rows = PostgresRows(pool)
        self._jobs = jobs

    async def make(self, clip: str, preset: str) -> AskedPost:
        """Ask for a post of a clip; one that is there or on its way stays as it is, one that failed is tried again.

        Args:
            clip: its id, or that of its moment, or of the press that it shows.

        Raises:
            InputUnusable: There is no such preset for posts.
            NotFound: There is no such clip.
            DatabaseUnavailable: Later.
        """
        check_preset(preset)
        found = await self._rows.clip(await self._rows.clip_meant(clip))
        owner = await self._rows.owner(found.session_id)
        export_id = export_id_of(found.clip_id, preset)
        job = dataclasses.replace(
            steps.exporting(found.clip_id, preset, is_press=found.moment_id is None),
            tier=owner.tier,
            account=owner.user_id,
        )
        async with transaction(self._pool, "asking for a post") as connection:
            state = await self._rows.ask_export(
                connection, export_id=export_id, clip_id=found.clip_id, preset=preset
            )
            if state is None:
                if await self._jobs.put(connection, [job]) == 0:
                    await self._jobs.replay(connection, [job])
                await self._rows.notify_link(connection, found.session_id)
        return AskedPost(
            export_id=export_id,
            session_id=found.session_id,
            clip_id=found.clip_id,
            preset=preset,
            state=state or "pending",
            is_new=state is None,
        )
