"""Spools on this disk whose process is no more: after fewer processes, or another name. They are drained here.

Taken before listening: their rows are made whole, so that a resent chunk meets a complete index, and their names stay
alive in the registry. Drained after: what is to be forgotten is overwritten, every other chunk goes to the object
store, then the folder is deleted. One process of a machine does it; a spool that another process has is left alone.
Owned by the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Callable, Collection
from pathlib import Path

import asyncpg
import structlog

from coordinator.errors import AlreadyRunning, CoordinatorError
from coordinator.ingest.chunk_rows import ChunkRows
from coordinator.ingest.database import fetch
from coordinator.ingest.nodes import NodeRegistry, node_folders
from coordinator.ingest.recovery import recover
from coordinator.ingest.roll_up import RollUp, RollUpSettings
from coordinator.ingest.spool import Spool
from coordinator.ingest.sweeping import SpoolSweeper
from coordinator.ports import ObjectStore

log = structlog.get_logger(__name__)

# A session's chunks need not wait here until there are enough of them for a large object.
AT_ONCE = RollUpSettings(max_age_s=0.0)


@dataclasses.dataclass(slots=True, kw_only=True)
class _Orphan:
    spool: Spool
    roll_up: RollUp
    sweeper: SpoolSweeper
    problem: str = ""


class Adoption:
    """The orphan spools of one machine. `take`, then `run` as a task, then `close`."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        store: ObjectStore,
        rows: ChunkRows,
        registry: NodeRegistry,
        *,
        spool_folder: Path,
        sweeper_of: Callable[[Spool], SpoolSweeper],
        settings: RollUpSettings = AT_ONCE,
    ) -> None:
        self._pool = pool
        self._store = store
        self._rows = rows
        self._registry = registry
        self._spool_folder = spool_folder
        self._sweeper_of = sweeper_of
        self._settings = settings
        self._orphans: list[_Orphan] = []

    @property
    def nodes(self) -> list[str]:
        """The nodes whose spools are not drained yet."""
        return [orphan.spool.node for orphan in self._orphans]

    async def take(self, own: Collection[str]) -> None:
        """Take and recover every spool of this disk but those of the nodes `own`, which have processes.

        Raises:
            DatabaseUnavailable, DiskFull, StoreUnavailable: As recovery.
        """
        for node in await asyncio.to_thread(node_folders, self._spool_folder):
            if node in own:
                continue
            spool = Spool(self._spool_folder, node)
            try:
                await asyncio.to_thread(spool.open)
            except AlreadyRunning:
                continue
            try:
                await self._registry.join(node, state="draining")
                await recover(self._pool, spool, self._rows)
            except AlreadyRunning as exc:
                # A copy of another machine's folder: its rows mean the other one.
                spool.close()
                log.warning("spool_not_adopted", node=node, problem=str(exc))
                continue
            except BaseException:
                spool.close()
                raise
            roll_up = RollUp(self._pool, spool, self._store, settings=self._settings)
            self._orphans.append(_Orphan(spool=spool, roll_up=roll_up, sweeper=self._sweeper_of(spool)))
            log.info("spool_adopted", node=node, num_segments=len(spool.segments()))

    async def run(self, stopping: asyncio.Event) -> None:
        """Drain them all, or until `stopping` is set; what is left goes on at the next start."""
        while self._orphans and not stopping.is_set():
            for orphan in list(self._orphans):
                await self._drain(orphan)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._settings.interval_s)

    def close(self) -> None:
        """Let go of what is not drained."""
        for orphan in self._orphans:
            orphan.spool.close()
        self._orphans.clear()

    async def _drain(self, orphan: _Orphan) -> None:
        try:
            await orphan.sweeper.look()
            await orphan.roll_up.run_once()
            if await self._is_drained(orphan.spool):
                await self._delete(orphan)
            orphan.problem = ""
        except CoordinatorError as exc:
            if str(exc) != orphan.problem:
                log.warning("drain_delayed", node=orphan.spool.node, problem=str(exc))
            orphan.problem = str(exc)
        except Exception:
            log.exception("drain_failed", node=orphan.spool.node)

    async def _is_drained(self, spool: Spool) -> bool:
        if await asyncio.to_thread(spool.segments):
            return False
        return bool((await fetch(self._pool, "spool_is_empty", f"spool:{spool.node}"))[0][0])

    async def _delete(self, orphan: _Orphan) -> None:
        spool = orphan.spool
        self._orphans.remove(orphan)
        if os.name == "nt":
            spool.close()
        is_gone = await asyncio.to_thread(_delete_folder, spool.folder)
        spool.close()
        await self._registry.forget(spool.node)
        log.info("spool_deleted", node=spool.node, reason="drained", is_whole=is_gone)


def _delete_folder(folder: Path) -> bool:
    """Delete what is ours in a drained folder; False: something else lies there, and stays."""
    with contextlib.suppress(OSError):
        (folder / "intents").rmdir()
    for name in ("id", "lock"):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
        return True
    return False
