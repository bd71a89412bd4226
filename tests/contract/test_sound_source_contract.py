"""What every sound source keeps: the generated one, and the real ones on a real PulseAudio."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.capture.generated import GeneratedSound
from agent.capture.portaudio import PortAudioSource
from agent.capture.portaudio import list_devices as list_inputs
from agent.capture.pulse import PulseSource
from agent.capture.pulse_app import PulseApplication
from agent.errors import SoundUnavailable
from tests.fakes.desktop_here import MISSING, REASON, desktop_here, wait_until

DEADLINE_S = 15.0
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def desktop() -> Iterator[object]:
    if MISSING:
        pytest.skip(REASON)
    with desktop_here() as running:
        yield running


@pytest.fixture
def player(desktop) -> Iterator[None]:
    """An application that plays silence."""
    # no shell and no file: it plays zeros from its standard input until that closes
    command = ["pacat", "--playback", "--client-name=Silence", "--latency-msec=50", "-d", "game"]
    with Path("/dev/zero").open("rb") as zeros:
        playing = subprocess.Popen(command, stdin=zeros)
    yield
    playing.kill()
    playing.wait()


def portaudio_inputs():
    try:
        return list_inputs()
    except SoundUnavailable:
        return []


@pytest.fixture(
    params=[
        "generated",
        pytest.param("microphone", marks=pytest.mark.desktop),
        pytest.param("desktop sound", marks=pytest.mark.desktop),
        pytest.param("by name", marks=pytest.mark.desktop),
        pytest.param("application", marks=pytest.mark.desktop),
        pytest.param("portaudio", marks=pytest.mark.desktop),
    ]
)
def source(request):
    if request.param == "generated":
        made = GeneratedSound("mic")
    else:
        request.getfixturevalue("desktop")
        if request.param == "application":
            request.getfixturevalue("player")
        if request.param == "portaudio" and not portaudio_inputs():
            pytest.skip("PortAudio sees no input; install libasound2-plugins")
        made = {
            "microphone": lambda: PulseSource("mic"),
            "desktop sound": lambda: PulseSource("desktop"),
            "by name": lambda: PulseSource("desktop", "voice.monitor"),
            "application": lambda: PulseApplication("silence"),
            "portaudio": lambda: PortAudioSource("mic"),
        }[request.param]()
    yield made
    made.close()


def recorded(source, num_samples=24_000):
    """Open, wait for half a second of sound, close; returns [(block, came_ns)]."""
    blocks = []
    enough = threading.Event()

    def on_block(block):
        blocks.append((block, time.monotonic_ns()))
        if sum(len(block.samples) for block, _ in blocks) >= num_samples:
            enough.set()

    source.open(on_block)
    assert enough.wait(DEADLINE_S)
    source.close()
    return blocks


def test_blocks_are_stereo_float32_and_carry_its_name(source):
    for block, _ in recorded(source):
        assert block.source == source.name
        assert block.samples.dtype == np.float32
        assert block.samples.ndim == 2 and block.samples.shape[1] == 2


def test_stamps_are_near_the_time_they_came(source):
    block, came_ns = recorded(source)[-1]

    assert abs(came_ns - block.monotonic_ns) < 2 * SECOND_NS


def test_blocks_come_in_the_order_of_time(source):
    # a stamp has some milliseconds of jitter, a sample has not
    times_ns = [
        block.monotonic_ns + len(block.samples) * SECOND_NS // 48_000 for block, _ in recorded(source)
    ]

    assert all(later > earlier - 50_000_000 for earlier, later in itertools.pairwise(times_ns))


def test_no_block_comes_after_close(source):
    blocks = recorded(source)
    num_blocks = len(blocks)

    assert not wait_until(lambda: len(blocks) > num_blocks, 0.2)


def test_it_runs_between_open_and_close(source):
    came = threading.Event()
    assert not source.is_running
    source.open(lambda block: came.set())
    assert came.wait(DEADLINE_S)
    assert wait_until(lambda: source.is_running, DEADLINE_S)
    source.close()

    assert not source.is_running


def test_it_may_be_closed_twice_and_opened_again(source):
    recorded(source)
    source.close()

    assert recorded(source)


@pytest.mark.desktop
def test_a_device_that_is_not_there_is_named(desktop):
    with pytest.raises(SoundUnavailable, match="microphone_of_mars"):
        PulseSource("mic", "microphone_of_mars").open(lambda block: None)


def test_no_sound_server_says_so(monkeypatch):
    pytest.importorskip("ctypes")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent/pulse")

    with pytest.raises(SoundUnavailable):
        PulseSource("mic").open(lambda block: None)
