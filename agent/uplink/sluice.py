"""What may leave now, as the link asks it: our own rules and the coordinator's wishes together.

`set_line` and `held` may be called from any thread; everything else belongs to the `uplink` thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.uplink.thrift import NO_ROOM_FOR_PICTURE, ByteBudget, LineState, held_lanes, picture_bound_bps
from protos.clippy.v1 import link_pb2, media_pb2

# A chunk's worth: more of the picture than its bound never leaves in any longer time.
_PICTURE_BURST_S = 10.0


class Sluice:
    """Outlives a stream: what was sent on the last one counts on the next."""

    def __init__(self, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._line = LineState()
        self._wished: tuple[int, ...] = ()
        self._budget = ByteBudget(monotonic_s())
        self._picture = ByteBudget(monotonic_s(), burst_s=_PICTURE_BURST_S)
        self._picture_bps: int | None = None

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
        now_s = self._monotonic_s()
        self._budget.limit(config.max_bytes_per_s, now_s)
        self._picture_bps = picture_bound_bps(config.max_proxy_bps, config.max_bytes_per_s)
        self._picture.limit((self._picture_bps or 0) / 8, now_s)

    @property
    def picture_bps(self) -> int | None:
        """What the small picture may take of the line; None: as much as it needs. Any thread."""
        return self._picture_bps

    @property
    def held(self) -> dict[int, str]:
        """The lanes that wait, and why. Any thread."""
        held = held_lanes(self._line, self._wished)
        if why := self._picture_waits():
            held.setdefault(media_pb2.LANE_PROXY, why)
        return held

    def has_room(self) -> bool:
        """May a chunk leave now?"""
        return self._budget.has_room(self._monotonic_s())

    def spend(self, lane: int, num_bytes: int) -> None:
        """A chunk of so many bytes left."""
        now_s = self._monotonic_s()
        self._budget.spend(num_bytes, now_s)
        if lane == media_pb2.LANE_PROXY:
            self._picture.spend(num_bytes, now_s)

    def _picture_waits(self) -> str:
        """Why no more of the small picture may leave now; empty: it may."""
        if self._picture_bps == 0:
            return NO_ROOM_FOR_PICTURE
        if self._picture.has_room(self._monotonic_s()):
            return ""
        return f"the coordinator takes {(self._picture_bps or 0) // 1000} kbit/s of the picture"
