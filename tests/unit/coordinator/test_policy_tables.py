"""Pure decisions."""

from __future__ import annotations

import datetime

import pytest

from coordinator.model.jobs import Priority, Queue
from coordinator.policy.admission import defer_s, load_of, max_pending_chunks
from coordinator.policy.priorities import priority_of
from coordinator.policy.retention import ages_by_tier, expiry_words, keep_hours
from coordinator.policy.retry import is_poison, max_attempts, next_delay_s, next_pause_s, time_limit_s


def test_delays_double_from_one_second_to_five_minutes():
    assert [next_delay_s(attempt, 0.5) for attempt in (1, 2, 3, 4, 12, 10_000)] == [1, 2, 4, 8, 300, 300]


@pytest.mark.parametrize(("jitter", "delay_s"), [(0.0, 1.5), (0.5, 2.0), (0.999999, 2.5)])
def test_delays_are_spread_by_a_quarter(jitter: float, delay_s: float):
    assert next_delay_s(2, jitter) == pytest.approx(delay_s, abs=0.001)


def test_a_pause_grows_to_half_a_minute():
    assert [next_pause_s(number) for number in (1, 2, 3, 4, 5, 99)] == [2, 4, 8, 16, 30, 30]


def test_every_queue_has_attempts_and_a_time_limit():
    assert all(max_attempts(queue) >= 2 and time_limit_s(queue) > 0 for queue in Queue)


def test_business_gets_five_attempts_at_least():
    assert (max_attempts(Queue.TRANSCRIPTION, "business"), max_attempts(Queue.TRANSCRIPTION, "free")) == (
        5,
        4,
    )
    assert max_attempts(Queue.CLEANUP, "business") == 10


@pytest.mark.parametrize(
    ("runs", "attempts", "expected"),
    [(1, 1, False), (5, 1, False), (6, 1, True), (6, 4, False), (9, 4, True)],
)
def test_poison_is_a_job_whose_worker_died_five_times(runs: int, attempts: int, expected: bool):
    assert is_poison(runs=runs, attempts=attempts) is expected


@pytest.mark.parametrize(
    ("tier", "load", "seconds"),
    [("free", 0.81, 60), ("free", 0.8, 0), ("pro", 1.0, 0), ("business", 1.0, 0)],
)
def test_only_the_free_tier_is_put_off_and_only_over_the_limit(tier: str, load: float, seconds: float):
    assert defer_s(tier, load) == seconds


def test_load_is_busy_by_all_and_full_without_slots():
    assert (load_of(num_busy=4, num_slots=5), load_of(num_busy=9, num_slots=5)) == (0.8, 1.0)
    assert load_of(num_busy=0, num_slots=0) == 1.0


def test_a_press_is_critical_for_everyone():
    assert {priority_of(tier, is_press=True) for tier in ("free", "pro", "business", "?")} == {
        Priority.CRITICAL
    }


def test_what_is_put_off_is_low():
    assert priority_of("free", is_deferred=True) == Priority.LOW


def test_unknown_tiers_have_the_free_tiers_cap():
    assert [max_pending_chunks(tier) for tier in ("free", "pro", "business", "?")] == [6, 20, 60, 6]


@pytest.mark.parametrize(
    ("user", "tier", "is_kept", "hours"),
    [
        ("owner", "free", False, None),  # the one account never expires
        ("u1", "free", True, None),  # what the user kept never expires
        ("u1", "free", False, 12),
        ("u1", "unknown", False, None),  # not a reason to delete
        ("u1", "pro", False, None),  # 0 is never
    ],
)
def test_only_what_was_not_kept_expires(user: str, tier: str, is_kept: bool, hours: float | None):
    assert keep_hours(user, tier, hours_by_tier={"free": 12, "pro": 0}, is_kept=is_kept) == hours


def test_ages_are_those_of_tiers_of_which_anything_expires():
    ages = ages_by_tier({"free": 12, "pro": 0, "business": 0.5})

    assert ages == {"free": datetime.timedelta(hours=12), "business": datetime.timedelta(minutes=30)}


@pytest.mark.parametrize(
    ("expires_in_s", "words"),
    [
        (0, "expires any minute"),
        (59, "expires any minute"),
        (90 * 60 + 59, "expires in 90 min"),
        (12 * 3600 - 1, "expires in 11 h"),
        (47 * 3600, "expires in 47 h"),
        (7 * 86400 - 1, "expires in 6 days"),
    ],
)
def test_nobody_comes_too_late_by_what_is_said(expires_in_s: float, words: str):
    assert expiry_words(expires_in_s) == words
