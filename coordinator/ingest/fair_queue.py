"""What waits for the writer: a queue for each account, drawn from in turn, so that a long one delays nobody else.

Owned by the loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

_T = TypeVar("_T")


class FairQueue(Generic[_T]):
    """`put`, then `take` in turns. Bounded by whoever puts: see `len` and `pop_longest`."""

    def __init__(self) -> None:
        self._by_owner: OrderedDict[str, deque[_T]] = OrderedDict()
        self._num = 0
        self._has_some = asyncio.Event()

    def __len__(self) -> int:
        return self._num

    @property
    def num_owners(self) -> int:
        """How many accounts have something here."""
        return len(self._by_owner)

    def put(self, owner: str, item: _T) -> None:
        """Append to the owner's own queue."""
        self._by_owner.setdefault(owner, deque()).append(item)
        self._num += 1
        self._has_some.set()

    async def wait(self) -> None:
        """Return when there is something, or after `wake`."""
        await self._has_some.wait()

    def wake(self) -> None:
        """Let `wait` return although there is nothing."""
        self._has_some.set()

    def take(self, skipped: set[str]) -> tuple[str, _T] | None:
        """The next one in turn of an owner that is not `skipped`; None: there is none."""
        for owner in self._by_owner:
            if owner not in skipped:
                break
        else:
            return None
        waiting = self._by_owner[owner]
        item = waiting.popleft()
        self._num -= 1
        if waiting:
            self._by_owner.move_to_end(owner)
        else:
            del self._by_owner[owner]
        if not self._num:
            self._has_some.clear()
        return owner, item

    def pop_longest(self, newcomer: str) -> _T | None:
        """Make room for one of `newcomer`: the newest of the longest queue goes; None: that is its own."""
        owner = max(self._by_owner, key=lambda name: len(self._by_owner[name]), default=newcomer)
        waiting = self._by_owner.get(owner)
        mine = self._by_owner.get(newcomer, ())
        if waiting is None or len(waiting) <= len(mine) + 1:
            return None
        self._num -= 1
        return waiting.pop()
