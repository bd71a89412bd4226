"""Sets of sequence numbers as inclusive ranges. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

from protos.clippy.v1 import media_pb2

Range = tuple[int, int]
# SQLite's and PostgreSQL's largest integer; the wire's uint64 goes further.
MAX_SEQ = 2**63 - 1


def to_ranges(numbers: Iterable[int]) -> list[Range]:
    """Return `numbers` (any order, doubles allowed) as ascending ranges that do not touch."""
    return merge((number, number) for number in numbers)


def merge(ranges: Iterable[Range]) -> list[Range]:
    """Return the union of `ranges` as ascending ranges that do not touch."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def holds(ranges: Sequence[Range], number: int) -> bool:
    """Is `number` within one of `ranges` (as `merge` returns them)?"""
    index = bisect.bisect_right(ranges, (number, MAX_SEQ + 1)) - 1
    return index >= 0 and ranges[index][0] <= number <= ranges[index][1]


def holes(ranges: Sequence[Range], end: int) -> list[Range]:
    """Return what [0, end) has that `ranges` (as `merge` returns them) has not."""
    found: list[Range] = []
    start = 0
    for first, last in ranges:
        if first >= end:
            break
        if first > start:
            found.append((start, first - 1))
        start = max(start, last + 1)
    if start < end:
        found.append((start, end - 1))
    return found


def from_wire(ranges: Iterable[media_pb2.SeqRange]) -> list[Range]:
    """Return the ranges of a message, within what a database can hold; empty ones are left out."""
    clamped = ((item.first, min(item.last, MAX_SEQ)) for item in ranges)
    return merge((first, last) for first, last in clamped if first <= last)
