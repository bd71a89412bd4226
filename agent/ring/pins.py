"""Pins: parts of the log out of the ring's reach, durable; of a ring in memory, in memory.

Over the quota candidates go first, then what keeps saved clips' ends movable (their files are already written); a
press and a request are never refused. Any thread. Pins are made, made anew and forgotten by one caller at a time:
the ring sees to that.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.errors import DiskFull, EnvironmentProblem, NothingToClip
from agent.model.clips import ForgottenPin, Pin, PinKind
from agent.ring.packet_log import EpochInfo
from agent.ring.pin_files import PinEntry, discard_pin, freed_bytes, load_pins, shrink_pin, store_pin
from agent.ring.pin_quota import PinSize, pins_to_drop
from agent.ring.span import HeldGop

log = structlog.get_logger()


class PinStore:
    """All pins of this machine, of this session and of older ones."""

    def __init__(
        self,
        folder: Path,
        *,
        quota_bytes: int,
        clock_unix_ms: Callable[[], int],
        is_in_memory: bool = False,
    ) -> None:
        """Load what an earlier run pinned; what it left unfinished is removed.

        Args:
            is_in_memory: new pins are kept in memory and end with the process; no file is made.

        Raises:
            EnvironmentProblem: The folder cannot be made or read.
        """
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._clock_unix_ms = clock_unix_ms
        self._is_in_memory = is_in_memory
        self._lock = threading.Lock()
        try:
            if not is_in_memory:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            entries = load_pins(folder) if folder.is_dir() else []
        except OSError as exc:
            raise EnvironmentProblem(f"cannot use the pins' folder {folder}: {exc}; mend its rights") from exc
        self._entries = {entry.pin.pin_id: entry for entry in entries}

    # -- what there is --

    @property
    def size_bytes(self) -> int:
        """What all pins hold; while a GOP is also in the ring its bytes are there once."""
        return sum(entry.size_bytes for entry in self._all())

    def pins(self) -> list[Pin]:
        """Every pin there is, oldest first."""
        return sorted((entry.pin for entry in self._all()), key=lambda pin: pin.created_unix_ms)

    def of_owner(self, owner_id: str) -> list[Pin]:
        """A clip's, a request's or a candidate's pins, oldest first."""
        return [pin for pin in self.pins() if pin.owner_id == owner_id]

    def find(self, pin_id: str) -> tuple[Pin, EpochInfo] | None:
        """A pin and the epoch that it lies in; None when it is not there any more."""
        with self._lock:
            entry = self._entries.get(pin_id)
        return None if entry is None else (entry.pin, entry.info)

    def reach(self, owner_id: str) -> tuple[int, int] | None:
        """From where to where the owner's newest pin goes without a gap, with what others pinned beside it.

        Whole GOPs of one epoch. None: the owner has no pin (any more).
        """
        entries = self._all()
        own = [entry for entry in entries if entry.pin.owner_id == owner_id and entry.gops]
        if not own:
            return None
        newest = max(own, key=lambda entry: entry.pin.created_unix_ms)
        gops = {
            gop.index: gop
            for entry in sorted(entries, key=lambda item: item.pin.created_unix_ms)
            if (entry.pin.session_id, entry.info.epoch) == (newest.pin.session_id, newest.info.epoch)
            for gop in entry.gops
        }
        first = last = max(gop.index for gop in newest.gops)
        while first - 1 in gops:
            first -= 1
        while last + 1 in gops:
            last += 1
        return gops[first].start_ns, gops[last].end_ns

    def gops(self, session_id: str) -> list[HeldGop]:
        """Every pinned GOP of a session, each once."""
        found: dict[tuple[int, int], HeldGop] = {}
        for entry in self._all():
            if entry.pin.session_id != session_id:
                continue
            for gop in entry.gops:
                other = found.get((gop.epoch, gop.index))
                if other is None or other.end_ns < gop.end_ns:
                    found[gop.epoch, gop.index] = gop
        return list(found.values())

    def epoch_info(self, session_id: str, epoch: int) -> EpochInfo:
        """The parameters of a pinned epoch.

        Raises:
            NothingToClip: No pin has it any more.
        """
        for entry in self._all():
            if entry.info.session_id == session_id and entry.info.epoch == epoch:
                return entry.info
        raise NothingToClip(f"no pin holds epoch {epoch} of session {session_id}")

    def _all(self) -> list[PinEntry]:
        with self._lock:
            return list(self._entries.values())

    # -- what comes --

    def add(
        self,
        info: EpochInfo,
        gops: Sequence[HeldGop],
        *,
        start_ns: int,
        end_ns: int,
        kind: PinKind,
        owner_id: str,
        core_ns: tuple[int, int] | None = None,
    ) -> Pin:
        """Pin held GOPs (the caller holds their files); durable when it returns.

        Args:
            core_ns: start and end of the clip itself; the rest is margin. None: all is wanted alike.

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
            core_start_ns=core_ns[0] if core_ns else None,
            core_end_ns=core_ns[1] if core_ns else None,
        )
        self._put(pin, info, gops, generation=0)
        return pin

    def replace(
        self,
        pin_id: str,
        gops: Sequence[HeldGop],
        *,
        start_ns: int,
        end_ns: int,
        core_ns: tuple[int, int] | None = None,
    ) -> Pin:
        """Let a pin hold other GOPs of its epoch (the caller holds their files); its id stays.

        Raises:
            NothingToClip: There is no such pin (any more).
            DiskFull, EnvironmentProblem: It cannot be written; the pin is as it was.
        """
        with self._lock:
            old = self._entries.get(pin_id)
        if old is None:
            raise NothingToClip(f"pin {pin_id} is not there any more")
        pin = dataclasses.replace(
            old.pin,
            start_ns=start_ns,
            end_ns=end_ns,
            core_start_ns=core_ns[0] if core_ns else None,
            core_end_ns=core_ns[1] if core_ns else None,
        )
        self._put(pin, old.info, gops, generation=old.generation + 1)
        discard_pin(old)
        return pin

    def _put(self, pin: Pin, info: EpochInfo, gops: Sequence[HeldGop], *, generation: int) -> None:
        self._make_room(pin, sum(gop.size_bytes for gop in gops))
        if self._is_in_memory:
            entry = PinEntry(pin=pin, info=info, gops=tuple(gops), generation=generation)
        else:
            entry = store_pin(self._folder, pin, info, gops, generation=generation)
        with self._lock:
            self._entries[pin.pin_id] = entry

    def _make_room(self, new: Pin, new_bytes: int) -> None:
        there = [_size(entry) for entry in self._all() if entry.pin.pin_id != new.pin_id]
        dropped = pins_to_drop(there, quota_bytes=self._quota_bytes, new=new, new_bytes=new_bytes)
        if dropped is None:
            raise DiskFull(
                f"a candidate of {new_bytes} bytes does not fit the pins' quota of {self._quota_bytes} bytes; "
                "raise ring.max_pinned_bytes"
            )
        for pin_id, what in dropped:
            log.info("pin_dropped", pin_id=pin_id, what=what, reason="over quota")
            if what == "margin":
                self._drop_margin(pin_id)
            else:
                self.release(pin_id)

    # -- what goes --

    def release(self, pin_id: str) -> None:
        """Give a pin back; its files go when no reader holds them. An unknown id is quietly ignored."""
        with self._lock:
            entry = self._entries.pop(pin_id, None)
        if entry is not None:
            discard_pin(entry)

    def _drop_margin(self, pin_id: str) -> None:
        with self._lock:
            entry = self._entries.get(pin_id)
        if entry is not None:
            self._keep_only(entry, [gop for gop in entry.gops if _is_core(entry.pin, gop)])

    def _keep_only(self, entry: PinEntry, gops: Sequence[HeldGop]) -> None:
        if not gops:
            self.release(entry.pin.pin_id)
            return
        pin = dataclasses.replace(
            entry.pin,
            start_ns=max(entry.pin.start_ns, gops[0].start_ns),
            end_ns=min(entry.pin.end_ns, gops[-1].end_ns),
        )
        shrunk = shrink_pin(entry, pin, gops)
        with self._lock:
            if self._entries.get(pin.pin_id) is entry:
                self._entries[pin.pin_id] = shrunk

    def give_up(self, num_bytes: int, *, kind: PinKind) -> int:
        """The disk is nearly full: drop the oldest candidates (or "keep" pins' margins) that only pins hold.

        Returns how many bytes that frees; stops when it is `num_bytes`.
        """
        freed = 0
        for entry in sorted(self._all(), key=lambda item: item.pin.created_unix_ms):
            if freed >= num_bytes or entry.pin.kind != kind:
                continue
            gops = [gop for gop in entry.gops if kind == "candidate" or not _is_core(entry.pin, gop)]
            gain_bytes = freed_bytes(gops)
            if gain_bytes:
                log.info("pin_dropped", pin_id=entry.pin.pin_id, reason="the disk is nearly full")
                self._keep_only(entry, [gop for gop in entry.gops if gop not in gops])
                freed += gain_bytes
        return freed

    def forget(
        self, session_id: str, overlaps: Callable[[HeldGop], bool], *, is_preview: bool
    ) -> tuple[list[ForgottenPin], list[HeldGop]]:
        """Take all GOPs of a session for which `overlaps` says so out of every pin, and delete them.

        Returns what went of which pin, and the GOPs.
        """
        forgotten: list[ForgottenPin] = []
        gone: list[HeldGop] = []
        for entry in self._all():
            if entry.pin.session_id != session_id:
                continue
            hit = [gop for gop in entry.gops if overlaps(gop)]
            if not hit:
                continue
            kept = [gop for gop in entry.gops if gop not in hit]
            if not is_preview:
                try:
                    self._keep_only(entry, kept)
                except EnvironmentProblem as exc:
                    # The rest of a pin is worth less than that this is gone, and deleting needs no room.
                    log.warning("pin_released_to_forget", problem=str(exc))
                    self.release(entry.pin.pin_id)
                    kept = []
            gone += hit
            forgotten.append(
                ForgottenPin(
                    pin=entry.pin,
                    num_gops=len(hit),
                    size_bytes=sum(gop.size_bytes for gop in hit),
                    is_gone=not kept,
                )
            )
        return forgotten, gone


def _is_core(pin: Pin, gop: HeldGop) -> bool:
    if pin.core_start_ns is None or pin.core_end_ns is None:
        return True
    return gop.start_ns < pin.core_end_ns and gop.end_ns > pin.core_start_ns


def _size(entry: PinEntry) -> PinSize:
    margin_bytes = sum(gop.size_bytes for gop in entry.gops if not _is_core(entry.pin, gop))
    return PinSize(pin=entry.pin, size_bytes=entry.size_bytes, margin_bytes=margin_bytes)
