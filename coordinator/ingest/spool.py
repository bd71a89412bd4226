"""The node's spool: chunks appended to 64 MB segments until they are in the object store.

Invariants: what `append_group` returned has been fdatasynced, and so has the folder entry of its segment; a
segment that was closed is never appended to again; a process never appends to a segment of an earlier one. What is
forgotten is overwritten in place: `erasing.py`.
One process owns a node's folder (a lock sees to it). All methods block: call them in a thread; any one thread at
a time may append, reading is free.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import structlog

from coordinator.errors import AlreadyRunning, DiskFull, InputUnusable, NotFound, StoreUnavailable
from coordinator.ingest.places import SpoolPlace, is_node_name, segment_name
from coordinator.ingest.records import Record, pack

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 64 * 1024 * 1024
# Who hears a chunk at once reads it from memory. Older ones give theirs back: 40 MB/s until the roll-up would push out
# the database's pages, and new memory costs a virtual machine as much again as writing to what it has.
_NUM_REMEMBERED = 2
# macOS has no fdatasync; fsync keeps the same promise.
sync_file = getattr(os, "fdatasync", os.fsync)


class Spool:
    """The segments of one node."""

    def __init__(
        self, folder: Path, node: str, *, max_segment_bytes: int = SEGMENT_BYTES, min_free_bytes: int = 0
    ) -> None:
        """Nothing is opened yet.

        Args:
            min_free_bytes: left free on the disk: moving chunks to the object store needs a little room here too, and
                is what makes room.

        Raises:
            InputUnusable: `node` is no name for a folder.
        """
        if not is_node_name(node):
            raise InputUnusable(f"node name {node!r} may hold letters, digits and dashes only, at most 64")
        self.node = node
        self.folder = folder / node
        self._max_segment_bytes = max_segment_bytes
        self._min_free_bytes = min_free_bytes
        self._lock = threading.Lock()
        self._lock_file = -1
        self._file = -1
        self._segment = 0
        self._offset = 0
        self._busy: dict[int, int] = {}

    def open(self) -> None:
        """Take the folder.

        Raises:
            AlreadyRunning: Another process has it.
            DiskFull, StoreUnavailable: It cannot be made or written.
        """
        with translated("open"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _take_lock(self._lock_file):
            os.close(self._lock_file)
            self._lock_file = -1
            raise AlreadyRunning(
                f"another process has the spool of node {self.node!r}; give each its own name"
            )
        self._segment = max(self.segments(), default=0)

    def close(self) -> None:
        """Close the segment and let the folder go. Twice is once."""
        with self._lock:
            self._seal()
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1

    def append_group(self, group: Sequence[tuple[Record, bytes]]) -> list[SpoolPlace]:
        """Append all and make them durable; returns their places, in order.

        The segments stay out of `drained_candidates` until `release` is called with these places.

        Raises:
            DiskFull: No room; nothing of the group counts.
            StoreUnavailable: The disk failed; nothing of the group counts.
        """
        with self._lock:
            self._check_room(sum(len(payload) for _, payload in group))
            start = (self._segment, self._offset) if self._file >= 0 else None
            try:
                with translated("append to"):
                    places = self._append(group)
                    sync_file(self._file)
            except BaseException:
                self._abandon(start)
                raise
            for segment in {place.segment for place in places}:
                self._busy[segment] = self._busy.get(segment, 0) + 1
            return places

    def release(self, places: Sequence[SpoolPlace]) -> None:
        """The rows of this group are committed, or will never be."""
        with self._lock:
            for segment in {place.segment for place in places}:
                self._busy[segment] -= 1
                if self._busy[segment] == 0:
                    del self._busy[segment]

    def read(self, place: SpoolPlace) -> bytes:
        """Return a chunk's bytes.

        Raises:
            NotFound: They are not there (any more).
        """
        data = self.read_all([place])[0]
        if data is None:
            raise NotFound(
                f"{place} is not there: its segment is gone, or ends before it; read the row again"
            )
        return data

    def read_all(self, places: Sequence[SpoolPlace]) -> list[bytes | None]:
        """Return the bytes of many chunks, in order; None for one that is not there (any more)."""
        found: list[bytes | None] = []
        with contextlib.ExitStack() as stack:
            files: dict[int, BinaryIO | None] = {}
            for place in places:
                if place.segment not in files:
                    files[place.segment] = None
                    with contextlib.suppress(FileNotFoundError):
                        files[place.segment] = stack.enter_context(self.path(place.segment).open("rb"))
                file = files[place.segment]
                data = b""
                if file is not None:
                    file.seek(place.offset)
                    data = file.read(place.length)
                found.append(data if len(data) == place.length else None)
        return found

    def segments(self) -> list[int]:
        """Numbers of the segments on the disk, ascending."""
        return sorted(int(path.name) for path in self.folder.glob("[0-9]*") if path.name.isdecimal())

    def path(self, segment: int) -> Path:
        """The file of a segment."""
        return self.folder / segment_name(segment)

    def durable_end(self, segment: int) -> int:
        """How much of a segment is durable and will not be cut off; 0 for one that is gone."""
        with self._lock:
            if segment == self._segment and self._file >= 0:
                return self._offset
        with contextlib.suppress(FileNotFoundError):
            return self.path(segment).stat().st_size
        return 0

    def drained_candidates(self, *, min_age_s: float) -> list[int]:
        """Closed segments without a group under way, not written for `min_age_s`.

        Whether no row points there any more is for the caller to ask.
        """
        now_s = time.time()
        with self._lock:
            taken = {*self._busy, *([self._segment] if self._file >= 0 else [])}
        return [
            segment
            for segment in self.segments()
            if segment not in taken and now_s - self.path(segment).stat().st_mtime >= min_age_s
        ]

    def delete(self, segment: int) -> None:
        """Delete a drained segment. One that is gone is no error."""
        with translated("delete a segment of"), contextlib.suppress(FileNotFoundError):
            self.path(segment).unlink()

    def truncate(self, segment: int, size_bytes: int) -> None:
        """Cut a torn tail off, durably. For recovery only."""
        with translated("truncate a segment of"):
            file = os.open(self.path(segment), os.O_RDWR)
            try:
                os.ftruncate(file, size_bytes)
                os.fsync(file)
            finally:
                os.close(file)

    def seal(self) -> None:
        """Close the current segment, so that it can be drained; the next group begins a new one."""
        with self._lock:
            self._seal()

    def _check_room(self, num_bytes: int) -> None:
        with translated("look at"):
            free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes < self._min_free_bytes + num_bytes:
            raise DiskFull(
                f"{free_bytes} bytes are free where the spool is, and {self._min_free_bytes} must stay free; "
                "free some space"
            )

    def _append(self, group: Sequence[tuple[Record, bytes]]) -> list[SpoolPlace]:
        places: list[SpoolPlace] = []
        waiting: list[bytes] = []
        end = self._offset
        for record, payload in group:
            if self._file < 0 or end >= self._max_segment_bytes:
                if self._file >= 0:
                    self._write(waiting)
                    waiting.clear()
                    sync_file(self._file)
                    self._seal()
                    self._let_go(self._segment - _NUM_REMEMBERED)
                self._begin()
                end = 0
            header, body = pack(record, payload)
            places.append(
                SpoolPlace(node=self.node, segment=self._segment, offset=end + len(header), length=len(body))
            )
            waiting += (header, body)
            end += len(header) + len(body)
        self._write(waiting)
        return places

    def _write(self, parts: Sequence[bytes]) -> None:
        data = memoryview(b"".join(parts))
        while data:
            written = os.write(self._file, data)
            self._offset += written
            data = data[written:]

    def _begin(self) -> None:
        segment = self._segment + 1
        self._file = os.open(self.path(segment), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._segment = segment
        self._offset = 0
        sync_folder(self.folder)

    def _let_go(self, segment: int) -> None:
        """Tell the system that nobody will read this soon; what it says to that does not matter."""
        if not hasattr(os, "posix_fadvise"):
            return
        with contextlib.suppress(OSError):
            file = os.open(self.path(segment), os.O_RDONLY)
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)

    def _seal(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _abandon(self, start: tuple[int, int] | None) -> None:
        """After a failure nobody knows what the pages hold: cut back to the start of the group, begin anew."""
        with contextlib.suppress(OSError):
            if start is not None:
                os.truncate(self.path(start[0]), start[1])
        with contextlib.suppress(OSError):
            if self._file >= 0 and (start is None or self._segment != start[0]):
                os.ftruncate(self._file, 0)
        with contextlib.suppress(OSError):
            self._seal()
        self._file = -1


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable, where the platform can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_lock(descriptor: int) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise DiskFull or StoreUnavailable for what the disk says."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no room to {what} the spool; free some space") from exc
        raise StoreUnavailable(f"cannot {what} the spool: {exc.strerror or exc}") from exc
