"""The ledger of job keys (`job_runs`): who started, what ended, and one commit for an effect and all that follows.

Every write names the start it belongs to, so that a worker that lost its job (a zombie) changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordinator.jobs.connections import transaction
from coordinator.jobs.dispositions import Problem
from coordinator.jobs.engine import Claim, PgQueuerQueue
from coordinator.model.jobs import Job
from coordinator.ports import Effect
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.jobs", "ledger.sql")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A job whose start is written. `attempts` counts from 1."""

    job: Job
    attempts: int


class Ledger:
    """The rows of `job_runs`. Every method raises DatabaseUnavailable when PostgreSQL is not there."""

    def __init__(self, pool: asyncpg.Pool, queue: PgQueuerQueue) -> None:
        self._pool = pool
        self._queue = queue

    async def begin(self, claims: Sequence[Claim]) -> dict[str, Started]:
        """Count a start of each; keys that have ended already are not among the result."""
        # In one order everywhere, so that two workers cannot wait for one another.
        ordered = sorted({claim.key: claim for claim in claims}.values(), key=lambda claim: claim.key)
        async with transaction(self._pool, "starting jobs") as connection:
            rows = await connection.fetch(
                SQL["begin"],
                [claim.key for claim in ordered],
                [claim.queue.value for claim in ordered],
                [_session_of(claim) for claim in ordered],
            )
        runs = {row["key"]: row for row in rows}
        return {
            claim.key: Started(
                job=Job(
                    job_id=claim.job_id,
                    queue=claim.queue,
                    key=claim.key,
                    payload=claim.payload,
                    tier=claim.tier,
                    version=claim.version,
                    runs=runs[claim.key]["runs"],
                ),
                attempts=runs[claim.key]["attempts"],
            )
            for claim in ordered
            if claim.key in runs
        }

    async def complete(self, job: Job, effect: Effect) -> bool:
        """Mark it done, run its effect and enqueue what follows: one commit, or nothing.

        Returns False, having written nothing, when another worker completed it first.
        """
        async with transaction(self._pool, f"completing {job.queue}") as connection:
            # First, because it locks the row: a second completion waits here, and then finds it done.
            if await connection.fetchval(SQL["complete"], job.key) is None:
                return False
            await self._queue.enqueue(connection, await effect(connection))
        return True

    async def try_again(self, job: Job, problem: Problem) -> bool:
        """Count an attempt. False: the job is no longer this worker's."""
        return await self._write("try_again", job, problem)

    async def take_back(self, job: Job, problem: Problem) -> bool:
        """Let this start not count. False: the job is no longer this worker's."""
        return await self._write("take_back", job, problem)

    async def fail(self, job: Job, problem: Problem, effect: Effect | None) -> bool:
        """Mark it failed for good, with `effect` in the same commit. False: it is no longer this worker's."""
        async with transaction(self._pool, f"failing {job.queue}") as connection:
            values = (job.key, job.runs, problem.stage, problem.reason, problem.code)
            if await connection.fetchval(SQL["fail"], *values) is None:
                return False
            if effect is not None:
                await self._queue.enqueue(connection, await effect(connection))
        return True

    async def _write(self, name: str, job: Job, problem: Problem) -> bool:
        async with transaction(self._pool, name) as connection:
            values = (job.key, job.runs, problem.stage, problem.reason, problem.code)
            return await connection.fetchval(SQL[name], *values) is not None


def _session_of(claim: Claim) -> str | None:
    session = claim.payload.get("session_id")
    return session if isinstance(session, str) else None
