"""When agents are asked to connect anew, and how they are spread."""

from __future__ import annotations

import bisect
import math
import random

import pytest

from agent.uplink.backoff import told_delay_s
from coordinator.policy.reconnect import drain_delay_ms, leave_at_s


def arrivals_s(num_streams: int) -> list[float]:
    """When each of a drained process's agents comes, with the dice of a fixed seed."""
    dice = random.Random(4)
    return sorted(
        told_delay_s(drain_delay_ms(num_streams, number / num_streams), dice.random())
        for number in range(num_streams)
    )


@pytest.mark.parametrize("num_streams", [1, 100, 5_000, 10_000, 100_000])
def test_agents_of_a_drained_process_are_elsewhere_within_30_s(num_streams: int):
    assert arrivals_s(num_streams)[-1] < 30


@pytest.mark.parametrize("num_streams", [1_000, 5_000, 7_000])
def test_agents_of_a_drained_process_come_at_most_500_a_second_and_from_the_start(num_streams: int):
    arrivals = arrivals_s(num_streams)
    busiest = max(bisect.bisect(arrivals, start + 1.0) - number for number, start in enumerate(arrivals))

    assert busiest <= 500
    assert arrivals[num_streams // 10] < arrivals[-1] / 4


def test_streams_leave_at_their_age_give_or_take_a_tenth():
    assert leave_at_s(100.0, 60.0, 0.0) == pytest.approx(154.0)
    assert leave_at_s(100.0, 60.0, 1.0) == pytest.approx(166.0)
    assert leave_at_s(100.0, None, 0.5) == math.inf
