"""Both lanes from generated sources to packets, chunks and signals, with real threads and encoders."""

from __future__ import annotations

import threading

import av
import numpy as np
import pytest

from agent.capture import barcode
from agent.capture.clock import SessionClock
from agent.capture.generated import GeneratedScreen, GeneratedSound
from agent.encode.quality import Quality
from agent.lanes.sound import SoundLane
from agent.lanes.video import VideoLane
from agent.signals.chunker import SignalChunker
from tests.fakes.desktop_here import wait_until

SECOND_NS = 1_000_000_000
FRAME_RATE = 20


class Recording:
    """Runs both lanes until the picture has reached `duration_s`."""

    def __init__(self, duration_s: float) -> None:
        self.packets, self.chunks, self.signals, self.problems = [], [], [], []
        self._lock = threading.Lock()
        clock = SessionClock()
        t0_ns = clock.t0_monotonic_ns
        chunker = SignalChunker(chunk_s=2, on_chunk=self.chunks.append)

        def on_signal(sample):
            self.signals.append(sample)
            chunker.feed(sample)

        self.video = VideoLane(
            GeneratedScreen(320, 180, t0_monotonic_ns=t0_ns),
            clock,
            quality=Quality(frame_rate=FRAME_RATE),
            on_packet=self._on_packet,
            on_signal=on_signal,
            on_problem=self.problems.append,
        )
        sources = [GeneratedSound(name, t0_monotonic_ns=t0_ns) for name in ("mic", "desktop")]
        self.sound = SoundLane(
            sources,
            clock,
            chunk_s=2,
            on_packet=self._on_packet,
            on_chunk=self.chunks.append,
            on_signal=on_signal,
            on_problem=self.problems.append,
        )
        self.sound.start()
        self.video.start()
        self.is_complete = wait_until(lambda: clock.now_ns() > duration_s * SECOND_NS, 30)
        self.is_stopped = self.video.stop(10) and self.sound.stop(10)
        chunker.flush()

    def _on_packet(self, packet) -> None:
        with self._lock:
            self.packets.append(packet)

    def of(self, track):
        return [packet for packet in self.packets if packet.track == track]

    def pictures(self):
        """[(time_ns, luma)] of every decoded frame."""
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = self.video.track.extradata
        frames = [frame for packet in self.of(0) for frame in decoder.decode(av.Packet(packet.payload))]
        frames += decoder.decode(None)
        times_ns = [packet.pts_ns for packet in self.of(0)]
        assert len(frames) == len(times_ns)
        return [
            (at_ns, frame.to_ndarray()[: frame.height]) for at_ns, frame in zip(times_ns, frames, strict=True)
        ]

    def mono(self, track):
        """(time of the first sample, samples) of a decoded sound track."""
        decoder = av.CodecContext.create("aac", "r")
        decoder.extradata = self.sound.tracks[track - 1].extradata
        parts = [f.to_ndarray()[0] for p in self.of(track) for f in decoder.decode(av.Packet(p.payload))]
        return self.of(track)[0].pts_ns, np.concatenate(parts)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording(5.0)


def test_both_lanes_stop_in_time_without_a_problem(recording):
    assert recording.is_complete
    assert recording.is_stopped
    assert recording.problems == []


def test_every_captured_frame_is_in_the_stream(recording):
    counters = recording.video.counters
    numbers = [barcode.read(luma) for _, luma in recording.pictures()]

    assert len(numbers) == counters.num_captured
    assert len(set(numbers)) == len(numbers)
    assert None not in numbers


def test_every_tick_is_captured_dropped_or_skipped(recording):
    counters = recording.video.counters
    num_ticks = counters.num_captured + counters.num_dropped + counters.num_skipped

    assert num_ticks == pytest.approx(5.0 * FRAME_RATE, abs=FRAME_RATE / 2)


@pytest.mark.parametrize("track", [1, 2, 3])
def test_each_flash_and_its_beep_are_within_a_frame(recording, track):
    start_ns, mono = recording.mono(track)
    is_loud = np.abs(mono) > 0.1
    offsets_ms = []
    for second in range(1, 5):
        # the first white frame cannot be earlier than its second, nor more than a tick later
        flash_ns = next(
            at_ns
            for at_ns, luma in recording.pictures()
            if at_ns >= second * SECOND_NS - SECOND_NS // 100 and luma[100:].mean() > 200
        )
        first = (second * SECOND_NS - SECOND_NS // 10 - start_ns) * 48_000 // SECOND_NS
        onset_ns = start_ns + (first + int(np.argmax(is_loud[first:]))) * SECOND_NS // 48_000
        offsets_ms.append((flash_ns - onset_ns) / 1e6)

    # a picture shows the flash at the first tick after it began: up to one tick, and nothing before
    tick_ms = 1000 / FRAME_RATE
    assert min(offsets_ms) > -5 and np.median(offsets_ms) < tick_ms + 5, offsets_ms


def test_the_lanes_are_chunked_at_the_same_times(recording):
    ends = {
        lane: [chunk.end_ns for chunk in recording.chunks if chunk.lane == lane][:2]
        for lane in ("mic", "desktop", "signals")
    }

    assert ends["mic"] == ends["desktop"] == ends["signals"] == [2 * SECOND_NS, 4 * SECOND_NS]


def test_all_signals_are_measured_twice_a_second(recording):
    names = {sample.name for sample in recording.signals}
    times_ns = [sample.at_ns for sample in recording.signals if sample.name == "mic_loudness_db"]

    assert names == {"mic_loudness_db", "desktop_loudness_db", "voice", "motion"}
    assert times_ns == [(1 + index) * SECOND_NS // 2 for index in range(len(times_ns))]
