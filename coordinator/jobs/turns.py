"""Calls of one queue side by side, or one of them alone. Owned by the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """Lets many work beside one another, or one while nobody else does; who wants to be alone is waited for."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._num_beside = 0
        self._num_alone = 0
        self._is_alone = False

    @contextlib.asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        """Work while others do."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._num_alone)
            self._num_beside += 1
        try:
            yield
        finally:
            # Without a wait: whoever is cancelled here must still be counted out.
            self._num_beside -= 1
            await self._tell()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Work while nobody else does."""
        self._num_alone += 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._num_beside and not self._is_alone)
                self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False
        finally:
            self._num_alone -= 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
