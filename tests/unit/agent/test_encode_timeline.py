"""A device's sound on the session's own grid."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from agent.encode.mix import mix, to_mono
from agent.encode.timeline import CORRECTION_SAMPLES, SoundTimeline, stretch
from protos.timebase import MILLISECOND_NS, SECOND_NS, ticks_to_ns

RATE = 48_000
BLOCK = 960


def ramp(start, num_samples=BLOCK):
    """Samples that say where they belong."""
    values = np.arange(start, start + num_samples, dtype=np.float32) / 1e6
    return np.stack([values, values], axis=1)


def ns(samples):
    return ticks_to_ns(samples, RATE)


def test_blocks_in_time_are_kept_sample_for_sample():
    timeline = SoundTimeline(0, max_samples=RATE)
    for start in range(0, 10 * BLOCK, BLOCK):
        timeline.place(ns(start), ramp(start))

    assert np.array_equal(timeline.read(0, 10 * BLOCK), ramp(0, 10 * BLOCK))


def test_the_first_block_is_put_exactly_where_it_belongs():
    timeline = SoundTimeline(0, max_samples=RATE)
    timeline.place(ns(500), ramp(500))

    heard = timeline.read(0, 500 + BLOCK)

    assert not heard[:500].any()
    assert np.array_equal(heard[500:], ramp(500))


def test_what_was_heard_before_the_line_began_is_left_out():
    timeline = SoundTimeline(1000, max_samples=RATE)
    timeline.place(ns(700), ramp(700))

    assert np.array_equal(timeline.read(1000, 660), ramp(1000, 660))


def test_jitter_of_ten_milliseconds_changes_nothing():
    timeline = SoundTimeline(0, max_samples=20 * RATE)
    for index in range(500):
        jitter_ns = (-1) ** index * 10 * MILLISECOND_NS if index else 0
        timeline.place(ns(index * BLOCK) + jitter_ns, ramp(index * BLOCK))

    assert (timeline.end, timeline.num_corrected) == (500 * BLOCK, 0)


@pytest.mark.parametrize("rate_ratio", [0.999, 1.001])  # a crystal 0.1 % off: ten times what is sold
def test_a_crystal_that_drifts_stays_within_forty_milliseconds(rate_ratio):
    timeline = SoundTimeline(0, max_samples=400 * RATE)
    worst_ns = 0
    for index in range(300 * 50):  # 5 min
        heard_ns = round(index * BLOCK * SECOND_NS / (RATE * rate_ratio))
        worst_ns = max(worst_ns, abs(heard_ns - ns(timeline.end)))
        timeline.place(heard_ns, ramp(0))

    assert worst_ns <= 40 * MILLISECOND_NS
    assert timeline.num_filled == 0


def test_a_first_stamp_that_was_wrong_is_mended_within_seconds():
    timeline = SoundTimeline(0, max_samples=20 * RATE)
    timeline.place(12 * MILLISECOND_NS, ramp(0))
    for index in range(1, 250):  # 5 s
        timeline.place(ns(index * BLOCK), ramp(0))

    assert abs(timeline.end - 250 * BLOCK) <= 3 * RATE // 1000


def test_a_correction_is_half_a_millisecond_a_block():
    timeline = SoundTimeline(0, max_samples=20 * RATE)
    timeline.place(0, ramp(0))
    ends = []
    for index in range(1, 200):
        timeline.place(ns(index * BLOCK) + 100 * MILLISECOND_NS, ramp(0))
        ends.append(timeline.end)

    assert {int(step) for step in np.diff(ends)} == {BLOCK, BLOCK + CORRECTION_SAMPLES}


def test_a_gap_of_a_second_is_filled_with_silence():
    timeline = SoundTimeline(0, max_samples=5 * RATE)
    timeline.place(0, ramp(0))
    timeline.place(ns(RATE), ramp(RATE))

    heard = timeline.read(0, RATE + BLOCK)

    assert not heard[BLOCK:RATE].any()
    assert np.array_equal(heard[RATE:], ramp(RATE))


def test_sound_that_comes_after_its_silence_takes_up_at_the_right_place():
    timeline = SoundTimeline(0, max_samples=5 * RATE)
    timeline.place(0, ramp(0))
    timeline.fill_to(BLOCK + 500)
    timeline.place(ns(BLOCK), ramp(BLOCK))

    heard = timeline.read(0, 2 * BLOCK)

    assert not heard[BLOCK : BLOCK + 500].any()
    assert np.array_equal(heard[BLOCK + 500 :], ramp(BLOCK + 500, BLOCK - 500))


def test_what_nobody_takes_is_dropped_oldest_first():
    timeline = SoundTimeline(0, max_samples=2 * BLOCK)
    for start in range(0, 5 * BLOCK, BLOCK):
        timeline.place(ns(start), ramp(start))

    heard = timeline.read(0, 5 * BLOCK)

    assert not heard[: 3 * BLOCK].any()
    assert np.array_equal(heard[3 * BLOCK :], ramp(3 * BLOCK, 2 * BLOCK))


@hypothesis.given(
    st.lists(st.tuples(st.integers(-2 * SECOND_NS, 10 * SECOND_NS), st.integers(1, 3000)), max_size=30)
)
def test_whatever_the_stamps_the_line_has_no_hole(blocks):
    timeline = SoundTimeline(0, max_samples=RATE)
    position = 0
    for time_ns, num_samples in blocks:
        before = timeline.end
        timeline.place(time_ns, ramp(0, num_samples))
        assert timeline.end >= before
        num_ready = timeline.end - position
        assert timeline.read(position, num_ready).shape == (num_ready, 2)
        position += num_ready


def test_a_quiet_mix_is_the_sum():
    sounds = [np.full((8, 2), 0.25, np.float32), np.full((8, 2), 0.5, np.float32)]

    assert np.allclose(mix(sounds), 0.75)


def test_a_loud_mix_never_clips_and_keeps_its_order():
    loud = np.linspace(-3, 3, 64, dtype=np.float32)
    mixed = mix([np.stack([loud, loud], axis=1)])[:, 0]

    assert np.all(np.abs(mixed) <= 1.0)
    assert np.all(np.diff(mixed) >= 0)


def test_one_bad_sample_silences_one_sample():
    sound = np.full((8, 2), 0.5, np.float32)
    sound[3, 0] = np.nan

    mixed = mix([sound])

    assert mixed[3, 0] == 0.0
    assert np.allclose(np.delete(mixed, 3, axis=0), 0.5)


def test_mono_is_the_mean():
    assert to_mono(np.array([[0.2, 0.6]], np.float32))[0] == pytest.approx(0.4)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


class Device:
    """A device whose crystal is off, and whose stamps come with jitter; pushed by hand, faster than time."""

    def __init__(self, drift_ppm, jitter_ms):
        self.timeline = SoundTimeline(0, max_samples=RATE)
        self._block_ns = BLOCK * SECOND_NS / (RATE * (1 + drift_ppm / 1e6))
        self._jitter_ns = jitter_ms * MILLISECOND_NS / 2
        self._random = np.random.default_rng(11)
        self._silence = np.zeros((BLOCK, 2), np.float32)
        self._num_blocks = 0

    def run(self, duration_s):
        """The largest error meanwhile, in ms: between where a block's end is and where it was heard."""
        worst_ns = 0.0
        num_blocks = round(duration_s * 50)
        jitters_ns = self._random.uniform(-self._jitter_ns, self._jitter_ns, num_blocks)
        for jitter_ns in jitters_ns:
            heard_ns = self._num_blocks * self._block_ns
            self.timeline.place(round(heard_ns + jitter_ns), self._silence)
            self._num_blocks += 1
            worst_ns = max(worst_ns, abs(ns(self.timeline.end) - heard_ns - self._block_ns))
            self.timeline.read(self.timeline.start, self.timeline.end - self.timeline.start)
        return worst_ns / MILLISECOND_NS


@pytest.mark.parametrize(("drift_ppm", "duration_s"), [(200, 1800), (-200, 600)])
def test_half_an_hour_of_a_skewed_clock_and_jitter_leaves_no_error_that_is_heard(drift_ppm, duration_s):
    device = Device(drift_ppm, jitter_ms=20)
    while_settling_ms = device.run(300)
    settled_ms = device.run(duration_s)

    assert while_settling_ms < 15
    assert settled_ms < 2
    assert device.timeline.drift_ppm == pytest.approx(drift_ppm, abs=20)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_six_hours_of_a_skewed_clock_cost_no_memory():
    device = Device(200, jitter_ms=20)
    device.run(600)
    before_bytes = resident_bytes()
    worst_ms = device.run(6 * 3600)

    assert worst_ms < 2
    assert resident_bytes() - before_bytes < 4 * 1024**2


def test_corrections_are_not_heard():
    timeline = SoundTimeline(0, max_samples=120 * RATE)
    drift = 200e-6
    for index in range(60 * 50):
        at = index * BLOCK + np.arange(BLOCK)
        mono = (0.5 * np.sin(2 * np.pi * 440 * at / RATE)).astype(np.float32)
        heard_ns = round(index * BLOCK * SECOND_NS / (RATE * (1 + drift)))
        timeline.place(heard_ns, np.stack([mono, mono], axis=1))
    sound = timeline.read(0, timeline.end)[:, 0]

    assert timeline.num_corrected > 100
    # a sine's steepest step; a click would be a larger one
    assert np.max(np.abs(np.diff(sound))) < 0.5 * 2 * np.pi * 440 / RATE * 1.03


@pytest.mark.parametrize("num_after", [BLOCK - 24, BLOCK - 1, BLOCK + 1, BLOCK + 24])
def test_a_stretched_block_keeps_both_ends(num_after):
    block = ramp(5000)
    stretched = stretch(block, num_after)

    assert len(stretched) == num_after
    assert np.array_equal(stretched[[0, -1]], block[[0, -1]])


def test_a_device_that_was_exchanged_is_mended_within_seconds():
    device = Device(200, jitter_ms=2)
    device.run(60)
    # the new one's stamps are 100 ms apart from the old one's
    device.timeline.place(ns(device.timeline.end) + 100 * MILLISECOND_NS, ramp(0))
    device._num_blocks += 1
    device.run(10)

    assert device.run(60) < 2.5


def test_it_says_how_far_the_sound_is_from_its_stamps():
    timeline = SoundTimeline(0, max_samples=RATE)
    timeline.place(0, ramp(0))
    assert timeline.error_ms == 0

    for start in range(BLOCK, 6 * BLOCK, BLOCK):
        timeline.place(ns(start) + 10 * MILLISECOND_NS, ramp(start))

    assert 0.5 < timeline.error_ms < 10
