"""What the ring holds: whole GOPs, oldest first, bounded by time, by bytes and by memory.

Every method is called under the ring's lock. Who keeps the GOPs' files is told through `GopStore`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from agent.model.media import EncodedPacket, EpochSpan
from agent.ring.gop import Gop
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import EpochInfo


class GopStore(Protocol):
    """Where GOPs are kept beside memory. Called under the ring's lock; returns at once."""

    def enqueue(self, gop: Gop) -> None:
        """From now on write this GOP's packets as they come."""
        ...

    def trash(self, file: HeldFile) -> None:
        """Delete a file once it has no reader."""
        ...


class GopBuffer:
    """The GOPs of one session."""

    def __init__(self, *, max_duration_ns: int, max_bytes: int, max_memory_bytes: int) -> None:
        """Args:
        max_duration_ns: at least so much is kept, at most one GOP more.
        max_memory_bytes: what may be in memory; where nothing is written elsewhere, it is all there is.
        """
        self._max_duration_ns = max_duration_ns
        self._max_bytes = max_bytes
        self._max_memory_bytes = max_memory_bytes
        self._gops: deque[Gop] = deque()
        self._tail: deque[Gop] = deque()  # those with packets in memory
        self._current: Gop | None = None
        self._num_gops_in_epoch = 0
        self._video_track = 0
        self._store: GopStore | None = None
        self.info: EpochInfo | None = None
        self.size_bytes = 0
        self.memory_bytes = 0
        self.captured_bytes = 0
        self.newest_picture_ns = -1
        self.num_lost_packets = 0

    def attach(self, store: GopStore) -> None:
        """Tell this store of what comes and goes; before the first packet."""
        self._store = store

    # -- what comes --

    def begin_epoch(self, info: EpochInfo, *, video_track: int) -> None:
        """From here on packets have these parameters."""
        self._finish_gop()
        self._video_track = video_track
        self._num_gops_in_epoch = 0
        self.info = info

    def add(self, packet: EncodedPacket) -> bool:
        """Append one packet and stay within bounds; True when it was a picture that is held now.

        What comes before an epoch's first key frame belongs to no picture and is left out.
        """
        is_picture = packet.track == self._video_track
        if is_picture and packet.is_key_frame:
            self._begin_gop(packet)
        self.captured_bytes += len(packet.payload)
        if self._current is None:
            self.num_lost_packets += 1
            return False
        before = self._current.size_bytes
        self.memory_bytes += self._current.add(packet, is_picture=is_picture)
        self.size_bytes += self._current.size_bytes - before
        self._keep_bounds()
        self._keep_memory_bound()
        if is_picture:
            self.newest_picture_ns = max(self.newest_picture_ns, packet.pts_ns)
        return is_picture

    def finish(self) -> None:
        """Nothing more comes."""
        self._finish_gop()

    def _begin_gop(self, packet: EncodedPacket) -> None:
        assert self.info is not None
        self._finish_gop(packet.pts_ns)
        gop = Gop(info=self.info, index=self._num_gops_in_epoch, start_ns=packet.pts_ns, end_ns=packet.pts_ns)
        self._num_gops_in_epoch += 1
        self._current = gop
        self._gops.append(gop)
        self._tail.append(gop)
        self.size_bytes += gop.size_bytes
        if self._store is not None:
            self._store.enqueue(gop)

    def _finish_gop(self, next_ns: int = 0) -> None:
        if self._current is not None:
            self._current.finish(next_ns)
            self._current = None

    # -- what goes --

    def _keep_bounds(self) -> None:
        while len(self._gops) > 1 and (
            self._gops[-1].end_ns - self._gops[1].start_ns >= self._max_duration_ns
            or self.size_bytes > self._max_bytes
        ):
            self._drop(self._gops[0])

    def _keep_memory_bound(self) -> None:
        while self.memory_bytes > self._max_memory_bytes and self._tail:
            gop = self._tail[0]
            if not gop.is_dropped:
                self.memory_bytes -= gop.forget_written()
                if gop.packets and self.memory_bytes > self._max_memory_bytes:
                    # The disk has not taken it, and there is no more memory for it: it is lost.
                    self.num_lost_packets += gop.num_unwritten
                    self._drop(gop)
                elif gop.packets or gop is self._current:
                    return
            self._tail.popleft()

    def _drop(self, gop: Gop) -> None:
        self._gops.remove(gop)
        self.size_bytes -= gop.size_bytes
        self.memory_bytes -= gop.memory_bytes
        gop.is_dropped = True
        if gop is self._current:
            self._current = None
        if gop.file is not None and self._store is not None:
            self._store.trash(gop.file)

    def drop_all(self) -> None:
        """Let everything go."""
        for gop in list(self._gops):
            self._drop(gop)

    def give_up_oldest(self, num_bytes: int, spared: Gop) -> int:
        """Delete the oldest GOPs' files, at least so many bytes if there are, but not `spared`'s.

        What memory still holds of them stays. Returns how many bytes that frees.
        """
        freed = 0
        for gop in list(self._gops):
            if freed >= num_bytes or gop is spared:
                break
            if not gop.is_on_disk or not gop.is_complete or gop.file is None:
                continue
            freed += gop.size_bytes
            if gop.num_forgotten or self._store is None:
                self._drop(gop)
            else:
                self._store.trash(gop.file)
                gop.file = None
        return freed

    # -- what there is --

    def __iter__(self) -> Iterator[Gop]:
        return iter(self._gops)

    @property
    def duration_ns(self) -> int:
        """How much there is of the newest epoch."""
        newest = [gop for gop in self._gops if gop.info is self.info and gop.num_packets]
        return newest[-1].end_ns - newest[0].start_ns if newest else 0

    def epochs(self) -> list[EpochSpan]:
        """What there is of each epoch, oldest first."""
        spans: dict[int, EpochSpan] = {}
        for gop in self._gops:
            if gop.num_packets:
                first = spans.get(gop.info.epoch)
                spans[gop.info.epoch] = EpochSpan(
                    epoch=gop.info.epoch,
                    start_ns=gop.start_ns if first is None else first.start_ns,
                    end_ns=gop.end_ns,
                    reason=gop.info.reason,
                )
        return list(spans.values())
