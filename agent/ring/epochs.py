"""Packets of several tracks into one row by DTS, epoch after epoch. Pure: the time comes in as an argument.

A packet belongs to the epoch that its stamp lies in, whatever order packets and epochs come in: sound is encoded
up to 0.2 s behind the picture, so the sound of an epoch's end comes when the next epoch's first picture is there
already. An epoch is over when each of its tracks has brought a packet from after its end, or has been waited for.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator

from agent.model.media import EncodedPacket, EpochReason, TrackParams
from agent.ring.merge import MAX_WAIT_NS, DtsMerge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewEpoch:
    """From here on packets have these parameters.

    Attributes:
        start_ns: packets stamped before it belong to the epoch before; 0: all that were put before.
    """

    tracks: tuple[TrackParams, ...]
    start_ns: int = 0
    reason: EpochReason = "start"


class _Line:
    """One epoch's merge, and which of its tracks have come to the next epoch."""

    def __init__(self, epoch: NewEpoch, max_wait_ns: int) -> None:
        self.epoch = epoch
        self.merge = DtsMerge(
            len(epoch.tracks),
            max_wait_ns=max_wait_ns,
            seamless=[number for number, track in enumerate(epoch.tracks) if track.kind == "audio"],
        )
        self.is_begun = False
        self.deadline_ns: int | None = None
        self._max_wait_ns = max_wait_ns
        self._passed: set[int] = set()

    def holds(self, stamp_ns: int) -> bool:
        return self.epoch.start_ns == 0 or stamp_ns >= self.epoch.start_ns

    def note_passed(self, track: int, now_ns: int) -> None:
        if self.deadline_ns is None:
            self.deadline_ns = now_ns + self._max_wait_ns
        self._passed.add(track)
        self.merge.finish(track)

    def is_over(self, now_ns: int) -> bool:
        is_late = self.deadline_ns is not None and now_ns >= self.deadline_ns
        return is_late or self._passed.issuperset(range(len(self.epoch.tracks)))


class EpochMerge:
    """All epochs of a session, one after the other. Used by one thread at a time."""

    def __init__(self, *, max_wait_ns: int = MAX_WAIT_NS) -> None:
        self._max_wait_ns = max_wait_ns
        self._lines: deque[_Line] = deque()

    def begin(self, epoch: NewEpoch) -> None:
        """What is stamped from `epoch.start_ns` on belongs to it; a start before the last epoch's is moved up to it."""
        if self._lines and epoch.start_ns:
            epoch = dataclasses.replace(epoch, start_ns=max(epoch.start_ns, self._lines[-1].epoch.start_ns))
        self._lines.append(_Line(epoch, self._max_wait_ns))

    def put(self, packet: EncodedPacket, *, now_ns: int) -> bool:
        """Add a packet; False when no epoch has it: it came after its epoch was over, out of order, or untracked."""
        target = next((line for line in reversed(self._lines) if line.holds(packet.pts_ns)), None)
        for line in self._lines:
            if line is target or target is None:
                break
            line.note_passed(packet.track, now_ns)
        return target is not None and target.merge.put(packet, now_ns=now_ns)

    def take(self, *, now_ns: int) -> Iterator[NewEpoch | EncodedPacket]:
        """Yield what may go out now: each epoch, then its packets by DTS."""
        while self._lines:
            line = self._lines[0]
            if not line.is_begun:
                line.is_begun = True
                yield line.epoch
            if len(self._lines) == 1 or not (self._lines[1].epoch.start_ns == 0 or line.is_over(now_ns)):
                yield from line.merge.take(now_ns=now_ns)
                return
            yield from line.merge.take_all()
            self._lines.popleft()

    def take_all(self) -> Iterator[NewEpoch | EncodedPacket]:
        """Yield all that waits: the session is over."""
        for line in self._lines:
            if not line.is_begun:
                line.is_begun = True
                yield line.epoch
            yield from line.merge.take_all()

    def next_deadline_ns(self) -> int | None:
        """When something that waits stops waiting, or None when nothing waits."""
        if not self._lines:
            return None
        line = self._lines[0]
        deadlines = [line.merge.next_deadline_ns(), line.deadline_ns if len(self._lines) > 1 else None]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)
