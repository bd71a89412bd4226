"""The job engine, PgQueuer, behind our own words. The only file that imports it.

Two halves: `PgQueuerQueue` puts jobs in the caller's transaction; `Consumer` claims them, hands each to a callback
and does what its verdict says. What PgQueuer leaves open is closed here: its acks ask whether the job is still ours
(a zombie's ack would delete the row its successor runs), a worker claims no more than it can run, a paused queue is
not claimed from, and no job that failed is deleted. Its loop, heartbeats and tables are its own; the statements that
every job costs are ours (engine.sql), because they ask and write less.

Source: PgQueuer 1.6 (`QueueManager`, `Queries`); asyncio, one loop.
"""

from __future__ import annotations

import functools
import types
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain import errors as pgq_errors
from pgqueuer.domain import models as pgq_models
from pgqueuer.domain import types as pgq_types
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.ports.repository import EntrypointExecutionParameter

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.claims import Callback, Claim, Fate
from coordinator.jobs.connections import translated
from coordinator.jobs.engine_log import Held, quieten_engine_log
from coordinator.jobs.envelope import decode, encode
from coordinator.jobs.numbers import EPOCH_S, HALF, is_press, top_of
from coordinator.jobs.slots import Slots
from coordinator.jobs.upkeep import CHANNEL, SQL
from coordinator.model.jobs import NewJob, Queue, Route

if TYPE_CHECKING:
    from coordinator.jobs.placing import Placing

log = structlog.get_logger(__name__)

_BATCH = 1000


def entrypoint_of(route: Route) -> str:
    """The engine's name of a route: `transcription`, `transcription.v2`, `transcription.v2@small`."""
    version = f".v{route.version}" if route.version != 1 else ""
    return f"{route.queue.value}{version}{f'@{route.place}' if route.place else ''}"


@functools.lru_cache(maxsize=256)
def route_of(entrypoint: str) -> Route:
    """The route of such a name."""
    name, _, place = entrypoint.partition("@")
    queue, _, version = name.partition(".v")
    return Route(queue=Queue(queue), version=int(version or 1), place=place)


class PgQueuerQueue:
    """Port `JobQueue`."""

    def __init__(self, placing: Placing | None = None) -> None:
        """Args: placing: decides how a job is put; None: as it is."""
        self._placing = placing

    async def enqueue(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> None:
        """As the port says. A key that failed for good is skipped too: `replay` reopens it."""
        await self.put(connection, jobs, are_new=are_new)

    async def put(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> int:
        """As `enqueue`; returns how many were not there yet."""
        wanted: dict[str, NewJob] = {}
        for job in jobs:
            wanted.setdefault(job.key, job)
        num_put = 0
        fresh = list(wanted.values())
        for start in range(0, len(fresh), _BATCH):
            rows = await connection.fetch(SQL["put"], *self._columns(fresh[start : start + _BATCH]), are_new)
            num_put += len(rows)
        return num_put

    def _columns(
        self, jobs: Sequence[NewJob]
    ) -> tuple[list[int], list[str], list[bytes], list[float], list[str]]:
        tops, entrypoints, delays_s = [], [], []
        for job in jobs:
            if self._placing is None:
                tops.append(top_of(job.priority, 0.0))
                entrypoints.append(entrypoint_of(job.route))
                delays_s.append(max(0.0, job.delay_s))
                continue
            placed, behind_s = self._placing.place(job)
            tops.append(top_of(placed.priority, behind_s, is_after_presses=placed.is_after_presses))
            # Who names a place itself knows why.
            route = Route(queue=job.queue, version=job.version, place=job.place or placed.place)
            entrypoints.append(entrypoint_of(route))
            delays_s.append(max(0.0, job.delay_s) + placed.delay_s)
        return tops, entrypoints, [encode(job) for job in jobs], delays_s, [job.key for job in jobs]

    async def acknowledge(self, connection: asyncpg.Connection, claims: Sequence[Claim]) -> None:
        """Let go of jobs that have ended, with what they wrote in one commit; those taken over stay."""
        by_holder: dict[uuid.UUID, list[int]] = {}
        for claim in claims:
            if claim.holder is not None:
                by_holder.setdefault(claim.holder, []).append(claim.job_id)
        for holder, job_ids in by_holder.items():
            await connection.execute(SQL["acknowledge"], job_ids, holder)

    async def replay(self, connection: asyncpg.Connection, jobs: Sequence[NewJob]) -> int:
        """Run again what failed for good, with all its attempts; returns how many."""
        keys = [job.key for job in jobs]
        await connection.execute(SQL["forget_held"], keys)
        reopened = {row["key"] for row in await connection.fetch(SQL["reopen"], keys)}
        return await self.put(connection, [job for job in jobs if job.key in reopened])


_LISTENER_TRIES = 4


class Consumer:
    """Claims jobs of some queues until `stop` and awaits `callback` for each, many at once. One loop, used once."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        callback: Callback,
        *,
        slots: Mapping[Queue, int],
        lease_s: float,
        routes: Mapping[Queue, Sequence[Sequence[Route]]] | None = None,
    ) -> None:
        """Make it ready.

        Args:
            slots: how many jobs of each queue may be held at once.
            routes: what is taken of each queue, the first group before the second; else what has no version and no
                place of its own.
        """
        self._num_largest = max(slots.values())
        self._lease_s = lease_s
        self._callback = callback
        taken = {queue: (routes or {}).get(queue) or [[Route(queue=queue)]] for queue in slots}
        self._queries = _OurQueries(_TellingDriver(pool, self._on_news), slots, taken, lease_s)
        self._manager = _PatientManager(self._queries)
        for entrypoint in self._queries.entrypoints:
            self._manager.entrypoint(entrypoint, on_failure="hold")(self._run_one)
        quieten_engine_log()

    async def run(self) -> None:
        """Claim and run until `stop`, then wait for what runs.

        Raises:
            DatabaseUnavailable: PostgreSQL went away, or never had our tables.
        """
        try:
            with translated("claiming jobs"):
                await self._manager.run(
                    batch_size=self._num_largest,
                    # The engine wants room for two batches; `Slots` holds the true bound.
                    max_concurrent_tasks=2 * self._num_largest,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=timedelta(seconds=self._lease_s),
                    # Nothing reads its statistics, and its log holds failures only.
                    log_aggregation_interval=timedelta(0),
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
        self._queries.slots.stop()

    def pause(self, queue: Queue, seconds: float) -> None:
        """Claim nothing from `queue` for so long."""
        self._queries.slots.pause(queue, seconds)

    def rest(self, queues: Collection[Queue]) -> None:
        """Claim nothing from these until the next call, whatever the version or place of a job."""
        self._queries.slots.rest(queues)

    @property
    def holder(self) -> uuid.UUID:
        """What its claims are signed with, in the engine's table."""
        return self._manager.queue_manager_id

    def _on_news(self) -> None:
        self._queries.slots.look_again()

    async def _run_one(self, job: pgq_models.Job) -> None:
        verdict = await self._callback(_decode(job))
        if verdict.is_acknowledged:
            self._queries.let_go_of(job.id)
        if verdict.fate is Fate.AGAIN:
            raise pgq_errors.RetryRequested(delay=timedelta(seconds=verdict.delay_s), reason=verdict.reason)
        if verdict.fate is Fate.HELD:
            raise Held(verdict.reason)


class _PatientManager(QueueManager):
    """The engine's loop, which waits as our slots say, and asks more than once whether notifications arrive.

    Its first question races its own LISTEN, and on a busy machine loses: one lost answer is no lost connection.
    """

    queries: _OurQueries

    async def _effective_dequeue_timeout(self, dequeue_timeout: timedelta) -> timedelta:
        # Waited already; the engine's own wait would ask three times, and be woken by each job's end.
        await self.queries.slots.wait()
        return timedelta(0)

    async def listener_healthy(
        self, timeout: timedelta = timedelta(seconds=10)
    ) -> pgq_models.HealthCheckEvent:
        for _ in range(_LISTENER_TRIES - 1):
            try:
                return await super().listener_healthy(timeout / _LISTENER_TRIES)
            except pgq_errors.FailingListenerError:
                continue
        return await super().listener_healthy(timeout / _LISTENER_TRIES)


class _TellingDriver(AsyncpgPoolDriver):
    """The engine's driver, which tells us of what is new; the engine itself hears of the rest."""

    def __init__(self, pool: asyncpg.Pool, on_news: Callable[[], None]) -> None:
        super().__init__(pool)
        self._on_news = on_news

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        def hear(payload: str | bytes | bytearray) -> None:
            text = payload if isinstance(payload, str) else payload.decode()
            if "table_changed_event" not in text:
                callback(payload)
            elif '"delete"' not in text:  # a job's end makes no work
                self._on_news()

        await super().add_listener(channel, hear)


class _OurQueries(Queries):
    """The engine's statements; those that every job costs are ours (see the module)."""

    def __init__(
        self,
        driver: AsyncpgPoolDriver,
        slots: Mapping[Queue, int],
        routes: Mapping[Queue, Sequence[Sequence[Route]]],
        lease_s: float,
    ) -> None:
        super().__init__(driver)
        self.slots = Slots(slots, self._next_due_s, lease_s=lease_s)
        self._num_slots = dict(slots)
        self._acknowledged: set[int] = set()
        self._ranked = {
            queue: [(entrypoint_of(route), rank) for rank, group in enumerate(groups) for route in group]
            for queue, groups in routes.items()
        }
        self.entrypoints = [name for ranked in self._ranked.values() for name, _ in ranked]

    def let_go_of(self, job_id: int) -> None:
        """This job's row is gone already."""
        self._acknowledged.add(job_id)
        self.slots.free(job_id)

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[pgq_types.QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: pgq_types.QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[pgq_models.Job]:
        claimed: list[pgq_models.Job] = []
        for queue, ranked in self._ranked.items():
            if (room := self.slots.room(queue)) == 0:
                continue
            rows = await self.driver.fetch(
                SQL["claim"],
                [name for name, _ in ranked],
                [rank for _, rank in ranked],
                room,
                queue_manager_id,
                heartbeat_timeout.total_seconds(),
                self.slots.num_kept(queue),
                HALF,
                EPOCH_S,
            )
            jobs = [_claimed(row, queue_manager_id) for row in rows]
            self.slots.take(
                queue, {job.id: bool(row["is_behind"]) for job, row in zip(jobs, rows, strict=True)}, room
            )
            claimed += jobs
        return claimed

    async def log_jobs(
        self,
        job_status: list[tuple[pgq_models.Job, pgq_types.JOB_STATUS, pgq_models.TracebackRecord | None]],
    ) -> None:
        # A job that is cancelled with its process was not worked: its lease runs out and another takes it.
        ended = [
            entry for entry in job_status if entry[1] != "canceled" and entry[0].id not in self._acknowledged
        ]
        if done := [job for job, status, _ in ended if status == "successful"]:
            await self.driver.execute(SQL["acknowledge"], [job.id for job in done], done[0].queue_manager_id)
        failed = [entry for entry in ended if entry[1] != "successful"]
        mine = await self._still_ours([job for job, _, _ in failed])
        if ours := [entry for entry in failed if entry[0].id in mine]:
            await super().log_jobs(ours)
        for job, _, _ in job_status:
            self._acknowledged.discard(job.id)
            self.slots.free(job.id)

    async def retry_job(
        self, job: pgq_models.Job, delay: timedelta, traceback_record: pgq_models.TracebackRecord | None
    ) -> None:
        try:
            with translated("putting a job back"):
                await self.driver.execute(
                    SQL["put_back"], job.id, job.queue_manager_id, delay.total_seconds(), CHANNEL
                )
        except DatabaseUnavailable as exc:
            # Raised, the engine would take it for the job's failure, and park the job once the server is back. It is
            # no longer kept alive: its lease runs out.
            log.info("job_left_to_its_lease", job_id=job.id, reason=str(exc))
        finally:
            self.slots.free(job.id)

    async def _still_ours(self, jobs: Sequence[pgq_models.Job]) -> set[int]:
        if not jobs:
            return set()
        rows = await self.driver.fetch(SQL["owned"], [job.id for job in jobs], jobs[0].queue_manager_id)
        return {int(str(row["id"])) for row in rows}

    async def _next_due_s(self) -> float | None:
        (row,) = await self.driver.fetch(SQL["next_due"], self.entrypoints)
        return None if (due_s := row["due_s"]) is None else float(str(due_s))


def _claimed(row: Mapping[str, object], holder: pgq_types.QueueManagerId) -> pgq_models.Job:
    # The engine looks at no other field, and its model takes as long to make as the rest of a claim.
    return cast("pgq_models.Job", types.SimpleNamespace(queue_manager_id=holder, **row))


def _decode(job: pgq_models.Job) -> Claim:
    envelope = decode(job.payload)
    route = route_of(job.entrypoint)
    return Claim(
        job_id=job.id,
        queue=route.queue,
        key=envelope.key,
        payload=envelope.data,
        tier=envelope.tier,
        account=envelope.account,
        version=route.version,
        holder=job.queue_manager_id,
        is_press=is_press(job.priority),
    )
