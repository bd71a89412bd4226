"""The `sink` thread: takes packets from the encoders' threads, merges them by DTS, feeds the ring.

`put` and `begin_epoch` never block. The queue is bounded by bytes; when it is full a sound packet is
dropped and counted, and a picture is dropped with all that follow it up to the next key frame.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from agent.errors import EnvironmentProblem
from agent.model.media import EncodedPacket, EpochReason, TrackParams
from agent.ports import PacketRing
from agent.ring.merge import MAX_WAIT_NS, DtsMerge
from agent.worker import OnProblem, Worker, ignore_problem

MAX_QUEUE_BYTES = 16 * 1024 * 1024
# The longest sleep with nothing to do; a packet or a stop ends it at once.
_IDLE_S = 0.25


class PacketSink(Worker):
    """Owns the ring's writing side. What it was given before `stop` still reaches the ring."""

    def __init__(
        self,
        ring: PacketRing,
        *,
        max_queue_bytes: int = MAX_QUEUE_BYTES,
        max_wait_ns: int = MAX_WAIT_NS,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        """Args: on_problem: called in the sink's thread, also for a disk problem that the ring survives;
        must return at once.
        """
        super().__init__("sink", on_problem=on_problem)
        self._ring = ring
        self._max_queue_bytes = max_queue_bytes
        self._max_wait_ns = max_wait_ns
        self._came = threading.Condition()
        self._queue: deque[EncodedPacket | tuple[TrackParams, ...]] = deque()
        self._queue_bytes = 0
        self._video_track = 0
        self._is_waiting_for_key = False
        self._merge: DtsMerge | None = None
        self.num_dropped = 0
        self.num_refused = 0

    def begin_epoch(
        self, tracks: Sequence[TrackParams], *, start_ns: int = 0, reason: EpochReason = "start"
    ) -> None:
        """What is put from here on belongs to a new epoch with these tracks. Any thread."""
        del start_ns, reason
        with self._came:
            self._video_track = next((n for n, track in enumerate(tracks) if track.kind == "video"), 0)
            self._is_waiting_for_key = False
            self._queue.append(tuple(tracks))
            self._came.notify()

    def put(self, packet: EncodedPacket) -> bool:
        """Hand over a packet; False when it was dropped because the queue is full. Any thread."""
        with self._came:
            is_picture = packet.track == self._video_track
            is_full = self._queue_bytes + len(packet.payload) > self._max_queue_bytes
            if is_picture and packet.is_key_frame and not is_full:
                self._is_waiting_for_key = False
            if is_full or (is_picture and self._is_waiting_for_key):
                self._is_waiting_for_key = self._is_waiting_for_key or is_picture
                self.num_dropped += 1
                return False
            self._queue.append(packet)
            self._queue_bytes += len(packet.payload)
            self._came.notify()
            return True

    def request_stop(self) -> None:
        """Ask for the end and wake the thread; returns at once. From any thread."""
        super().request_stop()
        with self._came:
            self._came.notify()

    # -- the thread --

    def step(self) -> None:
        """Wait for packets, or until one has waited long enough; hand on what may go."""
        with self._came:
            if not self._queue and not self.is_stopping:
                self._came.wait(self._wait_s())
        self._forward()

    def tear_down(self) -> None:
        """Hand all that waits to the ring."""
        self._forward()
        self._end_epoch()

    def _forward(self) -> None:
        with self._came:
            arrived = list(self._queue)
            self._queue.clear()
            self._queue_bytes = 0
        now_ns = time.monotonic_ns()
        for item in arrived:
            if isinstance(item, tuple):
                self._end_epoch()
                self._ring.begin_epoch(item)
                self._merge = DtsMerge(len(item), max_wait_ns=self._max_wait_ns)
            elif self._merge is None or not self._merge.put(item, now_ns=now_ns):
                self.num_refused += 1
        if self._merge is not None:
            for packet in self._merge.take(now_ns=now_ns):
                self._push(packet)

    def _wait_s(self) -> float:
        deadline_ns = None if self._merge is None else self._merge.next_deadline_ns()
        if deadline_ns is None:
            return _IDLE_S
        return min(_IDLE_S, max(0.0, (deadline_ns - time.monotonic_ns()) / 1e9))

    def _end_epoch(self) -> None:
        if self._merge is not None:
            for packet in self._merge.take_all():
                self._push(packet)

    def _push(self, packet: EncodedPacket) -> None:
        try:
            self._ring.push(packet)
        except EnvironmentProblem as exc:
            # The ring keeps the packet in memory and goes on; the user must know.
            self._on_problem(exc)
