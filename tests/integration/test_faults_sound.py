"""What a real sound server can do: a dead microphone and a removed sink are told, silence and a mute are not."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.capture.second import excuse_for_zeros
from protos.timebase import SECOND_NS
from tests.fakes.desktop_here import MISSING, REASON, desktop_here
from tests.fakes.watched_recording import WatchedRecording

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(bool(MISSING), reason=REASON),
    pytest.mark.logs("alarm_raised", "sound_lost", "sound_problem"),
]
RATE_HZ = 48_000


@pytest.fixture(scope="module")
def desktop() -> Iterator[Any]:
    """One that this process lives on."""
    with desktop_here() as running:
        yield running


def pactl(*words: str) -> str:
    return subprocess.run(["pactl", *words], check=True, capture_output=True, text=True, timeout=10).stdout


def play_noise(path: Path, sink: str, *, loudest: int) -> subprocess.Popen[bytes]:
    """A minute of white noise of a few 16-bit steps: a quiet room."""
    noise = np.random.default_rng(1).integers(-loudest, loudest + 1, 60 * RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(noise.astype("<i2").tobytes())
    return subprocess.Popen(["paplay", "-d", sink, str(path)])


def test_zeros_of_a_muted_microphone_and_of_a_silent_desktop_are_excused(desktop: Any, tmp_path: Path):
    assert excuse_for_zeros("mic", desktop.microphone_source, "auto") == ""
    pactl("set-source-mute", desktop.microphone_source, "1")
    try:
        assert "is muted" in excuse_for_zeros("mic", desktop.microphone_source, "auto")
    finally:
        pactl("set-source-mute", desktop.microphone_source, "0")

    assert excuse_for_zeros("desktop", desktop.desktop_source, "auto") == "nothing plays"
    player = play_noise(tmp_path / "noise.wav", "game", loudest=300)
    try:
        # the first block of a player comes when its buffer is full
        assert any(excuse_for_zeros("desktop", desktop.desktop_source, "auto") == "" for _ in range(4))
    finally:
        player.kill()
        player.wait()


@pytest.mark.slow
def test_a_dead_microphone_is_told_within_a_minute_and_a_quiet_room_ends_it(desktop: Any, tmp_path: Path):
    with WatchedRecording(tmp_path) as watched:
        began_ns = watched.recording.now_ns
        watched.wait_until(lambda: watched.alarms == ["silent_mic"], "the alarm", 60)
        assert watched.recording.now_ns - began_ns < 60 * SECOND_NS
        # A clip without a voice is still a clip; a desktop that plays nothing is no fault.
        assert watched.state == "ready"
        watched.wait_for_looks(1)
        assert watched.alarms == ["silent_mic"]

        player = play_noise(tmp_path / "room.wav", "voice", loudest=2)
        try:
            watched.wait_until(lambda: not watched.alarms, "the end of the alarm", 40)
            watched.wait_for_looks(2)
            assert watched.alarms == []
        finally:
            player.kill()
            player.wait()


@pytest.mark.slow
def test_a_sink_that_is_removed_is_told_and_recorded_again_when_it_is_back(desktop: Any, tmp_path: Path):
    def load() -> str:
        return pactl("load-module", "module-null-sink", "sink_name=headset", "rate=48000").strip()

    module = load()
    with WatchedRecording(tmp_path, CAPTURE__MICROPHONE="headset.monitor") as watched:
        pactl("unload-module", module)
        watched.wait_until(lambda: "sound_lost_mic" in watched.alarms, "the alarm", 60)
        (message,) = [
            alarm.message for alarm in watched.watching.alarms.standing() if alarm.code == "sound_lost_mic"
        ]
        assert "headset.monitor" in message
        assert watched.clip(1).size_bytes > 0

        module = load()
        watched.wait_until(lambda: "sound_lost_mic" not in watched.alarms, "the recovery", 60)
        pactl("unload-module", module)
