"""Taking a span out of the ring, out of what an older session left, and out of every pin. Whole GOPs go.

What is to go is written down first, fsynced, and struck off when it is gone: a kill in the middle, or a file that
could not be deleted, is made good at the next start, before anything is read.

    <folder>/forgetting/<token>.json
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from agent.errors import InputUnusable, NothingToClip
from agent.model.clips import ForgottenSpan
from agent.model.media import EncodedPacket
from agent.ring.buffer import GopBuffer
from agent.ring.packet_log import list_gops, read_gop, sync_path
from agent.ring.pins import PinStore
from agent.ring.recovery import SESSIONS
from agent.ring.span import HeldGop
from agent.ring.store import GopStore

log = structlog.get_logger()

# Sound lies in the GOP it came in: a little beside its pictures, and never so much.
_NEAR_NS = 2_000_000_000
_SETTLE_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A span of a session that shall be gone."""

    session_id: str
    start_ns: int
    end_ns: int


class ForgetJournal:
    """What is to be forgotten and may not be gone yet."""

    def __init__(self, ring_folder: Path) -> None:
        self._folder = ring_folder / "forgetting"

    def open(self, errand: Errand) -> Path | None:
        """Write an errand down, durably; None when the disk does not take it: deleting needs no room."""
        path = self._folder / f"{secrets.token_hex(8)}.json"
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(msgspec.json.encode(errand))
            sync_path(part)
            part.rename(path)
            sync_path(self._folder)
        except OSError as exc:
            log.warning("forgetting_not_noted", pii_detail=str(exc))
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return None
        return path

    def close(self, path: Path) -> None:
        """The errand is done."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            self._folder.rmdir()

    def errands(self) -> list[tuple[Path, Errand]]:
        """What an earlier run did not finish."""
        found = []
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            try:
                found.append((path, msgspec.json.decode(path.read_bytes(), type=Errand)))
            except (OSError, msgspec.DecodeError) as exc:
                log.warning("forgetting_unreadable", error=type(exc).__name__)
        return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Gone:
    """One GOP of the ring or of a session that was left behind."""

    start_ns: int
    end_ns: int
    size_bytes: int
    is_read: bool = False
    is_left: bool = False


class Forgetter:
    """Called by one thread at a time, and by none while a pin is made."""

    def __init__(
        self,
        folder: Path,
        *,
        session_id: str,
        lock: threading.Lock,
        buffer: GopBuffer,
        store: GopStore,
        pins: PinStore,
        is_in_memory: bool,
    ) -> None:
        """Args: lock: the ring's, which guards `buffer` and `store`."""
        self._folder = folder
        self._session_id = session_id
        self._lock = lock
        self._buffer = buffer
        self._store = store
        self._pins = pins
        self._is_in_memory = is_in_memory
        self._journal = ForgetJournal(folder)

    def finish_older(self) -> None:
        """Do what an earlier run did not come to the end of; before anything of it is read."""
        for path, errand in self._journal.errands():
            gone = self._forget(errand, is_preview=False)
            log.info("forgetting_finished", num_gops=gone.num_gops, num_pins=len(gone.pins))
            if gone.is_done:
                self._journal.close(path)

    def forget(self, errand: Errand, *, is_preview: bool) -> ForgottenSpan:
        """Take the span out of everything here; see `GopRing.forget`."""
        is_noted = not is_preview and not (self._is_in_memory and errand.session_id == self._session_id)
        path = self._journal.open(errand) if is_noted else None
        gone = self._forget(errand, is_preview=is_preview)
        if path is not None and gone.is_done and not gone.num_still_read:
            self._journal.close(path)
        return gone

    def _forget(self, errand: Errand, *, is_preview: bool) -> ForgottenSpan:
        if errand.session_id == self._session_id:
            gone, is_deleted = self._forget_own(errand, is_preview=is_preview)
        else:
            gone, is_deleted = _forget_left(self._folder, errand, is_preview=is_preview), True
        pins, pinned = self._pins.forget(
            errand.session_id,
            lambda gop: _overlaps(gop, errand.start_ns, errand.end_ns),
            is_preview=is_preview,
        )
        starts_ns = [item.start_ns for item in gone] + [gop.start_ns for gop in pinned]
        ends_ns = [item.end_ns for item in gone] + [gop.end_ns for gop in pinned]
        files = [gop.file for gop in pinned if gop.file is not None]
        return ForgottenSpan(
            start_ns=min([errand.start_ns, *starts_ns]),
            end_ns=max([errand.end_ns, *ends_ns]),
            num_gops=len(gone),
            size_bytes=sum(item.size_bytes for item in gone),
            pins=tuple(pins),
            num_still_read=sum(item.is_read for item in gone) + sum(file.is_held for file in files),
            is_done=is_preview or (is_deleted and not any(item.is_left for item in gone)),
        )

    def _forget_own(self, errand: Errand, *, is_preview: bool) -> tuple[list[_Gone], bool]:
        with self._lock:
            gops = self._buffer.find(errand.start_ns, errand.end_ns)
            gone = [
                _Gone(
                    start_ns=gop.start_ns,
                    end_ns=gop.end_ns,
                    size_bytes=gop.size_bytes,
                    is_read=gop.file is not None and gop.file.is_held,
                )
                for gop in gops
            ]
            if is_preview:
                return gone, True
            self._buffer.forget(gops, errand.start_ns, errand.end_ns)
            is_deleted = self._store.settle(_SETTLE_S)
        folders = {gop.file.path.parent for gop in gops if gop.file is not None}
        with contextlib.suppress(OSError):
            for folder in folders:
                sync_path(folder)
        return gone, is_deleted


def _forget_left(ring_folder: Path, errand: Errand, *, is_preview: bool) -> list[_Gone]:
    """Of a session that was left behind; also files too torn to be offered."""
    session = ring_folder / SESSIONS / errand.session_id
    if Path(errand.session_id).name != errand.session_id or not session.is_dir():
        return []
    gone: list[_Gone] = []
    for folder in sorted(path for path in session.iterdir() if path.is_dir()):
        paths = list_gops(folder)
        starts_ns = [int(path.stem) for path in paths]
        for path, start_ns, next_ns in zip(paths, starts_ns, [*starts_ns[1:], None], strict=True):
            found = _find_in_file(path, start_ns, next_ns, errand)
            if found is not None:
                gone.append(found if is_preview else dataclasses.replace(found, is_left=not _unlink(path)))
        if not is_preview:
            with contextlib.suppress(OSError):
                sync_path(folder)
    return gone


def _find_in_file(path: Path, start_ns: int, next_ns: int | None, errand: Errand) -> _Gone | None:
    """A file that holds a part of the span, or None. Only those that may are read."""
    # The newest may be torn in its first record, and says no more than when it began.
    end_ns = start_ns + 1 if next_ns is None else next_ns
    if start_ns >= errand.end_ns + _NEAR_NS or (
        next_ns is not None and next_ns <= errand.start_ns - _NEAR_NS
    ):
        return None
    try:
        packets = list(read_gop(path))
        size_bytes = path.stat().st_size
    except (OSError, InputUnusable):
        packets, size_bytes = [], 0
    end_ns = max([end_ns, *(packet.pts_ns + packet.duration_ns for packet in packets)])
    is_hit = start_ns < errand.end_ns and end_ns > errand.start_ns
    if not is_hit and not _has_part(packets, errand.start_ns, errand.end_ns):
        return None
    return _Gone(start_ns=start_ns, end_ns=end_ns, size_bytes=size_bytes)


def _unlink(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        log.warning("ring_file_not_deleted", error=str(exc), file=path.name)
        return False
    return True


def _overlaps(gop: HeldGop, start_ns: int, end_ns: int) -> bool:
    """Does it hold a part of the span, be it only the end of a block of sound? Reads only what lies beside it."""
    if gop.start_ns < end_ns and gop.end_ns > start_ns:
        return True
    if gop.start_ns >= end_ns + _NEAR_NS or gop.end_ns <= start_ns - _NEAR_NS:
        return False
    try:
        return _has_part(gop.read(), start_ns, end_ns)
    except NothingToClip:
        return False


def _has_part(packets: Sequence[EncodedPacket], start_ns: int, end_ns: int) -> bool:
    return any(packet.pts_ns < end_ns and packet.pts_ns + packet.duration_ns > start_ns for packet in packets)
