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

    def push_all(self, packets):
        self.calls += packets
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
    sink = PacketSink(RecordingRing(), max_waiting_bytes=150)
    sink.begin_epoch((VIDEO, MIX))
    assert sink.put(picture(0))
    assert not sink.put(picture(1))
    sink.put(sound(1))  # lets the first go, so that there is room again

    assert [sink.put(picture(2)), sink.put(picture(10))] == [False, True]


def test_a_full_disk_is_told_and_survived():
    problems = []
    sink = PacketSink(RecordingRing(DiskFull("no room")), on_problem=problems.append)
    sink.begin_epoch((VIDEO,))

    assert [sink.put(picture(0)), sink.put(picture(1))] == [True, True]
    assert [problem.code for problem in problems] == ["disk_full", "disk_full"]


@pytest.mark.logs("sink_failed")
def test_a_bug_is_told_and_nothing_more_is_taken_but_who_encodes_goes_on():
    problems = []
    sink = PacketSink(RecordingRing(Bug("broken")), on_problem=problems.append)
    sink.begin_epoch((VIDEO,))

    assert [sink.put(picture(0)), sink.put(picture(1))] == [True, False]
    assert [problem.code for problem in problems] == ["bug"]


def test_after_the_stop_nothing_is_taken():
    ring = RecordingRing()
    sink = PacketSink(ring)
    sink.start()
    sink.begin_epoch((VIDEO,))
    sink.stop()

    assert (sink.put(picture(0)), ring.calls) == (False, [(VIDEO,)])


def test_three_sounds_of_one_moment_reach_the_ring_in_one_go():
    ring = RecordingRing()
    sink = PacketSink(ring)
    sink.begin_epoch((VIDEO, MIX, MIX, MIX))
    sink.put(picture(0))
    before = len(ring.calls)

    for track in (2, 3):
        sink.put(sound(1, track=track))
    in_between = len(ring.calls)
    sink.put(sound(1, track=1))

    assert (before, in_between, ring.calls[1:]) == (1, 1, [picture(0)])


def test_the_sound_of_an_epochs_end_is_in_it_though_the_next_epochs_picture_came_first():
    ring = RecordingRing()
    sink = PacketSink(ring)
    sink.begin_epoch((VIDEO, MIX))
    sink.put(picture(9))
    sink.begin_epoch((VIDEO, MIX), start_ns=10 * FRAME_NS, reason="size")
    for packet in (picture(10), sound(10 * FRAME_NS - 1), sound(10 * FRAME_NS), picture(11)):
        sink.put(packet)

    assert ring.calls[:5] == [
        (VIDEO, MIX),
        picture(9),
        sound(10 * FRAME_NS - 1),
        (VIDEO, MIX),
        picture(10),
    ]
