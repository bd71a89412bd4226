"""The job engine, PgQueuer, behind our own words. The only file that imports it.

Two halves: `PgQueuerQueue` puts jobs in the caller's transaction; `Consumer` claims them, hands each to a callback
and does what its verdict says. What PgQueuer leaves open is closed here: its acks ask whether the job is still ours
(a zombie's ack would delete the row its successor runs), a worker claims no more than it can run, a paused queue is
not claimed from, and no job that failed is deleted.

Source: PgQueuer 1.6 (`QueueManager`, `Queries`); asyncio, one loop.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import msgspec
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain import errors as pgq_errors
from pgqueuer.domain import models as pgq_models
from pgqueuer.domain import types as pgq_types
from pgqueuer.ports.repository import EntrypointExecutionParameter

from coordinator.errors import Bug, DatabaseUnavailable
from coordinator.jobs.connections import translated
from coordinator.model.jobs import NewJob, Priority, Queue, Route
from coordinator.statements import load_statements

SQL = load_statements("coordinator.jobs", "engine.sql")
MAX_PAYLOAD_BYTES = 1024
# How soon an idle worker looks by itself, should a notification be lost; and how often a busy one.
_IDLE_POLL_S = 5.0
_BUSY_POLL_S = 0.25
_BATCH = 1000
_CHANNEL = "ch_pgqueuer"

# The engine runs higher numbers first; ours are the other way round. The one place that maps them.
_ENGINE_PRIORITY = {
    Priority.CRITICAL: 1000,
    Priority.HIGH: 100,
    Priority.NORMAL: 10,
    Priority.LOW: 1,
}


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """What travels as the engine's payload."""

    key: str
    data: dict[str, str | int | float | bool | None]
    tier: str = ""


def entrypoint_of(route: Route) -> str:
    """The engine's name of a route: `transcription`, `transcription.v2`, `transcription.v2@small`."""
    version = f".v{route.version}" if route.version != 1 else ""
    return f"{route.queue.value}{version}{f'@{route.place}' if route.place else ''}"


def route_of(entrypoint: str) -> Route:
    """The route of such a name."""
    name, _, place = entrypoint.partition("@")
    queue, _, version = name.partition(".v")
    return Route(queue=Queue(queue), version=int(version or 1), place=place)


def priority_of(engine_priority: int) -> Priority:
    """Our priority of the engine's number; one that is not ours is as the next lower."""
    return min(
        (ours for ours, number in _ENGINE_PRIORITY.items() if number <= engine_priority), default=Priority.LOW
    )


class PgQueuerQueue:
    """Port `JobQueue`."""

    async def enqueue(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> None:
        """As the port says. A key that failed for good is skipped too: `replay` reopens it."""
        await self.put(connection, jobs, are_new=are_new)

    async def put(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> int:
        """As `enqueue`; returns how many were not there yet."""
        wanted = {job.key: job for job in jobs}
        if not wanted:
            return 0
        ended = [] if are_new else await connection.fetch(SQL["settled"], list(wanted))
        settled = {row["key"] for row in ended}
        fresh = [job for key, job in wanted.items() if key not in settled]
        queries = Queries(AsyncpgDriver(connection))
        num_put = 0
        for start in range(0, len(fresh), _BATCH):
            part = fresh[start : start + _BATCH]
            ids = await queries.enqueue(
                [entrypoint_of(job.route) for job in part],
                [_encode(job) for job in part],
                [_ENGINE_PRIORITY[job.priority] for job in part],
                execute_after=[timedelta(seconds=job.delay_s) if job.delay_s > 0 else None for job in part],
                dedupe_key=[job.key for job in part],
                on_conflict="skip",
            )
            num_put += sum(job_id is not None for job_id in ids)
        return num_put

    async def replay(self, connection: asyncpg.Connection, jobs: Sequence[NewJob]) -> int:
        """Run again what failed for good, with all its attempts; returns how many."""
        keys = [job.key for job in jobs]
        await connection.execute(SQL["forget_held"], keys)
        reopened = {row["key"] for row in await connection.fetch(SQL["reopen"], keys)}
        return await self.put(connection, [job for job in jobs if job.key in reopened])


async def raise_old(connection: asyncpg.Connection, *, after_s: float) -> None:
    """Let jobs that have been ready for `after_s` rise to NORMAL."""
    await connection.execute(SQL["raise_old"], _ENGINE_PRIORITY[Priority.NORMAL], after_s)


async def wake(connection: asyncpg.Connection) -> None:
    """Let idle workers look now, and not at their next poll: what kept jobs back has gone."""
    await connection.execute(SQL["wake"], _CHANNEL)


async def prune_history(connection: asyncpg.Connection) -> None:
    """Drop the engine's own records that nothing reads any more."""
    for name in ("prune_log", "prune_statistics", "prune_held"):
        await connection.execute(SQL[name])


class Fate(enum.Enum):
    """What becomes of a claimed job."""

    ENDED = enum.auto()  # acknowledged: the row goes
    AGAIN = enum.auto()  # back into the queue, after a delay
    HELD = enum.auto()  # parked: it failed for good


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a callback says of a job."""

    fate: Fate
    delay_s: float = 0.0
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that this process holds, before anything was written of it."""

    job_id: int
    queue: Queue
    key: str
    payload: dict[str, str | int | float | bool | None]
    tier: str = ""
    version: int = 1


Callback: TypeAlias = Callable[[Claim], Awaitable[Verdict]]

_LISTENER_TRIES = 4


class _Held(Exception):
    """Tells the engine to park the job. Its reason is in job_runs, and logged, already."""


class Consumer:
    """Claims jobs of some queues until `stop` and awaits `callback` for each, many at once. One loop, used once."""

    def __init__(
        self, pool: asyncpg.Pool, callback: Callback, *, slots: Mapping[Queue, int], lease_s: float
    ) -> None:
        """Args: slots: how many jobs of each queue may be held at once."""
        self._slots = dict(slots)
        self._lease_s = lease_s
        self._callback = callback
        self._queries = _FencedQueries(AsyncpgPoolDriver(pool), self._slots)
        self._manager = _PatientManager(self._queries)
        self._manager.min_dequeue_poll_interval = timedelta(seconds=_BUSY_POLL_S)
        for queue in slots:
            self._manager.entrypoint(queue.value, on_failure="hold")(self._run_one)
        _quieten_engine_log()

    async def run(self) -> None:
        """Claim and run until `stop`, then wait for what runs.

        Raises:
            DatabaseUnavailable: PostgreSQL went away, or never had our tables.
        """
        largest = max(self._slots.values())
        try:
            with translated("claiming jobs"):
                await self._manager.run(
                    dequeue_timeout=timedelta(seconds=_IDLE_POLL_S),
                    batch_size=largest,
                    # The engine wants room for two batches; `_FencedQueries` holds the true bound.
                    max_concurrent_tasks=2 * largest,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=timedelta(seconds=self._lease_s),
                )
        except pgq_errors.FailingListenerError as exc:
            raise DatabaseUnavailable(
                "PostgreSQL's notifications stopped; is the connection direct?"
            ) from exc
        except (RuntimeError, asyncpg.PostgresError) as exc:
            raise DatabaseUnavailable(f"the job tables cannot be used: {exc}; run migrate") from exc

    def stop(self) -> None:
        """Claim nothing more."""
        self._manager.shutdown.set()

    def pause(self, queue: Queue, seconds: float) -> None:
        """Claim nothing from `queue` for so long."""
        self._queries.resumes_at[queue.value] = time.monotonic() + seconds

    def rest(self, queues: Collection[Queue]) -> None:
        """Claim nothing from these until the next call, whatever the version or place of a job."""
        self._queries.resting = frozenset(queues)

    @property
    def holder(self) -> uuid.UUID:
        """What its claims are signed with, in the engine's table."""
        return self._manager.queue_manager_id

    async def _run_one(self, job: pgq_models.Job) -> None:
        verdict = await self._callback(_decode(job))
        if verdict.fate is Fate.AGAIN:
            raise pgq_errors.RetryRequested(delay=timedelta(seconds=verdict.delay_s), reason=verdict.reason)
        if verdict.fate is Fate.HELD:
            raise _Held(verdict.reason)


class _PatientManager(QueueManager):
    """The engine's loop, which asks more than once whether notifications arrive.

    Its first question races its own LISTEN, and on a busy machine loses: one lost answer is no lost connection.
    """

    async def listener_healthy(
        self, timeout: timedelta = timedelta(seconds=10)
    ) -> pgq_models.HealthCheckEvent:
        for _ in range(_LISTENER_TRIES - 1):
            try:
                return await super().listener_healthy(timeout / _LISTENER_TRIES)
            except pgq_errors.FailingListenerError:
                continue
        return await super().listener_healthy(timeout / _LISTENER_TRIES)


class _FencedQueries(Queries):
    """The engine's statements, with what it lacks (see the module)."""

    def __init__(self, driver: AsyncpgPoolDriver, slots: Mapping[Queue, int]) -> None:
        super().__init__(driver)
        self._slots = {queue.value: number for queue, number in slots.items()}
        self.resumes_at: dict[str, float] = {}
        self.resting: frozenset[Queue] = frozenset()

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[pgq_types.QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: pgq_types.QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[pgq_models.Job]:
        now = time.monotonic()
        claimed: list[pgq_models.Job] = []
        for name, parameter in entrypoints.items():
            if self.resumes_at.get(name, 0.0) > now or route_of(name).queue in self.resting:
                continue
            # Counted over the rows we hold, so that a claim that is not yet dispatched counts too.
            claimed += await super().dequeue(
                batch_size=self._slots[name],
                entrypoints={name: parameter},
                queue_manager_id=queue_manager_id,
                global_concurrency_limit=self._slots[name],
                heartbeat_timeout=heartbeat_timeout,
            )
        return claimed

    async def log_jobs(
        self,
        job_status: list[tuple[pgq_models.Job, pgq_types.JOB_STATUS, pgq_models.TracebackRecord | None]],
    ) -> None:
        # A job that is cancelled with its process was not worked: its lease runs out and another takes it.
        ended = [entry for entry in job_status if entry[1] != "canceled"]
        mine = await self._still_ours([entry[0] for entry in ended])
        if ours := [entry for entry in ended if entry[0].id in mine]:
            await super().log_jobs(ours)

    async def retry_job(
        self, job: pgq_models.Job, delay: timedelta, traceback_record: pgq_models.TracebackRecord | None
    ) -> None:
        if job.id in await self._still_ours([job]):
            await super().retry_job(job, delay, traceback_record)
            await self.driver.execute(SQL["wake"], self.qbe.settings.channel)

    async def _still_ours(self, jobs: Sequence[pgq_models.Job]) -> set[int]:
        if not jobs:
            return set()
        rows = await self.driver.fetch(SQL["owned"], [job.id for job in jobs], jobs[0].queue_manager_id)
        return {int(str(row["id"])) for row in rows}


def _encode(job: NewJob) -> bytes:
    payload = msgspec.json.encode(Envelope(key=job.key, data=job.payload, tier=job.tier))
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Bug(
            f"job {job.key}: a payload of {len(payload)} bytes is over {MAX_PAYLOAD_BYTES}; pass ids only"
        )
    return payload


def _decode(job: pgq_models.Job) -> Claim:
    envelope = msgspec.json.decode(job.payload or b"{}", type=Envelope)
    route = route_of(job.entrypoint)
    return Claim(
        job_id=job.id,
        queue=route.queue,
        key=envelope.key,
        payload=envelope.data,
        tier=envelope.tier,
        version=route.version,
    )


def _quieten_engine_log() -> None:
    """What we hold on purpose is no error of the engine's, and we have logged it in our own words."""
    logger = logging.getLogger("pgqueuer")
    if not any(isinstance(present, _WithoutHeld) for present in logger.filters):
        logger.addFilter(_WithoutHeld())


class _WithoutHeld(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], _Held))
