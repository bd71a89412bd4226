"""A held part of the log, readable by one thread, several times over, that says what it lacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from agent.errors import Bug, InputUnusable, NothingToClip
from agent.model.media import EncodedPacket, LackReason, SpanLack, TrackParams
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import read_gop

# Nearer to what was asked for than this, a span lacks nothing that anybody would miss.
_START_TOLERANCE_NS = 100_000_000
_END_TOLERANCE_NS = 250_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldGop:
    """Where the packets of one GOP are: the first `num_in_file` in its file, the others in memory.

    `num_in_file` None: all that the file holds.
    """

    epoch: int
    index: int
    start_ns: int
    end_ns: int
    file: HeldFile | None
    num_in_file: int | None
    packets: tuple[EncodedPacket, ...] = ()
    size_bytes: int = 0

    def read(self) -> list[EncodedPacket]:
        """All its packets, by DTS.

        Raises:
            NothingToClip: Its file was taken away from outside or is damaged.
        """
        packets: list[EncodedPacket] = []
        if self.file is not None and self.num_in_file != 0:
            try:
                is_counted = self.num_in_file is not None
                packets += read_gop(self.file.path, max_packets=self.num_in_file, is_checked=not is_counted)
            except (OSError, InputUnusable) as exc:
                raise NothingToClip(f"cannot read {self.file.path.name} of the ring: {exc}") from exc
        packets += self.packets
        # A track that came too late for the merge lies a little behind; sorting nearly sorted costs nothing.
        packets.sort(key=lambda packet: packet.dts_ns)
        return packets


class HeldSpan:
    """`PacketSpan` over held GOPs of one epoch, consecutive, oldest first."""

    def __init__(
        self,
        *,
        session_id: str,
        tracks: Sequence[TrackParams],
        start_ns: int,
        end_ns: int,
        gops: Sequence[HeldGop],
        start_reason: LackReason = "buffer",
    ) -> None:
        """Take over the holds of `gops`: the caller has retained each file once.

        Args:
            start_ns, end_ns: what was asked for.
            start_reason: why there is nothing before the first GOP.
        """
        self.session_id = session_id
        self.tracks = tuple(tracks)
        self.asked_start_ns = start_ns
        self.asked_end_ns = end_ns
        self.start_ns = max(start_ns, gops[0].start_ns)
        self.end_ns = min(end_ns, gops[-1].end_ns)
        self.epoch = gops[0].epoch
        self.last_index = gops[-1].index
        self.start_reason: LackReason = start_reason
        self._gops = tuple(gops)
        self._is_closed = False

    @property
    def lack(self) -> SpanLack | None:
        """As the port says."""
        return find_lack(
            asked_ns=(self.asked_start_ns, self.asked_end_ns),
            held_ns=(self.start_ns, self.end_ns),
            reason=self.start_reason,
        )

    def follows(self, other: HeldSpan) -> bool:
        """Does this one begin in the last GOP of the other, or right after it?"""
        return self.epoch == other.epoch and self._gops[0].index <= other.last_index + 1

    def packets(self) -> Iterator[EncodedPacket]:
        """All packets by DTS: from the key frame at or before `start_ns` to the last before `end_ns`."""
        for gop in self._gops:
            if self._is_closed:
                raise Bug("a span was read after it was closed")
            for packet in gop.read():
                if packet.pts_ns < self.end_ns:
                    yield packet

    def close(self) -> None:
        """Let go of the files. Twice is once."""
        if self._is_closed:
            return
        self._is_closed = True
        for gop in self._gops:
            if gop.file is not None:
                gop.file.release()

    def __enter__(self) -> HeldSpan:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def newest_run(
    gops: Sequence[HeldGop], start_ns: int, end_ns: int, *, epoch: int | None = None
) -> list[HeldGop]:
    """Of the GOPs that overlap [start_ns, end_ns): the newest consecutive ones of that epoch, or of the newest.

    A clip never jumps a gap, so what lies before one is left out. Pure.
    """
    wanted = sorted(
        (
            gop
            for gop in gops
            if gop.start_ns < end_ns and gop.end_ns > start_ns and epoch in (None, gop.epoch)
        ),
        key=lambda gop: (gop.epoch, gop.index),
    )
    run: list[HeldGop] = []
    for gop in reversed(wanted):
        if run and (gop.epoch, gop.index) != (run[-1].epoch, run[-1].index - 1):
            break
        run.append(gop)
    run.reverse()
    return run


def find_lack(*, asked_ns: tuple[int, int], held_ns: tuple[int, int], reason: LackReason) -> SpanLack | None:
    """What a span lacks of what was asked for; None when it is whole. Pure.

    Whoever asks from 0 on asks for everything: that the ring holds no more is no lack, another epoch is.

    Args:
        asked_ns, held_ns: start and end.
        reason: why there is nothing before the span.
    """
    is_all_wanted = asked_ns[0] == 0 and reason in ("start", "buffer")
    is_start_missing = held_ns[0] - asked_ns[0] > _START_TOLERANCE_NS and not is_all_wanted
    is_end_missing = asked_ns[1] - held_ns[1] > _END_TOLERANCE_NS
    if not is_start_missing and not is_end_missing:
        return None
    return SpanLack(
        asked_start_ns=asked_ns[0],
        asked_end_ns=asked_ns[1],
        start_ns=held_ns[0],
        end_ns=held_ns[1],
        reason=reason if is_start_missing else None,
        is_end_missing=is_end_missing,
    )


def open_span(
    gops: Sequence[HeldGop],
    *,
    session_id: str,
    tracks: Sequence[TrackParams],
    start_ns: int,
    end_ns: int,
    start_reason: LackReason = "buffer",
) -> HeldSpan:
    """A span over `newest_run`'s GOPs, clamped to what they hold; retains their files.

    Args:
        start_reason: why there is nothing before them.

    Raises:
        NothingToClip: There is none, or the clamped span is empty.
    """
    if not gops:
        raise NothingToClip(f"nothing of {start_ns / 1e9:.3f}..{end_ns / 1e9:.3f} s is in the buffer")
    held: list[HeldGop] = []
    for gop in gops:
        if gop.file is not None and not gop.file.retain():
            for other in held:
                if other.file is not None:
                    other.file.release()
            raise NothingToClip(f"the buffer at {gop.start_ns / 1e9:.3f} s was deleted meanwhile")
        held.append(gop)
    span = HeldSpan(
        session_id=session_id,
        tracks=tracks,
        start_ns=start_ns,
        end_ns=end_ns,
        gops=held,
        start_reason=start_reason,
    )
    if span.start_ns >= span.end_ns:
        span.close()
        raise NothingToClip(f"no picture lies in {start_ns / 1e9:.3f}..{end_ns / 1e9:.3f} s of the buffer")
    return span
