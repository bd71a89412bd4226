"""Who is heard on which track of a saved clip: real applications on a real PulseAudio."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from agent.capture.pulse_app import PulseApplication
from agent.config import Capture, Clips, Config, Sound
from agent.engine.recording import Recording
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS
from tests.fakes.desktop_here import wait_until
from tests.fakes.heard import RATE, tones_hz
from tests.fakes.sound_server import MISSING, REASON, SoundServer, sound_server_here

pytestmark = [pytest.mark.desktop, pytest.mark.skipif(bool(MISSING), reason=REASON)]


@pytest.fixture
def server() -> Iterator[SoundServer]:
    with sound_server_here() as running:
        yield running


@pytest.fixture
def recording(server, tmp_path) -> Iterator[Recording]:
    config = Config(
        capture=Capture(screen="generated", apps=("discord", "Quake")),
        sound=Sound(is_mic_noise_suppressed=True),
        clips=Clips(folder=str(tmp_path / "clips")),
    )
    made = Recording(AgentPaths(data=tmp_path / "data"), config)
    made.start()
    yield made
    made.stop()
    made.library.close()


def tracks_of(path: Path) -> dict[str, np.ndarray]:
    """The sound of a clip, by the names of its tracks, left channel."""
    with av.open(str(path)) as file:
        return {
            stream.metadata["handler_name"]: np.concatenate(
                [frame.to_ndarray()[0] for frame in av.open(str(path)).decode(audio=index)]
            )
            for index, stream in enumerate(file.streams.audio)
        }


def test_a_clip_has_each_application_on_its_own_track_and_once_in_the_mix(server, recording):
    server.play("voice", 440)
    server.play("game", 1000, "Discord")
    server.play("game", 2000, "quake3.x86_64")
    server.play("game", 3000, "Music")

    def are_all_loud() -> bool:
        tracks = {track.name: track for track in recording.sounds.tracks()}
        return all(track.loudness_db > -30 for track in tracks.values())

    assert wait_until(are_all_loud), recording.sounds.tracks()
    heard_ns = recording.now_ns
    assert wait_until(lambda: recording.ring.newest_ns > heard_ns + 2 * SECOND_NS)
    clip = recording.desk.presses.save(
        monotonic_ns=time.monotonic_ns(), last_ns=2 * SECOND_NS, trigger="command"
    ).result(timeout=20)
    tracks = tracks_of(Path(clip.path))
    names = ["mix", "mic", "desktop", "discord", "Quake", "mic_raw"]

    assert list(tracks) == names
    assert {name: tones_hz(sound[RATE // 2 :][:RATE]) for name, sound in tracks.items()} == {
        "mix": {440, 1000, 2000, 3000},
        "mic": {440},
        "desktop": {1000, 2000, 3000},
        "discord": {1000},
        "Quake": {2000},
        "mic_raw": {440},
    }
    assert len({len(sound) // 2048 for sound in tracks.values()}) == 1
    assert recording.sounds.warnings == []

    recording.sounds.desk.set_sound("mic", is_muted=True)
    recording.sounds.desk.set_sound("discord", is_muted=True)

    def are_muted_ones_silent() -> bool:
        tracks = {track.name: track for track in recording.sounds.tracks()}
        silent = {name for name, track in tracks.items() if track.peak_db == -120}
        return silent == {"mic", "mic_raw", "discord"} and tracks["mic"].is_muted

    assert wait_until(are_muted_ones_silent), recording.sounds.tracks()


def test_an_application_is_followed_when_it_starts_again_and_to_another_output(server):
    server.load_sink("speakers")
    blocks = []
    source = PulseApplication("discord")
    source.open(blocks.append)
    assert source.is_running and source.device == "not playing"

    def hears(frequency_hz: int) -> bool:
        del blocks[:-60]
        return len(blocks) > 50 and frequency_hz in tones_hz(
            np.concatenate([block.samples[:, 0] for block in blocks[-50:]])
        )

    first = server.play("game", 1000, "Discord")
    assert wait_until(lambda: hears(1000))
    first.kill()
    first.wait()
    assert wait_until(lambda: source.device == "not playing")
    server.play("game", 1500, "Discord")
    assert wait_until(lambda: hears(1500))
    moved = server.pactl("list", "short", "sink-inputs").split()[0]
    server.pactl("move-sink-input", moved, "speakers")
    blocks.clear()
    assert wait_until(lambda: hears(1500))
    assert source.is_running
    source.close()
    blocks.clear()

    assert not wait_until(lambda: blocks, 0.2)
