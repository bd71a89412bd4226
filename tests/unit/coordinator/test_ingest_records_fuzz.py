"""Spool segments that nobody wrote, or that something spoiled: a scan gives whole records and nothing else."""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coordinator.ingest.records import MAGIC, PlacedRecord, Record, is_writable, pack, scan

SESSION = "d" * 32
HEADER_BYTES = 89


def packed(seq: int, payload: bytes) -> bytes:
    record = Record(
        session_id=SESSION,
        lane=1,
        seq=seq,
        start_ns=seq,
        end_ns=seq + 1,
        content_type="audio/ogg",
        sha256=hashlib.sha256(payload).digest(),
    )
    return b"".join(pack(record, payload))


PAYLOADS = st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=6)


def scanned(data: bytes, offset: int = 0) -> list[PlacedRecord]:
    return list(scan(io.BytesIO(data), offset))


def payload_of(data: bytes, item: PlacedRecord) -> bytes:
    return data[item.offset : item.offset + item.length]


def all_hold(data: bytes, found: list[PlacedRecord]) -> bool:
    return all(hashlib.sha256(payload_of(data, item)).digest() == item.record.sha256 for item in found)


@given(PAYLOADS, st.data())
def test_a_flipped_bit_ends_the_scan_at_its_record(payloads: list[bytes], data: st.DataObject):
    parts = [packed(seq, payload) for seq, payload in enumerate(payloads)]
    whole = bytearray(b"".join(parts))
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[place // 8] ^= 1 << (place % 8)
    spoiled = next(
        index for index in range(len(parts)) if place // 8 < sum(len(part) for part in parts[: index + 1])
    )

    assert [item.record.seq for item in scanned(bytes(whole))] == list(range(spoiled))


@given(PAYLOADS, st.integers(0, 2000))
def test_a_truncated_segment_gives_the_records_that_are_whole(payloads: list[bytes], size_bytes: int):
    parts = [packed(seq, payload) for seq, payload in enumerate(payloads)]
    data = b"".join(parts)[:size_bytes]
    ends = [sum(len(part) for part in parts[: index + 1]) for index in range(len(parts))]

    found = scanned(data)

    assert len(found) == sum(end <= len(data) for end in ends)
    assert all_hold(data, found)


@given(PAYLOADS, st.binary(max_size=300), st.integers(0, 1500))
def test_bytes_from_elsewhere_in_the_middle_never_become_a_record(
    payloads: list[bytes], foreign: bytes, at: int
):
    whole = b"".join(packed(seq, payload) for seq, payload in enumerate(payloads))
    data = whole[:at] + foreign + whole[at:]

    found = scanned(data)

    assert all_hold(data, found)
    assert [item.record.seq for item in found] == list(range(len(found)))


@given(st.binary(max_size=600), st.integers(0, 700))
@example(MAGIC * 100, 0)
@example(MAGIC + b"\0" * 200, 0)
@example(b"", 5)
def test_a_scan_of_anything_from_anywhere_never_raises_and_never_invents(data: bytes, offset: int):
    assert scanned(data, offset) == []


@given(
    header_bytes=st.integers(0, 2**16 - 1),
    payload_bytes=st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([1, 1_250_000, 2**32 - 1])),
    num_type=st.integers(0, 255),
    rest=st.binary(max_size=100),
)
def test_lengths_that_lie_give_nothing(header_bytes: int, payload_bytes: int, num_type: int, rest: bytes):
    whole = packed(0, b"kept")
    lie = struct.pack("<4sHHII", MAGIC, header_bytes, 1, payload_bytes, 0)
    lie += b"\0" * (HEADER_BYTES - len(lie) - 1) + bytes([num_type]) + rest

    assert [item.record.seq for item in scanned(whole + lie)] == [0]


def test_a_length_that_lies_takes_no_memory():
    fixed = HEADER_BYTES
    lie = struct.pack("<4sHHII", MAGIC, fixed, 1, 1_250_000, 0)
    lie += b"\0" * (fixed - len(lie))
    tracemalloc.start()
    for _ in range(20):
        assert scanned(lie) == []
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 100_000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"lane": 2**15 - 1, "seq": 2**63 - 1}, True),
        ({"lane": 2**15}, False),
        ({"seq": 2**63}, False),
        ({"content_type": "a\0b"}, False),
        ({"content_type": "\ufffd"}, False),
    ],
)
def test_a_record_that_no_row_can_hold_is_known_as_such(changes: dict[str, object], expected: bool):
    values: dict[str, object] = {
        "session_id": SESSION,
        "lane": 1,
        "seq": 0,
        "start_ns": 0,
        "end_ns": 1,
        "content_type": "audio/ogg",
        "sha256": b"x" * 32,
    }

    assert is_writable(Record(**(values | changes))) is expected  # type: ignore[arg-type]
