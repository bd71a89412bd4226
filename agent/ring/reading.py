"""Spans of what is in the ring, pinned, or left behind by an older session. Any thread."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

from agent.errors import NothingToClip
from agent.model.media import LackReason
from agent.ring.buffer import GopBuffer
from agent.ring.following import FollowingSpan
from agent.ring.packet_log import EpochInfo
from agent.ring.pins import PinStore
from agent.ring.recovery import find_orphan, orphan_gops
from agent.ring.span import HeldGop, HeldSpan, newest_run, open_span


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSpan:
    """A span, the GOPs it holds and their epoch."""

    span: HeldSpan
    gops: tuple[HeldGop, ...]
    info: EpochInfo


class GopReader:
    """Finds spans. Shares the ring's lock with `buffer`."""

    def __init__(
        self, folder: Path, *, session_id: str, lock: threading.Lock, buffer: GopBuffer, pins: PinStore
    ) -> None:
        self._folder = folder
        self._session_id = session_id
        self._lock = lock
        self._buffer = buffer
        self._pins = pins

    def snapshot(self, session_id: str, start_ns: int, end_ns: int) -> HeldSpan:
        """As the port says, of any session; pinned spans that left the ring are found too. Never jumps a gap."""
        if session_id != self._session_id:
            return self.open_older(session_id, start_ns, end_ns).span
        with self._lock:
            return self.open(start_ns, end_ns).span

    def follow(self, start_ns: int, end_ns: int, *, wait: Callable[[], bool]) -> FollowingSpan | HeldSpan:
        """As `snapshot`, of a span whose end may still be on its way; see `FollowingSpan`."""

        def snapshot(start_ns: int, end_ns: int) -> HeldSpan:
            return self.snapshot(self._session_id, start_ns, end_ns)

        try:
            held = snapshot(start_ns, end_ns)
        except NothingToClip:
            wait()
            return snapshot(start_ns, end_ns)
        return FollowingSpan(held, end_ns=end_ns, wait=wait, snapshot=snapshot)

    def open(
        self, start_ns: int, end_ns: int, *, epoch: int | None = None, is_file_preferred: bool = False
    ) -> OpenedSpan:
        """A span of this session; of that epoch, or of the newest in it. Under the lock.

        Raises:
            NothingToClip: Nothing of the span is in the ring or pinned.
        """
        known = {(gop.epoch, gop.index): gop for gop in self._pins.gops(self._session_id)}
        for gop in self._buffer:
            # Five minutes are 300 GOPs, of which most clips want 30.
            if gop.num_packets and gop.start_ns < end_ns and gop.end_ns > start_ns:
                known[gop.info.epoch, gop.index] = gop.held(is_file_preferred=is_file_preferred)
        run = newest_run(list(known.values()), start_ns, end_ns, epoch=epoch)
        if not run:
            raise _nothing(start_ns, end_ns)
        info = self._info_of(run[0].epoch)
        return _opened(run, info, start_ns, end_ns, reason=self._reason(run[0], info, known))

    def _reason(self, first: HeldGop, info: EpochInfo, known: dict[tuple[int, int], HeldGop]) -> LackReason:
        if first.index and self._buffer.is_forgotten(first.epoch, first.index - 1):
            return "forgotten"
        indices = {index for epoch, index in known if epoch == first.epoch}
        indices |= {gop.index for gop in self._buffer if gop.info.epoch == first.epoch}
        return _start_reason(first, info, indices)

    def _info_of(self, epoch: int) -> EpochInfo:
        for gop in self._buffer:
            if gop.info.epoch == epoch:
                return gop.info
        return self._pins.epoch_info(self._session_id, epoch)

    def open_older(
        self, session_id: str, start_ns: int, end_ns: int, *, epoch: int | None = None
    ) -> OpenedSpan:
        """Of a session that is pinned, or was left behind.

        Raises:
            NothingToClip: Nothing of the span is there any more.
        """
        gops = {(gop.epoch, gop.index): gop for gop in self._pins.gops(session_id)}
        orphan = find_orphan(self._folder, session_id)
        if orphan is not None:
            gops.update({(gop.epoch, gop.index): gop for gop in orphan_gops(orphan, start_ns, end_ns)})
        run = newest_run(list(gops.values()), start_ns, end_ns, epoch=epoch)
        if not run:
            raise NothingToClip(
                f"nothing of {start_ns / 1e9:.3f}..{end_ns / 1e9:.3f} s of {session_id} is left"
            )
        epochs = {} if orphan is None else {item.info.epoch: item.info for item in orphan.epochs}
        info = epochs.get(run[0].epoch) or self._pins.epoch_info(session_id, run[0].epoch)
        indices = {index for epoch, index in gops if epoch == run[0].epoch}
        return _opened(run, info, start_ns, end_ns, reason=_start_reason(run[0], info, indices))


def _opened(
    run: list[HeldGop], info: EpochInfo, start_ns: int, end_ns: int, *, reason: LackReason
) -> OpenedSpan:
    span = open_span(
        run,
        session_id=info.session_id,
        tracks=info.tracks,
        start_ns=start_ns,
        end_ns=end_ns,
        start_reason=reason,
    )
    return OpenedSpan(span=span, gops=tuple(run), info=info)


def _start_reason(first: HeldGop, info: EpochInfo, indices: set[int]) -> LackReason:
    """Why there is nothing before a run's first GOP, of those that are there of its epoch."""
    if first.index == 0:
        return info.reason
    return "gap" if any(index < first.index for index in indices) else "buffer"


def _nothing(start_ns: int, end_ns: int) -> NothingToClip:
    return NothingToClip(f"nothing of {start_ns / 1e9:.3f}..{end_ns / 1e9:.3f} s is in the buffer")
