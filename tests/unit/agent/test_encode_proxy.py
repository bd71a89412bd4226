"""The proxy's chunks: each decodes alone, together they cover the time line."""

from __future__ import annotations

import io
import itertools

import av
import numpy as np
import pytest

from agent.encode.power import is_discharging
from agent.encode.proxy import ProxyChunker, is_proxy_possible, proxy_chunk_ns, proxy_rate_bps
from agent.encode.rate import bit_rate_bps
from protos.segment import MAX_PAYLOAD_BYTES
from protos.timebase import SECOND_NS

FRAME_NS = SECOND_NS // 10


def picture(number, width=1280, height=720):
    """Its brightness says its number: 20 + 2 * number."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = 20 + 2 * number
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def chunks_of(numbers, *, chunk_s=2.0, offset_ns=0, size=(1280, 720)):
    chunks = []
    chunker = ProxyChunker(chunk_s=chunk_s, on_chunk=chunks.append)
    for number in numbers:
        chunker.feed(picture(number, *size), offset_ns + number * FRAME_NS, track_rate_bps=8_000_000)
    chunker.flush()
    return chunks


def decoded(chunk):
    """[(time_s, number, is_key)] of a chunk's pictures, and the file's length in s."""
    with av.open(io.BytesIO(chunk.payload)) as container:
        duration_s = float(container.streams.video[0].duration * container.streams.video[0].time_base)
        frames = [
            (round(float(frame.time), 4), round((frame.to_ndarray()[100, 100] - 20) / 2), frame.key_frame)
            for frame in container.decode(video=0)
        ]
    return frames, duration_s


def test_chunks_follow_one_another_without_a_hole_and_end_on_the_sessions_grid():
    chunks = chunks_of(range(70), offset_ns=3_300_000_000)

    assert [chunk.start_ns for chunk in chunks][1:] == [chunk.end_ns for chunk in chunks][:-1]
    # the first one's 0.7 s would be too short a chunk, so it goes on to the next multiple of 2 s
    assert [chunk.end_ns // SECOND_NS for chunk in chunks] == [6, 8, 10, 10]
    assert (chunks[0].start_ns, chunks[-1].end_ns) == (3_300_000_000, 10_300_000_000)
    assert {(chunk.lane, chunk.content_type) for chunk in chunks} == {("proxy", "video/mp4")}


def test_each_chunk_decodes_alone_from_a_key_frame_and_is_as_long_as_it_says():
    for chunk in chunks_of(range(70), offset_ns=3_300_000_000):
        frames, duration_s = decoded(chunk)

        assert frames[0][0] == 0 and frames[0][2]
        assert duration_s == pytest.approx((chunk.end_ns - chunk.start_ns) / SECOND_NS, abs=1e-4)


def test_no_picture_is_missing_and_the_one_that_stands_at_a_boundary_begins_the_next_chunk():
    # ticks 50 ms beside the grid: at each boundary the picture before it still stands
    first, second, _ = chunks_of(range(41), offset_ns=FRAME_NS // 2)
    first, second = decoded(first)[0], decoded(second)[0]

    assert [number for _, number, _ in first] == list(range(20))
    assert [(time_s, number) for time_s, number, _ in second][:3] == [(0, 19), (0.05, 20), (0.15, 21)]


def test_after_a_pause_a_new_chunk_begins_with_the_picture():
    first, second = chunks_of([*range(5), *range(50, 55)])

    assert (first.end_ns, second.start_ns) == (5 * FRAME_NS, 50 * FRAME_NS)


def test_another_shape_begins_a_chunk_without_a_hole():
    chunks = []
    chunker = ProxyChunker(chunk_s=2.0, on_chunk=chunks.append)
    for number in range(10):
        size = (1280, 720) if number < 5 else (1024, 768)
        chunker.feed(picture(number, *size), number * FRAME_NS, track_rate_bps=8_000_000)
    chunker.flush()

    assert [(chunk.start_ns, chunk.end_ns) for chunk in chunks] == [
        (0, 5 * FRAME_NS),
        (5 * FRAME_NS, 10 * FRAME_NS),
    ]
    with av.open(io.BytesIO(chunks[1].payload)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (480, 360)


def test_flushing_twice_or_before_any_picture_makes_nothing():
    chunks = []
    chunker = ProxyChunker(chunk_s=2.0, on_chunk=chunks.append)
    chunker.flush()
    chunker.feed(picture(1), 0, track_rate_bps=8_000_000)
    chunker.flush()
    chunker.flush()

    assert len(chunks) == 1


def test_even_noise_stays_within_an_eighth_of_its_rate():
    noise = np.random.default_rng(3)
    chunks = []
    chunker = ProxyChunker(chunk_s=4.0, on_chunk=chunks.append)
    for number in range(81):
        planes = noise.integers(16, 235, (540, 640), dtype=np.uint8)
        chunker.feed(
            av.VideoFrame.from_ndarray(planes, format="yuv420p"), number * FRAME_NS, track_rate_bps=8_000_000
        )

    assert max(len(chunk.payload) for chunk in chunks) * 8 / 4 < 300_000 * 9 / 8


@pytest.mark.parametrize("chunk_s", [2.0, 10.0, 20.0, 25.0, 60.0])
def test_a_chunk_fits_a_message_at_any_length_of_the_other_lanes(chunk_s):
    chunk_ns = proxy_chunk_ns(chunk_s)

    assert round(chunk_s * SECOND_NS) % chunk_ns == 0
    assert chunk_ns / SECOND_NS * 300_000 / 8 < 0.65 * MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("size", "frame_rate", "expected_bps"),
    [((1920, 1080), 30, 300_000), ((3840, 2160), 60, 300_000), ((1280, 720), 30, 142_240)],
)
def test_the_proxy_with_both_sounds_is_under_a_tenth_of_the_picture(size, frame_rate, expected_bps):
    picture_bps = bit_rate_bps(*size, frame_rate)
    sounds_bps = 24_000 + 16_000 + 8_000  # microphone, desktop, signals and envelopes

    assert proxy_rate_bps(picture_bps) == expected_bps
    assert proxy_rate_bps(picture_bps) + sounds_bps < picture_bps / 10


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, False),  # a desktop
        ({"AC": {"type": "Mains", "online": "1"}}, False),
        (
            {"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}},
            True,
        ),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, False),
        # some laptops name no mains at all
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, False),
        # a wireless mouse is no laptop
        ({"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, False),
        (
            {"usb": {"type": "USB", "online": "1"}, "BAT0": {"type": "Battery", "status": "Discharging"}},
            False,
        ),
        ({"BAT0": {"type": "Battery"}}, False),
    ],
)
def test_a_battery_that_drains_is_seen_in_linuxs_folder(tmp_path, supplies, expected):
    for name, files in supplies.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text + "\n")

    assert is_discharging(tmp_path) is expected


def test_boundaries_meet_over_many_chunks_whatever_the_ticks():
    rng = np.random.default_rng(11)
    chunks, time_ns = [], 0
    chunker = ProxyChunker(chunk_s=2.0, on_chunk=chunks.append)
    for number in range(120):
        chunker.feed(picture(number % 100, 128, 72), time_ns, track_rate_bps=8_000_000)
        time_ns += int(rng.integers(30_000_000, 1_500_000_000))

    assert all(earlier.end_ns == later.start_ns for earlier, later in itertools.pairwise(chunks))
    assert all(chunk.end_ns % (2 * SECOND_NS) == 0 for chunk in chunks)


@pytest.mark.parametrize("chunk_s", [3.0, 10.0])
@pytest.mark.parametrize("bound_bps", [40_000, 80_000, 160_000])
def test_a_bound_holds_for_whole_files_however_much_the_picture_moves(bound_bps, chunk_s):
    chunks, generator = [], np.random.default_rng(7)
    chunker = ProxyChunker(chunk_s=chunk_s, on_chunk=chunks.append)
    coarse = generator.integers(16, 235, (12, 40, 40), np.uint8)
    for number in range(round(20 * chunk_s)):
        # Blocks that jump at every picture.
        planes = np.full((540, 640), 128, np.uint8)
        planes[:360] = np.kron(coarse[number % 12], np.ones((9, 16), np.uint8))
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        chunker.feed(frame, number * FRAME_NS, track_rate_bps=8_000_000, bound_bps=bound_bps)
    chunker.flush()

    rates_bps = [8 * len(chunk.payload) * SECOND_NS / (chunk.end_ns - chunk.start_ns) for chunk in chunks]
    assert len(rates_bps) == 2
    assert max(rates_bps) <= bound_bps, rates_bps


def test_a_bound_that_leaves_no_picture_makes_none():
    assert [is_proxy_possible(bound) for bound in (None, 40_000, 39_999, 0)] == [True, True, False, False]
