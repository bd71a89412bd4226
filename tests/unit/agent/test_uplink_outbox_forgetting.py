"""A span leaves the outbox, and the coordinator is told what it has of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.media import LaneChunk
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_forgetting import OutboxForgetting
from protos.clippy.v1 import clips_pb2, link_pb2, media_pb2
from protos.timebase import SECOND_NS

SESSION = "a" * 32
SECRET = b"OggS" + b"a secret that was said" * 40


def chunk(number: int, lane: str = "mic") -> LaneChunk:
    """Ten seconds from `10 * number` on."""
    return LaneChunk(
        lane=lane,  # type: ignore[arg-type]
        start_ns=10 * number * SECOND_NS,
        end_ns=10 * (number + 1) * SECOND_NS,
        content_type="audio/ogg",
        payload=SECRET + bytes([number]),
    )


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    opened.start_session(SESSION, 1)
    for number in range(5):
        opened.put(SESSION, chunk(number))
    yield opened
    opened.close()


def held(*, fsynced: list[tuple[int, int]] = (), stored: list[tuple[int, int]] = ()):  # type: ignore[assignment]
    return [
        media_pb2.LaneRanges(
            session_id=SESSION,
            lane=media_pb2.LANE_MIC,
            fsynced=[media_pb2.SeqRange(first=first, last=last) for first, last in fsynced],
            stored=[media_pb2.SeqRange(first=first, last=last) for first, last in stored],
        )
    ]


def tombstones(outbox: Outbox) -> list[tuple[int, int, str]]:
    gaps = [event.message.gap for event in outbox.events_after(0, limit=100) if event.message.HasField("gap")]
    return [(gap.first, gap.last, gap.reason) for gap in gaps]


def seconds(start_s: float, end_s: float) -> tuple[str, int, int]:
    return SESSION, round(start_s * SECOND_NS), round(end_s * SECOND_NS)


def test_a_chunk_that_straddles_goes_whole_and_leaves_a_tombstone(outbox: Outbox):
    gone = OutboxForgetting(outbox).forget(*seconds(15, 31))

    assert (gone.num_chunks, gone.start_ns, gone.end_ns) == (3, 10 * SECOND_NS, 40 * SECOND_NS)
    assert outbox.unacked(SESSION, media_pb2.LANE_MIC) == [0, 4]
    assert tombstones(outbox) == [(1, 3, "forgotten")]
    assert outbox.gap_lines() == ["30 s of mic not uploaded: forgotten"]


def test_a_preview_counts_the_same_and_changes_nothing(outbox: Outbox):
    forgetting = OutboxForgetting(outbox)

    looked = forgetting.look(*seconds(15, 31))

    assert tombstones(outbox) == []
    assert looked == forgetting.forget(*seconds(15, 31))


def test_what_the_coordinator_has_is_told_and_counted(outbox: Outbox):
    outbox.mark_fsynced(held(fsynced=[(0, 2)]))
    outbox.delete_stored(held(stored=[(0, 0)]))

    gone = OutboxForgetting(outbox).forget(*seconds(0, 50))

    assert (gone.num_chunks, gone.num_sent) == (4, 3)
    assert tombstones(outbox) == [(0, 4, "forgotten")]
    # what was uploaded did not fail to be
    assert outbox.gap_lines() == ["20 s of mic not uploaded: forgotten"]


def test_a_welcome_brings_nothing_back_and_finds_no_hole(outbox: Outbox):
    outbox.mark_fsynced(held(fsynced=[(0, 2)]))
    OutboxForgetting(outbox).forget(*seconds(0, 30))

    outbox.reconcile(held(fsynced=[(1, 2)]))

    assert outbox.unacked(SESSION, media_pb2.LANE_MIC) == [3, 4]
    assert tombstones(outbox) == [(0, 2, "forgotten")]


def test_a_chunk_that_is_still_being_made_takes_its_number_and_is_never_seen(outbox: Outbox):
    OutboxForgetting(outbox).put_forgotten(SESSION, chunk(5))
    outbox.put(SESSION, chunk(6))

    assert outbox.unacked(SESSION, media_pb2.LANE_MIC) == [0, 1, 2, 3, 4, 6]
    assert tombstones(outbox) == [(5, 5, "forgotten")]


def test_no_byte_of_it_stays_in_any_file(outbox: Outbox, tmp_path: Path):
    assert any(SECRET in path.read_bytes() for path in tmp_path.iterdir())

    OutboxForgetting(outbox).forget(*seconds(0, 50))

    assert not any(SECRET[:60] in path.read_bytes() for path in tmp_path.iterdir())


def test_what_was_said_of_a_moment_of_it_and_was_not_sent_goes_and_other_words_stay(outbox: Outbox):
    for number in (0, 3):
        moment = clips_pb2.Moment(
            session_id=SESSION, start_ns=10 * number * SECOND_NS, end_ns=10 * (number + 1) * SECOND_NS
        )
        news = link_pb2.TasteNews(verdict=clips_pb2.MomentVerdict(moment=moment))
        outbox.put_event(SESSION, "taste", link_pb2.AgentMessage(taste=news))

    OutboxForgetting(outbox).forget(*seconds(0, 15))

    said = [event.message.taste.verdict.moment for event in outbox.events_after(0, limit=100)]
    assert [moment.start_ns for moment in said if moment.end_ns] == [30 * SECOND_NS]


def test_other_sessions_and_other_times_stay(outbox: Outbox):
    OutboxForgetting(outbox).forget("b" * 32, 0, 50 * SECOND_NS)
    OutboxForgetting(outbox).forget(*seconds(50, 90))

    assert outbox.num_waiting() == 5
    assert tombstones(outbox) == []


def test_twice_is_once(outbox: Outbox):
    for _ in range(2):
        OutboxForgetting(outbox).forget(*seconds(0, 30))

    assert tombstones(outbox) == [(0, 2, "forgotten")]


def test_a_payloads_room_is_given_back(tmp_path: Path):
    size = len(SECRET) + 1
    with_room = Outbox(tmp_path / "small.db", max_bytes=3 * size)
    with_room.start_session(SESSION, 1)
    for number in range(3):
        with_room.put(SESSION, chunk(number))
    OutboxForgetting(with_room).forget(*seconds(0, 20))

    for number in range(3, 5):
        with_room.put(SESSION, chunk(number))

    assert with_room.unacked(SESSION, media_pb2.LANE_MIC) == [2, 3, 4]
    assert hashlib.sha256(SECRET + bytes([2])).digest() == with_room.waiting_after(0, limit=1)[0].chunk.sha256
    with_room.close()
