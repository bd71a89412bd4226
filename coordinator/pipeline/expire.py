"""Stage `cleanup`, what expires: rows of what nobody kept go by age, then the objects that they named.

Every step is one commit or can be done twice, so a kill anywhere costs nothing: the next round goes on. A round is
bounded in time, because orders to forget wait in the same queue; one that does not get to the end puts another behind.
Rows do not wait for a store that is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import structlog

from coordinator.errors import CoordinatorError, DatabaseUnavailable
from coordinator.model.forgetting import DoomedObject
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.model.retention import Expired, ExpiredObject
from coordinator.pipeline.moving import move_others
from coordinator.ports import Effect, ObjectStore
from coordinator.row_ports import Expiry, Tombstones

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

TASK = "retention"
# Objects that waited, rows, objects that these named: five rounds in a row end before the next minute's begin.
OBJECTS_S, ROWS_S, MAX_ROUNDS = 2.5, 5.0, 5
_SESSIONS_AT_ONCE = 50
_OBJECTS_AT_ONCE, _AT_THE_SAME_TIME = 64, 8
# Less than the two minutes for which objects are ours.
_STORE_S = 30.0


class _Objects(NamedTuple):
    """How far objects are deleted. `is_more`: time was up; `is_away`: the store was, and nothing more is tried."""

    is_more: bool = False
    is_away: bool = False


class Expiring:
    """Works off what is due. One instance a worker."""

    def __init__(
        self,
        *,
        expiry: Expiry,
        tombstones: Tombstones,
        objects: ObjectStore,
        clock_s: Callable[[], float] = time.monotonic,
        store_s: float = _STORE_S,
    ) -> None:
        """Args: tombstones: where chunks are moved; store_s: how long the store may take for some objects."""
        self._expiry = expiry
        self._tombstones = tombstones
        self._objects = objects
        self._clock_s = clock_s
        self._store_s = store_s

    async def handle(self, job: Job) -> Effect:
        """One round.

        Raises:
            DatabaseUnavailable: Goes on later.
        """
        # First what earlier rounds left: a kill, or a store that was away.
        objects = await self._delete_objects()
        is_more = await self._expire_rows()
        if not objects.is_away:
            objects = await self._delete_objects()
        is_more = is_more or objects.is_more
        part = int(job.payload.get("part") or 0) + 1
        more = [] if not is_more or part >= MAX_ROUNDS else [next_round(job, part)]

        async def write(_connection: asyncpg.Connection) -> list[NewJob]:
            return more

        return write

    async def _expire_rows(self) -> bool:
        """Steps of sessions that are due; False: none is left."""
        until_s = self._clock_s() + ROWS_S
        while session_ids := await self._expiry.due_sessions(_SESSIONS_AT_ONCE):
            is_any = False
            for session_id in session_ids:
                if self._clock_s() >= until_s:
                    return True
                is_any = await self._expire(session_id, until_s) or is_any
            if not is_any:
                # All of them are other processes' just now.
                return False
        return False

    async def _expire(self, session_id: str, until_s: float) -> bool:
        """One session, as far as time allows; did anything of it go?"""
        counts: Counter[str] = Counter()
        step: Expired | None = None
        try:
            while (found := await self._expiry.expire(session_id)) is not None:
                step = found
                counts.update({name: getattr(step, name) for name in _COUNTED})
                if step.is_finished or self._clock_s() >= until_s:
                    break
        except DatabaseUnavailable:
            raise
        except Exception:  # one session that cannot go must not keep the others
            log.exception("session_not_expired", session_id=session_id)
            await self._expiry.put_off_session(session_id)
        if step is not None and any(counts.values()):
            log.info("session_expired", session_id=session_id, tier=step.tier, reason="not kept", **counts)
        return step is not None

    async def _delete_objects(self) -> _Objects:
        """Objects whose rows went, as far as time allows."""
        until_s = self._clock_s() + OBJECTS_S
        while claimed := await self._expiry.claim_objects(_OBJECTS_AT_ONCE):
            sizes, problems = await self._delete(claimed)
            if sizes:
                there = [size for size in sizes.values() if size is not None]
                await self._expiry.settle_objects(list(sizes), num_freed=len(there), freed_bytes=sum(there))
            if problems:
                problem = next(iter(problems.values()))
                await self._expiry.put_off_objects(list(problems), problem)
                log.warning("expired_objects_not_deleted", num_objects=len(problems), problem=problem)
                return _Objects(is_away=True)
            if self._clock_s() >= until_s:
                return _Objects(is_more=True)
        return _Objects()

    async def _delete(self, claimed: Sequence[ExpiredObject]) -> tuple[dict[str, int | None], dict[str, str]]:
        """Delete them; returns by key what each freed (None: it was not there), and why others are still there."""
        sizes: dict[str, int | None] = {}
        problems = {
            one.key: f"the object store did not answer within {self._store_s:.0f} s" for one in claimed
        }
        turns = asyncio.Semaphore(_AT_THE_SAME_TIME)

        async def delete(one: ExpiredObject) -> None:
            async with turns:
                try:
                    sizes[one.key] = await self._delete_one(one)
                    del problems[one.key]
                except DatabaseUnavailable:
                    raise
                except CoordinatorError as exc:
                    problems[one.key] = str(exc)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._store_s):
                ended = await asyncio.gather(*(delete(one) for one in claimed), return_exceptions=True)
                for exc in ended:
                    if isinstance(exc, BaseException):
                        raise exc
        return sizes, problems

    async def _delete_one(self, one: ExpiredObject) -> int | None:
        size_bytes = one.size_bytes
        if size_bytes is None or one.is_gone:
            size_bytes = await self._objects.size(one.key)
        if one.holds_others:
            doomed = DoomedObject(key=one.key, session_id=one.session_id, holds_others=True)
            await move_others(self._tombstones, self._objects, doomed, reason="expire")
        await self._objects.delete([one.key])
        return size_bytes


_COUNTED = ("num_chunks", "num_moments", "num_clips", "num_posts", "num_bytes")


def next_round(job: Job, part: int) -> NewJob:
    """The round after this one, of the same minute. Pure."""
    first = job.key.partition("+")[0]
    return NewJob(
        queue=Queue.CLEANUP,
        key=f"{first}+{part}",
        payload={"task": TASK, "part": part},
        priority=Priority.LOW,
    )
