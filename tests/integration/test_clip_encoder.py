"""The agent's own encoder, ring and clip writer together: the exact clip needs no whole encoding."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from agent.clip import smart_cut
from agent.clip.writer import Mp4ClipWriter
from agent.encode.video import VideoEncoder
from agent.ring.ring import GopRing
from tests.fakes.read_clip import see

SECOND_NS = 1_000_000_000
NUM_PICTURES = 100


def test_the_recording_encoders_header_can_be_made_again(tmp_path, monkeypatch):
    encoder = VideoEncoder(width_px=320, height_px=180, frame_rate=30)
    ring = GopRing(tmp_path / "ring", session_id="s", t0_monotonic_ns=0, min_free_bytes=0)
    ring.begin_epoch((encoder.track,))
    for number in range(NUM_PICTURES):
        luma = np.full((270, 320), 128, np.uint8)
        luma[:180] = number * 2
        picture = av.VideoFrame.from_ndarray(luma, format="yuv420p")
        picture.time_base = Fraction(1, 30)
        for packet in encoder.encode(encoder.fit(picture), number * SECOND_NS // 30):
            ring.push(packet)
    monkeypatch.setattr(smart_cut, "_encode_whole", lambda *_args: pytest.fail("all was encoded again"))

    with ring.snapshot(1_500_000_000, 3 * SECOND_NS) as span:
        Mp4ClipWriter().write(span, tmp_path / "clip.mp4", is_exact=True)
    ring.close()

    seen = see(tmp_path / "clip.mp4")
    assert (len(seen.pictures), seen.duration_s) == (45, pytest.approx(1.5, abs=0.001))
