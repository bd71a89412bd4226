"""A worker process of one stage: claims, works, says that it lives, and stops in order.

Stopping: nothing new is claimed, what runs may finish within the grace, the rest goes back and its start does not
count. When PostgreSQL goes away it ends with DatabaseUnavailable, and its supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.claims import Claim, Verdict
from coordinator.jobs.connections import ACQUIRE_TIMEOUT_S, translated
from coordinator.jobs.engine import Consumer, PgQueuerQueue, entrypoint_of
from coordinator.jobs.lane import Lane
from coordinator.jobs.ledger import SQL, Ledger
from coordinator.jobs.memory import stop_over
from coordinator.jobs.pauses import Orders
from coordinator.jobs.progress import ProgressBook
from coordinator.jobs.work import Work
from coordinator.model.jobs import Queue, Route

if TYPE_CHECKING:
    import asyncpg

    from coordinator.jobs.placing import Placing

log = structlog.get_logger(__name__)

_SAY_EVERY_S = 5.0
_LOST_AFTER_S = 15.0
_ABORT_WAIT_S = 10.0


class Presence:
    """What this process says of itself in `workers`, every 5 s and at each change. Owned by the loop."""

    def __init__(self, pool: asyncpg.Pool, *, worker_id: str, stage: str) -> None:
        self.worker_id = worker_id
        self.lost = asyncio.Event()
        self._pool = pool
        self._stage = stage
        self._detail: dict[str, Any] = {}
        self._paused: dict[str, tuple[str, float]] = {}
        self._queues: list[str] = []
        self._routes: list[str] = []
        self._num_slots = 0
        self._num_busy: Callable[[], int] = lambda: 0
        self._holder: uuid.UUID | None = None
        self._state = "starting"
        self._changed = asyncio.Event()

    def set_ready(self) -> None:
        """It claims jobs."""
        self._state = "ready"
        self._changed.set()

    def set_detail(self, **detail: Any) -> None:
        """Add to what is told beside the state, e.g. `engine="pocketsphinx"`; JSON values."""
        self._detail |= detail
        self._changed.set()

    def set_serving(
        self, routes: Sequence[Route], *, num_slots: int, num_busy: Callable[[], int], holder: uuid.UUID
    ) -> None:
        """What it claims, how many jobs it can work at once and does, and what it signs claims with."""
        self._queues = sorted({route.queue.value for route in routes})
        self._routes = sorted(entrypoint_of(route) for route in routes)
        self._num_slots, self._num_busy, self._holder = num_slots, num_busy, holder
        self._changed.set()

    def set_paused(self, queue: Queue, reason: str, seconds: float) -> None:
        """A queue rests for so long, because of this."""
        self._paused[queue.value] = (reason, time.monotonic() + seconds)
        self._changed.set()

    def set_resumed(self, queue: Queue) -> None:
        """It works again."""
        self._paused.pop(queue.value, None)
        self._changed.set()

    async def run(self) -> None:
        """Say it until cancelled; sets `lost` when PostgreSQL has not answered for 15 s."""
        last_said = time.monotonic()
        while True:
            self._changed.clear()
            try:
                await self._say()
                last_said = time.monotonic()
            except DatabaseUnavailable as exc:
                log.info("presence_not_said", reason=str(exc))
                if time.monotonic() - last_said > _LOST_AFTER_S:
                    self.lost.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _SAY_EVERY_S)

    async def leave(self) -> None:
        """Take the row away."""
        with contextlib.suppress(DatabaseUnavailable):
            await self._execute(SQL["leave"], self.worker_id)

    async def _say(self) -> None:
        state = "paused" if self._paused else self._state
        reason = "; ".join(f"{queue}: {reason}" for queue, (reason, _) in sorted(self._paused.items()))
        now = time.monotonic()
        pauses = {
            queue: {"reason": reason, "resumes_in_s": round(until - now, 1)}
            for queue, (reason, until) in self._paused.items()
        }
        values = (self.worker_id, self._stage, os.getpid(), state, reason, json.dumps(self._detail))
        serving = (self._queues, self._num_slots, self._num_busy(), self._holder, json.dumps(pauses))
        await self._execute(SQL["say"], *values, *serving, self._routes)

    async def _execute(self, statement: str, *values: object) -> None:
        with translated("saying that a worker lives"):
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                await connection.execute(statement, *values, timeout=ACQUIRE_TIMEOUT_S)


async def run_worker(
    pool: asyncpg.Pool,
    *,
    stage: str,
    work: Mapping[Queue, Work],
    stop: asyncio.Event,
    lease_s: float = 30.0,
    grace_s: float = 20.0,
    node: str = "local",
    presence: Presence | None = None,
    max_rss_mib: int = 0,
    placing: Placing | None = None,
) -> None:
    """Work the queues of `work` until `stop` is set.

    Args:
        pool: of at least 5 connections: one listens for as long as this runs, two are kept while jobs come.
        lease_s: a job of a worker that was not heard of for so long is taken by another; never block the loop for
            half of it.
        grace_s: how long what runs may finish after `stop`.
        presence: made by the caller to tell details; else made here.
        max_rss_mib: over so much resident memory of its own it sets `stop` by itself; 0: never.
        placing: decides how what follows its jobs is put, and runs with it; None: as it is.

    Raises:
        DatabaseUnavailable: PostgreSQL went away; end the process with its exit code.
    """
    presence = presence or Presence(pool, worker_id=f"{node}-{stage}-{os.getpid()}", stage=stage)
    ledger, progress = Ledger(pool, PgQueuerQueue(placing)), ProgressBook(pool)
    lanes: dict[Queue, Lane] = {}

    async def on_claim(claim: Claim) -> Verdict:
        return await lanes[claim.queue].submit(claim)

    consumer = Consumer(
        pool,
        on_claim,
        slots={queue: entry.slots for queue, entry in work.items()},
        routes={queue: entry.routes(queue) for queue, entry in work.items()},
        lease_s=lease_s,
    )
    on_pause = _pausing(consumer, presence)
    for queue, entry in work.items():
        lanes[queue] = Lane(
            queue, entry, ledger, on_pause=on_pause, on_resume=presence.set_resumed, progress=progress
        )
    orders = Orders(pool, consumer, list(lanes.values()))
    # Before the first claim: what rests is not claimed from, not even by a worker that starts just now.
    await orders.look()
    _say_what_is_served(presence, work, lanes, consumer)
    log.info("worker_started", stage=stage, queues=sorted(lanes), worker_id=presence.worker_id)
    tasks = {"presence": presence.run(), "orders": orders.run(), "progress": progress.run()}
    tasks |= {f"lane {queue}": lane.run() for queue, lane in lanes.items()}
    tasks |= {"memory": stop_over(max_rss_mib, stop)} | ({"placing": placing.run()} if placing else {})
    try:
        async with _running(tasks):
            await _consume(consumer, list(lanes.values()), stop, presence.lost, grace_s=grace_s)
    finally:
        await presence.leave()
    log.info("worker_stopped", stage=stage)


@contextlib.asynccontextmanager
async def _running(tasks: Mapping[str, Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these beside the block, by name, and cancel them when it is left."""
    started = [asyncio.create_task(task, name=name) for name, task in tasks.items()]
    try:
        yield
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)


def _say_what_is_served(
    presence: Presence, work: Mapping[Queue, Work], lanes: Mapping[Queue, Lane], consumer: Consumer
) -> None:
    presence.set_serving(
        [route for queue, entry in work.items() for group in entry.routes(queue) for route in group],
        num_slots=sum(entry.batch * entry.concurrency for entry in work.values()),
        num_busy=_busy_in(lanes),
        holder=consumer.holder,
    )
    presence.set_ready()


def _busy_in(lanes: Mapping[Queue, Lane]) -> Callable[[], int]:
    return lambda: sum(len(lane.running_keys) for lane in lanes.values())


def _pausing(consumer: Consumer, presence: Presence) -> Callable[[Queue, str, float], None]:
    def on_pause(queue: Queue, reason: str, seconds: float) -> None:
        consumer.pause(queue, seconds)
        presence.set_paused(queue, reason, seconds)

    return on_pause


async def _consume(
    consumer: Consumer, lanes: list[Lane], stop: asyncio.Event, lost: asyncio.Event, *, grace_s: float
) -> None:
    consuming = asyncio.create_task(consumer.run(), name="consumer")
    stopping = asyncio.create_task(stop.wait())
    losing = asyncio.create_task(lost.wait())
    try:
        await asyncio.wait({consuming, stopping, losing}, return_when=asyncio.FIRST_COMPLETED)
        consumer.stop()
        for lane in lanes:
            lane.drain()
        if not lost.is_set():
            await asyncio.wait({consuming, losing}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for lane in lanes:
            lane.abort()
        done, _ = await asyncio.wait({consuming}, timeout=_ABORT_WAIT_S)
        if not done:
            log.warning("worker_did_not_drain")
    finally:
        for task in (consuming, stopping, losing):
            task.cancel()
        outcomes = await asyncio.gather(consuming, stopping, losing, return_exceptions=True)
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]
    if lost.is_set():
        raise DatabaseUnavailable("PostgreSQL has not answered for 15 s")
    if not stop.is_set():
        raise DatabaseUnavailable("the job engine ended by itself")
