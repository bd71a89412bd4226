"""Meters."""

from __future__ import annotations

import numpy as np
import pytest

from agent.signals.level import LevelMeter

RATE = 48_000
BLOCK = 1024


def feed(meter, seconds, amplitude, right=1.0):
    for start in range(0, int(seconds * RATE), BLOCK):
        tone = amplitude * np.sin(2 * np.pi * 1000 * np.arange(start, start + BLOCK) / RATE)
        meter.feed("mix", start, np.stack([tone, right * tone], axis=1).astype(np.float32))


@pytest.mark.parametrize(("amplitude", "loudness_db", "peak_db"), [(1.0, -3.0, 0.0), (0.1, -23.0, -20.0)])
def test_a_sine_has_its_loudness_and_its_peak(amplitude, loudness_db, peak_db):
    meter = LevelMeter()
    feed(meter, 2, amplitude)
    level = meter.levels["mix"]

    assert (level.loudness_db, level.peak_db) == (
        pytest.approx(loudness_db, abs=0.1),
        pytest.approx(peak_db, abs=0.1),
    )


def test_silence_is_at_the_bottom():
    meter = LevelMeter()
    feed(meter, 2, 0.0)

    assert (meter.levels["mix"].loudness_db, meter.levels["mix"].peak_db) == (-120.0, -120.0)


def test_two_channels_against_each_other_are_not_silence():
    meter = LevelMeter()
    feed(meter, 2, 0.5, right=-1.0)

    assert meter.levels["mix"].loudness_db == pytest.approx(-9.0, abs=0.1)


def test_a_peak_is_forgotten_after_a_second():
    meter = LevelMeter()
    feed(meter, 1, 0.9)
    feed(meter, 1.2, 0.01)

    assert meter.levels["mix"].peak_db < -39
