"""What the ring keeps in memory and on the disk, and what it says when the disk does not play along."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

import msgspec
import pytest

from agent.errors import Bug, DiskFull, EnvironmentProblem, InputUnusable
from agent.ring import disk_writer, packet_log
from agent.ring.packet_log import list_gops
from agent.ring.ring import GopRing
from tests.fakes.packets import FRAME_NS, MIX, SECOND_NS, VIDEO, picture, sound

PLENTY = 1 << 40


class Disk:
    """What the test says is free."""

    def __init__(self, free_bytes=PLENTY):
        self.free_bytes = free_bytes

    def __call__(self, _folder):
        return self.free_bytes


@pytest.fixture
def make_ring(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(**options):
            options = {"free_bytes": Disk(), "min_free_bytes": 0, **options}
            ring = GopRing(tmp_path, session_id="s", t0_monotonic_ns=0, **options)
            stack.callback(ring.close)
            ring.begin_epoch((VIDEO, MIX))
            return ring

        yield make


@pytest.fixture
def quick_retry(monkeypatch):
    monkeypatch.setattr(disk_writer, "RETRY_S", 0.02)


def fill(ring, first, last, num_bytes=100):
    for number in range(first, last):
        ring.push(picture(number, num_bytes=num_bytes))


def files(tmp_path):
    return [int(path.stem) // SECOND_NS for path in list_gops(tmp_path / "sessions" / "s" / "0000")]


def wait_until(condition, deadline_s=5.0):
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def numbers(ring, start_ns=0, end_ns=999 * SECOND_NS):
    with ring.snapshot(start_ns, end_ns) as span:
        return [packet.pts_ns // FRAME_NS for packet in span.packets()]


def test_the_disk_holds_what_the_ring_holds(make_ring, tmp_path):
    ring = make_ring(max_duration_ns=3 * SECOND_NS)

    fill(ring, 0, 75)
    ring.flush(timeout_s=5.0)

    assert files(tmp_path) == [4, 5, 6, 7]


def test_the_bound_in_bytes_drops_whole_gops(make_ring):
    ring = make_ring(max_bytes=25_000)

    fill(ring, 0, 100, num_bytes=1000)

    assert (len(numbers(ring)), ring.buffered_bytes <= 25_000) == (20, True)


def test_memory_is_bounded_and_the_rest_is_read_from_the_disk(make_ring):
    ring = make_ring(max_memory_bytes=20_000)
    for number in range(0, 200, 10):
        fill(ring, number, number + 10, num_bytes=400)
        ring.flush(timeout_s=5.0)

    assert ring.memory_bytes <= 20_000
    assert numbers(ring) == list(range(200))


def test_the_newest_data_needs_no_read(make_ring, monkeypatch):
    ring = make_ring()
    fill(ring, 0, 30)
    ring.flush(timeout_s=5.0)
    monkeypatch.setattr("agent.ring.span.read_gop", lambda *_args, **_options: pytest.fail("it was read"))

    assert numbers(ring) == list(range(30))


def test_one_gop_larger_than_the_memory_is_still_whole(make_ring):
    ring = make_ring(max_memory_bytes=5_000)
    for number in range(60):
        ring.push(picture(number, gop=100, num_bytes=400))
        ring.flush(timeout_s=5.0)

    assert numbers(ring) == list(range(60))


def test_what_comes_before_the_first_key_frame_is_left_out(make_ring):
    ring = make_ring()
    ring.push(sound(0))
    ring.push(picture(1))

    fill(ring, 10, 12)

    assert (numbers(ring), ring.num_lost_packets) == ([10, 11], 2)


def test_the_buffered_span_is_of_the_newest_epoch(make_ring):
    ring = make_ring()
    fill(ring, 0, 20)
    ring.begin_epoch((VIDEO,))
    fill(ring, 30, 33)

    assert ring.buffered_ns == 3 * FRAME_NS


def test_captured_bytes_count_what_was_dropped_too(make_ring):
    ring = make_ring(max_duration_ns=SECOND_NS)

    fill(ring, 0, 100)

    assert ring.captured_bytes == 100 * 100


def test_a_gap_is_never_jumped(make_ring):
    ring = make_ring(max_duration_ns=2 * SECOND_NS)
    fill(ring, 0, 20)
    ring.pin(0, SECOND_NS, kind="keep", owner_id="c")
    fill(ring, 20, 90)

    assert numbers(ring)[0] == 70


def test_pinned_and_buffered_gops_join_when_none_is_missing(make_ring):
    ring = make_ring(max_duration_ns=2 * SECOND_NS)
    fill(ring, 0, 20)
    ring.pin(0, 2 * SECOND_NS, kind="keep", owner_id="c")
    fill(ring, 20, 40)

    assert numbers(ring) == list(range(40))


@pytest.mark.logs("ring_disk_failed")
def test_a_full_disk_is_told_once_and_the_newest_stays_in_memory(make_ring):
    ring = make_ring(free_bytes=Disk(0), min_free_bytes=1_000)
    fill(ring, 0, 1)
    wait_until(lambda: ring.problem)

    with pytest.raises(DiskFull, match="1000 free"):
        ring.push(picture(1))
    fill(ring, 2, 40)

    assert numbers(ring) == list(range(40))


@pytest.mark.logs("ring_disk_failed")
def test_memory_alone_keeps_whole_gops_within_its_bound(make_ring):
    ring = make_ring(free_bytes=Disk(0), min_free_bytes=1_000, max_memory_bytes=20_000)
    for number in range(100):
        with contextlib.suppress(DiskFull):
            ring.push(picture(number, num_bytes=400))

    found = numbers(ring)

    assert found == list(range(found[0], 100))
    assert (found[0] % 10, ring.memory_bytes <= 20_000) == (0, True)


@pytest.mark.usefixtures("quick_retry")
@pytest.mark.logs("ring_disk_failed")
def test_what_was_in_memory_reaches_the_disk_when_there_is_room_again(make_ring, tmp_path):
    disk = Disk(0)
    ring = make_ring(free_bytes=disk, min_free_bytes=1_000)
    fill(ring, 0, 1)
    wait_until(lambda: ring.problem)
    with pytest.raises(DiskFull):
        ring.push(picture(1))
    fill(ring, 2, 30)

    disk.free_bytes = PLENTY
    wait_until(lambda: not ring.problem)
    ring.flush(timeout_s=5.0)

    assert files(tmp_path) == [0, 1, 2]


def test_below_the_floor_the_oldest_make_room(make_ring, tmp_path):
    disk = Disk()
    ring = make_ring(free_bytes=disk, min_free_bytes=1_000, max_memory_bytes=6_000)
    for number in range(0, 100, 10):
        fill(ring, number, number + 10)
        ring.flush(timeout_s=5.0)
    disk.free_bytes = 0

    fill(ring, 100, 111)
    ring.flush(timeout_s=5.0)

    assert (files(tmp_path), ring.problem) == ([4, 5, 6, 7, 8, 9, 10, 11], "")


def failing_writev(monkeypatch, error_number, *, num_bytes=0):
    """Let writes put `num_bytes` into the file and then fail, until the returned list is emptied."""
    failures = [error_number]
    writev, write = os.writev, os.write

    def fail(*_args):
        raise OSError(failures[0], os.strerror(failures[0]))

    def short_writev(fd, buffers):
        if not failures:
            return writev(fd, buffers)
        return write(fd, b"".join(buffers)[:num_bytes]) if num_bytes else fail()

    monkeypatch.setattr(packet_log.os, "writev", short_writev)
    monkeypatch.setattr(packet_log.os, "write", lambda *args: fail() if failures else write(*args))
    return failures


@pytest.mark.usefixtures("quick_retry")
@pytest.mark.logs("ring_disk_failed")
def test_a_write_cut_short_leaves_whole_records_and_is_made_good(make_ring, monkeypatch, tmp_path):
    ring = make_ring()
    fill(ring, 0, 5)
    ring.flush(timeout_s=5.0)
    failures = failing_writev(monkeypatch, 28, num_bytes=100)
    fill(ring, 5, 6)
    wait_until(lambda: ring.problem)
    (path,) = list_gops(tmp_path / "sessions" / "s" / "0000")
    size_while_full = path.stat().st_size

    failures.clear()
    wait_until(lambda: not ring.problem)
    ring.flush(timeout_s=5.0)

    assert size_while_full == 8 + 5 * 136
    assert list(packet_log.read_gop(path)) == [picture(number) for number in range(6)]


@pytest.mark.usefixtures("quick_retry")
@pytest.mark.logs("ring_disk_failed")
def test_a_broken_disk_is_told_as_such(make_ring, monkeypatch):
    ring = make_ring()
    failing_writev(monkeypatch, 5)
    fill(ring, 0, 1)
    wait_until(lambda: ring.problem)

    with pytest.raises(EnvironmentProblem, match="mend the disk"):
        ring.push(picture(1))


def test_a_disk_that_does_not_answer_holds_nobody_up(make_ring, monkeypatch):
    monkeypatch.setattr(disk_writer, "STALLED_AFTER_S", 0.02)
    ring = make_ring()
    answers = threading.Event()
    real = os.writev
    monkeypatch.setattr(packet_log.os, "writev", lambda fd, buffers: (answers.wait(20), real(fd, buffers))[1])

    fill(ring, 0, 30)
    wait_until(lambda: "has not answered" in ring.problem)
    found = numbers(ring)
    answers.set()
    ring.flush(timeout_s=5.0)

    assert (found, ring.problem) == (list(range(30)), "")


@pytest.mark.logs("ring_disk_failed")
def test_a_folder_deleted_under_the_ring_is_made_again(make_ring, monkeypatch, tmp_path):
    monkeypatch.setattr(disk_writer, "RETRY_S", 0.02)
    ring = make_ring()
    fill(ring, 0, 10)
    ring.flush(timeout_s=5.0)
    (tmp_path / "sessions" / "s" / "0000").rename(tmp_path / "taken_away")

    with contextlib.suppress(EnvironmentProblem):
        fill(ring, 10, 11)
    wait_until(lambda: files(tmp_path) == [1])


def test_below_the_floor_candidates_make_room_before_the_rings_oldest(make_ring, tmp_path):
    disk = Disk()
    ring = make_ring(
        free_bytes=disk, min_free_bytes=1_000, max_memory_bytes=6_000, max_duration_ns=3 * SECOND_NS
    )
    for number in range(0, 20, 10):
        fill(ring, number, number + 10)
        ring.flush(timeout_s=5.0)
    ring.pin(0, 2 * SECOND_NS, kind="candidate", owner_id="guess")
    ring.pin(0, SECOND_NS, kind="request", owner_id="asked")
    for number in range(20, 100, 10):
        fill(ring, number, number + 10)
        ring.flush(timeout_s=5.0)
    disk.free_bytes = 0

    fill(ring, 100, 101)
    ring.flush(timeout_s=5.0)

    assert [pin.owner_id for pin in ring.pins.pins()] == ["asked"]
    assert (files(tmp_path)[-1], ring.problem) == (10, "")


@pytest.mark.parametrize("seconds", [30, 1800])
def test_from_half_a_minute_to_half_an_hour_it_holds_what_was_promised_and_one_gop_more(make_ring, seconds):
    ring = make_ring(max_duration_ns=seconds * SECOND_NS, is_in_memory=True)

    fill(ring, 0, (seconds + 60) * 10)

    assert seconds * SECOND_NS <= ring.buffered_ns <= (seconds + 1) * SECOND_NS


def test_in_memory_alone_the_bound_in_bytes_bounds_the_memory(make_ring):
    ring = make_ring(is_in_memory=True, max_bytes=30_000, max_memory_bytes=1_000)

    fill(ring, 0, 200, num_bytes=1000)

    assert (20_000 < ring.memory_bytes <= 30_000, ring.num_lost_packets) == (True, 0)


def test_what_was_dropped_is_not_held_in_memory(make_ring):
    ring = make_ring(max_duration_ns=2 * SECOND_NS)
    payloads = []
    for number in range(100):
        packet = msgspec.structs.replace(picture(number), payload=bytes([number]) * 100)
        payloads.append(packet.payload)
        ring.push(packet)
    ring.flush(timeout_s=5.0)
    del packet

    # Our list, the loop and the question itself hold each of them.
    assert 10 < sum(sys.getrefcount(payload) > 3 for payload in payloads) <= 31


def test_closing_deletes_the_sessions_files(make_ring, tmp_path):
    ring = make_ring()
    fill(ring, 0, 30)

    ring.close()

    assert list((tmp_path / "sessions").iterdir()) == []


def test_closing_to_keep_leaves_everything_on_the_disk(make_ring, tmp_path):
    ring = make_ring()
    fill(ring, 0, 30)

    ring.close(is_kept=True)

    assert files(tmp_path) == [0, 1, 2]


def test_a_session_id_cannot_leave_the_folder(tmp_path):
    with pytest.raises(InputUnusable, match=r"\.\./x"):
        GopRing(tmp_path, session_id="../x", t0_monotonic_ns=0)


def test_a_packet_outside_of_an_epoch_is_a_bug(tmp_path):
    ring = GopRing(tmp_path, session_id="s", t0_monotonic_ns=0)
    try:
        with pytest.raises(Bug):
            ring.push(picture(0))
    finally:
        ring.close()
