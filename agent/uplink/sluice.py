"""What may leave now, as the link asks it: our own rules and the coordinator's wishes together.

`set_line` and `held` may be called from any thread; everything else belongs to the `uplink` thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.uplink.thrift import ByteBudget, LineState, held_lanes
from protos.clippy.v1 import link_pb2


class Sluice:
    """Outlives a stream: what was sent on the last one counts on the next."""

    def __init__(self, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._line = LineState()
        self._wished: tuple[int, ...] = ()
        self._budget = ByteBudget(monotonic_s())

    def set_line(self, line: LineState) -> bool:
        """What this PC hangs on from now on; True where that is new."""
        is_new, self._line = line != self._line, line
        return is_new

    @property
    def line(self) -> LineState:
        """What this PC hangs on. Any thread."""
        return self._line

    def begin_stream(self) -> None:
        """A new stream: the coordinator may say anew which lanes it wants."""
        self._wished = ()

    def take_config(self, config: link_pb2.StreamConfig) -> None:
        """The coordinator's wishes, in place of earlier ones."""
        self._wished = tuple(config.lanes)
        self._budget.limit(config.max_bytes_per_s, self._monotonic_s())

    @property
    def held(self) -> dict[int, str]:
        """The lanes that wait, and why. Any thread."""
        return held_lanes(self._line, self._wished)

    def has_room(self) -> bool:
        """May a chunk leave now?"""
        return self._budget.has_room(self._monotonic_s())

    def spend(self, num_bytes: int) -> None:
        """A chunk of so many bytes left."""
        self._budget.spend(num_bytes)
