"""Rolling buffer of encoded media, bounded by time, by bytes and by the disk's free space.

Holds whole GOPs only, so every snapshot starts at a key frame and can be stream-copied. Each packet goes
to memory and, by the disk thread, to its GOP's file; the newest stay in memory as well, so that a press
reads nothing, and the ring goes on in memory alone while the disk is full or does not answer.
`begin_epoch` and `push` belong to the `sink` thread; everything else may be called from any thread.

    <folder>/sessions/<session_id>/<epoch>/{epoch.json, <pts>.gop ...}      <folder>/pins/<pin_id>/...
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.errors import Bug, EnvironmentProblem, InputUnusable, NothingToClip
from agent.model.clips import Pin, PinKind
from agent.model.media import EncodedPacket, TrackParams
from agent.ring.disk_writer import DiskWriter, disk_free_bytes
from agent.ring.following import FollowingSpan
from agent.ring.gop import Gop
from agent.ring.packet_log import EpochInfo
from agent.ring.pins import PinStore
from agent.ring.recovery import SESSIONS, find_orphan, orphan_gops
from agent.ring.span import HeldGop, HeldSpan, newest_run, open_span

log = structlog.get_logger()

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def unix_ms() -> int:
    """Now by the wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _make_session_folder(folder: Path, session_id: str) -> Path:
    if not _SESSION_ID.fullmatch(session_id):
        raise InputUnusable(f"session id {session_id!r} is not 1 to 64 letters, digits, - or _")
    session_folder = folder / SESSIONS / session_id
    try:
        session_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise EnvironmentProblem(f"cannot make the ring's folder {session_folder}: {exc}") from exc
    return session_folder


class GopRing:
    """The last minutes, encoded (`PacketRing`)."""

    def __init__(
        self,
        folder: Path,
        *,
        session_id: str,
        t0_monotonic_ns: int,
        max_duration_ns: int = 300_000_000_000,
        max_bytes: int = 2 * 1024**3,
        min_free_bytes: int = 512 * 1024**2,
        max_memory_bytes: int = 16 * 1024**2,
        max_pinned_bytes: int = 2 * 1024**3,
        free_bytes: Callable[[Path], int] = disk_free_bytes,
        clock_unix_ms: Callable[[], int] = unix_ms,
    ) -> None:
        """Make the session's folder and start the disk thread.

        Args:
            t0_monotonic_ns: CLOCK_MONOTONIC when the session's line was at 0; written beside the packets.
            max_duration_ns: at least so much is kept, at most one GOP more.
            min_free_bytes: so much of the disk is left to others.

        Raises:
            InputUnusable: `session_id` cannot name a folder.
            EnvironmentProblem: The folder cannot be made.
        """
        session_folder = _make_session_folder(folder, session_id)
        self.session_id = session_id
        self.folder = folder
        self._t0_monotonic_ns = t0_monotonic_ns
        self._max_duration_ns = max_duration_ns
        self._max_bytes = max_bytes
        self._max_memory_bytes = max_memory_bytes
        self._clock_unix_ms = clock_unix_ms
        self.pins = PinStore(folder / "pins", quota_bytes=max_pinned_bytes, clock_unix_ms=clock_unix_ms)

        self._lock = threading.Lock()
        self._picture_came = threading.Condition(self._lock)
        self._gops: deque[Gop] = deque()
        self._tail: deque[Gop] = deque()  # those with packets in memory
        self._info: EpochInfo | None = None
        self._video_track = 0
        self._num_gops_in_epoch = 0
        self._current: Gop | None = None
        self._size_bytes = 0
        self._memory_bytes = 0
        self._captured_bytes = 0
        self._newest_picture_ns = -1
        self._num_lost_packets = 0
        self._session_folder = session_folder
        self._is_closed = False
        self._disk = DiskWriter(
            session_folder,
            self._lock,
            min_free_bytes=min_free_bytes,
            free_bytes=free_bytes,
            give_up_oldest=self._give_up_oldest,
        )

    # -- the sink thread --

    def begin_epoch(self, tracks: Sequence[TrackParams]) -> None:
        """From here on packets have these parameters. Called before the first push.

        Raises:
            Bug: No picture among them, or more tracks than a record can number.
        """
        pictures = [number for number, track in enumerate(tracks) if track.kind == "video"]
        if len(pictures) != 1 or len(tracks) > 255:
            raise Bug(f"an epoch needs one picture and at most 254 sounds, not {[t.name for t in tracks]}")
        with self._lock:
            self._finish_gop()
            self._video_track = pictures[0]
            self._num_gops_in_epoch = 0
            self._info = EpochInfo(
                session_id=self.session_id,
                epoch=0 if self._info is None else self._info.epoch + 1,
                t0_monotonic_ns=self._t0_monotonic_ns,
                created_unix_ms=self._clock_unix_ms(),
                tracks=tuple(tracks),
            )
        log.info("epoch_began", epoch=self._info.epoch, tracks=[track.name for track in tracks])

    def push(self, packet: EncodedPacket) -> None:
        """Append one packet; packets come by DTS. Drops whole old GOPs to stay within bounds.

        What comes before an epoch's first key frame belongs to no picture and is left out.

        Raises:
            DiskFull: There is too little room even without the oldest GOPs; raised once each time it begins,
                with the packet kept in memory.
            EnvironmentProblem: The disk cannot be written for another reason; likewise.
            Bug: No epoch was begun, or it has no such track.
        """
        with self._lock:
            if self._info is None or packet.track >= len(self._info.tracks) or self._is_closed:
                raise Bug(f"a packet of track {packet.track} was pushed outside of an epoch")
            is_picture = packet.track == self._video_track
            if is_picture and packet.is_key_frame:
                self._begin_gop(packet)
            self._captured_bytes += len(packet.payload)
            if self._current is None:
                self._num_lost_packets += 1
                return
            before = self._current.size_bytes
            self._memory_bytes += self._current.add(packet, is_picture=is_picture)
            self._size_bytes += self._current.size_bytes - before
            self._keep_bounds()
            self._keep_memory_bound()
            self._disk.wake()
            if is_picture:
                self._newest_picture_ns = max(self._newest_picture_ns, packet.pts_ns)
                self._picture_came.notify_all()
            failure, self._disk.untold_failure = self._disk.untold_failure, None
        if failure is not None:
            raise failure

    def _begin_gop(self, packet: EncodedPacket) -> None:
        assert self._info is not None
        self._finish_gop(packet.pts_ns)
        gop = Gop(
            info=self._info, index=self._num_gops_in_epoch, start_ns=packet.pts_ns, end_ns=packet.pts_ns
        )
        self._num_gops_in_epoch += 1
        self._current = gop
        self._gops.append(gop)
        self._tail.append(gop)
        self._size_bytes += gop.size_bytes
        self._disk.enqueue(gop)

    def _finish_gop(self, next_ns: int = 0) -> None:
        if self._current is not None:
            self._current.finish(next_ns)
            self._current = None

    def _keep_bounds(self) -> None:
        while len(self._gops) > 1 and (
            self._gops[-1].end_ns - self._gops[1].start_ns >= self._max_duration_ns
            or self._size_bytes > self._max_bytes
        ):
            self._drop(self._gops[0])

    def _keep_memory_bound(self) -> None:
        while self._memory_bytes > self._max_memory_bytes and self._tail:
            gop = self._tail[0]
            if not gop.is_dropped:
                self._memory_bytes -= gop.forget_written()
                if gop.packets and self._memory_bytes > self._max_memory_bytes:
                    # The disk has not taken it, and there is no more memory for it: it is lost.
                    self._num_lost_packets += gop.num_unwritten
                    self._drop(gop)
                elif gop.packets or gop is self._current:
                    return
            self._tail.popleft()

    def _drop(self, gop: Gop) -> None:
        self._gops.remove(gop)
        self._size_bytes -= gop.size_bytes
        self._memory_bytes -= gop.memory_bytes
        gop.is_dropped = True
        if gop is self._current:
            self._current = None
        if gop.file is not None:
            self._disk.trash(gop.file)

    def _give_up_oldest(self, num_bytes: int, spared: Gop) -> int:
        """Delete the oldest GOPs' files; what memory still holds of them stays. Called by the disk thread."""
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
                self._disk.trash(gop.file)
                gop.file = None
        return freed

    # -- any thread --

    def wait_for(self, time_ns: int, *, timeout_s: float) -> bool:
        """Wait until the picture has reached `time_ns`; False at the deadline."""
        with self._lock:
            return self._picture_came.wait_for(lambda: self._newest_picture_ns >= time_ns, timeout_s)

    def snapshot(self, start_ns: int, end_ns: int) -> HeldSpan:
        """Hold the packets of [start_ns, end_ns), clamped to what there is of the newest epoch in it.

        Pinned spans of this session that left the ring are found too. Never jumps a gap.

        Raises:
            NothingToClip: Nothing of the span is in the ring or pinned.
        """
        with self._lock:
            return self._open(start_ns, end_ns, is_file_preferred=False)

    def follow(self, start_ns: int, end_ns: int, *, timeout_s: float) -> FollowingSpan | HeldSpan:
        """As `snapshot`, of a span whose end may still be on its way; see `FollowingSpan`."""

        def wait() -> bool:
            return self.wait_for(end_ns, timeout_s=timeout_s)

        try:
            held = self.snapshot(start_ns, end_ns)
        except NothingToClip:
            wait()
            return self.snapshot(start_ns, end_ns)
        return FollowingSpan(held, end_ns=end_ns, wait=wait, snapshot=self.snapshot)

    def _open(self, start_ns: int, end_ns: int, *, is_file_preferred: bool) -> HeldSpan:
        run = newest_run(self._known_gops(is_file_preferred=is_file_preferred), start_ns, end_ns)
        tracks = self._info_of(run[0].epoch).tracks if run else ()
        return open_span(run, session_id=self.session_id, tracks=tracks, start_ns=start_ns, end_ns=end_ns)

    def _known_gops(self, *, is_file_preferred: bool) -> list[HeldGop]:
        known = {(gop.epoch, gop.index): gop for gop in self.pins.gops(self.session_id)}
        for gop in self._gops:
            if gop.num_packets:
                known[gop.info.epoch, gop.index] = gop.held(is_file_preferred=is_file_preferred)
        return list(known.values())

    def _info_of(self, epoch: int) -> EpochInfo:
        for gop in self._gops:
            if gop.info.epoch == epoch:
                return gop.info
        return self.pins.epoch_info(self.session_id, epoch)

    def snapshot_of(self, session_id: str, start_ns: int, end_ns: int) -> HeldSpan:
        """Like `snapshot`, of any session: this one, one that is pinned, or one that was left behind.

        Raises:
            NothingToClip: Nothing of the span is there any more.
        """
        if session_id == self.session_id:
            return self.snapshot(start_ns, end_ns)
        gops = {(gop.epoch, gop.index): gop for gop in self.pins.gops(session_id)}
        orphan = find_orphan(self.folder, session_id)
        if orphan is not None:
            gops.update({(gop.epoch, gop.index): gop for gop in orphan_gops(orphan, start_ns, end_ns)})
        run = newest_run(list(gops.values()), start_ns, end_ns)
        if not run:
            raise NothingToClip(
                f"nothing of {start_ns / 1e9:.3f}..{end_ns / 1e9:.3f} s of {session_id} is left"
            )
        epochs = {} if orphan is None else {item.info.epoch: item.info for item in orphan.epochs}
        info = epochs.get(run[0].epoch) or self.pins.epoch_info(session_id, run[0].epoch)
        return open_span(run, session_id=session_id, tracks=info.tracks, start_ns=start_ns, end_ns=end_ns)

    def pin(self, start_ns: int, end_ns: int, *, kind: PinKind, owner_id: str) -> Pin:
        """Take what is there of the span out of the ring's reach, durably (milliseconds: it is fsynced).

        Raises:
            NothingToClip: Nothing of the span is there any more.
            DiskFull: No room for what must be copied, or a candidate over the quota.
            EnvironmentProblem: The pins' folder cannot be written.
        """
        with self._lock:
            # A link shows all that its file will ever hold, so let the disk catch up first.
            self._disk.flush(0.5)
            run = newest_run(self._known_gops(is_file_preferred=True), start_ns, end_ns)
            span = self._open(start_ns, end_ns, is_file_preferred=True)
            info = self._info_of(run[0].epoch)
        with span:
            return self.pins.add(
                info, run, start_ns=span.start_ns, end_ns=span.end_ns, kind=kind, owner_id=owner_id
            )

    def release(self, pin_id: str) -> None:
        """Give a pinned span back. An unknown id is quietly ignored."""
        self.pins.release(pin_id)

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until everything pushed is in its file; False at the deadline."""
        with self._lock:
            return self._disk.flush(timeout_s)

    def close(self, *, is_kept: bool = False) -> None:
        """Write what is left, stop the disk thread; delete the session's files unless `is_kept`.

        Pins stay. What a reader still holds stays until the next start finds it. Twice is once.
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._finish_gop()
            if not is_kept:
                for gop in list(self._gops):
                    self._drop(gop)
            self._disk.flush(2.0)
            self._disk.stop()
        self._disk.join(2.0)
        if not is_kept:
            self._disk.remove_empty_epochs()
            if not any(self._session_folder.iterdir()):
                self._session_folder.rmdir()

    @property
    def buffered_ns(self) -> int:
        """How much of the newest epoch a press could save now."""
        with self._lock:
            newest = [gop for gop in self._gops if gop.info is self._info and gop.num_packets]
            return newest[-1].end_ns - newest[0].start_ns if newest else 0

    @property
    def buffered_bytes(self) -> int:
        """What the ring holds, pins not counted."""
        return self._size_bytes

    @property
    def memory_bytes(self) -> int:
        """What the tail in memory holds."""
        return self._memory_bytes

    @property
    def captured_bytes(self) -> int:
        """Payload that came since the session began."""
        return self._captured_bytes

    @property
    def num_lost_packets(self) -> int:
        """Packets before a first key frame, or that neither disk nor memory could hold."""
        return self._num_lost_packets

    @property
    def newest_ns(self) -> int:
        """PTS of the newest picture, -1 before the first."""
        return self._newest_picture_ns

    @property
    def problem(self) -> str:
        """Why only the newest seconds are kept at present; empty when all is well."""
        if stalled_s := self._disk.stalled_s:
            return f"the ring's disk has not answered for {stalled_s:.0f} s; only the newest seconds are kept"
        return str(self._disk.failure or "")

    @property
    def squeeze(self) -> str:
        """That the disk's lack of room cut the ring short within the last seconds; empty when not."""
        return self._disk.squeeze
