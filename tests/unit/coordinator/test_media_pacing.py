"""Frames of any rhythm become frames of a constant rate."""

from fractions import Fraction

import pytest

from coordinator.media.intake.pacing import Pacer, constant_rate, paced


@pytest.mark.parametrize(
    ("average", "base", "expected"),
    [
        (Fraction(30), Fraction(30), Fraction(30)),
        (Fraction(2997, 100), Fraction(30000, 1001), Fraction(30000, 1001)),  # rounded by its container
        (Fraction(30000, 1001), Fraction(60000, 1001), Fraction(30000, 1001)),  # base counts fields
        (Fraction(13), Fraction(30), Fraction(30)),  # a recording that dropped frames
        (Fraction(15), Fraction(1000), Fraction(15)),  # base is a time base of 1 ms
        (Fraction(120), Fraction(120), Fraction(60)),  # faster than anyone takes
        (Fraction(1, 2), None, Fraction(5)),  # slower than a player seeks well in
        (None, None, Fraction(30)),  # nothing known
    ],
)
def test_the_rate_is_the_one_that_the_recording_meant(average, base, expected):
    assert constant_rate(average, base) == expected


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ([0.0, 0.1, 0.2], "abc"),
        ([0.0, 0.3], "aaab"),  # a gap repeats the frame before it
        ([0.0, 0.1, 0.12, 0.2], "acd"),  # of two on one tick the later wins
        ([0.2, 0.3], "aaab"),  # a late start shows its first frame from the beginning
        ([0.01, 0.09, 0.21], "abc"),  # jitter lands on the nearest tick
    ],
)
def test_every_tick_shows_the_frame_that_is_due(times_s, expected):
    frames = list(zip(times_s, "abcdef", strict=False))

    assert "".join(paced(frames, Fraction(10))) == expected


def test_the_length_asked_for_is_never_exceeded():
    pacer = Pacer(Fraction(10), max_ticks=7)

    assert (pacer.num_due(0.5), pacer.num_due(1e9), pacer.num_left(1e9)) == (5, 7, 7)
    pacer.tick = 7
    assert (pacer.is_full, pacer.num_due(1e9), pacer.num_left(1e9)) == (True, 0, 0)


def test_the_last_frame_is_held_for_sound_that_goes_on():
    assert "".join(paced([(0.0, "a"), (0.1, "b")], Fraction(10), hold_until_s=0.5)) == "abbbb"
