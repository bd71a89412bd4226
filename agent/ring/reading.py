"""Spans of what is in the ring, pinned, or left behind by an older session. Any thread."""

from __future__ import annotations

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

    def snapshot(self, start_ns: int, end_ns: int) -> HeldSpan:
        """As the port says; pinned spans of this session that left the ring are found too. Never jumps a gap."""
        with self._lock:
            return self.open(start_ns, end_ns)[0]

    def follow(self, start_ns: int, end_ns: int, *, wait: Callable[[], bool]) -> FollowingSpan | HeldSpan:
        """As `snapshot`, of a span whose end may still be on its way; see `FollowingSpan`."""
        try:
            held = self.snapshot(start_ns, end_ns)
        except NothingToClip:
            wait()
            return self.snapshot(start_ns, end_ns)
        return FollowingSpan(held, end_ns=end_ns, wait=wait, snapshot=self.snapshot)

    def open(
        self, start_ns: int, end_ns: int, *, is_file_preferred: bool = False
    ) -> tuple[HeldSpan, list[HeldGop]]:
        """A span of this session and its GOPs. Under the lock.

        Raises:
            NothingToClip: Nothing of the span is in the ring or pinned.
        """
        known = self._known_gops(is_file_preferred=is_file_preferred)
        run = newest_run(known, start_ns, end_ns)
        info = self.info_of(run[0].epoch) if run else None
        span = open_span(
            run,
            session_id=self._session_id,
            tracks=info.tracks if info else (),
            start_ns=start_ns,
            end_ns=end_ns,
            start_reason=_start_reason(run, known, info),
        )
        return span, run

    def _known_gops(self, *, is_file_preferred: bool) -> list[HeldGop]:
        known = {(gop.epoch, gop.index): gop for gop in self._pins.gops(self._session_id)}
        for gop in self._buffer:
            if gop.num_packets:
                known[gop.info.epoch, gop.index] = gop.held(is_file_preferred=is_file_preferred)
        return list(known.values())

    def info_of(self, epoch: int) -> EpochInfo:
        """The parameters of an epoch of this session. Under the lock.

        Raises:
            NothingToClip: Neither ring nor pins hold anything of it.
        """
        for gop in self._buffer:
            if gop.info.epoch == epoch:
                return gop.info
        return self._pins.epoch_info(self._session_id, epoch)

    def snapshot_of(self, session_id: str, start_ns: int, end_ns: int) -> HeldSpan:
        """Like `snapshot`, of any session: this one, one that is pinned, or one that was left behind.

        Raises:
            NothingToClip: Nothing of the span is there any more.
        """
        if session_id == self._session_id:
            return self.snapshot(start_ns, end_ns)
        gops = {(gop.epoch, gop.index): gop for gop in self._pins.gops(session_id)}
        orphan = find_orphan(self._folder, session_id)
        if orphan is not None:
            gops.update({(gop.epoch, gop.index): gop for gop in orphan_gops(orphan, start_ns, end_ns)})
        known = list(gops.values())
        run = newest_run(known, start_ns, end_ns)
        if not run:
            raise NothingToClip(
                f"nothing of {start_ns / 1e9:.3f}..{end_ns / 1e9:.3f} s of {session_id} is left"
            )
        epochs = {} if orphan is None else {item.info.epoch: item.info for item in orphan.epochs}
        info = epochs.get(run[0].epoch) or self._pins.epoch_info(session_id, run[0].epoch)
        return open_span(
            run,
            session_id=session_id,
            tracks=info.tracks,
            start_ns=start_ns,
            end_ns=end_ns,
            start_reason=_start_reason(run, known, info),
        )


def _start_reason(run: list[HeldGop], known: list[HeldGop], info: EpochInfo | None) -> LackReason:
    """Why there is nothing before the run."""
    if info is None or not run:
        return "buffer"
    if run[0].index == 0:
        return info.reason
    is_gap = any(gop.epoch == run[0].epoch and gop.index < run[0].index for gop in known)
    return "gap" if is_gap else "buffer"
