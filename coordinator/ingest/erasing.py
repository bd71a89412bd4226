"""Overwrites forgotten records in a spool's segments, so that neither a reader nor a recovery finds them again.

Killed anywhere it leaves a segment that reads as before: see `records.py`; the next sweep goes on where it was. Only
the process that owns the spool may call this. Blocks: call it in a thread; appending may go on meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from coordinator.ingest.places import SpoolPlace
from coordinator.ingest.records import FORGETTING, FORGOTTEN, MARK_OFFSET, PlacedRecord, blanks, headers
from coordinator.ingest.spool import Spool, sync_file, translated

_BLOCK = bytes(1024 * 1024)


def sessions_in(spool: Spool, segment: int) -> set[str]:
    """Whose records a segment holds. A segment that is gone holds none."""
    return {placed.record.session_id for placed in _records(spool, segment) if placed.is_kept}


def sweep(spool: Spool, segment: int, is_forgotten: Callable[[PlacedRecord], bool]) -> int:
    """Overwrite the records of a segment that are meant, and those that a kill left half done; returns how many.

    Raises:
        StoreUnavailable, DiskFull: The disk does not take it; sweeping again goes on.
    """
    meant = [
        placed
        for placed in _records(spool, segment)
        if placed.mark == FORGETTING or (placed.is_kept and is_forgotten(placed))
    ]
    _erase(spool, segment, meant)
    return len(meant)


def erase(spool: Spool, places: Sequence[SpoolPlace]) -> None:
    """Overwrite what lies at these places. Raises as `sweep`."""
    for segment in sorted({place.segment for place in places}):
        offsets = {place.offset for place in places if place.segment == segment}
        _erase(spool, segment, [placed for placed in _records(spool, segment) if placed.offset in offsets])


def _records(spool: Spool, segment: int) -> list[PlacedRecord]:
    with contextlib.suppress(FileNotFoundError), spool.path(segment).open("rb") as file:
        return list(headers(file, end=spool.durable_end(segment)))
    return []


def _erase(spool: Spool, segment: int, meant: Sequence[PlacedRecord]) -> None:
    if not meant:
        return
    try:
        descriptor = os.open(spool.path(segment), os.O_RDWR | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        stack.enter_context(translated("overwrite what is forgotten in"))
        # The marks are on the disk before the first byte they account for is gone.
        for placed in meant:
            _write_at(descriptor, placed.header_offset + MARK_OFFSET, FORGETTING[MARK_OFFSET:])
        sync_file(descriptor)
        for placed in meant:
            for offset, length in blanks(placed):
                _write_zeros(descriptor, offset, length)
        sync_file(descriptor)
        for placed in meant:
            _write_at(descriptor, placed.header_offset + MARK_OFFSET, FORGOTTEN[MARK_OFFSET:])
        sync_file(descriptor)


def _write_zeros(descriptor: int, offset: int, length: int) -> None:
    while length > 0:
        part = min(length, len(_BLOCK))
        _write_at(descriptor, offset, _BLOCK[:part])
        offset, length = offset + part, length - part


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    # Not pwrite: Windows has none. Nobody else uses this descriptor.
    os.lseek(descriptor, offset, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
