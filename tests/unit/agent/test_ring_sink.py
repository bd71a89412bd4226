"""The sink: packets of several threads reach the ring in order, and a full queue drops whole GOPs."""

from __future__ import annotations

import threading
import time

import pytest

from agent.errors import Bug, DiskFull
from agent.ring.sink import PacketSink
from tests.fakes.packets import FRAME_NS, MIX, VIDEO, picture, sound


class RecordingRing:
    """Notes what it is given."""

    def __init__(self, failure=None):
        self.calls = []
        self.failure = failure

    def begin_epoch(self, tracks, *, start_ns=0, reason="start"):
        self.calls.append(tuple(tracks))

    def push(self, packet):
        self.calls.append(packet)
        if self.failure is not None:
            raise self.failure


def wait_until(condition, deadline_s=5.0):
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def test_packets_of_two_threads_reach_the_ring_by_dts():
    ring = RecordingRing()
    sink = PacketSink(ring)
    sink.start()
    sink.begin_epoch((VIDEO, MIX))

    def feed(packets):
        for packet in packets:
            sink.put(packet)

    threads = [
        threading.Thread(target=feed, args=([picture(n) for n in range(50)],)),
        threading.Thread(target=feed, args=([sound(n * FRAME_NS + 1) for n in range(50)],)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.stop()

    stamps = [packet.dts_ns for packet in ring.calls[1:]]
    assert len(stamps) == 100
    assert stamps == sorted(stamps)


def test_a_new_epoch_comes_after_all_packets_of_the_old_one():
    ring = RecordingRing()
    sink = PacketSink(ring)
    sink.begin_epoch((VIDEO, MIX))
    sink.put(picture(0))
    sink.begin_epoch((VIDEO,))
    sink.put(picture(10))
    sink.step()

    assert ring.calls == [(VIDEO, MIX), picture(0), (VIDEO,), picture(10)]


def test_a_lone_track_goes_on_after_the_wait():
    ring = RecordingRing()
    sink = PacketSink(ring, max_wait_ns=10_000_000)
    sink.start()
    sink.begin_epoch((VIDEO, MIX))

    sink.put(picture(0))

    wait_until(lambda: len(ring.calls) == 2)
    sink.stop()


def test_what_waits_reaches_the_ring_at_the_end():
    ring = RecordingRing()
    sink = PacketSink(ring)
    sink.start()
    sink.begin_epoch((VIDEO, MIX))
    sink.put(picture(0))

    sink.stop()

    assert ring.calls[-1] == picture(0)


def test_a_picture_dropped_for_want_of_room_takes_the_rest_of_its_gop_with_it():
    sink = PacketSink(RecordingRing(), max_queue_bytes=150)
    sink.begin_epoch((VIDEO,))
    assert sink.put(picture(0))
    assert not sink.put(picture(1))
    sink.step()

    assert [sink.put(picture(2)), sink.put(picture(10))] == [False, True]


def test_a_full_disk_is_told_and_survived():
    problems = []
    sink = PacketSink(RecordingRing(DiskFull("no room")), on_problem=problems.append)
    sink.begin_epoch((VIDEO,))
    sink.put(picture(0))

    sink.step()

    assert [problem.code for problem in problems] == ["disk_full"]


@pytest.mark.logs("worker_failed")
def test_a_bug_ends_the_sink_and_is_told():
    problems = []
    sink = PacketSink(RecordingRing(Bug("broken")), on_problem=problems.append)
    sink.start()
    sink.begin_epoch((VIDEO,))
    sink.put(picture(0))

    wait_until(lambda: not sink.is_running)

    assert "bug" in [problem.code for problem in problems]
