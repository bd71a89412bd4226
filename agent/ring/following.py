"""A span whose last packets are still on their way: read what is there, then wait for the rest.

A press asks for everything up to its own moment, and the picture of that moment reaches the ring a tenth of a second
later. Writing the clip begins at once instead, and by the time it comes to its end the end is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from agent.errors import NothingToClip
from agent.model.media import EncodedPacket, SpanLack, TrackParams
from agent.ring.span import HeldSpan, find_lack


class FollowingSpan:
    """`PacketSpan`: what was held at the press, then the rest. Read by one thread."""

    def __init__(
        self,
        held: HeldSpan,
        *,
        end_ns: int,
        wait: Callable[[], bool],
        snapshot: Callable[[int, int], HeldSpan],
    ) -> None:
        """Take over `held`.

        Args:
            end_ns: up to where it shall reach.
            wait: returns when the ring has come that far, or False at its deadline.
            snapshot: holds another part of the same ring.
        """
        self._held = held
        self._rest: HeldSpan | None = None
        self._wait = wait
        self._snapshot = snapshot
        self.session_id = held.session_id
        self.tracks: Sequence[TrackParams] = held.tracks
        self.start_ns = held.start_ns
        self.end_ns = end_ns
        self._asked_end_ns = end_ns

    @property
    def lack(self) -> SpanLack | None:
        """As the port says; final once the last packet was read."""
        return find_lack(
            asked_ns=(self._held.asked_start_ns, self._asked_end_ns),
            held_ns=(self.start_ns, self.end_ns),
            reason=self._held.start_reason,
        )

    def packets(self) -> Iterator[EncodedPacket]:
        """As the port says. `end_ns` is final once the last was read: nearer if the rest did not come in time."""
        last_dts_ns: dict[int, int] = {}
        for packet in self._held.packets():
            last_dts_ns[packet.track] = packet.dts_ns
            yield packet
        rest = self._rest or self._await_rest()
        if rest is None:
            self.end_ns = min(self.end_ns, self._held.end_ns)
            return
        self.end_ns = rest.end_ns
        for packet in rest.packets():
            if packet.dts_ns > last_dts_ns.get(packet.track, -1):
                yield packet

    def _await_rest(self) -> HeldSpan | None:
        began_ns = time.monotonic_ns()
        self._wait()
        waited_ms = (time.monotonic_ns() - began_ns) / 1e6
        structlog.get_logger().info("clip_end_awaited", waited_ms=round(waited_ms, 1))
        try:
            rest = self._snapshot(self._held.end_ns - 1, self.end_ns)
        except NothingToClip:
            return None
        if not rest.follows(self._held):
            # A new epoch began meanwhile, or there is a gap: a clip never spans either.
            rest.close()
            return None
        self._rest = rest
        return rest

    def close(self) -> None:
        """Let go of both parts. Twice is once."""
        self._held.close()
        if self._rest is not None:
            self._rest.close()

    def __enter__(self) -> FollowingSpan:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
