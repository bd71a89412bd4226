"""Where an account's chunks wait before the writer while the account is over its rate, or has too much work waiting.

A chunk that waits here is not acknowledged, so its stream soon has no more under way, and nothing more of it is read
than small messages: a backlog is slowed, a press that comes meanwhile is not. Nothing is lost: what stood still for
`MAX_STILL_S` is put off with RetryLater. Owned by the loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from coordinator.ingest.buckets import TokenBucket
from coordinator.ingest.chunk_rows import Outcome
from coordinator.policy.admission import burst_bytes, chunk_cost_bytes

MAX_STILL_S = 30.0
MAX_PARKED_BYTES = 8 * 1024 * 1024
MAX_ALL_PARKED_BYTES = 64 * 1024 * 1024
_BEHIND = "more chunks of this account wait to be heard than may"
_PACE_BURST_S = 0.25

OnPutOff: TypeAlias = Callable[[Outcome], None]


@dataclasses.dataclass(slots=True)
class ParkedBytes:
    """What all gates of a process hold."""

    num_bytes: int = 0


@dataclasses.dataclass(slots=True, kw_only=True)
class _Parked:
    owner: object
    num_bytes: int
    since_s: float
    on_open: Callable[[], None]
    on_put_off: OnPutOff


class ChunkGate:
    """One account's. Every callback of `offer` is called exactly once, one of the two."""

    def __init__(
        self,
        *,
        rate_bytes_per_s: int,
        chunks_per_s: int,
        all_parked: ParkedBytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing waits yet. A rate of 0 is no limit."""
        now_s = clock()
        self._clock = clock
        self._bytes = TokenBucket(
            rate_per_s=rate_bytes_per_s, burst=burst_bytes(rate_bytes_per_s), now_s=now_s
        )
        self._pace = TokenBucket(rate_per_s=chunks_per_s, burst=chunks_per_s * _PACE_BURST_S, now_s=now_s)
        self._all_parked = all_parked
        self._parked: deque[_Parked] = deque()
        self._parked_bytes = 0
        self._moved_s = now_s
        self._timer: asyncio.TimerHandle | None = None
        self._is_behind = False

    def has_room(self, num_bytes: int) -> bool:
        """May a chunk wait here? False only while others do: whoever hears it stops reading for a while."""
        if not self._parked:
            return self._wait_s(self._clock()) <= 0 or self._is_room_for_all(num_bytes)
        return self._parked_bytes + num_bytes <= MAX_PARKED_BYTES and self._is_room_for_all(num_bytes)

    def offer(
        self,
        owner: object,
        num_bytes: int,
        on_open: Callable[[], None],
        on_put_off: OnPutOff,
    ) -> None:
        """Call `on_open` as soon as the chunk may go to the writer, in order; or `on_put_off` with `later`."""
        now_s = self._clock()
        if not self._parked and self._wait_s(now_s) <= 0:
            self._spend(num_bytes, now_s)
            on_open()
            return
        debt_s = self._bytes.debt_s(now_s)
        if debt_s > MAX_STILL_S:
            on_put_off(_later("this account has sent more bytes than it may", debt_s))
            return
        self._park(
            _Parked(owner=owner, num_bytes=num_bytes, since_s=now_s, on_open=on_open, on_put_off=on_put_off)
        )
        self._set_timer(now_s)

    def withdraw(self, owner: object, reason: str) -> None:
        """What waits of this stream is put off: it is leaving."""
        mine = [item for item in self._parked if item.owner is owner]
        if not mine:
            return
        self._parked = deque(item for item in self._parked if item.owner is not owner)
        for item in mine:
            self._count_out(item)
            item.on_put_off(_later(reason))

    def set_behind(self, is_behind: bool) -> None:
        """Whether more of the account's work waits than may; until it does not, nothing passes."""
        self._is_behind = is_behind
        if self._parked:
            self._pump()

    def is_idle(self) -> bool:
        """Would a new gate be no different?"""
        now_s = self._clock()
        return not self._parked and self._bytes.is_full(now_s) and self._pace.is_full(now_s)

    def _pump(self) -> None:
        now_s = self._clock()
        while self._parked and self._wait_s(now_s) <= 0:
            item = self._parked.popleft()
            self._count_out(item)
            self._moved_s = now_s
            self._spend(item.num_bytes, now_s)
            item.on_open()
        while self._parked and now_s >= self._still_until_s(self._parked[0]):
            item = self._parked.popleft()
            self._count_out(item)
            item.on_put_off(_later(_BEHIND, MAX_STILL_S))
        self._set_timer(now_s)

    def _set_timer(self, now_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._parked:
            wait_s = min(self._wait_s(now_s), self._still_until_s(self._parked[0]) - now_s)
            self._timer = asyncio.get_running_loop().call_later(max(0.001, wait_s), self._pump)

    def _wait_s(self, now_s: float) -> float:
        if self._is_behind:
            return MAX_STILL_S
        return max(self._bytes.debt_s(now_s), self._pace.debt_s(now_s))

    def _still_until_s(self, item: _Parked) -> float:
        return max(item.since_s, self._moved_s) + MAX_STILL_S

    def _spend(self, num_bytes: int, now_s: float) -> None:
        self._bytes.spend(chunk_cost_bytes(num_bytes), now_s)
        self._pace.spend(1, now_s)

    def _is_room_for_all(self, num_bytes: int) -> bool:
        return self._all_parked.num_bytes + num_bytes <= MAX_ALL_PARKED_BYTES

    def _park(self, item: _Parked) -> None:
        self._parked.append(item)
        self._parked_bytes += item.num_bytes
        self._all_parked.num_bytes += item.num_bytes

    def _count_out(self, item: _Parked) -> None:
        self._parked_bytes -= item.num_bytes
        self._all_parked.num_bytes -= item.num_bytes


def _later(reason: str, delay_s: float | None = None) -> Outcome:
    return Outcome(kind="later", reason=reason, delay_ms=None if delay_s is None else int(delay_s * 1000))
