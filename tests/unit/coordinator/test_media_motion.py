"""Motion from the sizes of packets, without decoding."""

from __future__ import annotations

import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from coordinator.errors import MediaUnusable
from coordinator.media.intake.motion import motion_or_none, packet_motion


def video(path, *, num_frames=180, moves_at=range(90, 120)):
    """10 pictures a second, still but for some of them."""
    noise = np.random.default_rng(3).integers(0, 255, (96, 400), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        for index in range(num_frames):
            shift = 7 * index if index in moves_at else 0
            picture = np.roll(noise, shift, axis=1)[:, :160]
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray").reformat(
                format="yuv420p"
            )
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_picture_that_moves_costs_more_than_one_that_rests(tmp_path):
    moved = packet_motion(video(tmp_path / "a.mp4"))

    assert moved.size == 36
    assert np.nanmin(moved[19:23]) > 5 * np.nanmedian(moved)


def test_a_file_without_a_picture_has_no_motion(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(32_000))

    assert packet_motion(tmp_path / "a.wav").size == 0


def test_what_is_no_media_is_refused_and_costs_a_recording_only_its_picture(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no media" * 100)

    with pytest.raises(MediaUnusable):
        packet_motion(path)
    assert motion_or_none(path).size == 0
