"""Pins on the disk: one folder each, whole or not there at all.

    <folder>/<pin_id>[.<generation>]/{pin.json, epoch.json, <pts>.gop ...}

A pin hard-links the ring's files, so it costs a few directory entries; where links cannot be made it copies. It is
made under another name, fsynced and renamed (of packets only a request's are fsynced); a pin that is made anew gets
the next generation, and the older one goes after that. A folder without `pin.json` was cut short, or given back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from agent.errors import DiskFull, EnvironmentProblem, InputUnusable
from agent.model.clips import Pin
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import (
    EPOCH_FILE,
    GOP_SUFFIX,
    EpochInfo,
    GopWriter,
    gop_path,
    read_epoch,
    sync_path,
    write_epoch,
)
from agent.ring.span import HeldGop

log = structlog.get_logger()

PIN_FILE = "pin.json"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NEW = ".new-"


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PinEntry:
    """A pin with its GOPs.

    Attributes:
        folder: None: it is in memory alone, and `gops` hold its packets.
    """

    pin: Pin
    info: EpochInfo
    gops: tuple[HeldGop, ...]
    folder: Path | None = None
    generation: int = 0

    @property
    def size_bytes(self) -> int:
        """What its GOPs take."""
        return sum(gop.size_bytes for gop in self.gops)


def load_pins(folder: Path) -> list[PinEntry]:
    """Every pin there is; what was left unfinished is removed.

    Raises:
        OSError: The folder cannot be read.
    """
    entries: dict[str, PinEntry] = {}
    for path in sorted(folder.iterdir()):
        entry = _load(path)
        if entry is None:
            continue
        other = entries.get(entry.pin.pin_id)
        if other is not None:
            older, entry = sorted((other, entry), key=lambda item: item.generation)
            discard_pin(older)
        entries[entry.pin.pin_id] = entry
    return list(entries.values())


def _load(path: Path) -> PinEntry | None:
    try:
        record = msgspec.json.decode((path / PIN_FILE).read_bytes(), type=PinRecord)
        info = read_epoch(path)
    except (OSError, msgspec.DecodeError, InputUnusable) as exc:
        # Cut short while it was made or released: its owner was never told of it, or gave it back.
        log.info("unfinished_pin_removed", pin_id=path.name, reason=type(exc).__name__)
        shutil.rmtree(path, ignore_errors=True)
        return None
    listed = {gop.name for gop in record.gops}
    for file in path.glob("*.gop"):
        if file.name not in listed:  # left out of the list, but not deleted any more
            file.unlink(missing_ok=True)
    _, _, generation = path.name.partition(".")
    return PinEntry(
        pin=record.pin,
        info=info,
        gops=tuple(_held(path, record.epoch, gop) for gop in record.gops),
        folder=path,
        generation=int(generation) if generation.isdecimal() else 0,
    )


def _held(folder: Path, epoch: int, gop: PinnedGop) -> HeldGop:
    return HeldGop(
        epoch=epoch,
        index=gop.index,
        start_ns=gop.start_ns,
        end_ns=gop.end_ns,
        file=HeldFile(folder / gop.name, is_last_out_folder_gone=True),
        num_in_file=None,
        size_bytes=gop.size_bytes,
    )


def store_pin(
    folder: Path, pin: Pin, info: EpochInfo, gops: Sequence[HeldGop], *, generation: int = 0
) -> PinEntry:
    """Write a pin (the caller holds the GOPs' files); it outlives a kill, a request's also a power cut, when it
    returns; nothing is left when it fails.

    Raises:
        DiskFull: No room for what had to be copied.
        EnvironmentProblem: The folder cannot be written.
    """
    name = f"{pin.pin_id}.{generation}" if generation else pin.pin_id
    part, final = folder / f"{_NEW}{name}", folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.mkdir(mode=0o700)
        record = PinRecord(pin=pin, epoch=info.epoch, gops=tuple(_store_gop(part, gop) for gop in gops))
        write_epoch(part, info)
        (part / PIN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
        for path in part.iterdir():
            # Whoever asked for full quality was promised it. A saved clip's own file is safe already, and a candidate
            # is a guess: both outlive a kill, and are not worth bringing 1 MB a second to the disk at once.
            if pin.kind == "request" or path.suffix != GOP_SUFFIX:
                sync_path(path)
        sync_path(part)
        part.rename(final)
        sync_path(folder)
    except OSError as exc:
        shutil.rmtree(part, ignore_errors=True)
        if exc.errno in NO_ROOM:
            length_s = (pin.end_ns - pin.start_ns) / 1e9
            raise DiskFull(f"no room to pin {length_s:.1f} s in {folder}: {exc}") from exc
        raise EnvironmentProblem(f"cannot pin in {folder}: {exc}; mend its rights") from exc
    return PinEntry(
        pin=pin,
        info=info,
        gops=tuple(_held(final, info.epoch, gop) for gop in record.gops),
        folder=final,
        generation=generation,
    )


def shrink_pin(entry: PinEntry, pin: Pin, gops: Sequence[HeldGop]) -> PinEntry:
    """Keep only `gops` of a pin, which is called `pin` from here on; durable when it returns.

    Raises:
        EnvironmentProblem, DiskFull: The folder cannot be written; nothing has changed.
    """
    shrunk = dataclasses.replace(entry, pin=pin, gops=tuple(gops))
    if entry.folder is None:
        return shrunk
    record = PinRecord(
        pin=pin,
        epoch=entry.info.epoch,
        gops=tuple(
            PinnedGop(
                name=gop.file.path.name,
                index=gop.index,
                start_ns=gop.start_ns,
                end_ns=gop.end_ns,
                size_bytes=gop.size_bytes,
            )
            for gop in gops
            if gop.file is not None
        ),
    )
    part = entry.folder / f".{PIN_FILE}.part"
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
        sync_path(part)
        part.replace(entry.folder / PIN_FILE)
        sync_path(entry.folder)
    except OSError as exc:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        problem = DiskFull if exc.errno in NO_ROOM else EnvironmentProblem
        raise problem(f"cannot write {entry.folder / PIN_FILE}: {exc}; make room or mend its rights") from exc
    for gop in set(entry.gops) - set(gops):
        if gop.file is not None:
            gop.file.doom()
    return shrunk


def discard_pin(entry: PinEntry) -> None:
    """Delete a pin; a file that is read goes when its reader is done."""
    if entry.folder is not None:
        # pin.json first: a folder without it is known as given back, should we die in between.
        with contextlib.suppress(OSError):
            (entry.folder / PIN_FILE).unlink(missing_ok=True)
            (entry.folder / EPOCH_FILE).unlink(missing_ok=True)
    for gop in entry.gops:
        if gop.file is not None:
            gop.file.doom()


def freed_bytes(gops: Sequence[HeldGop]) -> int:
    """How much room the disk gains when these go: the ring, or another pin, may link the same files."""
    freed = 0
    for gop in gops:
        if gop.file is not None:
            with contextlib.suppress(OSError):
                found = gop.file.path.stat()
                freed += found.st_size if found.st_nlink == 1 else 0
    return freed


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
