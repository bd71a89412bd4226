"""Sound into AAC packets and Ogg/Opus chunks, with the real encoders."""

from __future__ import annotations

import io
import itertools

import av
import numpy as np
import pytest

from agent.encode.audio import AAC_FRAME_SAMPLES, AacEncoder, OpusChunker, chunk_end
from protos.timebase import SECOND_NS, ns_to_ticks

RATE = 48_000


def chirps(num_samples):
    """Noise bursts over a sweep: a signal that has one alignment only."""
    time_s = np.arange(num_samples) / RATE
    sweep = np.sin(2 * np.pi * (200 * time_s + 150 * time_s**2 % 3000))
    bursts = (np.sin(2 * np.pi * 1.7 * time_s) > 0.3) * np.random.default_rng(3).normal(0, 0.2, num_samples)
    return (0.2 * sweep + bursts).astype(np.float32)


def decoded(chunk):
    with av.open(io.BytesIO(chunk.payload)) as container:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])


def lag_of(heard, original, *, reach=480):
    """By how many samples `heard` comes after `original`."""
    middle = len(original) // 2
    part = original[middle - RATE // 2 : middle + RATE // 2]
    scores = [
        float(np.dot(part, heard[middle - RATE // 2 + lag : middle + RATE // 2 + lag]))
        for lag in range(-reach, reach)
    ]
    return int(np.argmax(scores)) - reach


def chunks_of(samples, *, start=0, chunk_s=2.0, is_voice=True):
    chunker = OpusChunker("mic", chunk_s=chunk_s, rate_bps=24_000, is_voice=is_voice)
    chunks = []
    for offset in range(0, len(samples), AAC_FRAME_SAMPLES):
        chunks += chunker.push(start + offset, samples[offset : offset + AAC_FRAME_SAMPLES])
    return chunks + chunker.flush()


def test_chunks_follow_one_another_without_hole_or_overlap():
    chunks = chunks_of(chirps(5 * RATE), start=12_000)

    assert chunks[0].start_ns == SECOND_NS // 4
    assert all(first.end_ns == second.start_ns for first, second in itertools.pairwise(chunks))
    assert chunks[-1].end_ns == 5 * SECOND_NS + SECOND_NS // 4


def test_chunks_end_at_multiples_of_their_length():
    chunks = chunks_of(chirps(5 * RATE), start=12_000)

    assert [chunk.end_ns // SECOND_NS for chunk in chunks] == [2, 4, 5]


def test_each_chunk_decodes_alone_to_exactly_its_length():
    for chunk in chunks_of(chirps(5 * RATE), start=12_345):
        expected = ns_to_ticks(chunk.end_ns, RATE) - ns_to_ticks(chunk.start_ns, RATE)
        assert len(decoded(chunk)) == expected


@pytest.mark.parametrize("is_voice", [True, False])
def test_every_chunk_begins_at_its_time_within_a_millisecond(is_voice):
    sound = chirps(6 * RATE)
    for chunk in chunks_of(sound, is_voice=is_voice):
        start = ns_to_ticks(chunk.start_ns, RATE)
        heard = decoded(chunk)
        assert abs(lag_of(heard, sound[start : start + len(heard)])) <= RATE // 1000


def test_a_jump_in_the_sound_ends_the_chunk():
    chunker = OpusChunker("mic", chunk_s=10, rate_bps=24_000, is_voice=True)
    chunker.push(0, chirps(RATE))

    (chunk,) = chunker.push(3 * RATE, chirps(RATE))

    assert (chunk.start_ns, chunk.end_ns) == (0, SECOND_NS)


def test_a_lane_without_sound_has_no_chunk():
    assert OpusChunker("mic", chunk_s=10, rate_bps=24_000, is_voice=True).flush() == []


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0, 100),
        (1, 100),
        (95, 200),  # 5 would be a sliver: it joins the next
        (90, 100),
    ],
)
def test_where_a_chunk_ends(start, expected):
    assert chunk_end(start, 100, 10) == expected


def test_aac_decodes_to_the_sound_at_its_time():
    sound = chirps(2 * RATE)
    start = 100 * AAC_FRAME_SAMPLES
    encoder = AacEncoder("mix", track=1, rate_bps=160_000)
    packets = []
    for offset in range(0, len(sound) - AAC_FRAME_SAMPLES, AAC_FRAME_SAMPLES):
        mono = sound[offset : offset + AAC_FRAME_SAMPLES]
        packets += encoder.encode(start + offset, np.stack([mono, mono], axis=1))
    packets += encoder.flush()
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.track.extradata
    heard = np.concatenate(
        [f.to_ndarray()[0] for packet in packets for f in decoder.decode(av.Packet(packet.payload))]
    )

    lead = start - ns_to_ticks(packets[0].pts_ns, RATE)

    assert abs(lag_of(heard[lead:], sound[: len(heard) - lead])) <= 1


def test_aac_packets_leave_neither_gap_nor_overlap():
    encoder = AacEncoder("mix", track=1, rate_bps=160_000)
    packets = []
    for index in range(200):
        packets += encoder.encode(7 + index * AAC_FRAME_SAMPLES, np.zeros((AAC_FRAME_SAMPLES, 2), np.float32))

    assert all(
        first.pts_ns + first.duration_ns == second.pts_ns for first, second in itertools.pairwise(packets)
    )


def test_no_packet_comes_before_the_session():
    encoder = AacEncoder("mix", track=1, rate_bps=160_000)
    packets = encoder.encode(0, np.zeros((AAC_FRAME_SAMPLES, 2), np.float32)) + encoder.flush()

    assert min(packet.pts_ns for packet in packets) == 0


def test_an_aac_track_knows_its_header_before_the_first_sample():
    track = AacEncoder("desktop", track=3, rate_bps=128_000).track

    assert (track.codec, track.sample_rate_hz, track.channels) == ("aac", RATE, 2)
    assert len(track.extradata) >= 2
