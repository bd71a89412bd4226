"""The ledger of job keys (`job_runs`): who started, what ended, and one commit for an effect and all that follows.

Every write names the start it belongs to, so that a worker that lost its job (a zombie) changes nothing.
Starts that come in the same moment share a commit, and so do ends: where one effect of such a commit fails, all of it
is undone and each is written alone, so that the bad one fails and no other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.claims import Claim
from coordinator.jobs.connections import KeptConnection, connection, transaction
from coordinator.jobs.dispositions import Problem
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.group import Group
from coordinator.model.jobs import Job, NewJob
from coordinator.ports import Effect
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

SQL = load_statements("coordinator.jobs", "ledger.sql")
# Of one commit: beyond that the saving is small, and all of them wait for the slowest.
_MAX_GROUP = 128
# How long an effect waits for somebody else's lock while others' effects wait for its commit.
_SHARED_LOCK_TIMEOUT = "2s"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A job whose start is written. `attempts` counts from 1."""

    job: Job
    attempts: int
    claim: Claim


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A job that was worked well, and what it wants written."""

    started: Started
    effect: Effect

    @property
    def key(self) -> str:
        """The job's."""
        return self.started.job.key


class Ledger:
    """The rows of `job_runs`. Every method raises DatabaseUnavailable when PostgreSQL is not there."""

    def __init__(self, pool: asyncpg.Pool, queue: PgQueuerQueue) -> None:
        self._pool = pool
        self._queue = queue
        # One group of starts and one of ends at a time.
        self._for_starts, self._for_ends = KeptConnection(pool), KeptConnection(pool)
        self._starts = Group(self._start_many, max_items=_MAX_GROUP)
        self._ends = Group(self._end_many, max_items=_MAX_GROUP)

    async def begin(self, claims: Sequence[Claim]) -> dict[str, Started]:
        """Count a start of each; keys that have ended already are not among the result."""
        started = await self._starts.do(claims)
        return {entry.job.key: entry for entry in started if entry is not None}

    async def complete(self, started: Started, effect: Effect) -> bool:
        """As `complete_many`, for one; what its effect raises is raised."""
        (outcome,) = await self.complete_many([End(started=started, effect=effect)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def complete_many(self, ends: Sequence[End]) -> Sequence[bool | Exception]:
        """Mark each done, run its effect, enqueue what follows and let go of it: one commit for all, or nothing.

        Returns for each True; False, having written nothing for it, when another worker completed it first; or what
        failed for it alone. An effect that shared a commit with one that failed is run once more, from the start.
        """
        return await self._ends.do(ends)

    async def _start_many(self, claims: Sequence[Claim]) -> Sequence[Started | None]:
        # In one order everywhere, so that two workers cannot wait for one another.
        ordered = sorted({claim.key: claim for claim in claims}.values(), key=lambda claim: claim.key)
        async with self._for_starts.use("starting jobs") as own:
            rows = await own.fetch(
                SQL["begin"],
                [claim.key for claim in ordered],
                [claim.queue.value for claim in ordered],
                [_session_of(claim) for claim in ordered],
            )
        runs = {row["key"]: row for row in rows}
        return [_started(claim, runs.get(claim.key)) for claim in claims]

    async def _end_many(self, ends: Sequence[End]) -> Sequence[bool | Exception]:
        try:
            return await self._commit(ends)
        except DatabaseUnavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - an effect's outermost frame
            if len(ends) == 1:
                return [exc]
            log.info("commit_split", count=len(ends), error=type(exc).__name__)
        return [await self._commit_alone(end) for end in ends]

    async def _commit_alone(self, end: End) -> bool | Exception:
        try:
            (was_first,) = await self._commit([end])
        except Exception as exc:  # noqa: BLE001 - an effect's outermost frame
            return exc
        return was_first

    async def _commit(self, ends: Sequence[End]) -> Sequence[bool]:
        lock_timeout = _SHARED_LOCK_TIMEOUT if len(ends) > 1 else "0"
        was_first: dict[int, bool] = {}
        following: list[NewJob] = []
        async with self._for_ends.use("completing jobs") as own, own.transaction():
            # First, because it locks the rows: a second completion waits here, and then finds them done.
            rows = await own.fetch(SQL["complete"], [end.key for end in ends], lock_timeout)
            won = {row["key"] for row in rows}
            for index, end in sorted(enumerate(ends), key=lambda entry: entry[1].key):
                was_first[index] = end.key in won
                if was_first[index]:
                    won.discard(end.key)
                    following += _inherited(end.started.job, await end.effect(own))
            await self._queue.enqueue(own, following)
            await self._queue.acknowledge(own, [end.started.claim for end in ends])
        return [was_first[index] for index in range(len(ends))]

    async def try_again(self, job: Job, problem: Problem) -> bool:
        """Count an attempt. False: the job is no longer this worker's."""
        return await self._write("try_again", job, problem)

    async def take_back(self, job: Job, problem: Problem) -> bool:
        """Let this start not count. False: the job is no longer this worker's."""
        return await self._write("take_back", job, problem)

    async def fail(self, job: Job, problem: Problem, effect: Effect | None) -> bool:
        """Mark it failed for good, or expired, with `effect` in the same commit. False: it is not this worker's now."""
        async with transaction(self._pool, f"failing {job.queue}") as own:
            values = (job.key, job.runs, problem.stage, problem.reason, problem.code)
            if await own.fetchval(SQL["fail"], *values) is None:
                return False
            if effect is not None:
                await self._queue.enqueue(own, _inherited(job, await effect(own)))
        return True

    async def _write(self, name: str, job: Job, problem: Problem) -> bool:
        async with connection(self._pool, name) as own:
            values = (job.key, job.runs, problem.stage, problem.reason, problem.code)
            return await own.fetchval(SQL[name], *values) is not None


def _started(claim: Claim, row: asyncpg.Record | None) -> Started | None:
    if row is None:
        return None
    job = Job(
        job_id=claim.job_id,
        queue=claim.queue,
        key=claim.key,
        payload=claim.payload,
        tier=claim.tier,
        account=claim.account,
        version=claim.version,
        runs=row["runs"],
        is_press=claim.is_press,
    )
    return Started(job=job, attempts=row["attempts"], claim=claim)


def _inherited(job: Job, following: Sequence[NewJob]) -> list[NewJob]:
    """What follows a job is its account's, unless it says whose it is: the one place where a tier is handed on."""
    return [
        new if new.tier or not job.tier else dataclasses.replace(new, tier=job.tier, account=job.account)
        for new in following
    ]


def _session_of(claim: Claim) -> str | None:
    session = claim.payload.get("session_id")
    return session if isinstance(session, str) else None
