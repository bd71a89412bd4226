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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.connections import ACQUIRE_TIMEOUT_S, translated
from coordinator.jobs.engine import Claim, Consumer, PgQueuerQueue, Verdict
from coordinator.jobs.lane import Lane
from coordinator.jobs.ledger import SQL, Ledger
from coordinator.jobs.memory import stop_over
from coordinator.jobs.progress import ProgressBook
from coordinator.jobs.work import Work
from coordinator.model.jobs import Queue

if TYPE_CHECKING:
    import asyncpg

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
        self._paused: dict[str, str] = {}
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

    def set_paused(self, queue: Queue, reason: str) -> None:
        """A queue rests, because of this."""
        self._paused[queue.value] = reason
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
        reason = "; ".join(f"{queue}: {reason}" for queue, reason in sorted(self._paused.items()))
        values = (self.worker_id, self._stage, os.getpid(), state, reason, json.dumps(self._detail))
        await self._execute(SQL["say"], *values)

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
) -> None:
    """Work the queues of `work` until `stop` is set.

    Args:
        pool: of at least 5 connections, one of which listens for as long as this runs; two more are kept while jobs
            come.
        lease_s: a job of a worker that was not heard of for so long is taken by another; never block the loop for
            half of it.
        grace_s: how long what runs may finish after `stop`.
        presence: made by the caller to tell details; else made here.
        max_rss_mib: over so much resident memory of its own it sets `stop` by itself; 0: never.

    Raises:
        DatabaseUnavailable: PostgreSQL went away; end the process with its exit code.
    """
    presence = presence or Presence(pool, worker_id=f"{node}-{stage}-{os.getpid()}", stage=stage)
    ledger = Ledger(pool, PgQueuerQueue())
    progress = ProgressBook(pool)
    lanes: dict[Queue, Lane] = {}

    async def on_claim(claim: Claim) -> Verdict:
        return await lanes[claim.queue].submit(claim)

    slots = {queue: entry.slots for queue, entry in work.items()}
    routes = {queue: entry.routes(queue) for queue, entry in work.items()}
    consumer = Consumer(pool, on_claim, slots=slots, lease_s=lease_s, routes=routes)
    on_pause = _pausing(consumer, presence)
    for queue, entry in work.items():
        lanes[queue] = Lane(
            queue, entry, ledger, on_pause=on_pause, on_resume=presence.set_resumed, progress=progress
        )
    presence.set_ready()
    helpers = [
        asyncio.create_task(presence.run(), name="presence"),
        asyncio.create_task(progress.run(), name="progress"),
        asyncio.create_task(stop_over(max_rss_mib, stop), name="memory"),
    ]
    helpers += [asyncio.create_task(lane.run(), name=f"lane {queue}") for queue, lane in lanes.items()]
    try:
        queues = sorted(queue.value for queue in lanes)
        log.info("worker_started", stage=stage, queues=queues, worker_id=presence.worker_id)
        await _consume(consumer, list(lanes.values()), stop, presence.lost, grace_s=grace_s)
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await presence.leave()
    log.info("worker_stopped", stage=stage)


def _pausing(consumer: Consumer, presence: Presence) -> Callable[[Queue, str, float], None]:
    def on_pause(queue: Queue, reason: str, seconds: float) -> None:
        consumer.pause(queue, seconds)
        presence.set_paused(queue, reason)

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
