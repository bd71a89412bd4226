"""This process as a node: its name and place in the registry, and the orphan spools that it drains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coordinator.app.installation import Installation
from coordinator.app.processes import node_of
from coordinator.pipeline import steps

if TYPE_CHECKING:
    import asyncpg

    from coordinator.ingest.server import LinkServer
    from coordinator.jobs.placing import Placing


class Node:
    """`join` before the link starts, `start` after, `leave` before it stops, `close` after. Owned by the loop."""

    def __init__(
        self,
        installation: Installation,
        pool: asyncpg.Pool,
        *,
        process: int,
        num_processes: int,
        placing: Placing | None = None,
    ) -> None:
        from coordinator.ingest.adoption import Adoption
        from coordinator.ingest.chunk_rows import ChunkRows
        from coordinator.ingest.nodes import NodeRegistry
        from coordinator.ingest.sweeping import SpoolSweeper
        from coordinator.jobs.engine import PgQueuerQueue

        config = installation.config
        self.name = node_of(config, process)
        self.registry = NodeRegistry(
            pool, spool_folder=installation.spool, files_url=installation.files_url()
        )
        # Of a machine's processes the first one adopts: the others' spools are the others'.
        self._siblings = [node_of(config, number) for number in range(num_processes)]
        self._is_adopting = process == 0
        rows = ChunkRows(PgQueuerQueue(placing), steps.jobs_after_chunk, self.registry.living)
        self._adoption = Adoption(
            pool,
            installation.objects(),
            rows,
            self.registry,
            spool_folder=installation.spool,
            sweeper_of=lambda spool: SpoolSweeper(
                pool, spool, PgQueuerQueue(), after_sweep=steps.after_sweep
            ),
        )
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, link: LinkServer) -> None:
        """Take the name, see who else is there, and take the spools that nobody has.

        Raises:
            AlreadyRunning: Another spool of this name is alive.
            DatabaseUnavailable, DiskFull, StoreUnavailable: It cannot begin.
        """
        self.registry.on_gone = link.nodes_gone
        await self.registry.join(self.name)
        if self._is_adopting:
            await self._adoption.take(self._siblings)

    def start(self) -> None:
        """Beat, and drain what was taken."""
        self._tasks = [
            asyncio.create_task(self.registry.run(), name="node-beat"),
            asyncio.create_task(self._adoption.run(self._stopping), name="adoption"),
        ]

    async def leave(self) -> None:
        """Say that this process is stopping."""
        await self.registry.leave()

    async def close(self) -> None:
        """End the tasks, and let the spools go; what is being moved may finish its object."""
        self._stopping.set()
        if self._tasks:
            beat, adoption = self._tasks
            await asyncio.wait({adoption}, timeout=5.0)
            for task in (beat, adoption):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._adoption.close()
