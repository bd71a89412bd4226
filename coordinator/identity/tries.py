"""How often something may be tried: by one (an address, a device), and by all together. In memory, bounded.

Owned by the loop.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable

from coordinator.errors import TooManyTries

MAX_ADDRESSES = 4096


class Tries:
    """A bucket for each address and one for all: each holds so many tries, and fills up again within `window_s`."""

    def __init__(
        self,
        *,
        per_address: int = 10,
        in_all: int | None = 1000,
        window_s: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`in_all` None: no bound for all together. `clock`: seconds, for tests."""
        self._per_address = per_address
        self._in_all = in_all or sys.maxsize
        self._window_s = window_s
        self._clock = clock
        # Address: tries left, and when that was so. The one that tried longest ago comes first.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._all_left: tuple[float, float] = (float(self._in_all), clock())

    def take(self, address: str) -> None:
        """Count one try.

        Raises:
            TooManyTries: There were too many from there, or from everywhere.
        """
        now_s = self._clock()
        own = self._refilled(self._left.get(address), self._per_address, now_s)
        everyone = self._refilled(self._all_left, self._in_all, now_s)
        if own < 1:
            raise TooManyTries(f"too many tries; try again in {self._wait_s(own):.0f} s")
        if everyone < 1:
            raise TooManyTries("too many tries from everywhere; try again in some minutes")
        self._left[address] = (own - 1, now_s)
        self._left.move_to_end(address)
        self._all_left = (everyone - 1, now_s)
        if len(self._left) > MAX_ADDRESSES:
            # Who is forgotten may try again; the bucket of all holds whoever has thousands of addresses.
            self._left.popitem(last=False)

    def give_back(self, address: str) -> None:
        """The try was a good one: it does not count."""
        now_s = self._clock()
        if address in self._left:
            own = self._refilled(self._left[address], self._per_address, now_s)
            self._left[address] = (min(own + 1, float(self._per_address)), now_s)
        everyone = self._refilled(self._all_left, self._in_all, now_s)
        self._all_left = (min(everyone + 1, float(self._in_all)), now_s)

    def _refilled(self, left: tuple[float, float] | None, bound: int, now_s: float) -> float:
        if left is None:
            return float(bound)
        return min(float(bound), left[0] + (now_s - left[1]) * bound / self._window_s)

    def _wait_s(self, left: float) -> float:
        return max(1.0, (1 - left) * self._window_s / self._per_address)
