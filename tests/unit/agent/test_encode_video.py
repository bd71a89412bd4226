"""Pictures into H.264 packets, with the real encoder."""

from __future__ import annotations

import fractions

import av
import numpy as np
import pytest

from agent.encode.choose import Encoders
from agent.encode.fitter import PictureFitter
from agent.encode.quality import Plan
from agent.encode.rate import bit_rate_bps
from agent.encode.stream import PictureStream, ignore_epoch
from agent.encode.video import VideoEncoder
from agent.encode.video_worker import EncodeWorker
from agent.model.media import CapturedFrame
from protos.timebase import MILLISECOND_NS, SECOND_NS

WIDTH, HEIGHT, RATE = 320, 180, 10


def picture(value=100, width=WIDTH, height=HEIGHT):
    return av.VideoFrame.from_ndarray(np.full((height * 3 // 2, width), value, np.uint8), format="yuv420p")


def encoded(num_frames, encoder=None, start_ns=0):
    encoder = encoder or VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE)
    packets = []
    for index in range(num_frames):
        packets += encoder.encode(picture(index % 200), start_ns + index * SECOND_NS // RATE)
    return packets


def test_each_picture_gives_its_packet_at_once():
    encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE)

    assert [len(encoder.encode(picture(), index * SECOND_NS // RATE)) for index in range(12)] == [1] * 12


def test_a_key_frame_comes_each_second():
    keys_ns = [packet.pts_ns for packet in encoded(35) if packet.is_key_frame]

    assert keys_ns == [0, SECOND_NS, 2 * SECOND_NS, 3 * SECOND_NS]


def test_key_frames_keep_to_their_second_when_frames_are_missing():
    encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE)
    times_ns = [0, SECOND_NS // 2, 1_300 * MILLISECOND_NS, 2 * SECOND_NS, 5_100 * MILLISECOND_NS]

    packets = [packet for time_ns in times_ns for packet in encoder.encode(picture(), time_ns)]

    assert [packet.is_key_frame for packet in packets] == [True, False, True, True, True]


def test_times_come_back_within_a_tick():
    encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE)
    time_ns = 6 * 3600 * SECOND_NS + 123_456_789

    (packet,) = encoder.encode(picture(), time_ns)

    assert abs(packet.pts_ns - time_ns) <= 6_000  # half of 1/90,000 s
    assert packet.dts_ns == packet.pts_ns


def test_two_pictures_of_one_time_are_one():
    encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE)
    encoder.encode(picture(), SECOND_NS)

    assert encoder.encode(picture(), SECOND_NS) == []


@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast"])
def test_a_codec_made_from_the_track_has_the_same_header_to_the_byte(preset):
    track = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE, preset=preset).track
    again = av.CodecContext.create(track.encoder, "w")
    again.width, again.height, again.pix_fmt = track.width_px, track.height_px, "yuv420p"
    again.framerate = fractions.Fraction(track.frame_rate)
    again.options = dict(track.encoder_options)
    again.open()

    assert bytes(again.extradata) == track.extradata


def test_the_stream_decodes_to_as_many_pictures():
    encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE)
    packets = encoded(20, encoder)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = encoder.track.extradata

    pictures = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.payload))]
    pictures += decoder.decode(None)

    assert len(pictures) == 20


def test_a_red_screen_is_red_by_the_standard_its_header_names():
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 2] = 255
    screen = av.VideoFrame.from_numpy_buffer(pixels, format="bgra")

    luma = PictureFitter(WIDTH, HEIGHT).fit(screen).to_ndarray()[90, 160]

    assert luma == pytest.approx(63, abs=1)  # BT.709, limited: 16 + 219 * 0.2126; BT.601 would be 81


@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast"])
def test_a_forced_key_frame_starts_the_next_second(preset):
    encoder = VideoEncoder(width_px=WIDTH, height_px=HEIGHT, frame_rate=RATE, preset=preset)
    packets = encoded(4, encoder)
    encoder.force_key_frame()
    packets += encoded(14, encoder, start_ns=4 * SECOND_NS // RATE)

    keys = [index for index, packet in enumerate(packets) if packet.is_key_frame]
    assert keys == [0, 4, 14]


def test_a_picture_of_another_size_is_scaled_to_the_tracks():
    grey = np.full((360, 640, 4), 128, np.uint8)
    fitted = PictureFitter(320, 180).fit(av.VideoFrame.from_numpy_buffer(grey, format="bgra"))

    assert (fitted.width, fitted.height, fitted.format.name) == (320, 180, "yuv420p")
    assert fitted.to_ndarray()[90, 160] == 126


def test_a_picture_that_fits_is_not_copied():
    frame = picture()

    assert PictureFitter(WIDTH, HEIGHT).fit(frame) is frame


@pytest.mark.parametrize(
    ("size", "frame_rate", "expected_bps"),
    [
        ((1920, 1080), 30, 8_000_000),  # the reference
        ((1280, 720), 30, 3_556_000),  # in proportion to its pixels
        ((1920, 1080), 60, 11_314_000),  # twice the frames, 1.41 times the bits
        ((64, 64), 30, 500_000),  # never less
    ],
)
def test_the_bit_rate_follows_the_picture(size, frame_rate, expected_bps):
    assert bit_rate_bps(*size, frame_rate) == expected_bps


def test_the_encode_worker_hands_on_packets_and_small_pictures():
    frames = [
        CapturedFrame(monotonic_ns=7 * SECOND_NS + index * SECOND_NS // RATE, picture=picture(index))
        for index in range(10)
    ]
    packets, small = [], []
    stream = PictureStream(
        Encoders(encoder="libx264"),
        plan=Plan(frame_rate=RATE, preset="ultrafast", has_proxy=False, bound=None),
        width_px=WIDTH,
        height_px=HEIGHT,
        rate_bps=0,
        gap_reason=lambda _since_ns: "stopped",
        on_epoch=ignore_epoch,
        on_packet=packets.append,
    )
    worker = EncodeWorker(
        lambda timeout_s: frames.pop(0) if frames else None,
        stream,
        to_session_ns=lambda monotonic_ns: monotonic_ns - 7 * SECOND_NS,
        on_small_picture=lambda time_ns, gray: small.append((time_ns, gray.shape)),
    )

    for _ in range(12):
        worker.step()

    assert (len(packets), packets[0].pts_ns) == (10, 0)
    assert small[:2] == [(0, (90, 160)), (SECOND_NS // 5, (90, 160))]
