"""The spool: places that hold what was put, torn tails, full disks, drained segments."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import AlreadyRunning, ChunkRefused, DiskFull, InputUnusable, NotFound
from coordinator.ingest import spool as spool_module
from coordinator.ingest.admission import PendingBytes
from coordinator.ingest.checks import checked_id, tidy
from coordinator.ingest.chunk_rows import FSYNCED, STORED, TAKEN, KnownChunk, Outcome, judge
from coordinator.ingest.places import ObjectPlace, SpoolPlace, parse_place
from coordinator.ingest.records import Record, pack, scan
from coordinator.ingest.spool import Spool
from coordinator.ingest.transport import bearer_token, server_options

SESSION = "d" * 32


def record(seq: int, payload: bytes) -> tuple[Record, bytes]:
    header = Record(
        session_id=SESSION,
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
    opened = Spool(tmp_path, "n1", max_segment_bytes=5_000)
    opened.open()
    yield opened
    opened.close()


def test_what_was_appended_is_read_back_from_its_place(spool: Spool):
    group = [record(seq, bytes([seq]) * 100) for seq in range(5)]

    places = spool.append_group(group)

    assert [spool.read(place) for place in places] == [payload for _, payload in group]
    assert [parse_place(str(place)) for place in places] == places


def test_a_group_that_does_not_fit_goes_on_in_the_next_segment(spool: Spool):
    places = spool.append_group([record(seq, bytes([seq]) * 2000) for seq in range(6)])

    assert [place.segment for place in places] == [1, 1, 1, 2, 2, 2]
    assert [spool.read(place)[:1] for place in places] == [bytes([seq]) for seq in range(6)]


def test_a_new_process_never_appends_to_an_old_segment(spool: Spool, tmp_path: Path):
    spool.append_group([record(0, b"old")])
    spool.close()

    again = Spool(tmp_path, "n1")
    again.open()
    (place,) = again.append_group([record(1, b"new")])
    again.close()

    assert place.segment == 2


def test_two_processes_cannot_have_the_same_spool(spool: Spool, tmp_path: Path):
    with pytest.raises(AlreadyRunning, match="n1"):
        Spool(tmp_path, "n1").open()


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 65, "a b", "-a"])
def test_a_node_name_that_could_leave_its_folder_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InputUnusable, match="node name"):
        Spool(tmp_path, name)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],  # the last byte is missing
        lambda data: data[:-150],  # the header is torn
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),  # a bit flipped
        lambda data: data + b"garbage that was never a record" * 10,
        lambda data: data + b"\0" * 5000,  # a file system's zeros after a power cut
    ],
)
def test_a_scan_stops_at_the_torn_tail(tmp_path: Path, damage):
    whole = b"".join(b"".join(pack(*record(seq, bytes([seq]) * 100))) for seq in range(3))
    path = tmp_path / "segment"
    path.write_bytes(damage(whole))

    with path.open("rb") as file:
        found = [item.record.seq for item in scan(file, 0)]

    assert found in ([0, 1], [0, 1, 2])
    assert (found == [0, 1, 2]) == path.read_bytes().startswith(whole)


@given(st.binary(max_size=400))
def test_a_scan_of_anything_never_raises_and_never_invents(data: bytes):
    import io

    assert list(scan(io.BytesIO(data), 0)) == []


def test_a_full_disk_is_a_typed_error_and_leaves_no_half_record(spool: Spool, monkeypatch):
    (first,) = spool.append_group([record(0, b"kept")])
    size_bytes = spool.path(first.segment).stat().st_size
    real_write = os.write

    def full(descriptor: int, data: memoryview) -> int:
        real_write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool_module.os, "write", full)
    with pytest.raises(DiskFull, match="free some space"):
        spool.append_group([record(1, b"lost")])
    monkeypatch.undo()
    (after,) = spool.append_group([record(2, b"after")])

    assert spool.path(first.segment).stat().st_size == size_bytes
    assert (spool.read(first), spool.read(after)) == (b"kept", b"after")


def test_the_spool_leaves_room_on_its_disk_for_moving_chunks_away(tmp_path: Path, monkeypatch):
    spool = Spool(tmp_path, "n1", min_free_bytes=1_000)
    spool.open()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: usage._replace(free=1_003))
    with pytest.raises(DiskFull, match=r"1003 bytes are free .* 1000 must stay free"):
        spool.append_group([record(0, b"four")])
    (place,) = spool.append_group([record(1, b"fit")])
    spool.close()

    assert spool.segments() == [place.segment]
    assert spool.read(place) == b"fit"


def test_a_segment_may_be_deleted_only_when_it_is_closed_and_its_rows_are_committed(spool: Spool):
    places = spool.append_group([record(seq, b"x" * 3000) for seq in range(4)])
    before = spool.drained_candidates(min_age_s=0)

    spool.release(places)

    assert before == []
    assert spool.drained_candidates(min_age_s=0) == [1]
    assert spool.drained_candidates(min_age_s=3600) == []


def test_bytes_that_are_gone_are_not_found(spool: Spool):
    with pytest.raises(NotFound, match="its segment is gone"):
        spool.read(SpoolPlace(node="n1", segment=7, offset=0, length=1))


@pytest.mark.parametrize(
    "text", ["", "spool:", "spool:n1/1/2", "spool:../1/2/3", "object:k/1", "lost:spool:n1/1/2/3", "x:y/1/2"]
)
def test_a_place_that_is_none_is_not_found(text: str):
    with pytest.raises(NotFound):
        parse_place(text)


def test_an_object_key_may_hold_slashes():
    assert parse_place("object:chunks/a/b.bin/10/20") == ObjectPlace(
        key="chunks/a/b.bin", offset=10, length=20
    )


HASH, OTHER = b"h" * 32, b"o" * 32


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        (None, None),  # new: write it
        (KnownChunk(sha256=HASH, place="object:k/0/1"), STORED),
        (KnownChunk(sha256=HASH, place="spool:n1/1/0/1"), FSYNCED),
        (KnownChunk(sha256=HASH, place="spool:dead/1/0/1"), None),  # the new copy takes over
        (KnownChunk(sha256=HASH, place="spool:n10/1/0/1"), None),  # a name that only begins like a living one
        (KnownChunk(sha256=HASH, place="lost:spool:n1/1/0/1"), None),
        (KnownChunk(sha256=OTHER, place="object:k/0/1"), TAKEN),
    ],
)
def test_a_resend_is_a_duplicate_only_where_its_bytes_are_safe(
    known: KnownChunk | None, outcome: Outcome | None
):
    assert judge(known, HASH, {"n1", "n2"}) == outcome


def test_pending_bytes_are_bounded_for_each_account_and_in_all():
    pending = PendingBytes(max_user_bytes=100, max_total_bytes=150)

    answers = [pending.take("a", 80), pending.take("a", 30), pending.take("b", 80), pending.take("b", 60)]
    pending.give_back("a", 80)

    assert [bool(answer) for answer in answers] == [False, True, True, False]
    assert pending.take("a", 90) == ""


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "a\0", "ä", "a/b", "'; drop table", "²"])
def test_an_id_from_outside_is_letters_and_digits(text: str):
    with pytest.raises(ChunkRefused):
        checked_id("clip_id", text)


def test_text_from_outside_keeps_no_control_characters():
    assert tidy("a\0b\x1b[31m\n" + "c" * 100, 8) == "ab[31mcc"


def test_the_token_is_taken_from_the_bearer_entry_alone():
    metadata = [("x", "Bearer no"), ("authorization", "Basic abc"), ("authorization", "Bearer the-token")]

    assert bearer_token(metadata) == "the-token"


def test_a_herd_finds_room_and_a_half_open_peer_is_dropped(tmp_path: Path):
    options = dict(server_options(dead_peer_s=25.0, is_port_shared=False, max_connection_age_s=None))

    assert options["grpc.server.max_pending_requests"] == 20_000
    assert options["grpc.http2.ping_timeout_ms"] > 0
    assert options["grpc.max_receive_message_length"] == 1_310_720
