"""Rolling buffer of encoded media, bounded by time, by bytes and by the disk's free space.

Holds whole GOPs only, so every snapshot starts at a key frame and can be stream-copied. Each packet goes
to memory and, by the disk thread, to its GOP's file; the newest stay in memory as well, so that a press
reads nothing, and the ring goes on in memory alone while the disk is full or does not answer. This module
joins: `GopBuffer` knows what is held, `DiskWriter` writes it, `PinStore` keeps what is pinned, `GopReader` reads,
`Pinner` and `Forgetter` take out of it for good what is wanted, and what is not.
`begin_epoch` and `push` belong to the `sink` thread; everything else may be called from any thread.

    <folder>/sessions/<session_id>/<epoch>/{epoch.json, <pts>.gop ...}      <folder>/pins/<pin_id>/...
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.errors import Bug, EnvironmentProblem, InputUnusable
from agent.model.clips import ForgottenSpan, Pin, PinKind
from agent.model.media import EncodedPacket, EpochReason, EpochSpan, TrackParams
from agent.ring.buffer import GopBuffer
from agent.ring.disk_writer import DiskWriter, disk_free_bytes
from agent.ring.following import FollowingSpan
from agent.ring.forgetting import Errand, Forgetter
from agent.ring.packet_log import EpochInfo
from agent.ring.pinning import Pinner
from agent.ring.pins import PinStore
from agent.ring.reading import GopReader
from agent.ring.recovery import SESSIONS
from agent.ring.span import HeldSpan
from agent.ring.store import GopStore, NoStore

log = structlog.get_logger()

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def unix_ms() -> int:
    """Now by the wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


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
        is_in_memory: bool = False,
        free_bytes: Callable[[Path], int] = disk_free_bytes,
        clock_unix_ms: Callable[[], int] = unix_ms,
    ) -> None:
        """Make the session's folder and start the disk thread; finish what was to be forgotten before a kill.

        Args:
            folder: of the ring and its pins; its disk is the one whose room counts.
            t0_monotonic_ns: CLOCK_MONOTONIC when the session's line was at 0; written beside the packets.
            max_duration_ns: at least so much is kept, at most one GOP more.
            min_free_bytes: so much of the disk is left to others.
            is_in_memory: no file is made, for packets and for pins; `max_bytes` bounds the memory, and what is not
                saved as a clip ends with the process. What older sessions left in `folder` is read all the same.

        Raises:
            InputUnusable: `session_id` cannot name a folder.
            EnvironmentProblem: The folder cannot be made.
        """
        if not _SESSION_ID.fullmatch(session_id):
            raise InputUnusable(f"session id {session_id!r} is not 1 to 64 letters, digits, - or _")
        self.session_id = session_id
        self.folder = folder
        self.is_in_memory = is_in_memory
        self._t0_monotonic_ns = t0_monotonic_ns
        self._clock_unix_ms = clock_unix_ms
        self._is_closed = False
        self._lock = threading.Lock()
        self._picture_came = threading.Condition(self._lock)
        self._buffer = GopBuffer(
            max_duration_ns=max_duration_ns,
            max_bytes=max_bytes,
            max_memory_bytes=max_memory_bytes,
            is_in_memory=is_in_memory,
        )
        self.pins = PinStore(
            folder / "pins",
            quota_bytes=max_pinned_bytes,
            clock_unix_ms=clock_unix_ms,
            is_in_memory=is_in_memory,
        )
        self._store = self._make_store(min_free_bytes=min_free_bytes, free_bytes=free_bytes)
        self._buffer.attach(self._store)
        self._reader = GopReader(
            folder, session_id=session_id, lock=self._lock, buffer=self._buffer, pins=self.pins
        )
        self._pinner = self._make_pinner()

    def _make_pinner(self) -> Pinner:
        forgetter = Forgetter(
            self.folder,
            session_id=self.session_id,
            lock=self._lock,
            buffer=self._buffer,
            store=self._store,
            pins=self.pins,
            is_in_memory=self.is_in_memory,
        )
        forgetter.finish_older()
        return Pinner(
            session_id=self.session_id,
            lock=self._lock,
            store=self._store,
            reader=self._reader,
            pins=self.pins,
            forgetter=forgetter,
        )

    def _make_store(self, *, min_free_bytes: int, free_bytes: Callable[[Path], int]) -> GopStore:
        if self.is_in_memory:
            return NoStore()
        session_folder = self.folder / SESSIONS / self.session_id
        try:
            session_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise EnvironmentProblem(f"cannot make the ring's folder {session_folder}: {exc}") from exc
        return DiskWriter(
            session_folder,
            self._lock,
            min_free_bytes=min_free_bytes,
            free_bytes=free_bytes,
            give_up_oldest=self._buffer.give_up_oldest,
            give_up_pins=self._give_up_pins,
        )

    def _give_up_pins(self, num_bytes: int, kind: PinKind) -> int:
        # The pinner is made after the store; nothing is written before the first packet.
        return self._pinner.give_up(num_bytes, kind)

    # -- the sink thread --

    def begin_epoch(
        self, tracks: Sequence[TrackParams], *, start_ns: int = 0, reason: EpochReason = "start"
    ) -> None:
        """From here on packets have these parameters. Called before the first push.

        Raises:
            Bug: No picture among them, or more tracks than a record can number.
        """
        pictures = [number for number, track in enumerate(tracks) if track.kind == "video"]
        if len(pictures) != 1 or len(tracks) > 255:
            raise Bug(f"an epoch needs one picture and at most 254 sounds, not {[t.name for t in tracks]}")
        with self._lock:
            before = self._buffer.info
            info = EpochInfo(
                session_id=self.session_id,
                epoch=0 if before is None else before.epoch + 1,
                t0_monotonic_ns=self._t0_monotonic_ns,
                created_unix_ms=self._clock_unix_ms(),
                tracks=tuple(tracks),
                start_ns=start_ns,
                reason=reason,
            )
            self._buffer.begin_epoch(info, video_track=pictures[0])
        log.info("epoch_began", epoch=info.epoch, reason=reason, tracks=[track.name for track in tracks])

    def push(self, packet: EncodedPacket) -> None:
        """As `push_all`, of one."""
        self.push_all((packet,))

    def push_all(self, packets: Sequence[EncodedPacket]) -> None:
        """Append packets; they come by DTS. Drops whole old GOPs to stay within bounds.

        What comes before an epoch's first key frame belongs to no picture and is left out.

        Raises:
            DiskFull: There is too little room even without the oldest GOPs; raised once each time it begins,
                with the packets kept in memory.
            EnvironmentProblem: The disk cannot be written for another reason; likewise.
            Bug: No epoch was begun, or it has no such track.
        """
        with self._lock:
            info = self._buffer.info
            has_picture = False
            for packet in packets:
                if info is None or packet.track >= len(info.tracks) or self._is_closed:
                    raise Bug(f"a packet of track {packet.track} was pushed outside of an epoch")
                has_picture = self._buffer.add(packet) or has_picture
            self._store.wake()
            if has_picture:
                self._picture_came.notify_all()
            failure, self._store.untold_failure = self._store.untold_failure, None
        if failure is not None:
            raise failure

    # -- any thread --

    def wait_for(self, time_ns: int, *, timeout_s: float) -> bool:
        """Wait until the picture has reached `time_ns`; False at the deadline."""
        with self._lock:
            return self._picture_came.wait_for(lambda: self._buffer.newest_picture_ns >= time_ns, timeout_s)

    def snapshot(self, start_ns: int, end_ns: int) -> HeldSpan:
        """Hold the packets of [start_ns, end_ns), clamped to what there is of the newest epoch in it.

        Pinned spans of this session that left the ring are found too. Never jumps a gap; its `lack` says what
        is not there.

        Raises:
            NothingToClip: Nothing of the span is in the ring or pinned.
        """
        return self._reader.snapshot(self.session_id, start_ns, end_ns)

    def follow(self, start_ns: int, end_ns: int, *, timeout_s: float) -> FollowingSpan | HeldSpan:
        """As `snapshot`, of a span whose end may still be on its way; see `FollowingSpan`."""
        return self._reader.follow(start_ns, end_ns, wait=lambda: self.wait_for(end_ns, timeout_s=timeout_s))

    def snapshot_of(self, session_id: str, start_ns: int, end_ns: int) -> HeldSpan:
        """Like `snapshot`, of any session: this one, one that is pinned, or one that was left behind.

        Raises:
            NothingToClip: Nothing of the span is there any more.
        """
        return self._reader.snapshot(session_id, start_ns, end_ns)

    def epochs(self) -> list[EpochSpan]:
        """What the ring holds of each epoch, oldest first; pins are not counted."""
        with self._lock:
            return self._buffer.epochs()

    def pin(
        self,
        start_ns: int,
        end_ns: int,
        *,
        kind: PinKind,
        owner_id: str,
        core_ns: tuple[int, int] | None = None,
        session_id: str = "",
    ) -> Pin:
        """Take what is there of the span out of the ring's reach: it outlives a kill, a request's also a power cut.

        Args:
            core_ns: start and end of the clip itself, where the span reaches beyond it to keep its ends movable: over
                the quota that margin goes before any clip's own part. None: all is wanted alike.
            session_id: of an older session, pinned or left behind; empty: this one.

        Raises:
            NothingToClip: Nothing of the span is there any more.
            DiskFull: No room for what must be copied, or a candidate over the quota.
            EnvironmentProblem: The pins' folder cannot be written.
        """
        return self._pinner.pin(
            session_id or self.session_id, start_ns, end_ns, kind=kind, owner_id=owner_id, core_ns=core_ns
        )

    def repin(
        self, pin_id: str, start_ns: int, end_ns: int, *, core_ns: tuple[int, int] | None = None
    ) -> Pin:
        """Let a pin hold another span of its epoch, from what the ring and all pins hold now; its id stays.

        Durable as `pin`: a kill leaves the old or the new, whole.

        Raises:
            NothingToClip: The pin, or all of the span, is not there any more; the pin is as it was.
            DiskFull, EnvironmentProblem: As `pin`; the pin is as it was.
        """
        return self._pinner.repin(pin_id, start_ns, end_ns, core_ns=core_ns)

    def reach(self, owner_id: str) -> tuple[int, int] | None:
        """From where to where the owner's newest pin goes without a gap, with what others pinned beside it.

        Whole GOPs of one epoch, of any session. None: the owner has no pin (any more).
        """
        return self.pins.reach(owner_id)

    def forget(
        self, start_ns: int, end_ns: int, *, session_id: str = "", is_preview: bool = False
    ) -> ForgottenSpan:
        """Take every GOP that holds a part of the span out of memory, files and pins, for good.

        Also what of it is still on its way from the encoders. What a reader has open goes when it is closed; a clip
        that is begun later never holds it, and never jumps it. Durable: after a kill in the middle the next start
        finishes it before anything is read.

        Args:
            session_id: of an older session, pinned or left behind; empty: this one.
            is_preview: only say what would go.
        """
        errand = Errand(session_id=session_id or self.session_id, start_ns=start_ns, end_ns=end_ns)
        return self._pinner.forget(errand, is_preview=is_preview)

    def release(self, pin_id: str) -> None:
        """Give a pinned span back. An unknown id is quietly ignored."""
        self.pins.release(pin_id)

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until everything pushed is in its file; False at the deadline."""
        with self._lock:
            return self._store.flush(timeout_s)

    def close(self, *, is_kept: bool = False) -> None:
        """Write what is left, stop the disk thread; delete the session's files unless `is_kept`.

        Pins stay. What a reader still holds stays until the next start finds it. Twice is once.
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._buffer.finish()
            if not is_kept:
                self._buffer.drop_all()
            self._store.flush(2.0)
            self._store.stop()
        self._store.join(2.0)
        if not is_kept:
            self._store.remove_empty_folders()

    @property
    def buffered_ns(self) -> int:
        """How much of the newest epoch a press could save now."""
        with self._lock:
            return self._buffer.duration_ns

    @property
    def buffered_bytes(self) -> int:
        """What the ring holds, pins not counted."""
        return self._buffer.size_bytes

    @property
    def memory_bytes(self) -> int:
        """What the tail in memory holds."""
        return self._buffer.memory_bytes

    @property
    def captured_bytes(self) -> int:
        """Payload that came since the session began."""
        return self._buffer.captured_bytes

    @property
    def num_lost_packets(self) -> int:
        """Packets before a first key frame, or that neither disk nor memory could hold."""
        return self._buffer.num_lost_packets

    @property
    def newest_ns(self) -> int:
        """PTS of the newest picture, -1 before the first."""
        return self._buffer.newest_picture_ns

    @property
    def problem(self) -> str:
        """Why only the newest seconds are kept at present; empty when all is well."""
        return self._store.problem

    @property
    def squeeze(self) -> str:
        """That the disk's lack of room cut the ring short within the last seconds; empty when not."""
        return self._store.squeeze
