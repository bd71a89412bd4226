"""A device's sound on the session's own grid."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from agent.encode.mix import mix, to_mono
from agent.encode.timeline import CORRECTION_SAMPLES, SoundTimeline
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


def test_it_says_how_far_the_sound_is_from_its_stamps():
    timeline = SoundTimeline(0, max_samples=RATE)
    timeline.place(0, ramp(0))
    assert timeline.error_ms == 0

    for start in range(BLOCK, 6 * BLOCK, BLOCK):
        timeline.place(ns(start) + 10 * MILLISECOND_NS, ramp(start))

    assert 0.5 < timeline.error_ms < 10
