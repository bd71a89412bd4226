"""A sound device that goes, comes or is no longer the default one, on a real PulseAudio: the recording goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from agent.capture.choose_sound import open_changes, open_sound
from agent.capture.clock import SessionClock
from agent.capture.pulse import PulseSource
from agent.capture.watch import SoundWatch
from agent.lanes.sound import SoundLane
from protos.timebase import MILLISECOND_NS, SECOND_NS
from tests.fakes.desktop_here import wait_until
from tests.fakes.heard import HeardTrack, heard_tracks
from tests.fakes.sound_server import MISSING, REASON, SoundServer, sound_server_here

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(bool(MISSING), reason=REASON),
    pytest.mark.logs("sound_lost"),
]
# The sound server needs some seconds to know its own latency; so do we.
SETTLING_S = 2


@pytest.fixture
def server() -> Iterator[SoundServer]:
    with sound_server_here() as running:
        yield running


class Scene:
    """Microphone and desktop, recorded while both beep at each second of the monotonic clock after `t0_ns`."""

    def __init__(self, server: SoundServer) -> None:
        self.server = server
        self.clock = SessionClock()
        self.packets, self.problems = [], []
        self.lane = SoundLane(
            [open_sound("mic"), open_sound("desktop")],
            self.clock,
            chunk_s=10,
            on_packet=self.packets.append,
            on_chunk=lambda chunk: None,
            on_problem=lambda exc: self.problems.append(str(exc)),
            changes=open_changes(),
        )
        self.t0_ns = time.monotonic_ns() + SECOND_NS
        self.fault_ns = self.back_ns = 0
        server.beep("voice", self.t0_ns)
        server.beep("game", self.t0_ns)
        self.lane.start()
        self.go_on(SETTLING_S + 2)

    def go_on(self, duration_s: float) -> None:
        ends_ns = self.clock.now_ns() + round(duration_s * SECOND_NS)
        assert wait_until(lambda: self.clock.now_ns() >= ends_ns, duration_s + 5)

    def happen(self, fault: Callable[[], object]) -> None:
        self.fault_ns = self.clock.now_ns()
        fault()

    def mend(self, mend: Callable[[], object]) -> None:
        """Mend it, wait until all is well, and hear four beeps more."""
        mend()
        self.back_ns = self.clock.now_ns()
        assert wait_until(lambda: not self.lane.problems, 10), self.lane.problems
        self.go_on(SETTLING_S + 3)

    def end(self) -> dict[str, HeardTrack]:
        ended_ns = self.clock.now_ns()
        self.lane.stop()
        tracks = heard_tracks(self.lane.tracks, self.packets)
        for track in tracks.values():
            assert track.num_holes == 0
            assert ended_ns - track.end_ns < 400 * MILLISECOND_NS
        return tracks

    def offsets_ms(self, track: HeardTrack, start_ns: int, end_ns: int) -> list[float]:
        """How late each beep is of those heard between two times of the session."""
        return [
            ((at_ns + self.clock.t0_monotonic_ns - self.t0_ns + SECOND_NS // 2) % SECOND_NS - SECOND_NS // 2)
            / MILLISECOND_NS
            for at_ns in track.onsets_ns()
            if start_ns <= at_ns < end_ns
        ]

    def assert_in_time(self, track: HeardTrack) -> None:
        settled_ns = self.back_ns + SETTLING_S * SECOND_NS
        before = self.offsets_ms(track, SETTLING_S * SECOND_NS, self.fault_ns)
        after = self.offsets_ms(track, settled_ns, track.end_ns)
        assert len(after) >= 2, track.name
        assert abs(float(np.median(before))) <= 40, (track.name, before)
        assert abs(float(np.median(after))) <= 40, (track.name, after)


@pytest.mark.slow
def test_an_output_that_is_pulled_out_leaves_silence_and_comes_back_in_time(server):
    headset = server.load_sink("headset")
    server.pactl("set-default-sink", "headset")
    scene = Scene(server)
    server.beep("headset", scene.t0_ns)
    scene.go_on(SETTLING_S + 2)
    scene.happen(lambda: server.unload(headset))
    assert wait_until(lambda: scene.problems)
    scene.go_on(1)

    def plug_in() -> None:
        server.load_sink("headset")
        server.pactl("set-default-sink", "headset")
        server.beep("headset", scene.t0_ns)

    scene.mend(plug_in)
    tracks = scene.end()

    assert "headset.monitor" in scene.problems[0]
    for name in ("mic", "desktop"):
        scene.assert_in_time(tracks[name])


@pytest.mark.slow
def test_a_sound_server_that_is_killed_leaves_silence_and_comes_back_in_time(server):
    scene = Scene(server)
    scene.happen(server.kill)
    assert wait_until(lambda: set(scene.lane.problems) == {"mic", "desktop"})
    scene.go_on(2)

    def start_again() -> None:
        server.start()
        server.beep("voice", scene.t0_ns)
        server.beep("game", scene.t0_ns)

    scene.mend(start_again)
    tracks = scene.end()

    for name in ("mic", "desktop"):
        scene.assert_in_time(tracks[name])
        assert not np.abs(tracks[name].second(scene.fault_ns + SECOND_NS // 2)).max() > 0.01
    assert {words.split()[0] for words in scene.problems} == {"mic", "desktop"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sink", "source"])
def test_another_default_device_is_followed_in_time(server, kind):
    server.load_sink("other")
    scene = Scene(server)
    server.beep("other", scene.t0_ns)
    name = "desktop" if kind == "sink" else "mic"
    device = "other" if kind == "sink" else "other.monitor"
    scene.happen(lambda: server.pactl(f"set-default-{kind}", device))
    source = next(source for source in scene.lane.sources if source.name == name)
    assert wait_until(lambda: source.device == "other.monitor", 10)
    scene.mend(lambda: None)
    tracks = scene.end()

    for track in ("mic", "desktop"):
        scene.assert_in_time(tracks[track])


def test_without_a_microphone_the_game_is_not_taken_for_one(server):
    source = PulseSource("mic")
    watch = SoundWatch([source], lambda block: None, changes=open_changes())
    watch.start()
    assert wait_until(lambda: source.is_running and source.device == "voice.monitor")
    server.pactl("set-default-source", "game.monitor")

    assert wait_until(lambda: "there is no microphone" in watch.problems.get("mic", ""), 10)
    server.pactl("set-default-source", "voice.monitor")
    assert wait_until(lambda: source.is_running and not watch.problems, 10)
    watch.stop()
