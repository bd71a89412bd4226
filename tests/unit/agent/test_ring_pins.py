"""Pins: durable, deduplicated, within their quota, and never in the way of a press."""

from __future__ import annotations

import errno
import itertools
import os

import pytest

from agent.errors import DiskFull, NothingToClip
from agent.model.clips import Pin
from agent.ring import pin_files
from agent.ring.pin_quota import PinSize, pins_to_drop
from agent.ring.ring import GopRing
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture


@pytest.fixture
def make_ring(tmp_path):
    rings = []
    clock = itertools.count(1)

    def make(session_id="s", **options):
        ring = GopRing(
            tmp_path,
            session_id=session_id,
            t0_monotonic_ns=0,
            min_free_bytes=0,
            max_duration_ns=2 * SECOND_NS,
            clock_unix_ms=lambda: next(clock),
            **options,
        )
        rings.append(ring)
        ring.begin_epoch((VIDEO, MIX))
        return ring

    yield make
    for ring in rings:
        ring.close()


def fill(ring, first, last):
    for number in range(first, last):
        ring.push(picture(number))


def numbers(span):
    with span:
        return [packet.pts_ns // FRAME_NS for packet in span.packets()]


def pin(kind, number, name=""):
    return Pin(
        pin_id=f"{name or kind}{number}",
        kind=kind,
        owner_id=f"o{number}",
        session_id="s",
        start_ns=0,
        end_ns=1,
        created_unix_ms=number,
    )


@pytest.mark.parametrize(
    ("kinds", "new_kind", "dropped"),
    [
        (["candidate", "candidate"], "candidate", {"candidate0": "all"}),  # the oldest candidate first
        (["keep", "candidate"], "request", {"candidate1": "all"}),  # candidates before anything else
        (["margin", "candidate"], "request", {"candidate1": "all"}),
        (["keep", "margin"], "request", {"margin1": "margin"}),  # then margins, though another is older
        (["keep", "keep"], "request", {"keep0": "all"}),  # then what only keeps a clip's ends movable
        (["request", "request"], "keep", {}),  # a request is never dropped, a press never refused
        (["keep", "request"], "candidate", None),  # a candidate pushes out candidates alone
        (["margin", "request"], "candidate", None),
        (["candidate"], "candidate", {}),  # it fits
    ],
)
def test_the_quota_takes_candidates_first_then_margins(kinds, new_kind, dropped):
    there = [
        PinSize(pin=pin("keep", number, name="margin"), size_bytes=100, margin_bytes=100)
        if kind == "margin"
        else PinSize(pin=pin(kind, number), size_bytes=100)
        for number, kind in enumerate(kinds)
    ]

    found = pins_to_drop(there, quota_bytes=200, new=pin(new_kind, 9), new_bytes=100)

    assert (None if found is None else dict(found)) == dropped


def test_pins_of_an_older_session_can_be_read(make_ring):
    old = make_ring("old")
    fill(old, 0, 20)
    old.pin(5 * FRAME_NS, 15 * FRAME_NS, kind="request", owner_id="r")
    old.close()

    new = make_ring("new")

    assert numbers(new.snapshot_of("old", 5 * FRAME_NS, 15 * FRAME_NS)) == list(range(15))


def test_a_pin_of_an_older_session_can_be_released(make_ring, tmp_path):
    old = make_ring("old")
    fill(old, 0, 20)
    pinned = old.pin(0, SECOND_NS, kind="request", owner_id="r")
    old.close()
    new = make_ring("new")

    new.release(pinned.pin_id)

    assert list((tmp_path / "pins").iterdir()) == []


def test_a_pin_costs_no_second_copy(make_ring, tmp_path):
    ring = make_ring()
    fill(ring, 0, 20)

    pinned = ring.pin(0, SECOND_NS, kind="keep", owner_id="c")

    (path,) = (tmp_path / "pins" / pinned.pin_id).glob("*.gop")
    assert path.stat().st_nlink == 2


def test_where_links_cannot_be_made_it_copies(make_ring, monkeypatch):
    ring = make_ring()
    fill(ring, 0, 20)

    def no_links(*_args):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(pin_files.os, "link", no_links)
    ring.pin(0, 2 * SECOND_NS, kind="keep", owner_id="c")
    fill(ring, 20, 90)

    assert numbers(ring.snapshot(0, 2 * SECOND_NS)) == list(range(20))


def test_the_gop_that_is_still_written_is_pinned_with_what_follows(make_ring):
    ring = make_ring()
    fill(ring, 0, 15)

    ring.pin(0, 15 * FRAME_NS, kind="keep", owner_id="c")
    fill(ring, 15, 90)

    assert numbers(ring.snapshot(0, 15 * FRAME_NS)) == list(range(15))


def test_a_released_pin_stays_readable_for_who_holds_it(make_ring):
    ring = make_ring()
    fill(ring, 0, 20)
    pinned = ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    fill(ring, 20, 90)
    ring.flush(timeout_s=5.0)

    with ring.snapshot(0, SECOND_NS) as span:
        ring.release(pinned.pin_id)
        found = [packet.pts_ns // FRAME_NS for packet in span.packets()]

    assert found == list(range(10))


def test_its_files_go_when_the_last_reader_lets_go(make_ring, tmp_path):
    ring = make_ring()
    fill(ring, 0, 20)
    pinned = ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    fill(ring, 20, 90)
    span = ring.snapshot(0, SECOND_NS)
    ring.release(pinned.pin_id)

    span.close()

    assert list((tmp_path / "pins").iterdir()) == []


def test_a_press_is_pinned_over_the_quota(make_ring):
    ring = make_ring(max_pinned_bytes=10)
    fill(ring, 0, 20)

    ring.pin(0, SECOND_NS, kind="keep", owner_id="c")

    assert ring.pins.size_bytes > 10


def test_a_candidate_over_the_quota_is_refused_and_leaves_nothing(make_ring, tmp_path):
    ring = make_ring(max_pinned_bytes=10)
    fill(ring, 0, 20)

    with pytest.raises(DiskFull, match="quota of 10 bytes"):
        ring.pin(0, SECOND_NS, kind="candidate", owner_id="c")

    assert list((tmp_path / "pins").iterdir()) == []


def test_a_pin_that_cannot_be_written_leaves_nothing(make_ring, monkeypatch, tmp_path):
    ring = make_ring()
    fill(ring, 0, 20)

    def no_room(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pin_files.os, "link", no_room)

    with pytest.raises(DiskFull):
        ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    assert list((tmp_path / "pins").iterdir()) == []


def test_a_pin_cut_short_by_a_kill_is_removed_at_start(make_ring, tmp_path):
    (tmp_path / "pins" / ".new-abc").mkdir(parents=True)
    (tmp_path / "pins" / ".new-abc" / "0.gop").write_bytes(b"GOP")

    ring = make_ring()

    assert (ring.pins.pins(), list((tmp_path / "pins").iterdir())) == ([], [])


def test_an_unknown_session_has_nothing_to_clip(make_ring):
    with pytest.raises(NothingToClip, match="nobody"):
        make_ring().snapshot_of("nobody", 0, SECOND_NS)


def folders(tmp_path):
    return sorted(path.name for path in (tmp_path / "pins").iterdir())


def test_over_the_quota_a_clip_loses_its_margins_and_keeps_itself(make_ring):
    ring = make_ring(max_pinned_bytes=4_000)
    fill(ring, 0, 30)
    first = ring.pin(0, 3 * SECOND_NS, kind="keep", owner_id="c", core_ns=(12 * FRAME_NS, 18 * FRAME_NS))

    ring.pin(2 * SECOND_NS, 3 * SECOND_NS, kind="request", owner_id="r")

    (left, _) = ring.pins.pins()
    assert (left.pin_id, left.start_ns, left.end_ns) == (first.pin_id, SECOND_NS, 2 * SECOND_NS)
    assert ring.reach("c") == (SECOND_NS, 3 * SECOND_NS)


def test_a_trimmed_pin_is_read_back_as_it_is(make_ring, tmp_path):
    ring = make_ring(max_pinned_bytes=4_000)
    fill(ring, 0, 30)
    ring.pin(0, 3 * SECOND_NS, kind="keep", owner_id="c", core_ns=(12 * FRAME_NS, 18 * FRAME_NS))
    ring.pin(2 * SECOND_NS, 3 * SECOND_NS, kind="request", owner_id="r")
    before = ring.pins.pins()
    ring.close()

    again = make_ring("new")

    assert again.pins.pins() == before
    assert numbers(again.snapshot_of("s", 0, 2 * SECOND_NS)) == list(range(10, 20))


def test_an_owner_finds_its_pins(make_ring):
    ring = make_ring()
    fill(ring, 0, 20)
    pins = [ring.pin(0, SECOND_NS, kind="keep", owner_id=owner) for owner in ("a", "b", "a")]

    assert ring.pins.of_owner("a") == [pins[0], pins[2]]


def test_a_moved_pin_is_read_back_as_the_newer_one(make_ring, tmp_path):
    ring = make_ring()
    fill(ring, 0, 20)
    pinned = ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    moved = ring.repin(pinned.pin_id, SECOND_NS, 2 * SECOND_NS)
    ring.close()

    again = make_ring("new")

    assert (again.pins.pins(), folders(tmp_path)) == ([moved], [f"{pinned.pin_id}.1"])


def test_a_kill_between_the_new_pin_and_the_old_leaves_the_new(make_ring, monkeypatch, tmp_path):
    ring = make_ring()
    fill(ring, 0, 20)
    pinned = ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    monkeypatch.setattr("agent.ring.pins.discard_pin", lambda _entry: None)
    moved = ring.repin(pinned.pin_id, 0, 2 * SECOND_NS)
    ring.close()
    assert len(folders(tmp_path)) == 2

    again = make_ring("new")

    assert (again.pins.pins(), folders(tmp_path)) == ([moved], [f"{pinned.pin_id}.1"])


def test_a_pin_that_cannot_be_moved_is_as_it_was(make_ring, monkeypatch, tmp_path):
    ring = make_ring()
    fill(ring, 0, 20)
    pinned = ring.pin(0, SECOND_NS, kind="keep", owner_id="c")

    def no_room(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pin_files.os, "link", no_room)
    with pytest.raises(DiskFull):
        ring.repin(pinned.pin_id, 0, 2 * SECOND_NS)

    assert (ring.pins.pins(), folders(tmp_path)) == ([pinned], [pinned.pin_id])


def test_a_pin_of_an_older_session_can_be_moved(make_ring):
    old = make_ring("old")
    fill(old, 0, 20)
    pinned = old.pin(0, SECOND_NS, kind="keep", owner_id="c")
    old.close(is_kept=True)
    new = make_ring("new")

    moved = new.repin(pinned.pin_id, 5 * FRAME_NS, 15 * FRAME_NS)

    assert (moved.session_id, moved.start_ns, moved.end_ns) == ("old", 5 * FRAME_NS, 15 * FRAME_NS)


def test_what_was_left_behind_can_be_pinned(make_ring):
    old = make_ring("old")
    fill(old, 0, 20)
    old.close(is_kept=True)

    pinned = make_ring("new").pin(0, SECOND_NS, kind="keep", owner_id="c", session_id="old")

    assert (pinned.session_id, pinned.start_ns, pinned.end_ns) == ("old", 0, SECOND_NS)


def test_pins_of_a_ring_in_memory_share_its_packets_and_end_with_it(make_ring, tmp_path):
    ring = make_ring(is_in_memory=True)
    fill(ring, 0, 20)
    ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    fill(ring, 20, 60)

    assert numbers(ring.snapshot(0, SECOND_NS)) == list(range(10))
    assert (ring.pins.size_bytes > 0, list(tmp_path.iterdir())) == (True, [])


def test_a_ring_in_memory_reads_what_older_sessions_pinned(make_ring):
    old = make_ring("old")
    fill(old, 0, 20)
    old.pin(0, SECOND_NS, kind="request", owner_id="r")
    old.close()

    assert numbers(make_ring("new", is_in_memory=True).snapshot_of("old", 0, SECOND_NS)) == list(range(10))
