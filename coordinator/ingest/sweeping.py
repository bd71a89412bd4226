"""What a process that owns a spool does about orders to forget: overwrites their records there, and says so.

The first sweep looks at everything: a kill may have left a record that came too late to be kept, or one half
overwritten. Later ones look when an order waits for this spool. One task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
import structlog

from coordinator.ingest.database import transaction
from coordinator.ingest.erasing import sessions_in, sweep
from coordinator.ingest.forgetting import SQL
from coordinator.ingest.records import PlacedRecord
from coordinator.ingest.spool import Spool
from coordinator.model.jobs import NewJob
from coordinator.ports import JobQueue

log = structlog.get_logger(__name__)


class SpoolSweeper:
    """Sweeps one spool."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        spool: Spool,
        jobs: JobQueue,
        *,
        after_sweep: Callable[[str, str], Sequence[NewJob]],
    ) -> None:
        """Args: after_sweep: (forget_id, node): what follows when a spool holds nothing of an order any more."""
        self._pool = pool
        self._spool = spool
        self._jobs = jobs
        self._after_sweep = after_sweep
        self._is_first = True

    async def look(self) -> bool:
        """Say that we own this spool, and sweep it if there is a reason to; is there an order no agent has answered?

        Raises as `sweep`.
        """
        async with transaction(self._pool) as connection:
            todo = await connection.fetchrow(SQL["own_spool"], self._spool.node)
        if todo["has_unswept"] or (self._is_first and todo["has_orders"]):
            await self.sweep()
        self._is_first = False
        return bool(todo["has_unanswered"])

    async def sweep(self) -> int:
        """Overwrite what is to be forgotten here, and tell the orders that waited; returns how many records.

        Raises:
            DatabaseUnavailable, StoreUnavailable, DiskFull: The next sweep goes on.
        """
        # Read first: an order that comes while we look has its own turn.
        async with transaction(self._pool) as connection:
            waiting = [row["forget_id"] for row in await connection.fetch(SQL["unswept"], self._spool.node)]
        num_records = 0
        for segment in await asyncio.to_thread(self._spool.segments):
            sessions = await asyncio.to_thread(sessions_in, self._spool, segment)
            spans = await self._spans(sessions)
            num_records += await asyncio.to_thread(sweep, self._spool, segment, spans.hold)
        async with transaction(self._pool) as connection:
            swept = await connection.fetch(SQL["mark_swept"], waiting, self._spool.node, num_records)
            jobs = [job for row in swept for job in self._after_sweep(row["forget_id"], self._spool.node)]
            if jobs:
                await self._jobs.enqueue(connection, jobs)
        if num_records or swept:
            log.info(
                "spool_swept",
                node=self._spool.node,
                num_records=num_records,
                num_orders=len(swept),
                reason="forgotten",
            )
        return num_records

    async def _spans(self, sessions: set[str]) -> _Spans:
        if not sessions:
            return _Spans([])
        async with transaction(self._pool) as connection:
            return _Spans(await connection.fetch(SQL["spans_of"], list(sessions)))


class _Spans:
    """What is to be forgotten of some sessions."""

    def __init__(self, rows: Sequence[asyncpg.Record]) -> None:
        self._of: dict[str, list[tuple[int, int]]] = {}
        for row in rows:
            self._of.setdefault(row["session_id"], []).append((row["start_ns"], row["end_ns"]))

    def hold(self, placed: PlacedRecord) -> bool:
        """Does part of this record lie in one of them?"""
        record = placed.record
        return any(
            record.start_ns < end_ns and record.end_ns > start_ns
            for start_ns, end_ns in self._of.get(record.session_id, ())
        )
