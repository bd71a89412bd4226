"""Where the encoders' threads hand over packets: merged by DTS and epoch, then into the ring.

The merge and the ring's bookkeeping are done in the thread that brought the releasing packet, one at a time, in
microseconds: another thread between would cost more in wakes than its work (3.8 of 14 ms of CPU a second). Nothing
here touches the disk. The thread `sink` only lets go what has waited long enough while no packet comes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence

import structlog

from agent.errors import AgentError, EnvironmentProblem
from agent.model.media import EncodedPacket, EpochReason, TrackParams
from agent.ports import PacketRing
from agent.ring.epochs import EpochMerge, NewEpoch
from agent.ring.merge import MAX_WAIT_NS
from agent.worker import OnProblem, Worker, ignore_problem

log = structlog.get_logger()

MAX_WAITING_BYTES = 16 * 1024 * 1024
# The longest sleep with nothing to do; a stop ends it at once.
_IDLE_S = 0.25
# No shorter look at what waits: a packet comes sooner than that as a rule, and lets go what is due.
_LOOK_S = 0.05


class PacketSink(Worker):
    """The ring's writing side. What it was given before `stop` still reaches the ring; after that it takes nothing."""

    def __init__(
        self,
        ring: PacketRing,
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_wait_ns: int = MAX_WAIT_NS,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        """Args: max_waiting_bytes: what may wait for another track. on_problem: told of what the ring could not do,
        also of a disk problem that it survives, in the thread that brought the packet; must return at once.
        """
        super().__init__("sink", on_problem=on_problem)
        self._ring = ring
        self._max_waiting_bytes = max_waiting_bytes
        # Taken before the ring's lock, never after it.
        self._lock = threading.Lock()
        self._merge = EpochMerge(max_wait_ns=max_wait_ns)
        self._waiting_bytes = 0
        self._video_track = 0
        self._is_waiting_for_key = False
        self._is_over = False
        self.num_dropped = 0
        self.num_refused = 0

    def begin_epoch(
        self, tracks: Sequence[TrackParams], *, start_ns: int = 0, reason: EpochReason = "start"
    ) -> None:
        """Packets stamped from `start_ns` on belong to a new epoch with these tracks. Any thread, at any time.

        Those stamped before it still go to the epoch before, whatever order they come in: that one is over when
        each of its tracks has come to `start_ns`, or 200 ms after the first has.

        Args:
            start_ns: PTS of the epoch's first key frame, on the session's line; 0: what is put from here on.
            reason: why it begins; kept beside the packets, told with the ring's `epochs`.
        """
        with self._lock:
            if self._is_over:
                return
            self._video_track = next((n for n, track in enumerate(tracks) if track.kind == "video"), 0)
            self._merge.begin(NewEpoch(tracks=tuple(tracks), start_ns=start_ns, reason=reason))
            self._hand_on(self._merge.take(now_ns=time.monotonic_ns()))

    def put(self, packet: EncodedPacket) -> bool:
        """Hand over a packet; False when it was not taken: too much waits, or no epoch has it. Any thread.

        Never waits for the disk. A picture that was dropped takes with it all that follow it up to the next key
        frame.
        """
        with self._lock:
            if self._is_over or not self._has_room_for(packet):
                self.num_dropped += 1
                return False
            now_ns = time.monotonic_ns()
            if not self._merge.put(packet, now_ns=now_ns):
                self.num_refused += 1
                return False
            self._waiting_bytes += len(packet.payload)
            self._hand_on(self._merge.take(now_ns=now_ns))
            return True

    def _has_room_for(self, packet: EncodedPacket) -> bool:
        is_full = self._waiting_bytes + len(packet.payload) > self._max_waiting_bytes
        if packet.track != self._video_track:
            return not is_full
        self._is_waiting_for_key = is_full or (self._is_waiting_for_key and not packet.is_key_frame)
        return not self._is_waiting_for_key

    # -- the thread --

    def step(self) -> None:
        """Wait until something has waited long enough; hand on what may go."""
        if not self.wait(self._wait_s()):
            with self._lock:
                self._hand_on(self._merge.take(now_ns=time.monotonic_ns()))

    def tear_down(self) -> None:
        """Hand all that waits to the ring."""
        with self._lock:
            if not self._is_over:
                self._hand_on(self._merge.take_all())
            self._is_over = True

    def _wait_s(self) -> float:
        with self._lock:
            deadline_ns = self._merge.next_deadline_ns()
        if deadline_ns is None:
            return _IDLE_S
        return min(_IDLE_S, max(_LOOK_S, (deadline_ns - time.monotonic_ns()) / 1e9))

    # -- under the lock --

    def _hand_on(self, items: Iterable[NewEpoch | EncodedPacket]) -> None:
        packets: list[EncodedPacket] = []
        try:
            for item in items:
                if isinstance(item, EncodedPacket):
                    self._waiting_bytes -= len(item.payload)
                    packets.append(item)
                    continue
                self._push(packets)
                packets = []
                self._ring.begin_epoch(item.tracks, start_ns=item.start_ns, reason=item.reason)
            self._push(packets)
        except AgentError as exc:
            # A defect of ours. Whoever encodes goes on; the engine's state says that nothing is kept any more.
            self._is_over = True
            log.error("sink_failed", code=exc.code, problem=str(exc))
            self._on_problem(exc)

    def _push(self, packets: list[EncodedPacket]) -> None:
        if not packets:
            return
        try:
            self._ring.push_all(packets)
        except EnvironmentProblem as exc:
            # The ring keeps the packets in memory and goes on; the user must know.
            self._on_problem(exc)
