"""Long rows of things, a few at a time: ten thousand streams looked at in one go would hold all of them up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

_Item = TypeVar("_Item")
_AT_ONCE = 200


async def one_by_one(items: Iterable[_Item], *, at_once: int = _AT_ONCE) -> AsyncIterator[_Item]:
    """Each of `items` as they are now; the loop has a turn after every `at_once` of them."""
    for number, item in enumerate(list(items), start=1):
        yield item
        if number % at_once == 0:
            await asyncio.sleep(0)
