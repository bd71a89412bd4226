"""A whole recording of generated picture and sound: what the status says of the picture, epochs, proxy."""

from __future__ import annotations

import io
import itertools
import time

import av
import pytest

from agent.config import load_config
from agent.engine.picture import picture_status
from agent.engine.recording import Recording
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS
from tests.fakes.desktop_here import wait_until
from tests.fakes.read_clip import see


class Recorded:
    """Seven seconds; at three of them a new epoch is asked for. One clip is saved at the end."""

    def __init__(self, folder) -> None:
        self.chunks = []
        environment = {
            "CLIPPY_AGENT_CLIPS__FOLDER": str(folder / "clips"),
            "CLIPPY_AGENT_ENCODE__TIER": "pro",
            "CLIPPY_AGENT_UPLINK__CHUNK_S": "2",
        }
        self.config = load_config(folder / "absent.toml", environment)
        recording = Recording(
            AgentPaths(data=folder), self.config, is_generated=True, on_chunk=self.chunks.append
        )
        recording.set_leaving(True)
        recording.start()
        try:
            assert wait_until(lambda: recording.ring.newest_ns > 3 * SECOND_NS, 30)
            recording.video.request_epoch("suspended")
            assert wait_until(lambda: recording.now_ns > 7 * SECOND_NS, 30)
            self.status = picture_status(recording.video, self.config)
            self.clip = recording.desk.presses.save(
                monotonic_ns=time.monotonic_ns(), last_ns=6 * SECOND_NS, trigger="command"
            ).result(timeout=10)
            self.seen = see(self.clip.path)
            self.captured_bytes = recording.ring.captured_bytes
        finally:
            recording.stop()
            recording.library.close()

    def of(self, lane):
        return [chunk for chunk in self.chunks if chunk.lane == lane]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return Recorded(tmp_path_factory.mktemp("recorded"))


def test_the_status_says_how_the_picture_is_made(recorded):
    status = recorded.status

    assert (status.codec, status.tier, status.step, status.is_proxy_on) == ("h264", "pro", "", True)
    assert (status.source_width, status.source_height) == (1280, 720)


def test_a_clip_does_not_cross_into_the_epoch_before_and_has_its_sound(recorded):
    length_s = (recorded.clip.end_ns - recorded.clip.start_ns) / SECOND_NS

    assert recorded.clip.start_ns >= 3 * SECOND_NS
    assert 3 < length_s < 5
    assert recorded.seen.duration_s == pytest.approx(length_s, abs=0.03)
    assert len(recorded.seen.beeps_s) >= 3


def test_the_proxys_chunks_cover_the_time_line_and_decode_alone(recorded):
    chunks = recorded.of("proxy")

    assert all(earlier.end_ns == later.start_ns for earlier, later in itertools.pairwise(chunks))
    assert [chunk.end_ns for chunk in chunks][:3] == [2 * SECOND_NS, 4 * SECOND_NS, 6 * SECOND_NS]
    for chunk in chunks:
        with av.open(io.BytesIO(chunk.payload)) as container:
            assert container.streams.video[0].height == 360
            assert next(container.decode(video=0)).key_frame


def test_what_would_leave_is_under_a_tenth_of_what_is_captured(recorded):
    sent = sum(len(chunk.payload) for chunk in recorded.chunks)

    assert {chunk.lane for chunk in recorded.chunks} == {"mic", "desktop", "signals", "proxy"}
    assert sent < recorded.captured_bytes / 10
