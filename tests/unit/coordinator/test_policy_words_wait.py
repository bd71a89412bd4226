"""How long posts wait for words."""

from __future__ import annotations

import pytest

from coordinator.policy.words_wait import MAX_WAIT_S, next_look_s


@pytest.mark.parametrize(
    ("age_s", "delay_s"),
    [
        (0.0, 1.0),  # the words of most clips are a matter of seconds
        (4.0, 1.0),
        (20.0, 5.0),
        (28.0, 2.0),  # the last look is when the time is over
        (29.9, 0.1),
        (30.0, None),
        (3600.0, None),  # a clip of an hour ago is not waited for at all
    ],
)
def test_looks_are_frequent_first_and_end_in_time(age_s: float, delay_s: float | None):
    assert next_look_s(age_s) == pytest.approx(delay_s)


def test_a_clip_costs_a_few_looks_in_all():
    age_s, num_looks = 0.0, 0
    while (delay_s := next_look_s(age_s)) is not None:
        age_s, num_looks = age_s + delay_s, num_looks + 1

    assert (age_s, num_looks) == (pytest.approx(MAX_WAIT_S), pytest.approx(14, abs=3))
