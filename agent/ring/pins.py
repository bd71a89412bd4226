"""Pins: parts of the log out of the ring's reach, durable, each in a folder of its own.

    <folder>/<pin_id>/{pin.json, epoch.json, <pts>.gop ...}

A pin hard-links the ring's files, so it costs a few directory entries; where links cannot be made it
copies. Over the quota candidates go first, then what was pinned only to keep a saved clip's ends movable
(its file is already written); a press and a request are never refused. Any thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from agent.errors import DiskFull, EnvironmentProblem, InputUnusable, NothingToClip
from agent.model.clips import Pin, PinKind
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import EPOCH_FILE, EpochInfo, GopWriter, gop_path, read_epoch, write_epoch
from agent.ring.span import HeldGop

log = structlog.get_logger()

PIN_FILE = "pin.json"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PinnedGop:
    """One GOP of a pin, as `pin.json` lists it."""

    name: str
    index: int
    start_ns: int
    end_ns: int
    size_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PinRecord:
    """What `pin.json` holds."""

    pin: Pin
    epoch: int
    gops: tuple[PinnedGop, ...]


@dataclasses.dataclass(slots=True)
class _Entry:
    record: PinRecord
    info: EpochInfo
    files: list[HeldFile]
    size_bytes: int


def pins_to_drop(
    pins: Sequence[tuple[Pin, int]], *, quota_bytes: int, new: Pin, new_bytes: int
) -> list[str] | None:
    """Which pins must go so that `new` fits; None when `new` itself must not be made. Pure.

    Args:
        pins: those there are, with their bytes.
    """
    excess = sum(size for _, size in pins) + new_bytes - quota_bytes
    order: dict[PinKind, int] = {"candidate": 0, "keep": 1}
    victims = sorted(
        (item for item in pins if item[0].kind in order and item[0].owner_id != new.owner_id),
        key=lambda item: (order[item[0].kind], item[0].created_unix_ms),
    )
    dropped: list[str] = []
    for pin, size in victims:
        if excess <= 0:
            break
        if new.kind == "candidate" and pin.kind != "candidate":
            break
        dropped.append(pin.pin_id)
        excess -= size
    if excess > 0 and new.kind == "candidate":
        return None
    return dropped


class PinStore:
    """All pins of this machine, of this session and of older ones."""

    def __init__(self, folder: Path, *, quota_bytes: int, clock_unix_ms: Callable[[], int]) -> None:
        """Load what an earlier run pinned; what it left unfinished is removed.

        Raises:
            EnvironmentProblem: The folder cannot be made or read.
        """
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._clock_unix_ms = clock_unix_ms
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in sorted(folder.iterdir()):
                self._load(path)
        except OSError as exc:
            raise EnvironmentProblem(f"cannot use the pins' folder {folder}: {exc}; mend its rights") from exc

    def _load(self, path: Path) -> None:
        try:
            record = msgspec.json.decode((path / PIN_FILE).read_bytes(), type=PinRecord)
            info = read_epoch(path)
        except (OSError, msgspec.DecodeError, InputUnusable) as exc:
            # Cut short while it was made or released: its owner was never told of it, or gave it back.
            log.info("unfinished_pin_removed", pin_id=path.name, reason=type(exc).__name__)
            shutil.rmtree(path, ignore_errors=True)
            return
        self._entries[record.pin.pin_id] = _entry(path, record, info)

    @property
    def size_bytes(self) -> int:
        """What all pins hold; while a GOP is also in the ring its bytes are on the disk once."""
        with self._lock:
            return sum(entry.size_bytes for entry in self._entries.values())

    def pins(self) -> list[Pin]:
        """Every pin there is, oldest first."""
        with self._lock:
            found = [entry.record.pin for entry in self._entries.values()]
        return sorted(found, key=lambda pin: pin.created_unix_ms)

    def add(
        self,
        info: EpochInfo,
        gops: Sequence[HeldGop],
        *,
        start_ns: int,
        end_ns: int,
        kind: PinKind,
        owner_id: str,
    ) -> Pin:
        """Pin held GOPs (the caller holds their files); durable when it returns.

        Raises:
            DiskFull: No room for what had to be copied, or a candidate that does not fit the quota.
            EnvironmentProblem: The folder cannot be written.
        """
        pin = Pin(
            pin_id=secrets.token_hex(8),
            kind=kind,
            owner_id=owner_id,
            session_id=info.session_id,
            start_ns=start_ns,
            end_ns=end_ns,
            created_unix_ms=self._clock_unix_ms(),
        )
        part = self._folder / f".new-{pin.pin_id}"
        try:
            part.mkdir(mode=0o700)
            record = PinRecord(pin=pin, epoch=info.epoch, gops=tuple(_store_gop(part, gop) for gop in gops))
            self._make_room(record)
            write_epoch(part, info)
            (part / PIN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
            for path in part.iterdir():
                _sync(path)
            _sync(part)
            final = self._folder / pin.pin_id
            part.rename(final)
            _sync(self._folder)
        except OSError as exc:
            shutil.rmtree(part, ignore_errors=True)
            if exc.errno in NO_ROOM:
                raise DiskFull(
                    f"no room to pin {(end_ns - start_ns) / 1e9:.1f} s in {self._folder}: {exc}"
                ) from exc
            raise EnvironmentProblem(f"cannot pin in {self._folder}: {exc}; mend its rights") from exc
        except DiskFull:
            shutil.rmtree(part, ignore_errors=True)
            raise
        with self._lock:
            self._entries[pin.pin_id] = _entry(final, record, info)
        return pin

    def _make_room(self, record: PinRecord) -> None:
        size_bytes = sum(gop.size_bytes for gop in record.gops)
        with self._lock:
            there = [(entry.record.pin, entry.size_bytes) for entry in self._entries.values()]
        dropped = pins_to_drop(there, quota_bytes=self._quota_bytes, new=record.pin, new_bytes=size_bytes)
        if dropped is None:
            raise DiskFull(
                f"a candidate of {size_bytes} bytes does not fit the pins' quota of {self._quota_bytes} bytes; "
                "raise ring.max_pinned_bytes"
            )
        for pin_id in dropped:
            log.info("pin_dropped", pin_id=pin_id, reason="over quota")
            self.release(pin_id)

    def release(self, pin_id: str) -> None:
        """Give a pin back; its files go when no reader holds them. An unknown id is quietly ignored."""
        with self._lock:
            entry = self._entries.pop(pin_id, None)
        if entry is None:
            return
        # pin.json first: a folder without it is known as given back, should we die in between.
        with contextlib.suppress(OSError):
            (self._folder / pin_id / PIN_FILE).unlink(missing_ok=True)
            (self._folder / pin_id / EPOCH_FILE).unlink(missing_ok=True)
        for file in entry.files:
            file.doom()

    def gops(self, session_id: str) -> list[HeldGop]:
        """Every pinned GOP of a session, each once."""
        found: dict[tuple[int, int], HeldGop] = {}
        with self._lock:
            for entry in self._entries.values():
                if entry.record.pin.session_id != session_id:
                    continue
                for gop, file in zip(entry.record.gops, entry.files, strict=True):
                    other = found.get((entry.record.epoch, gop.index))
                    if other is not None and other.end_ns >= gop.end_ns:
                        continue
                    found[entry.record.epoch, gop.index] = HeldGop(
                        epoch=entry.record.epoch,
                        index=gop.index,
                        start_ns=gop.start_ns,
                        end_ns=gop.end_ns,
                        file=file,
                        num_in_file=None,
                    )
        return list(found.values())

    def epoch_info(self, session_id: str, epoch: int) -> EpochInfo:
        """The parameters of a pinned epoch.

        Raises:
            NothingToClip: No pin has it any more.
        """
        with self._lock:
            for entry in self._entries.values():
                if entry.info.session_id == session_id and entry.info.epoch == epoch:
                    return entry.info
        raise NothingToClip(f"no pin holds epoch {epoch} of session {session_id}")


def _entry(folder: Path, record: PinRecord, info: EpochInfo) -> _Entry:
    return _Entry(
        record=record,
        info=info,
        files=[HeldFile(folder / gop.name, is_last_out_folder_gone=True) for gop in record.gops],
        size_bytes=sum(gop.size_bytes for gop in record.gops),
    )


def _store_gop(folder: Path, gop: HeldGop) -> PinnedGop:
    target = gop_path(folder, gop.start_ns)
    if gop.packets or gop.file is None:
        # Part of it is in memory alone (the disk was full, or has not caught up): write our own.
        writer = GopWriter(target, gop.index)
        try:
            writer.append(gop.read())
        finally:
            writer.close()
    else:
        try:
            os.link(gop.file.path, target)
        except OSError as exc:
            if exc.errno in NO_ROOM:
                raise
            shutil.copyfile(gop.file.path, target)
    return PinnedGop(
        name=target.name,
        index=gop.index,
        start_ns=gop.start_ns,
        end_ns=gop.end_ns,
        size_bytes=target.stat().st_size,
    )


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows has no such thing as syncing a folder
    fd = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
