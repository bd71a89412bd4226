"""Packets of several tracks into one row by DTS. Pure: the time comes in as an argument.

A packet goes out once no track can still bring an earlier one: every other track has come as far, or is late.
A track that kept the others waiting for `max_wait_ns` is not waited for again until it is back, so a silent track
costs 200 ms once, not always. Nothing is dropped for being late; it just comes behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from agent.model.media import EncodedPacket

MAX_WAIT_NS = 200_000_000


class DtsMerge:
    """One epoch's tracks. Used by one thread at a time."""

    def __init__(
        self, num_tracks: int, *, max_wait_ns: int = MAX_WAIT_NS, seamless: Collection[int] = ()
    ) -> None:
        """Args: seamless: tracks whose packets begin where the one before ended, or later, as sound does: what
        ends there need not wait for the next of them. 21 ms less between capture and disk.
        """
        self._max_wait_ns = max_wait_ns
        self._seamless = frozenset(seamless)
        self._waiting: list[deque[tuple[int, EncodedPacket]]] = [deque() for _ in range(num_tracks)]
        self._last_dts_ns: list[int | None] = [None] * num_tracks
        # The earliest that each track can still bring; None before its first packet.
        self._next_dts_ns: list[int | None] = [None] * num_tracks
        self._is_absent = [False] * num_tracks
        self.num_refused = 0

    def put(self, packet: EncodedPacket, *, now_ns: int) -> bool:
        """Add a packet; False (and counted) when its track's DTS does not grow or there is no such track."""
        track = packet.track
        if not 0 <= track < len(self._waiting):
            self.num_refused += 1
            return False
        last_ns = self._last_dts_ns[track]
        if last_ns is not None and packet.dts_ns <= last_ns:
            self.num_refused += 1
            return False
        self._last_dts_ns[track] = packet.dts_ns
        self._next_dts_ns[track] = packet.dts_ns + (packet.duration_ns if track in self._seamless else 1)
        self._is_absent[track] = False
        self._waiting[track].append((now_ns, packet))
        return True

    def take(self, *, now_ns: int) -> Iterator[EncodedPacket]:
        """Yield what may go out now, by DTS."""
        while (track := self._earliest()) is not None:
            came_ns, packet = self._waiting[track][0]
            missing = [
                other
                for other, row in enumerate(self._waiting)
                if not row and not self._is_absent[other] and self._may_bring_by(other, packet.dts_ns)
            ]
            if missing and now_ns - came_ns < self._max_wait_ns:
                return
            for other in missing:
                self._is_absent[other] = True
            self._waiting[track].popleft()
            yield packet

    def _may_bring_by(self, track: int, dts_ns: int) -> bool:
        next_ns = self._next_dts_ns[track]
        # Those of one time go together: three tracks of sound in one burst, not in three.
        return next_ns is None or next_ns <= dts_ns

    def finish(self, track: int) -> None:
        """Do not wait for this track any more: it has brought a packet of the next epoch."""
        if track < len(self._is_absent):
            self._is_absent[track] = True

    def take_all(self) -> Iterator[EncodedPacket]:
        """Yield all that waits, by DTS: the epoch is over."""
        while (track := self._earliest()) is not None:
            yield self._waiting[track].popleft()[1]

    def _earliest(self) -> int | None:
        heads = [(row[0][1].dts_ns, track) for track, row in enumerate(self._waiting) if row]
        return min(heads)[1] if heads else None

    def next_deadline_ns(self) -> int | None:
        """When the oldest waiting packet stops waiting, or None when nothing waits."""
        track = self._earliest()
        return None if track is None else self._waiting[track][0][0] + self._max_wait_ns
