"""Loudness, voice and motion, and the chunks they are sent in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.model.media import SignalSample
from agent.signals.chunker import SignalChunker
from agent.signals.loudness import SILENCE_DB, loudness_db
from agent.signals.motion import MotionMeter, difference
from agent.signals.sound import SoundMeter
from agent.signals.voice import VoiceMeter
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

RATE = 48_000
STEP_NS = SECOND_NS // 2


def sine(amplitude, duration_s=1.0, frequency_hz=1000):
    time_s = np.arange(int(duration_s * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "expected_db"),
    [
        (sine(1.0), -3.01),  # by definition
        (sine(0.1), -23.01),
        (np.zeros(480, np.float32), SILENCE_DB),
        (np.zeros(0, np.float32), SILENCE_DB),
    ],
)
def test_loudness_is_in_decibels_of_full_scale(sound, expected_db):
    assert loudness_db(sound) == pytest.approx(expected_db, abs=0.01)


def test_a_pause_has_no_voice():
    meter = VoiceMeter()
    meter.feed(np.zeros(RATE, np.float32))

    assert meter.take() == 0.0


def test_a_voice_is_heard_in_blocks_of_any_length():
    # a buzz with two formants, pulsed four times a second: what a vowel is to the detector
    time_s = np.arange(RATE) / RATE
    buzz = np.sign(np.sin(2 * np.pi * 120 * time_s)) * (np.sin(2 * np.pi * 2 * time_s) > -0.5)
    vowel = (0.2 * np.convolve(buzz, np.hanning(40) / 20, "same")).astype(np.float32)
    meter = VoiceMeter()
    for start in range(0, RATE, 777):
        meter.feed(vowel[start : start + 777])

    assert meter.take() > 0.5


def test_sound_is_measured_each_half_second_of_the_session():
    samples = []
    meter = SoundMeter(samples.append)
    sound = sine(0.5, 2.0)
    for start in range(0, len(sound), 1024):
        meter.feed("desktop", RATE // 4 + start, sound[start : start + 1024])

    assert [sample.at_ns for sample in samples] == [(1 + index) * STEP_NS for index in range(4)]
    assert samples[1].value == pytest.approx(-9.03, abs=0.05)


def test_the_voice_is_measured_in_the_microphone_only():
    samples = []
    meter = SoundMeter(samples.append)
    meter.feed("mic", 0, sine(0.1))
    meter.feed("desktop", 0, sine(0.1))

    assert [sample.name for sample in samples] == ["mic_loudness_db", "voice"] * 2 + [
        "desktop_loudness_db"
    ] * 2


def test_black_against_white_is_all_motion_there_is():
    black, white = np.zeros((90, 160), np.uint8), np.full((90, 160), 255, np.uint8)

    assert (difference(black, white), difference(black, black)) == (1.0, 0.0)


def test_motion_is_the_mean_over_half_a_second():
    samples = []
    meter = MotionMeter(samples.append)
    for index in range(9):
        meter.feed(index * SECOND_NS // 4, np.full((90, 160), 51 * (index % 2), np.uint8))

    assert [(sample.at_ns, round(sample.value, 3)) for sample in samples] == [
        (STEP_NS, 0.2),
        (2 * STEP_NS, 0.2),
        (3 * STEP_NS, 0.2),
        (4 * STEP_NS, 0.2),
    ]


def test_a_pause_of_the_picture_is_no_motion():
    samples = []
    meter = MotionMeter(samples.append)
    meter.feed(0, np.zeros((90, 160), np.uint8))
    meter.feed(60 * SECOND_NS, np.full((90, 160), 255, np.uint8))
    meter.feed(61 * SECOND_NS, np.full((90, 160), 255, np.uint8))

    assert samples == []


def collected(samples, chunk_s=2.0):
    chunks = []
    chunker = SignalChunker(chunk_s=chunk_s, on_chunk=chunks.append)
    for sample in samples:
        chunker.feed(sample)
    chunker.flush()
    return [(chunk, media_pb2.SignalBatch.FromString(chunk.payload)) for chunk in chunks]


def signal(name, step, value=1.0):
    return SignalSample(name=name, at_ns=step * STEP_NS, value=value)


def test_signals_are_cut_where_the_sound_is_cut():
    chunks = collected([signal("motion", step) for step in range(1, 12)])

    assert [(chunk.start_ns, chunk.end_ns) for chunk, _ in chunks] == [
        (0, 2 * SECOND_NS),
        (2 * SECOND_NS, 4 * SECOND_NS),
        (4 * SECOND_NS, 5 * SECOND_NS + STEP_NS),
    ]


def test_values_stand_at_their_half_second():
    ((_, batch),) = collected([signal("motion", step, step) for step in range(1, 4)])

    assert (batch.start_ns, batch.step_ns) == (0, STEP_NS)
    assert list(batch.tracks[0].values) == [1, 2, 3]


def test_what_was_not_measured_is_not_a_number():
    ((_, batch),) = collected([signal("motion", 1), signal("voice", 2), signal("motion", 3)])

    tracks = {track.name: list(track.values) for track in batch.tracks}

    assert [math.isnan(value) for value in tracks["motion"]] == [False, True, False]
    assert [math.isnan(value) for value in tracks["voice"]] == [True, False, True]


def test_a_late_lane_still_reaches_its_chunk():
    samples = [signal("motion", step) for step in range(1, 6)] + [
        signal("voice", step) for step in range(1, 6)
    ]

    first = collected(samples)[0][1]

    assert {track.name: len(track.values) for track in first.tracks} == {"voice": 4, "motion": 4}
    assert not any(math.isnan(value) for track in first.tracks for value in track.values)


def test_no_signal_no_chunk():
    assert collected([]) == []
