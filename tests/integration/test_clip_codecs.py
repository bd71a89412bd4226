"""Clips of what hardware may record: HEVC and AV1, encoded here by x265 and SVT-AV1, under the hardware's name."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from agent.clip.writer import Mp4ClipWriter
from agent.model.media import EncodedPacket, TrackParams
from agent.ring.ring import GopRing
from protos.timebase import SECOND_NS

RATE = 10
SIZE = (320, 180)
SOFTWARE = {
    "hevc": (
        "libx265",
        {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none:bframes=0"},
    ),
    "av1": ("libsvtav1", {"preset": "10", "svtav1-params": "pred-struct=1:lookahead=0"}),
}


def recorded(codec: str) -> tuple[TrackParams, list[EncodedPacket]]:
    """Three seconds with a key frame each second."""
    name, options = SOFTWARE[codec]
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = *SIZE, "yuv420p"
    context.framerate, context.time_base = Fraction(RATE), Fraction(1, RATE)
    context.gop_size = RATE
    context.options = options | {"flags": "+global_header"}
    context.open()
    packets = []
    for number in range(3 * RATE):
        planes = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
        planes[: SIZE[1]] = 40 + 6 * number
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    track = TrackParams(
        name="video",
        kind="video",
        codec=codec,
        extradata=bytes(context.extradata),
        bit_rate_bps=500_000,
        encoder=f"{codec}_nvenc",
        width_px=SIZE[0],
        height_px=SIZE[1],
        frame_rate=RATE,
    )
    return track, [
        EncodedPacket(
            track=0,
            pts_ns=packet.pts * SECOND_NS // RATE,
            dts_ns=packet.pts * SECOND_NS // RATE,
            duration_ns=SECOND_NS // RATE,
            is_key_frame=packet.is_keyframe,
            payload=bytes(packet),
        )
        for packet in packets
    ]


@pytest.mark.logs("clip_encoded_whole")
@pytest.mark.parametrize("is_exact", [False, True])
@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_a_clip_of_another_codec_plays_from_the_asked_picture_on(tmp_path, codec, is_exact):
    track, packets = recorded(codec)
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch((track,))
    for packet in packets:
        ring.push(packet)

    with ring.snapshot(1_500_000_000, 2_900_000_000) as span:
        Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=is_exact)
    ring.close()

    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.name.startswith(
            ("h264" if is_exact else codec, "libdav1d")
        )
        if codec == "hevc" and not is_exact:
            assert container.streams.video[0].codec_context.codec_tag == "hvc1"
        levels = [round((int(frame.to_ndarray()[90, 160]) - 40) / 6) for frame in container.decode(video=0)]
    assert levels == list(range(15, 29))
