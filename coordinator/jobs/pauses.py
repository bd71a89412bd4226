"""Queues that rest for the whole fleet, and how every worker hears of that and of jobs that were called off.

A pause is a row with an owner; a queue rests while any row of it is in force. Workers ask once a second: nothing can be
missed as a notification can, a worker that starts later knows too, and one that cannot ask keeps to what it heard last.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable, InputUnusable, PausedByAnother
from coordinator.jobs.connections import ACQUIRE_TIMEOUT_S, translated
from coordinator.jobs.engine import Consumer
from coordinator.jobs.lane import Lane
from coordinator.jobs.upkeep import wake
from coordinator.model.jobs import Queue
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

SQL = load_statements("coordinator.jobs", "pauses.sql")
MAX_PAUSE_S = 365 * 86_400.0
_LOOK_EVERY_S = 1.0
_MAX_REASON_CHARACTERS = 200
_OWNER = re.compile(r"(operator|system):[\w.:@-]{1,64}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A queue rests. `until` None: until it is lifted by hand; `owner`: `operator:NAME` or `system:NAME`."""

    queue: Queue
    owner: str
    reason: str
    paused_at: datetime.datetime
    until: datetime.datetime | None


async def pause(
    connection: asyncpg.Connection, queue: Queue, *, owner: str, reason: str = "", for_s: float | None = None
) -> Pause:
    """Let every worker stop claiming from `queue` within 2 s; what runs goes on.

    Args:
        for_s: None: until it is lifted by hand.

    Raises:
        InputUnusable: The owner is none, or the time is out of range.
    """
    if not _OWNER.fullmatch(owner):
        raise InputUnusable(f"{owner[:80]!r} owns no pause; give operator:NAME or system:NAME")
    if for_s is not None and not 0 < for_s <= MAX_PAUSE_S:
        raise InputUnusable(f"a pause of {for_s:g} s is out of range; allowed: more than 0, at most a year")
    await connection.execute(SQL["forget_expired"])
    row = await connection.fetchrow(SQL["pause"], queue.value, owner, reason[:_MAX_REASON_CHARACTERS], for_s)
    return _pause_of(row)


async def resume(
    connection: asyncpg.Connection, queue: Queue, *, owner: str, is_forced: bool = False
) -> list[str]:
    """Lift the owner's pause of `queue`, or everybody's; returns whose were lifted.

    Raises:
        PausedByAnother: None was the owner's, and others' are in force.
    """
    lifted = [row["owner"] for row in await connection.fetch(SQL["lift"], queue.value, owner, is_forced)]
    others = [one for one in await pauses(connection) if one.queue is queue]
    if others and not lifted:
        names = ", ".join(f"{one.owner} ({one.reason})" if one.reason else one.owner for one in others)
        raise PausedByAnother(f"{queue} is paused by {names}, not by {owner}; --force lifts it all the same")
    if lifted and not others:
        await wake(connection)
    return lifted


async def pauses(connection: asyncpg.Connection) -> list[Pause]:
    """What rests now, by queue."""
    known = set(Queue)
    return [_pause_of(row) for row in await connection.fetch(SQL["in_force"]) if row["queue"] in known]


class Orders:
    """Asks what people, or limits, want of one worker: owned by its loop."""

    def __init__(self, pool: asyncpg.Pool, consumer: Consumer, lanes: Sequence[Lane]) -> None:
        self._pool = pool
        self._consumer = consumer
        self._lanes = lanes
        self._resting: frozenset[Queue] = frozenset()
        self._cancelled: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look every second until cancelled; while PostgreSQL is away, what was heard last holds."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.look()
            except DatabaseUnavailable as exc:
                log.info("orders_not_heard", reason=str(exc))
            except Exception:  # the loop's outermost frame
                log.exception("orders_crashed")

    async def look(self) -> None:
        """Ask once, and do it.

        Raises:
            DatabaseUnavailable: It does not answer.
        """
        held = frozenset().union(*(lane.running_keys for lane in self._lanes))
        with translated("hearing orders"):
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                rows = await connection.fetch(SQL["orders"], sorted(held), timeout=ACQUIRE_TIMEOUT_S)
                named = {row["name"] for row in rows if row["is_queue"]}
                has_resumed = self._rest(frozenset(queue for queue in Queue if queue.value in named))
                if has_resumed:
                    await wake(connection)
        self._cancel(frozenset(row["name"] for row in rows if not row["is_queue"]))

    def _rest(self, resting: frozenset[Queue]) -> bool:
        """Claim from these no more; returns whether one that rested works again."""
        before, self._resting = self._resting, resting
        if resting == before:
            return False
        self._consumer.rest(resting)
        ours = {lane.queue for lane in self._lanes}
        for queue in sorted((resting ^ before) & ours):
            log.info("queue_rests" if queue in resting else "queue_works_again", queue=queue.value)
        return bool((before - resting) & ours)

    def _cancel(self, cancelled: frozenset[str]) -> None:
        # Each once: a second cancellation would cut short what a call does to end in order.
        fresh, self._cancelled = cancelled - self._cancelled, cancelled
        if fresh:
            for lane in self._lanes:
                lane.cancel(fresh)


def _pause_of(row: asyncpg.Record) -> Pause:
    return Pause(
        queue=Queue(row["queue"]),
        owner=row["owner"],
        reason=row["reason"],
        paused_at=row["paused_at"],
        until=row["until"],
    )
