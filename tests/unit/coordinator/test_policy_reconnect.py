"""When agents are asked to connect anew, and how they are spread."""

from __future__ import annotations

import math

import pytest

from agent.uplink.backoff import told_delay_s
from coordinator.policy.reconnect import drain_delay_ms, leave_at_s


@pytest.mark.parametrize("num_streams", [0, 1, 100, 5_000, 10_000, 100_000])
def test_agents_of_a_drained_process_are_elsewhere_within_30_s(num_streams: int):
    assert told_delay_s(drain_delay_ms(num_streams), 0.999) < 30


@pytest.mark.parametrize("num_streams", [1_000, 5_000, 7_000])
def test_agents_of_a_drained_process_come_at_most_500_a_second(num_streams: int):
    spread_s = told_delay_s(drain_delay_ms(num_streams), 1.0) - told_delay_s(drain_delay_ms(num_streams), 0.0)

    assert num_streams / spread_s <= 500


def test_streams_leave_at_their_age_give_or_take_a_tenth():
    assert leave_at_s(100.0, 60.0, 0.0) == pytest.approx(154.0)
    assert leave_at_s(100.0, 60.0, 1.0) == pytest.approx(166.0)
    assert leave_at_s(100.0, None, 0.5) == math.inf
