"""What is heard on which track, turned by hand on a clock that a test moves."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from agent.encode.sound_pipeline import SoundPipeline
from agent.model.media import SoundBlock
from agent.model.sound import SoundSetting
from protos.timebase import MILLISECOND_NS, SECOND_NS
from tests.fakes.heard import tones_hz

RATE = 48_000
BLOCK = 960
BLOCK_NS = 20 * MILLISECOND_NS
HZ = {"mic": 440, "desktop": 3000, "Discord": 1000, "game": 2000}


class Studio:
    """A pipeline whose sources each play a tone of their own; the desktop plays what the applications do as well."""

    def __init__(
        self, names=("mic", "desktop", "Discord", "game"), settings=None, with_raw=(), has_chunks=True
    ):
        self.now_ns = 0
        self.packets, self.chunks, self.voice = [], [], []
        self.tracks = {}
        self.names = names
        self.pipeline = SoundPipeline(
            names,
            now_ns=lambda: self.now_ns,
            to_session_ns=lambda monotonic_ns: monotonic_ns,
            chunk_s=1.0,
            on_packet=self.packets.append,
            on_chunk=self.chunks.append if has_chunks else None,
            on_sound=lambda name, position, mono: self.voice.append(mono) if name == "mic" else None,
            on_track=self._take,
            settings=settings or {},
            with_raw=with_raw,
        )
        self.pipeline.pump()

    def _take(self, name, _position, samples):
        self.tracks.setdefault(name, []).append(samples[:, 0].copy())

    def run(self, seconds, *, parts=None, playing=("mic", "desktop", "Discord", "game")):
        """`parts`: the streams an application plays, each with its tone; else one stream each."""
        for _ in range(round(seconds * 50)):
            for name in self.names:
                if name not in playing:
                    continue
                tones = {0: [HZ[name]]}
                if name == "desktop":
                    tones = {0: [HZ[app] for app in ("Discord", "game") if app in playing] + [3000]}
                for part, hz in (parts or {}).get(name, tones).items():
                    self._push(name, part, hz if isinstance(hz, list) else [hz])
            self.now_ns += BLOCK_NS
            self.pipeline.pump()

    def _push(self, name, part, frequencies_hz):
        at = self.now_ns * RATE // SECOND_NS + np.arange(BLOCK)
        mono = sum(0.1 * np.sin(2 * np.pi * hz * at / RATE) for hz in frequencies_hz)
        samples = np.repeat(mono[:, None], 2, axis=1).astype(np.float32)
        self.pipeline.queue.put(SoundBlock(source=name, part=part, monotonic_ns=self.now_ns, samples=samples))

    def heard(self, name, start_s, end_s):
        return np.concatenate(self.tracks[name])[round(start_s * RATE) : round(end_s * RATE)]

    def tones(self, name, start_s=1.0, end_s=2.0):
        return tones_hz(self.heard(name, start_s, end_s))


def test_each_application_is_alone_on_its_track_and_once_in_the_mix():
    studio = Studio()
    studio.run(2.5)

    assert [track.name for track in studio.pipeline.tracks] == ["mix", "mic", "desktop", "Discord", "game"]
    assert {name: studio.tones(name) for name in studio.tracks} == {
        "mix": {440, 1000, 2000, 3000},
        "mic": {440},
        "desktop": {1000, 2000, 3000},
        "Discord": {1000},
        "game": {2000},
    }
    # once: as loud as on the desktop's track, not twice as loud
    both = studio.heard("mic", 1, 2) + studio.heard("desktop", 1, 2)
    assert np.allclose(studio.heard("mix", 1, 2), both, atol=1e-5)


def test_without_the_desktop_the_applications_are_mixed():
    studio = Studio(names=("mic", "Discord", "game"))
    studio.run(2.5)

    assert studio.tones("mix") == {440, 1000, 2000}


def test_several_streams_of_one_application_are_added_up():
    studio = Studio()
    studio.run(2.5, parts={"Discord": {17: 1000, 18: 1500}})

    assert studio.tones("Discord") == {1000, 1500}


def test_an_application_that_is_away_is_silent_and_holds_up_nobody():
    studio = Studio()
    studio.run(1.5)
    studio.run(2.0, playing=("mic", "desktop"))
    studio.run(2.0)
    reached_ns = max(packet.pts_ns + packet.duration_ns for packet in studio.packets if packet.track == 1)

    assert studio.tones("Discord", 0.2, 1.2) == {1000}
    assert not studio.heard("Discord", 1.6, 3.4).any()
    assert studio.tones("Discord", 4.0, 5.0) == {1000}
    assert studio.now_ns - reached_ns <= 200 * MILLISECOND_NS


def test_applications_alone_give_silence_from_the_clock_until_one_plays():
    studio = Studio(names=("game",))
    studio.run(1.0, playing=())
    studio.run(2.0)

    assert not studio.heard("mix", 0, 0.8).any()
    assert studio.tones("mix", 1.5, 2.5) == {2000}


def test_a_muted_microphone_is_heard_by_nobody():
    studio = Studio()
    studio.run(1.0)
    studio.pipeline.set_sound("mic", SoundSetting(is_muted=True))
    studio.run(2.0)

    assert not studio.heard("mic", 1.1, 2.5).any()
    assert 440 not in studio.tones("mix", 1.2, 2.2)
    assert not np.concatenate(studio.voice)[round(1.1 * RATE) :].any()
    studio.pipeline.tear_down()
    chunk = [chunk for chunk in studio.chunks if chunk.lane == "mic"][-1]
    assert chunk.start_ns > 1.1 * SECOND_NS
    with av.open(io.BytesIO(chunk.payload)) as file:
        decoded = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert np.max(np.abs(decoded)) < 0.001


def test_a_muted_application_is_not_heard_through_the_desktop_either():
    studio = Studio()
    studio.run(1.0)
    studio.pipeline.set_sound("Discord", SoundSetting(is_muted=True))
    studio.run(1.5)
    studio.pipeline.set_sound("Discord", SoundSetting())
    studio.run(1.5)

    assert studio.tones("desktop", 0.0, 0.9) == {1000, 2000, 3000}
    assert studio.tones("desktop", 1.2, 2.2) == studio.tones("mix", 1.2, 2.2) - {440} == {2000}
    assert studio.tones("desktop", 2.7, 3.7) == {1000, 2000, 3000}


def test_what_is_muted_at_the_start_is_never_heard():
    settings = {name: SoundSetting(is_muted=True) for name in ("mic", "Discord")}
    studio = Studio(settings=settings)
    studio.run(1.0)

    assert not studio.heard("mic", 0, 1).any()
    assert not {440, 1000, 3000} & studio.tones("mix", 0.0, 0.8)


def test_where_nothing_leaves_no_chunk_is_made_and_the_voice_is_measured_all_the_same():
    studio = Studio(has_chunks=False)
    studio.run(2.5)
    studio.pipeline.tear_down()

    assert not studio.chunks and studio.voice
    assert studio.tones("mix") == {440, 1000, 2000, 3000}


def test_gain_is_heard_on_the_track_and_in_the_mix():
    studio = Studio(names=("mic",), settings={"mic": SoundSetting(gain_db=6.0)})
    studio.run(1.0)

    assert np.max(studio.heard("mic", 0.2, 0.8)) == pytest.approx(0.2, rel=0.02)
    assert np.max(studio.heard("mix", 0.2, 0.8)) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("is_suppressed", [True, False])
def test_the_raw_microphone_stands_beside_the_suppressed_one_to_the_sample(is_suppressed):
    setting = SoundSetting(is_noise_suppressed=is_suppressed, gain_db=-6.0)
    studio = Studio(names=("mic", "desktop"), settings={"mic": setting}, with_raw=["mic"])
    studio.run(2.5)
    raw, mic = studio.heard("mic_raw", 0.5, 2.0), studio.heard("mic", 0.5, 2.0)

    assert [track.name for track in studio.pipeline.tracks] == ["mix", "mic", "desktop", "mic_raw"]
    assert np.max(raw) == pytest.approx(0.1, rel=0.01)
    # the tone is no noise: suppressed or not, it is the same, half as loud
    assert np.max(np.abs(mic - raw * 10 ** (-6 / 20))) < 0.005
    expected = 0.1 * np.sin(2 * np.pi * 440 * (RATE // 2 + np.arange(len(raw))) / RATE)
    assert np.max(np.abs(raw - expected)) < 0.002


def test_the_raw_microphone_is_muted_with_the_other():
    setting = SoundSetting(is_noise_suppressed=True, is_muted=True)
    studio = Studio(names=("mic",), settings={"mic": setting}, with_raw=["mic"])
    studio.run(1.0)

    assert not studio.heard("mic_raw", 0, 0.8).any()


def test_suppression_keeps_the_mix_within_a_quarter_of_a_second():
    studio = Studio(names=("mic", "desktop"), with_raw=["mic"])
    studio.run(1.0)
    studio.run(1.0, playing=("desktop",))
    reached_ns = max(packet.pts_ns + packet.duration_ns for packet in studio.packets if packet.track == 1)

    assert studio.now_ns - reached_ns <= 200 * MILLISECOND_NS
