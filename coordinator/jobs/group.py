"""Greedy groups: what waits is done together, one group at a time, and nothing waits for more.

A caller alone costs what it cost alone; callers that come while a group is under way share the next one.
Owned by the loop.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# For each item, in the same order, its result.
DoMany: TypeAlias = "Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]]"


class Group(Generic[ItemT, ResultT]):
    """Does items of many callers together. What the work raises is raised to each caller of that group."""

    def __init__(self, do_many: DoMany[ItemT, ResultT], *, max_items: int) -> None:
        """Args: max_items: of one group; one caller's items are never torn apart."""
        self._do_many = do_many
        self._max_items = max_items
        # Bounded by the callers, each of which waits for its own.
        self._waiting: collections.deque[tuple[Sequence[ItemT], asyncio.Future[Sequence[ResultT]]]]
        self._waiting = collections.deque()
        self._turns: asyncio.Task[None] | None = None

    async def do(self, items: Sequence[ItemT]) -> Sequence[ResultT]:
        """Do these with whatever else waits; returns a result for each."""
        done: asyncio.Future[Sequence[ResultT]] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns(), name="group")
        return await done

    async def _take_turns(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft()]
            num_items = len(group[0][0])
            while self._waiting and num_items + len(self._waiting[0][0]) <= self._max_items:
                group.append(self._waiting.popleft())
                num_items += len(group[-1][0])
            await self._do(group)

    async def _do(self, group: Sequence[tuple[Sequence[ItemT], asyncio.Future[Sequence[ResultT]]]]) -> None:
        try:
            results = await self._do_many([item for items, _ in group for item in items])
        except BaseException as exc:
            is_cancelled = isinstance(exc, asyncio.CancelledError)
            for _, done in group:
                if done.done():
                    continue
                if is_cancelled:
                    done.cancel()
                else:
                    done.set_exception(exc)
            if not isinstance(exc, Exception):
                raise
            return
        start = 0
        for items, done in group:
            if not done.done():  # its caller may have been cancelled meanwhile
                done.set_result(results[start : start + len(items)])
            start += len(items)
