"""One GOP as the ring holds it: on the disk, in memory, or in both. Guarded by the ring's lock."""

from __future__ import annotations

import dataclasses

from agent.model.media import EncodedPacket
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import FILE_HEADER_BYTES, RECORD_HEADER_BYTES, EpochInfo
from agent.ring.span import HeldGop

# What a packet costs in memory beside its payload: the value, its ints, the payload's own head.
PACKET_OVERHEAD_BYTES = 300


@dataclasses.dataclass(slots=True, eq=False)
class Gop:
    """From one key frame to the next, with all tracks' packets between them.

    Attributes:
        packets: the newest of them, from number `num_forgotten` on; those before are in the file alone.
        num_written: how many are wholly in the file.
        first_ns, last_ns: from the first moment of any of its tracks to the last.
        is_dropped: no longer in the ring; the disk thread forgets it too.
    """

    info: EpochInfo
    index: int
    start_ns: int
    end_ns: int
    size_bytes: int = FILE_HEADER_BYTES
    memory_bytes: int = 0
    packets: list[EncodedPacket] = dataclasses.field(default_factory=list)
    num_forgotten: int = 0
    num_written: int = 0
    file: HeldFile | None = None
    is_complete: bool = False
    is_dropped: bool = False
    first_ns: int = 1 << 62
    last_ns: int = -(1 << 62)

    @property
    def num_packets(self) -> int:
        return self.num_forgotten + len(self.packets)

    @property
    def num_unwritten(self) -> int:
        return self.num_packets - self.num_written

    @property
    def is_on_disk(self) -> bool:
        """Everything of it that there is so far is in its file."""
        return self.file is not None and self.num_unwritten == 0

    def add(self, packet: EncodedPacket, *, is_picture: bool) -> int:
        """Append; return the bytes of memory it took."""
        self.packets.append(packet)
        self.size_bytes += RECORD_HEADER_BYTES + len(packet.payload)
        taken = PACKET_OVERHEAD_BYTES + len(packet.payload)
        self.memory_bytes += taken
        self.first_ns = min(self.first_ns, packet.pts_ns)
        self.last_ns = max(self.last_ns, packet.pts_ns + packet.duration_ns)
        if is_picture:
            self.end_ns = max(self.end_ns, packet.pts_ns + packet.duration_ns)
        return taken

    def finish(self, next_ns: int) -> None:
        """Nothing more comes. The last picture is shown until the next GOP's first (0: none), however late that is."""
        self.is_complete = True
        self.end_ns = max(self.end_ns, next_ns)

    def drop(self) -> None:
        """It is no longer in the ring. Its packets go now, though a stuck disk thread may hold on to it for long."""
        self.is_dropped = True
        self.packets = []

    def forget_written(self) -> int:
        """Drop from memory what the file holds; return the bytes that were freed."""
        num = self.num_written - self.num_forgotten
        if self.file is None or num <= 0:
            return 0
        freed = sum(PACKET_OVERHEAD_BYTES + len(packet.payload) for packet in self.packets[:num])
        del self.packets[:num]
        self.num_forgotten += num
        self.memory_bytes -= freed
        return freed

    def unwritten(self) -> list[EncodedPacket]:
        return self.packets[self.num_written - self.num_forgotten :]

    def held(self, *, is_file_preferred: bool = False) -> HeldGop:
        """A frozen view of what it holds now: from memory where that has all, or from the file to be linked."""
        is_from_memory = self.num_forgotten == 0 and not (is_file_preferred and self.is_on_disk)
        if is_from_memory:
            return HeldGop(
                epoch=self.info.epoch,
                index=self.index,
                start_ns=self.start_ns,
                end_ns=self.end_ns,
                file=None,
                num_in_file=0,
                packets=tuple(self.packets),
                size_bytes=self.size_bytes,
            )
        return HeldGop(
            epoch=self.info.epoch,
            index=self.index,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            file=self.file,
            num_in_file=self.num_written,
            packets=tuple(self.unwritten()),
            size_bytes=self.size_bytes,
        )
