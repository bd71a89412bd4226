"""What is forgotten stays forgotten: in files, pins, what older sessions left, and after a kill in the middle."""

from __future__ import annotations

import errno
import os

import pytest

from agent.errors import NothingToClip
from agent.ring.forgetting import Errand, ForgetJournal
from agent.ring.packet_log import list_gops
from agent.ring.recovery import find_orphans, open_orphan
from agent.ring.ring import GopRing
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture


@pytest.fixture
def make_ring(tmp_path):
    rings = []

    def make(session_id="s", **options):
        ring = GopRing(tmp_path, session_id=session_id, t0_monotonic_ns=0, min_free_bytes=0, **options)
        rings.append(ring)
        ring.begin_epoch((VIDEO, MIX))
        return ring

    yield make
    for ring in rings:
        ring.close()


@pytest.fixture
def leave_behind(make_ring):
    """A session of four seconds whose engine was killed, with its second second pinned."""

    def leave(session_id="old"):
        ring = make_ring(session_id)
        fill(ring, 0, 40)
        ring.pin(SECOND_NS, 2 * SECOND_NS, kind="keep", owner_id="clip")
        ring.close(is_kept=True)

    return leave


def fill(ring, first, last):
    for number in range(first, last):
        ring.push(picture(number))


def seconds(folder):
    return [int(path.stem) // SECOND_NS for path in list_gops(folder)]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def numbers(span):
    with span:
        return [packet.pts_ns // FRAME_NS for packet in span.packets()]


def test_its_files_are_deleted_when_it_returns(make_ring, tmp_path):
    ring = make_ring()
    fill(ring, 0, 40)
    ring.pin(SECOND_NS, 3 * SECOND_NS, kind="keep", owner_id="clip")

    gone = ring.forget(15 * FRAME_NS, 16 * FRAME_NS)

    (pin_folder,) = (tmp_path / "pins").iterdir()
    assert (seconds(tmp_path / "sessions" / "s" / "0000"), seconds(pin_folder)) == ([0, 2, 3], [2])
    assert (gone.is_done, names(tmp_path)) == (True, ["pins", "sessions"])


def test_what_somebody_reads_goes_when_he_is_done_and_the_receipt_says_so(make_ring, tmp_path):
    ring = make_ring(max_memory_bytes=6_000)
    for number in range(0, 50, 10):
        fill(ring, number, number + 10)
        ring.flush(timeout_s=5.0)
    span = ring.snapshot(0, SECOND_NS)

    gone = ring.forget(0, SECOND_NS)
    before = seconds(tmp_path / "sessions" / "s" / "0000")
    found = numbers(span)

    assert (gone.num_still_read, before, found) == (1, [0, 1, 2, 3, 4], list(range(10)))
    assert seconds(tmp_path / "sessions" / "s" / "0000") == [1, 2, 3, 4]


def test_what_was_noted_but_not_deleted_before_a_kill_is_deleted_at_the_start(
    leave_behind, make_ring, tmp_path
):
    leave_behind()
    ForgetJournal(tmp_path).open(Errand(session_id="old", start_ns=SECOND_NS, end_ns=2 * SECOND_NS))

    ring = make_ring("new")

    assert (seconds(tmp_path / "sessions" / "old" / "0000"), ring.pins.pins()) == ([0, 2, 3], [])
    assert names(tmp_path) == ["pins", "sessions"]
    with pytest.raises(NothingToClip):
        ring.snapshot_of("old", SECOND_NS, 2 * SECOND_NS)


def test_of_a_session_that_was_left_behind(leave_behind, make_ring, tmp_path):
    leave_behind()
    ring = make_ring("new")

    gone = ring.forget(15 * FRAME_NS, 16 * FRAME_NS, session_id="old")

    assert (gone.num_gops, [item.is_gone for item in gone.pins], gone.is_done) == (1, [True], True)
    (orphan,) = find_orphans(tmp_path, current_session_id="new")
    assert numbers(open_orphan(orphan)) == list(range(20, 40))


def test_a_preview_of_a_session_that_was_left_behind_deletes_nothing(leave_behind, make_ring, tmp_path):
    leave_behind()
    ring = make_ring("new")

    gone = ring.forget(0, 5 * SECOND_NS, session_id="old", is_preview=True)

    assert (gone.num_gops, len(gone.pins)) == (4, 1)
    assert seconds(tmp_path / "sessions" / "old" / "0000") == [0, 1, 2, 3]


def test_a_torn_file_of_the_span_goes_too(leave_behind, make_ring, tmp_path):
    leave_behind()
    newest = list_gops(tmp_path / "sessions" / "old" / "0000")[-1]
    newest.write_bytes(newest.read_bytes()[:20])

    make_ring("new").forget(3 * SECOND_NS, 4 * SECOND_NS, session_id="old")

    assert seconds(tmp_path / "sessions" / "old" / "0000") == [0, 1, 2]


def test_a_session_id_that_leads_elsewhere_finds_nothing(leave_behind, make_ring):
    leave_behind()

    gone = make_ring("new").forget(0, 9 * SECOND_NS, session_id="../sessions/old")

    assert (gone.num_gops, gone.pins) == (0, ())


@pytest.mark.logs("forgetting_not_noted", "pin_released_to_forget")
def test_a_full_disk_does_not_keep_what_is_to_be_forgotten(make_ring, monkeypatch, tmp_path):
    ring = make_ring()
    fill(ring, 0, 40)
    ring.pin(SECOND_NS, 3 * SECOND_NS, kind="keep", owner_id="clip")

    def no_room(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_bytes", no_room)
    gone = ring.forget(15 * FRAME_NS, 16 * FRAME_NS)

    assert (seconds(tmp_path / "sessions" / "s" / "0000"), ring.pins.pins()) == ([0, 2, 3], [])
    assert gone.is_done


@pytest.mark.logs("ring_file_not_deleted")
def test_what_cannot_be_deleted_yet_is_tried_again_at_the_next_start(
    leave_behind, make_ring, monkeypatch, tmp_path
):
    leave_behind()
    ring = make_ring("new")
    with monkeypatch.context() as patch:
        patch.setattr(
            "pathlib.Path.unlink", lambda *_args, **_options: (_ for _ in ()).throw(OSError(13, "in use"))
        )
        gone = ring.forget(0, SECOND_NS, session_id="old")
    ring.close()

    make_ring("newer")

    assert (gone.is_done, seconds(tmp_path / "sessions" / "old" / "0000")) == (False, [1, 2, 3])


def test_a_pin_made_after_it_does_not_hold_it(make_ring):
    ring = make_ring()
    fill(ring, 0, 40)
    ring.forget(15 * FRAME_NS, 16 * FRAME_NS)

    pin = ring.pin(0, 4 * SECOND_NS, kind="keep", owner_id="clip")

    assert (pin.start_ns, pin.end_ns) == (2 * SECOND_NS, 4 * SECOND_NS)


def test_what_is_forgotten_is_no_loss(make_ring):
    ring = make_ring()
    fill(ring, 0, 15)
    ring.forget(0, 2 * SECOND_NS)

    fill(ring, 15, 30)

    assert ring.num_lost_packets == 0


def test_the_future_cannot_be_forgotten(make_ring):
    ring = make_ring()
    fill(ring, 0, 10)
    ring.forget(0, 1 << 62)

    for number in range(1000, 1010):
        ring.push(picture(number))

    assert numbers(ring.snapshot(0, 1 << 62)) == list(range(1000, 1010))
