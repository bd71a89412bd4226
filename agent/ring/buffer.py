"""What the ring holds: whole GOPs, oldest first, bounded by time, by bytes and by memory.

Every method is called under the ring's lock. Who keeps the GOPs' files is told through `GopStore`.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence

from agent.model.media import EncodedPacket, EpochSpan
from agent.ring.gop import Gop
from agent.ring.packet_log import EpochInfo
from agent.ring.store import GopStore, NoStore

# How far in the future of the newest picture a span may be forgotten: what is on its way, and not what is to come.
_MAX_AHEAD_NS = 10_000_000_000
_MAX_FORGOTTEN = 4096
# 6 s at 8.5 Mbit/s. Read from the page cache a press of 30 s takes no longer, and 10 MiB more would be held all day.
_MAX_WRITTEN_BYTES = 6 * 1024 * 1024


class GopBuffer:
    """The GOPs of one session."""

    def __init__(
        self, *, max_duration_ns: int, max_bytes: int, max_memory_bytes: int, is_in_memory: bool = False
    ) -> None:
        """Args:
        max_duration_ns: at least so much is kept, at most one GOP more.
        max_memory_bytes: what may be in memory while the disk does not take it; what it has taken, at most 6 MiB.
        is_in_memory: there are no files; `max_bytes` bounds what is in memory, with all its overhead.
        """
        self._max_duration_ns = max_duration_ns
        self._max_bytes = max_bytes
        self._max_memory_bytes = max_bytes if is_in_memory else max_memory_bytes
        self._max_written_bytes = max_bytes if is_in_memory else min(_MAX_WRITTEN_BYTES, max_memory_bytes)
        self._is_in_memory = is_in_memory
        self._gops: deque[Gop] = deque()
        self._tail: deque[Gop] = deque()  # those with packets in memory
        self._current: Gop | None = None
        self._num_gops_in_epoch = 0
        self._video_track = 0
        self._store: GopStore = NoStore()
        self._is_skipping = False  # the rest of a GOP that was forgotten
        self._forgotten: set[tuple[int, int]] = set()  # (epoch, index)
        self._unwanted: list[
            tuple[int, int]
        ] = []  # spans that were forgotten while part of them was on its way
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
        is_unwanted = bool(self._unwanted) and self._is_unwanted(packet)
        if is_picture and packet.is_key_frame:
            self._begin_gop(packet, is_skipped=is_unwanted)
        self.captured_bytes += len(packet.payload)
        if self._current is None or is_unwanted:
            self.num_lost_packets += not (self._is_skipping or is_unwanted)
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

    def _begin_gop(self, packet: EncodedPacket, *, is_skipped: bool) -> None:
        assert self.info is not None
        self._finish_gop(packet.pts_ns)
        self._is_skipping = is_skipped
        if is_skipped:
            self._note_forgotten(self.info.epoch, self._num_gops_in_epoch)
            self._num_gops_in_epoch += 1
            return
        gop = Gop(info=self.info, index=self._num_gops_in_epoch, start_ns=packet.pts_ns, end_ns=packet.pts_ns)
        self._num_gops_in_epoch += 1
        self._current = gop
        self._gops.append(gop)
        self._tail.append(gop)
        self.size_bytes += gop.size_bytes
        self._store.enqueue(gop)

    def _finish_gop(self, next_ns: int = 0) -> None:
        if self._current is not None:
            self._current.finish(next_ns)
            self._current = None

    # -- what goes --

    def _keep_bounds(self) -> None:
        while len(self._gops) > 1 and (
            self._gops[-1].end_ns - self._gops[1].start_ns >= self._max_duration_ns
            or (self.memory_bytes if self._is_in_memory else self.size_bytes) > self._max_bytes
        ):
            self._drop(self._gops[0])

    def _keep_memory_bound(self) -> None:
        # Kept a while although the disk has it: the newest seconds are what a press asks for first.
        for gop in self._tail:
            if self.memory_bytes <= self._max_written_bytes:
                break
            self.memory_bytes -= gop.forget_written()
        while self._tail and not self._tail[0].packets and self._tail[0] is not self._current:
            self._tail.popleft()
        while self.memory_bytes > self._max_memory_bytes and self._tail:
            gop = self._tail[0]
            self.memory_bytes -= gop.forget_written()
            if gop.packets and self.memory_bytes > self._max_memory_bytes:
                # The disk has not taken it, and there is no more memory for it: it is lost.
                self.num_lost_packets += gop.num_unwritten
                self._drop(gop)
            elif gop.packets or gop is self._current:
                return
            else:
                self._tail.popleft()

    def _drop(self, gop: Gop) -> None:
        self._gops.remove(gop)
        with contextlib.suppress(ValueError):
            self._tail.remove(gop)
        self.size_bytes -= gop.size_bytes
        self.memory_bytes -= gop.memory_bytes
        gop.drop()
        if gop is self._current:
            self._current = None
        if gop.file is not None:
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
            if gop.num_forgotten:
                self._drop(gop)
            else:
                self._store.trash(gop.file)
                gop.file = None
        return freed

    # -- what is forgotten --

    def find(self, start_ns: int, end_ns: int) -> list[Gop]:
        """The GOPs that hold a part of [start_ns, end_ns), be it only the end of a block of sound."""
        return [
            gop
            for gop in self._gops
            if min(gop.first_ns, gop.start_ns) < end_ns and max(gop.last_ns, gop.end_ns) > start_ns
        ]

    def forget(self, gops: Sequence[Gop], start_ns: int, end_ns: int) -> None:
        """Drop these GOPs of the span, and what of it is still on its way; a clip never jumps where they were."""
        for gop in gops:
            self._is_skipping = self._is_skipping or gop is self._current
            self._drop(gop)
            self._note_forgotten(gop.info.epoch, gop.index)
        self._unwanted.append((start_ns, min(end_ns, self.newest_picture_ns + _MAX_AHEAD_NS)))

    def is_forgotten(self, epoch: int, index: int) -> bool:
        """Was this GOP forgotten?"""
        return (epoch, index) in self._forgotten

    def _is_unwanted(self, packet: EncodedPacket) -> bool:
        # What comes that late comes no more.
        self._unwanted = [span for span in self._unwanted if packet.pts_ns < span[1] + _MAX_AHEAD_NS]
        return any(
            packet.pts_ns < end_ns and packet.pts_ns + packet.duration_ns > start_ns
            for start_ns, end_ns in self._unwanted
        )

    def _note_forgotten(self, epoch: int, index: int) -> None:
        if len(self._forgotten) >= _MAX_FORGOTTEN:
            self._forgotten.remove(min(self._forgotten))
        self._forgotten.add((epoch, index))

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
