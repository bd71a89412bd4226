"""Forgotten records in a spool: stepped over by every reader, gone for good, whatever is killed in between."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import StoreUnavailable
from coordinator.ingest import erasing
from coordinator.ingest.erasing import erase, sessions_in, sweep
from coordinator.ingest.records import MAGIC, PlacedRecord, Record, headers, pack, scan
from coordinator.ingest.spool import Spool

SESSION, OTHER = "d" * 32, "e" * 32
SECRET = b"what was said "


def record(seq: int, session_id: str = SESSION) -> tuple[Record, bytes]:
    payload = (SECRET + bytes([seq])) * 20
    header = Record(
        session_id=session_id,
        lane=1,
        seq=seq,
        start_ns=seq,
        end_ns=seq + 1,
        content_type="audio/ogg",
        sha256=hashlib.sha256(payload).digest(),
    )
    return header, payload


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path, "n1")
    opened.open()
    yield opened
    opened.close()


def is_meant(placed: PlacedRecord) -> bool:
    return placed.record.session_id == SESSION and placed.record.seq in (1, 2)


def kept(spool: Spool, segment: int = 1) -> list[int]:
    """What a recovery would find."""
    with spool.path(segment).open("rb") as file:
        return [placed.record.seq for placed in scan(file, 0) if placed.is_kept]


def test_a_sweep_overwrites_what_is_meant_and_leaves_its_neighbours_where_they_were(spool: Spool):
    places = spool.append_group([*(record(seq) for seq in range(4)), record(1, OTHER)])
    size_bytes = spool.path(1).stat().st_size

    num = sweep(spool, 1, is_meant)
    again = sweep(spool, 1, is_meant)
    (after,) = spool.append_group([record(9)])

    assert (num, again) == (2, 0)
    assert kept(spool) == [0, 3, 1, 9]
    assert [spool.read(place) for place in (places[0], places[3], after)] == [record(s)[1] for s in (0, 3, 9)]
    assert spool.read(places[1]) == bytes(len(record(1)[1]))
    data = spool.path(1).read_bytes()
    assert record(2)[1][:15] + bytes([2]) not in data and record(2)[0].sha256 not in data
    assert len(data) > size_bytes
    assert sessions_in(spool, 1) == {SESSION, OTHER}


def test_places_are_erased_by_themselves(spool: Spool):
    places = spool.append_group([record(seq) for seq in range(3)])

    erase(spool, [places[2]])

    assert kept(spool) == [0, 1]


def test_a_segment_that_is_gone_holds_nothing(spool: Spool):
    places = spool.append_group([record(0)])
    spool.seal()
    spool.delete(1)

    erase(spool, places)

    assert (sweep(spool, 1, lambda _: True), sessions_in(spool, 1)) == (0, set())


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.mark.parametrize("is_torn", [False, True])
def test_killed_at_any_write_it_loses_no_neighbour_and_the_next_sweep_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_torn: bool
):
    write = erasing._write_at
    for number in range(100):
        spool = Spool(tmp_path / str(number), "n1")
        spool.open()
        spool.append_group([record(seq) for seq in range(4)])
        left = number

        def write_or_die(descriptor: int, offset: int, data: bytes) -> None:
            nonlocal left
            if left == 0:
                if is_torn:
                    # A page of it went to the disk, the rest did not; one byte is whole or not there.
                    write(descriptor, offset, data[: len(data) // 2])
                raise Killed
            left -= 1
            write(descriptor, offset, data)

        with monkeypatch.context() as patch:
            patch.setattr(erasing, "_write_at", write_or_die)
            try:
                sweep(spool, 1, is_meant)
            except Killed:
                was_killed = True
            else:
                was_killed = False

        between = kept(spool)
        sweep(spool, 1, is_meant)
        assert set(between) - {1, 2} == {0, 3}, f"killed at write {number}"
        assert kept(spool) == [0, 3]
        assert SECRET + bytes([1]) not in spool.path(1).read_bytes()
        assert SECRET + bytes([2]) not in spool.path(1).read_bytes()
        spool.close()
        if not was_killed:
            break
    assert number == 8, "two records: two marks, four blanks, two marks"


def test_a_disk_that_does_not_take_it_is_said_and_tried_again(spool: Spool, monkeypatch: pytest.MonkeyPatch):
    spool.append_group([record(seq) for seq in range(4)])

    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(StoreUnavailable, match="overwrite what is forgotten"):
        patch.setattr(erasing, "sync_file", fail)
        sweep(spool, 1, is_meant)

    assert sweep(spool, 1, is_meant) == 2
    assert kept(spool) == [0, 3]


@given(st.data())
def test_whatever_a_segment_holds_nothing_past_its_end_is_touched(data: st.DataObject):
    whole = b"".join(b"".join(pack(*record(seq))) for seq in range(3))
    junk = data.draw(st.binary(max_size=200))
    at = data.draw(st.integers(0, len(whole)))
    file = io.BytesIO(whole[:at] + junk + whole[at:])
    end = data.draw(st.integers(0, len(whole) + len(junk)))

    found = list(headers(file, end=end))

    assert all(placed.offset + placed.length <= end for placed in found)
    for placed in found:
        for offset, length in erasing.blanks(placed):
            assert offset >= 0 and length >= 0 and offset + length <= end
            assert offset > placed.header_offset + len(MAGIC) - 1
