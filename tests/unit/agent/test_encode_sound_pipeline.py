"""All sound of a session, turned by hand on a clock that a test moves."""

from __future__ import annotations

import numpy as np
import pytest

from agent.encode.block_queue import BlockQueue
from agent.encode.sound_pipeline import SoundPipeline
from agent.encode.sound_source import MAX_WAIT_NS
from agent.model.media import SoundBlock
from protos.timebase import MILLISECOND_NS, SECOND_NS, ns_to_ticks, ticks_to_ns

RATE = 48_000
BLOCK = 960
BLOCK_NS = 20 * MILLISECOND_NS


class Studio:
    """A pipeline with a clock; the session's line is the monotonic one."""

    def __init__(self, names=("mic", "desktop"), chunk_s=1.0):
        self.now_ns = 0
        self.packets, self.chunks, self.heard, self.problems = [], [], [], []
        self.pipeline = SoundPipeline(
            names,
            now_ns=lambda: self.now_ns,
            to_session_ns=lambda monotonic_ns: monotonic_ns,
            chunk_s=chunk_s,
            on_packet=self.packets.append,
            on_chunk=self.chunks.append,
            on_sound=lambda name, position, mono: self.heard.append((name, position, mono)),
            on_problem=self.problems.append,
        )
        self.pipeline.pump()

    def run(self, duration_ns, *, names=("mic", "desktop"), value=0.1, late_ns=0):
        for _ in range(duration_ns // BLOCK_NS):
            for name in names:
                self.push(name, self.now_ns - late_ns, value)
            self.now_ns += BLOCK_NS
            self.pipeline.pump()

    def push(self, name, time_ns, value):
        samples = np.full((BLOCK, 2), value, np.float32)
        self.pipeline.queue.put(SoundBlock(source=name, monotonic_ns=time_ns, samples=samples))

    def sound(self, name):
        parts = [mono for heard_name, _, mono in self.heard if heard_name == name]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def reached_ns(self, track):
        return max(p.pts_ns + p.duration_ns for p in self.packets if p.track == track)


def test_the_mix_comes_first_then_each_source():
    studio = Studio()

    assert [track.name for track in studio.pipeline.tracks] == ["mix", "mic", "desktop"]
    assert all(track.extradata for track in studio.pipeline.tracks)


def test_every_track_has_packets_without_holes():
    studio = Studio()
    studio.run(2 * SECOND_NS)

    for track in (1, 2, 3):
        packets = [packet for packet in studio.packets if packet.track == track]
        ends_ns = [packet.pts_ns + packet.duration_ns for packet in packets]
        assert ends_ns[:-1] == [packet.pts_ns for packet in packets[1:]]


def test_a_source_that_never_speaks_does_not_hold_up_the_mix():
    studio = Studio()
    studio.run(2 * SECOND_NS, names=("mic",))

    assert studio.now_ns - studio.reached_ns(1) <= 200 * MILLISECOND_NS
    assert not studio.sound("desktop").any()


def test_no_source_at_all_gives_silence_from_the_clock():
    studio = Studio()
    studio.run(SECOND_NS, names=())

    assert len(studio.sound("mic")) >= 0.8 * RATE


def test_a_source_that_pauses_comes_back_at_its_own_time():
    studio = Studio()
    studio.run(SECOND_NS)
    studio.run(SECOND_NS, names=("desktop",))
    studio.run(SECOND_NS)

    mic = studio.sound("mic")

    assert not mic[RATE : 2 * RATE].any()
    assert np.all(mic[: RATE - 1] > 0)
    assert np.all(mic[2 * RATE + 1 :] > 0)


def test_a_source_that_is_always_late_is_waited_for_and_not_cut():
    studio = Studio()
    late_ns = 300 * MILLISECOND_NS
    studio.run(3 * SECOND_NS, late_ns=late_ns)
    num_filled = studio.pipeline.counters["mic"].num_filled
    studio.run(3 * SECOND_NS, late_ns=late_ns)

    assert studio.pipeline.counters["mic"].num_filled == num_filled


def test_the_wait_for_a_late_source_has_an_end():
    studio = Studio()
    studio.run(3 * SECOND_NS, late_ns=2 * SECOND_NS)

    assert studio.now_ns - studio.reached_ns(1) <= MAX_WAIT_NS + 80 * MILLISECOND_NS


def test_a_block_from_the_future_is_left_out():
    studio = Studio()
    studio.run(SECOND_NS)
    studio.push("mic", studio.now_ns + 3600 * SECOND_NS, 0.5)
    studio.run(SECOND_NS)

    assert np.max(studio.sound("mic")) < 0.2


def test_a_driver_that_gives_nonsense_does_not_end_the_sound():
    studio = Studio()
    studio.run(SECOND_NS, value=np.nan)
    studio.run(SECOND_NS)

    assert studio.now_ns - studio.reached_ns(1) <= 200 * MILLISECOND_NS


def test_sound_is_where_its_stamp_says():
    studio = Studio(names=("mic",))
    studio.run(SECOND_NS, names=("mic",), value=0.0)
    at_ns = studio.now_ns
    studio.run(SECOND_NS, names=("mic",), value=0.4)

    onset = int(np.argmax(studio.sound("mic") > 0.2))

    assert onset == ns_to_ticks(at_ns, RATE)


def test_both_lanes_are_cut_at_the_same_times():
    studio = Studio()
    studio.run(3 * SECOND_NS)
    spans = {
        name: [(chunk.start_ns, chunk.end_ns) for chunk in studio.chunks if chunk.lane == name]
        for name in ("mic", "desktop")
    }

    assert spans["mic"] == spans["desktop"] == [(0, SECOND_NS), (SECOND_NS, 2 * SECOND_NS)]


def test_the_end_loses_nothing_that_came():
    studio = Studio(names=("mic",))
    studio.run(SECOND_NS, names=("mic",))
    studio.pipeline.tear_down()

    assert studio.reached_ns(1) >= SECOND_NS
    assert studio.chunks[-1].end_ns >= SECOND_NS


@pytest.mark.logs("sound_fell_behind")
def test_a_backlog_of_seconds_is_encoded_whole_and_said_once():
    studio = Studio()
    for index in range(150):
        for name in ("mic", "desktop"):
            studio.push(name, index * BLOCK_NS, 0.3)
    studio.now_ns = 150 * BLOCK_NS
    studio.pipeline.pump()
    studio.run(SECOND_NS, value=0.3)

    assert np.all(studio.sound("mic") > 0.2)
    assert len(studio.problems) == 1


def test_a_queue_that_nobody_empties_keeps_the_newest_ten_seconds():
    queue = BlockQueue()
    for index in range(600):
        samples = np.zeros((BLOCK, 2), np.float32)
        queue.put(SoundBlock(source="mic", monotonic_ns=ticks_to_ns(index * BLOCK, RATE), samples=samples))

    blocks = queue.take_all()

    assert (len(blocks), blocks[-1].monotonic_ns) == (500, ticks_to_ns(599 * BLOCK, RATE))
    assert queue.dropped["mic"] == 100 * BLOCK
