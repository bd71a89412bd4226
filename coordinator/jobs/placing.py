"""The one place that decides how a job is put: its priority, place and delay, and how far behind others it counts.

What it needs to know (placements that an operator set, workers that live and how busy they are) it reads every few
seconds, for all jobs; putting a job asks nothing. While that cannot be read nothing is put off, and everything goes to
any worker. One for each process that enqueues; owned by its loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.connections import ACQUIRE_TIMEOUT_S, translated
from coordinator.jobs.shares import Shares
from coordinator.model.accounts import TIERS, Tier
from coordinator.model.jobs import NewJob, Queue
from coordinator.policy.admission import LOAD_WINDOW_S, load_of
from coordinator.policy.placement import Placed, Placement, place_job
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

SQL = load_statements("coordinator.jobs", "placing.sql")
_LOOK_EVERY_S = 5.0
# Fewer looks than that are no mean.
_LEAST_LOOKS = 3
# What was heard so long ago says nothing of who lives.
_STALE_S = 30.0
_NOTHING: Mapping[str, float | None] = {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SetPlacement:
    """A row of `placements`."""

    tier: Tier
    queue: Queue
    placement: Placement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Live workers of one place of a queue."""

    queue: Queue
    place: str
    num_workers: int
    num_slots: int
    num_busy: int


async def placements(connection: asyncpg.Connection) -> list[SetPlacement]:
    """All that were set; of tiers and queues that this version knows."""
    known = set(Queue)
    return [
        SetPlacement(
            tier=row["tier"],
            queue=Queue(row["queue"]),
            placement=Placement(place=row["place"], under_load=row["under_load"], press=row["press"]),
        )
        for row in await connection.fetch(SQL["placements"])
        if row["queue"] in known and row["tier"] in TIERS
    ]


async def served_places(connection: asyncpg.Connection) -> list[Served]:
    """Which places live workers serve."""
    known = set(Queue)
    return [
        Served(**{**dict(row), "queue": Queue(row["queue"])})
        for row in await connection.fetch(SQL["served"])
        if row["queue"] in known
    ]


async def set_placement(connection: asyncpg.Connection, wanted: SetPlacement) -> None:
    """Let the jobs of a tier go elsewhere; every process does so within 10 s. Those that wait stay where they are."""
    one = wanted.placement
    await connection.execute(
        SQL["set"], wanted.tier, wanted.queue.value, one.place, one.under_load, one.press
    )


async def clear_placement(connection: asyncpg.Connection, tier: Tier, queue: Queue) -> bool:
    """Undo it; False: nobody had set one."""
    return await connection.fetchval(SQL["clear"], tier, queue.value) is not None


class Placing:
    """See the module. `place` from the loop; `run` beside it."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        every_s: float = _LOOK_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._every_s = every_s
        self._clock = clock
        self._num_looks = max(_LEAST_LOOKS, round(LOAD_WINDOW_S / every_s))
        self._heard_s = float("-inf")
        self._placements: dict[tuple[str, Queue], Placement] = {}
        self._looks: dict[tuple[Queue, str], deque[tuple[int, int]]] = {}
        self._loads: dict[Queue, dict[str, float | None]] = {}
        self._shares: dict[Queue, Shares] = {}

    def place(self, job: NewJob) -> tuple[Placed, float]:
        """How a job is put, and how many seconds behind others of its priority it counts as come."""
        now_s = self._clock()
        loads = self._loads.get(job.queue, _NOTHING) if now_s - self._heard_s < _STALE_S else _NOTHING
        placed = place_job(job.tier, job.priority, self._placements.get((job.tier, job.queue)), loads)
        if not job.account:
            return placed, 0.0
        shares = self._shares.get(job.queue)
        if shares is None:
            shares = self._shares[job.queue] = Shares()
        return placed, shares.behind_s(job.account, job.tier, now_s)

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                await self.look()
            except DatabaseUnavailable as exc:
                log.info("placements_not_read", reason=str(exc))
            except Exception:  # the loop's outermost frame
                log.exception("placing_crashed")
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Read once what was set, and who lives.

        Raises:
            DatabaseUnavailable: It does not answer.
        """
        with translated("reading placements"):
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                rows = await placements(connection)
                served = await served_places(connection)
        self._placements = {(row.tier, row.queue): row.placement for row in rows}
        self._note(served)
        self._heard_s = self._clock()

    def _note(self, served: list[Served]) -> None:
        """Whoever is not there any more is forgotten, with how busy it was."""
        before, self._looks = self._looks, {}
        self._loads = {}
        for entry in served:
            key = (entry.queue, entry.place)
            looks = self._looks[key] = before.get(key) or deque(maxlen=self._num_looks)
            looks.append((entry.num_busy, entry.num_slots))
            num_slots = sum(slots for _, slots in looks)
            load = None
            if len(looks) >= _LEAST_LOOKS and num_slots:
                load = load_of(num_busy=sum(busy for busy, _ in looks), num_slots=num_slots)
            self._loads.setdefault(entry.queue, {})[entry.place] = load
