"""The synthetic live streams are what they say: the same every time, in bounds, and audible."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest

from tests.sketches.guide import LEAST_S, MOST_S
from tests.streams import chat, sound, voice, words
from tests.streams.script import Script, write_script
from tests.streams.streamer import KINDS, draw_voice
from tests.streams.write import write_stream

SEEDS = range(30)


def test_a_seed_gives_the_same_files_every_time_and_another_seed_other_ones(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_stream(seed, tmp_path / name, 60.0)

    for file in ("media.mp4", "transcript.json", "chat.json", "truth.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / "media.mp4").read_bytes() != (tmp_path / "c" / "media.mp4").read_bytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_moments_lie_inside_the_stream_well_apart_and_clear_of_decoys(seed: int) -> None:
    script = write_script(seed, 600.0)

    assert 3 <= len(script.moments) <= 10
    assert script.decoys
    spans = sorted([*script.moments, *script.decoys], key=lambda span: span.start_s)
    assert all(0 <= span.start_s < span.end_s <= 600 for span in spans)
    assert all(second.start_s - first.end_s >= 8 for first, second in itertools.pairwise(spans)), spans
    for moment in script.moments:
        assert LEAST_S <= moment.end_s - moment.start_s <= MOST_S
        assert moment.kind in KINDS


@pytest.mark.parametrize("seed", SEEDS)
def test_what_happens_in_a_short_stream_lies_inside_it(seed: int) -> None:
    script = write_script(seed, 60.0)

    assert script.moments
    assert all(0 <= span.start_s < span.end_s <= 60 for span in [*script.moments, *script.decoys])


def test_every_kind_and_quiet_moments_occur_in_some_stream() -> None:
    moments = [moment for seed in SEEDS for moment in write_script(seed, 600.0).moments]

    assert {moment.kind for moment in moments} == set(KINDS)
    quiet = sum(not {"shout", "scream", "laughter"} & set(moment.signs) for moment in moments)
    assert 0.05 < quiet / len(moments) < 0.5


def test_a_moment_begins_with_what_stands_out_and_not_with_calm_words_before_it() -> None:
    after: dict[str, list[float]] = {"funny": [], "rage": [], "wholesome": []}
    for script in (write_script(seed, 600.0) for seed in SEEDS):
        for moment, (at, scene) in zip(script.moments, script.scenes, strict=True):
            after.setdefault(moment.kind, []).append(moment.start_s - at - scene.event_s)

    # A joke is told in a calm voice, and a letter read; anger rises before it breaks out.
    assert np.median(after["funny"]) > 1
    assert np.median(after["wholesome"]) == pytest.approx(0, abs=0.01)
    assert min(after["rage"]) < -3


@pytest.mark.parametrize("seed", range(8))
def test_chat_and_transcript_are_in_order_and_inside_the_stream(seed: int) -> None:
    script = write_script(seed, 600.0)
    messages = chat.write(script.streamer, script.chats, 600.0, np.random.default_rng(seed))
    segs = words.transcript(script.lines, script.streamer.asr_error, 600.0, np.random.default_rng(seed))

    times = [at for at, _ in messages]
    assert times == sorted(times)
    assert all(0 <= at < 600 for at in times)
    assert all(0 <= start < end <= 600 and text for start, end, text in segs)
    assert all(first[0] <= second[0] for first, second in itertools.pairwise(segs))


def test_a_big_audience_writes_more_after_a_moment_and_a_tiny_one_next_to_nothing() -> None:
    scripts = [write_script(seed, 600.0) for seed in SEEDS]
    large = max(scripts, key=lambda script: script.streamer.viewers)
    small = min(scripts, key=lambda script: script.streamer.viewers)

    def per_minute(script: Script) -> float:
        found = chat.write(script.streamer, script.chats, 600.0, np.random.default_rng(0))
        return len(found) / 10

    assert per_minute(large) > 100
    assert per_minute(small) < 3


@pytest.mark.parametrize("seed", [1, 2])
def test_no_track_is_silent_or_clips(seed: int) -> None:
    script = write_script(seed, 60.0)
    desk = sound.desktop(script, seed)
    mic = sound.microphone(script, desk, seed)

    for track in (mic, desk, sound.mixed(mic, desk)):
        assert len(track) == 60 * voice.RATE_HZ
        assert np.isfinite(track).all()
        assert 0.01 < np.abs(track).max() < 1


def test_a_shout_is_louder_and_higher_than_talk() -> None:
    who = draw_voice(np.random.default_rng(0))
    levels, brightness = [], []
    for effort in (0.3, 1.0):
        line = voice.Line(start_s=0, end_s=2, text="oh my god what was that", effort=effort)
        spoken = voice.render([line], who, 2.0, np.random.default_rng(1))
        spectrum = np.abs(np.fft.rfft(spoken)) ** 2
        levels.append(float(np.sqrt(np.mean(spoken**2))))
        brightness.append(float(np.sum(spectrum * np.arange(len(spectrum))) / np.sum(spectrum)))

    assert levels[1] > 1.5 * levels[0]
    assert brightness[1] > 1.2 * brightness[0]


def test_the_media_has_a_picture_and_two_titled_sound_tracks_or_one_mixed(tmp_path: Path) -> None:
    write_stream(5, tmp_path / "two", 60.0)
    write_stream(5, tmp_path / "one", 60.0, is_mixed=True)

    with av.open(str(tmp_path / "two" / "media.mp4")) as media:
        titles = [
            stream.metadata.get("title") or stream.metadata.get("handler_name")
            for stream in media.streams.audio
        ]
        assert titles == ["mic", "desktop"]
        assert media.streams.video[0].frames == 600
        assert float(media.duration / av.time_base) == pytest.approx(60, abs=0.2)
    with av.open(str(tmp_path / "one" / "media.mp4")) as media:
        assert len(media.streams.audio) == 1
    truth = json.loads((tmp_path / "two" / "truth.json").read_text())
    assert {"moments", "decoys", "viewers"} <= set(truth)
