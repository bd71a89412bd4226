"""Routes that nobody works: jobs are ready, and no worker that lives takes their queue, version and place.

What rows want and no job does needs no look of its own: the reconciler makes it a job that is ready within 30 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.connections import transaction
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

SQL = load_statements("coordinator.jobs", "desk.sql")
# A worker that starts, or restarts, needs some seconds: that is no alarm.
ALARM_AFTER_S = 30.0
_LOOK_EVERY_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """Jobs that are ready, and nobody who takes them. `route`: the queue's name, with its version and place if any."""

    queue: str
    route: str
    num_ready: int
    oldest_age_s: float


async def unserved_queues(connection: asyncpg.Connection) -> list[Unserved]:
    """Routes with jobs that are ready and without a worker that was heard of within 15 s."""
    return [Unserved(**dict(row)) for row in await connection.fetch(SQL["unserved"])]


class ConsumerAlarm:
    """Says once that a queue has had no worker for a while, and once that it has one again."""

    def __init__(self, *, after_s: float = ALARM_AFTER_S) -> None:
        self._after_s = after_s
        self._since_s: dict[str, float] = {}
        self._told: set[str] = set()

    def note(self, unserved: Sequence[Unserved], now_s: float) -> None:
        """Args: now_s: monotonic."""
        present = {entry.route: entry for entry in unserved}
        for route in self._told - set(present):
            log.info("queue_has_consumer_again", queue=route)
        self._told &= set(present)
        self._since_s = {route: self._since_s.get(route, now_s) for route in present}
        for route, since_s in self._since_s.items():
            if now_s - since_s >= self._after_s and route not in self._told:
                self._told.add(route)
                log.warning(
                    "queue_has_no_consumer",
                    queue=route,
                    num_ready=present[route].num_ready,
                    oldest_age_s=round(present[route].oldest_age_s),
                )


async def watch_consumers(
    pool: asyncpg.Pool, *, stop: asyncio.Event, after_s: float = ALARM_AFTER_S, every_s: float = _LOOK_EVERY_S
) -> None:
    """Look every `every_s` until `stop`; a database that is down is logged, and looked at again."""
    alarm = ConsumerAlarm(after_s=after_s)
    while not stop.is_set():
        try:
            async with transaction(pool, "looking for workers") as connection:
                unserved = await unserved_queues(connection)
            alarm.note(unserved, time.monotonic())
        except DatabaseUnavailable as exc:
            log.info("consumers_not_seen", reason=str(exc))
        except Exception:  # the loop's outermost frame
            log.exception("watching_consumers_crashed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
