"""The file format: what is written is read back, and what is torn is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.errors import InputUnusable
from agent.ring.packet_log import (
    EpochInfo,
    GopWriter,
    gop_path,
    list_gops,
    read_epoch,
    read_gop,
    summarize_gop,
    write_epoch,
)
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture, sound


def write(path: Path, packets, index=0):
    writer = GopWriter(path, index)
    writer.append(packets)
    writer.close()
    return path


def test_packets_are_read_back_as_they_were(tmp_path):
    packets = [picture(0), sound(-21_333_333), picture(1), sound(5)]

    path = write(gop_path(tmp_path, 0), packets)

    assert packets == list(read_gop(path))


def test_a_batch_larger_than_one_writev_is_written_whole(tmp_path):
    packets = [picture(number, gop=2000) for number in range(1500)]

    path = write(gop_path(tmp_path, 0), packets)

    assert packets == list(read_gop(path))


@pytest.mark.parametrize("num_cut", [1, 30, 99, 100, 120, 135])
def test_a_torn_last_record_is_left_out(tmp_path, num_cut):
    packets = [picture(0), picture(1), picture(2)]
    path = write(gop_path(tmp_path, 0), packets)

    path.write_bytes(path.read_bytes()[:-num_cut])

    assert packets[:2] == list(read_gop(path))


def test_reading_stops_at_a_record_whose_bytes_changed(tmp_path):
    path = write(gop_path(tmp_path, 0), [picture(0), picture(1), picture(2)])
    data = bytearray(path.read_bytes())
    data[8 + 136 + 36 + 50] ^= 1  # inside the second payload

    path.write_bytes(data)

    assert [picture(0)] == list(read_gop(path))


def test_a_length_beyond_reason_is_taken_for_a_torn_record(tmp_path):
    path = write(gop_path(tmp_path, 0), [picture(0)])

    path.write_bytes(path.read_bytes() + b"\xff" * 400)

    assert [picture(0)] == list(read_gop(path))


@pytest.mark.parametrize("content", [b"", b"GOP", b"not a gop file at all", b"GOP\x09\0\0\0\0"])
def test_a_foreign_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "5.gop"
    path.write_bytes(content)

    with pytest.raises(InputUnusable, match=r"5\.gop"):
        list(read_gop(path))


def test_a_summary_tells_span_number_and_size(tmp_path):
    path = write(gop_path(tmp_path, SECOND_NS), [picture(10), sound(SECOND_NS), picture(11)], index=7)

    summary = summarize_gop(path)

    assert summary is not None
    assert (
        summary.index,
        summary.start_ns,
        summary.end_ns,
        summary.num_packets,
    ) == (7, SECOND_NS, SECOND_NS + 2 * FRAME_NS, 3)


def test_a_file_without_a_whole_key_frame_has_no_summary(tmp_path):
    path = write(gop_path(tmp_path, 0), [picture(0)])
    path.write_bytes(path.read_bytes()[:-1])

    assert summarize_gop(path) is None


def test_files_are_listed_by_time(tmp_path):
    for start_ns in (10 * SECOND_NS, -5, 2 * SECOND_NS):
        write(gop_path(tmp_path, start_ns), [])
    (tmp_path / "notes.gop").write_bytes(b"")

    assert [int(path.stem) for path in list_gops(tmp_path)] == [-5, 2 * SECOND_NS, 10 * SECOND_NS]


def test_an_epoch_is_read_back_as_it_was(tmp_path):
    info = EpochInfo(
        session_id="s",
        epoch=3,
        t0_monotonic_ns=5,
        created_unix_ms=6,
        tracks=(VIDEO, MIX),
        start_ns=7,
        reason="size",
    )

    write_epoch(tmp_path, info)

    assert info == read_epoch(tmp_path)


def test_an_epoch_file_of_an_older_engine_is_read(tmp_path):
    info = EpochInfo(session_id="s", epoch=3, t0_monotonic_ns=5, created_unix_ms=6, tracks=(VIDEO, MIX))
    write_epoch(tmp_path, info)
    fields = json.loads((tmp_path / "epoch.json").read_text())
    del fields["start_ns"], fields["reason"]
    (tmp_path / "epoch.json").write_text(json.dumps(fields))

    assert info == read_epoch(tmp_path)


@pytest.mark.parametrize("content", [None, b"{", b"{}", b'{"version": 1, "session_id": 3}', b"[]"])
def test_an_unusable_epoch_file_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "epoch.json").write_bytes(content)

    with pytest.raises(InputUnusable, match="delete"):
        read_epoch(tmp_path)
