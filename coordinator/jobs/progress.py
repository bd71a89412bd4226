"""How far running jobs are, told often and written seldom: the newest of each, all of them in one statement.

Owned by the loop; a job's work may tell from any thread, because it only replaces a value.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.connections import connection
from coordinator.model.jobs import Job
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

_SQL = load_statements("coordinator.jobs", "ledger.sql")
_WRITE_EVERY_S = 2.0
_MAX_WORDS_CHARACTERS = 200


class ProgressBook:
    """The newest share and words of each running job of this process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        # Bounded by what runs: `close` takes a job's away.
        self._told: dict[tuple[str, int], tuple[float, str]] = {}
        self._is_running: set[tuple[str, int]] = set()

    def open(self, job: Job) -> Job:
        """The job with a `progress` that is written here."""
        run = (job.key, job.runs)
        self._is_running.add(run)

        def tell(share: float, words: str) -> None:
            if run in self._is_running:
                self._told[run] = (min(1.0, max(0.0, share)), words[:_MAX_WORDS_CHARACTERS])

        return dataclasses.replace(job, progress=tell)

    def close(self, job: Job) -> None:
        """It runs no longer; what it tells now is not heard."""
        self._is_running.discard((job.key, job.runs))
        self._told.pop((job.key, job.runs), None)

    async def run(self) -> None:
        """Write what is new every 2 s until cancelled. What cannot be written is told again by the work itself."""
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            if self._told:
                try:
                    await self.write()
                except DatabaseUnavailable as exc:
                    log.info("progress_not_written", reason=str(exc))

    async def write(self) -> None:
        """Write what is new, in one statement.

        Raises:
            DatabaseUnavailable: PostgreSQL is not there.
        """
        told, self._told = self._told, {}
        runs = sorted(told)
        async with connection(self._pool, "writing progress") as own:
            await own.execute(
                _SQL["progress"],
                [key for key, _ in runs],
                [number for _, number in runs],
                [told[run][0] for run in runs],
                [told[run][1] for run in runs],
            )
