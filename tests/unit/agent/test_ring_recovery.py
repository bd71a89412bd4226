"""What a killed engine left behind is found, read, and deleted when it must go."""

from __future__ import annotations

import pytest

from agent.errors import NothingToClip
from agent.ring.packet_log import list_gops
from agent.ring.recovery import (
    OrphanSession,
    delete_orphan,
    find_orphans,
    open_orphan,
    stale_orphans,
)
from agent.ring.ring import GopRing
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture


@pytest.fixture
def leave_behind(tmp_path):
    def leave(session_id, *, num_pictures=35, epochs=1):
        ring = GopRing(tmp_path, session_id=session_id, t0_monotonic_ns=7, min_free_bytes=0)
        for epoch in range(epochs):
            ring.begin_epoch((VIDEO, MIX))
            for number in range(epoch * 1000, epoch * 1000 + num_pictures):
                ring.push(picture(number))
        ring.close(is_kept=True)

    return leave


def numbers(span):
    with span:
        return [packet.pts_ns // FRAME_NS for packet in span.packets()]


def test_an_orphan_tells_its_span_and_size(leave_behind, tmp_path):
    leave_behind("old")

    (orphan,) = find_orphans(tmp_path, current_session_id="new")

    assert (orphan.session_id, orphan.duration_ns) == ("old", 35 * FRAME_NS)
    assert orphan.size_bytes > 35 * 100


def test_the_current_session_is_no_orphan(leave_behind, tmp_path):
    leave_behind("now")

    assert find_orphans(tmp_path, current_session_id="now") == []


def test_an_orphan_can_be_read_whole(leave_behind, tmp_path):
    leave_behind("old")
    (orphan,) = find_orphans(tmp_path)

    assert numbers(open_orphan(orphan)) == list(range(35))


def test_part_of_an_orphan_can_be_read(leave_behind, tmp_path):
    leave_behind("old")
    (orphan,) = find_orphans(tmp_path)

    assert numbers(open_orphan(orphan, start_ns=12 * FRAME_NS, end_ns=14 * FRAME_NS)) == [10, 11, 12, 13]


def test_the_newest_epoch_is_offered_first(leave_behind, tmp_path):
    leave_behind("old", epochs=2)
    (orphan,) = find_orphans(tmp_path)

    assert numbers(open_orphan(orphan))[0] == 1000


def test_a_torn_last_file_costs_its_torn_record_alone(leave_behind, tmp_path):
    leave_behind("old")
    newest = list_gops(tmp_path / "sessions" / "old" / "0000")[-1]
    newest.write_bytes(newest.read_bytes()[:-7])
    (orphan,) = find_orphans(tmp_path)

    assert numbers(open_orphan(orphan)) == list(range(34))


def test_a_last_file_without_a_whole_picture_is_left_out(leave_behind, tmp_path):
    leave_behind("old")
    newest = list_gops(tmp_path / "sessions" / "old" / "0000")[-1]
    newest.write_bytes(newest.read_bytes()[:20])
    (orphan,) = find_orphans(tmp_path)

    assert numbers(open_orphan(orphan)) == list(range(30))


def test_a_missing_file_is_a_gap_that_is_not_jumped(leave_behind, tmp_path):
    leave_behind("old")
    list_gops(tmp_path / "sessions" / "old" / "0000")[1].unlink()
    (orphan,) = find_orphans(tmp_path)

    assert numbers(open_orphan(orphan)) == list(range(20, 35))


@pytest.mark.logs("orphan_epoch_unreadable")
def test_a_session_without_a_picture_is_cleared_away(tmp_path):
    (tmp_path / "sessions" / "empty" / "0000").mkdir(parents=True)

    assert (find_orphans(tmp_path), list((tmp_path / "sessions").iterdir())) == ([], [])


def test_a_running_ring_reads_an_orphan_by_its_session(leave_behind, tmp_path):
    leave_behind("old")
    ring = GopRing(tmp_path, session_id="new", t0_monotonic_ns=0)
    try:
        assert numbers(ring.snapshot_of("old", SECOND_NS, 2 * SECOND_NS)) == list(range(10, 20))
    finally:
        ring.close()


def test_a_deleted_orphan_leaves_its_pins(leave_behind, tmp_path):
    ring = GopRing(tmp_path, session_id="old", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch((VIDEO, MIX))
    for number in range(20):
        ring.push(picture(number))
    ring.pin(0, SECOND_NS, kind="request", owner_id="r")
    ring.close(is_kept=True)

    delete_orphan(find_orphans(tmp_path)[0], reason="test")

    ring = GopRing(tmp_path, session_id="new", t0_monotonic_ns=0)
    try:
        assert numbers(ring.snapshot_of("old", 0, SECOND_NS)) == list(range(10))
    finally:
        ring.close()


def test_an_orphan_read_after_it_was_deleted_is_nothing_to_clip(leave_behind, tmp_path):
    leave_behind("old")
    (orphan,) = find_orphans(tmp_path)
    delete_orphan(orphan, reason="test")

    with pytest.raises((NothingToClip, FileNotFoundError)):
        numbers(open_orphan(orphan))


def orphan(number, size_bytes, tmp_path):
    return OrphanSession(
        session_id=f"s{number}", folder=tmp_path, created_unix_ms=number, size_bytes=size_bytes, epochs=()
    )


@pytest.mark.parametrize(
    ("max_age_ms", "max_bytes", "stale"),
    [
        (100, 1000, []),  # young and small
        (6, 1000, ["s1", "s2", "s3"]),  # those older than 6 ms at 10
        (100, 200, ["s2", "s1"]),  # the newest two fit
        (100, 0, ["s4", "s3", "s2", "s1"]),  # no room at all
    ],
)
def test_age_and_room_decide_what_is_stale(tmp_path, max_age_ms, max_bytes, stale):
    orphans = [orphan(number, 100, tmp_path) for number in (1, 2, 3, 4)]

    found = stale_orphans(orphans, now_unix_ms=10, max_age_ms=max_age_ms, max_bytes=max_bytes)

    assert sorted(item.session_id for item in found) == sorted(stale)
