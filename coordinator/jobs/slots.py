"""Which queues a worker has room to claim from, and whether it is worth asking.

A queue whose last claim brought less than there was room for is dry: nobody asks again before a notification says that
something is new, a delay runs out, or the poll's time has come. Owned by the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from coordinator.model.jobs import Queue
from coordinator.policy.placement import num_kept

# How soon an idle worker looks by itself, should a notification be lost; and how often one that may have missed some.
_IDLE_POLL_S = 5.0
_BUSY_POLL_S = 0.25
# Notifications name no queue: a worker that was woken for others' jobs rests as long before it asks again.
_REST_S = 0.02
# While a flood fills all other slots it is what wakes a worker; whoever comes beside it should not wait for that rest.
_HELD_BACK_REST_S = 0.005


@dataclasses.dataclass(slots=True)
class _Room:
    num_slots: int
    # By their ids, whether each was put behind others when it was claimed.
    held: dict[int, bool] = dataclasses.field(default_factory=dict)
    is_dry: bool = False
    resumes_at: float = 0.0
    is_resting: bool = False
    is_held_back: bool = False

    @property
    def is_open(self) -> bool:
        """Could it take more?"""
        return len(self.held) < self.num_slots and not self.is_resting

    @property
    def num_kept(self) -> int:
        return num_kept(self.num_slots, num_timely=sum(not is_behind for is_behind in self.held.values()))


class Slots:
    """The slots of each queue, and the jobs in them."""

    def __init__(
        self, slots: Mapping[Queue, int], next_due_s: Callable[[], Awaitable[float | None]], *, lease_s: float
    ) -> None:
        """Make them, all free.

        Args:
            next_due_s: asks how long until a queued job may start; negative: one may now; None: there is none.
            lease_s: an idle worker finds jobs of one that was killed within half as long again.
        """
        self._poll_s = min(_IDLE_POLL_S, lease_s / 2)
        self._rooms = {queue: _Room(num_slots) for queue, num_slots in slots.items()}
        self._next_due_s = next_due_s
        self._wake = asyncio.Event()
        self._has_stopped = False
        self._rests_until = 0.0
        self._asks_at = 0.0
        self._due_at = math.inf
        self._is_due_known = False

    def room(self, queue: Queue) -> int:
        """How many jobs of `queue` to ask for now. Whoever asks hands what came to `take`."""
        room = self._rooms[queue]
        if room.is_dry or room.is_resting or time.monotonic() < room.resumes_at:
            return 0
        num_free = room.num_slots - len(room.held)
        # Before the question: what comes while it is answered makes the queue worth asking again.
        room.is_dry = num_free > 0
        return max(0, num_free)

    def num_kept(self, queue: Queue) -> int:
        """How many of the slots that are free now are no place for jobs that were put behind."""
        return self._rooms[queue].num_kept

    def take(self, queue: Queue, claimed: Mapping[int, bool], num_asked: int) -> None:
        """These are held now. Args: claimed: ids, and whether each was put behind others."""
        room = self._rooms[queue]
        room.held.update(claimed)
        # Nothing may have come because what is left is kept for others: then any slot that is free makes a difference.
        room.is_held_back = len(room.held) >= room.num_slots - room.num_kept
        if len(claimed) >= num_asked:
            room.is_dry = False
        if not claimed:
            self._rests_until = time.monotonic() + (_HELD_BACK_REST_S if room.is_held_back else _REST_S)

    def free(self, job_id: int) -> None:
        """This one is held no longer. Twice is once."""
        for room in self._rooms.values():
            if job_id in room.held:
                del room.held[job_id]
                if room.is_held_back:
                    room.is_dry = False
                self._wake.set()

    def pause(self, queue: Queue, seconds: float) -> None:
        """Ask for nothing of `queue` for so long."""
        room = self._rooms[queue]
        room.resumes_at, room.is_dry = time.monotonic() + seconds, False

    def rest(self, queues: Collection[Queue]) -> None:
        """Ask for nothing of these until the next call."""
        for queue, room in self._rooms.items():
            room.is_resting = queue in queues
        self.look_again()

    def look_again(self) -> None:
        """Something may be new."""
        for room in self._rooms.values():
            room.is_dry = False
        self._due_at, self._is_due_known = math.inf, False
        self._wake.set()

    def stop(self) -> None:
        """Let `wait` return from now on."""
        self._has_stopped = True
        self._wake.set()

    async def wait(self) -> None:
        """Wait until a claim is worth while, or the poll's time has come."""
        ends_at = time.monotonic() + self._poll_s
        while not self._has_stopped:
            self._wake.clear()
            now = time.monotonic()
            open_rooms = [room for room in self._rooms.values() if room.is_open]
            awake = [room for room in open_rooms if now >= room.resumes_at]
            if any(not room.is_dry for room in awake):
                if now >= self._rests_until:
                    return
                until = self._rests_until
            elif awake and not self._is_due_known and now >= self._asks_at:
                await self._ask_due()
                continue
            elif now >= ends_at or (awake and now >= self._due_at):
                self.look_again()
                return
            else:
                until = min([ends_at, *(room.resumes_at for room in open_rooms if room not in awake)])
                if awake:
                    until = min(until, self._due_at if self._is_due_known else self._asks_at)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.001, until - now))

    async def _ask_due(self) -> None:
        # Known before it is asked: what comes while it is answered makes it unknown again.
        self._is_due_known = True
        due_s = await self._next_due_s()
        now = time.monotonic()
        self._asks_at = now + _BUSY_POLL_S
        if due_s is not None and self._is_due_known:
            # What may start now and was not claimed is locked by another worker, or one has just taken it.
            self._due_at = now + (due_s if due_s > 0 else _BUSY_POLL_S)
