"""Where a job is put, and who counts as come later."""

from __future__ import annotations

import random

import pytest

from coordinator.jobs import shares
from coordinator.jobs.shares import Shares
from coordinator.model.jobs import Priority
from coordinator.policy.placement import MAX_BEHIND_S, Placed, Placement, fair_rate_per_s, num_kept, place_job

NORMAL, HIGH, CRITICAL, LOW = Priority.NORMAL, Priority.HIGH, Priority.CRITICAL, Priority.LOW
GPU = Placement(place="gpu", under_load="small", press="reserved")


@pytest.mark.parametrize(
    ("tier", "wish", "placement", "loads", "placed"),
    [
        # Nobody set anything, nothing is known.
        ("free", NORMAL, None, {}, Placed(priority=NORMAL, place="")),
        ("", NORMAL, None, {"": 1.0}, Placed(priority=NORMAL, place="")),
        # By tier; a press goes before all streams, business' too.
        ("pro", NORMAL, None, {"": 1.0}, Placed(priority=NORMAL, place="")),
        ("business", NORMAL, None, {"": 1.0}, Placed(priority=CRITICAL, place="", is_after_presses=True)),
        ("free", CRITICAL, None, {"": 1.0}, Placed(priority=CRITICAL, place="")),
        # What somebody chose stays.
        ("business", LOW, None, {"": 1.0}, Placed(priority=LOW, place="")),
        # Free is put off over 0.8, and not at it, and not while it is not known.
        ("free", NORMAL, None, {"": 0.81}, Placed(priority=LOW, place="", delay_s=60)),
        ("free", NORMAL, None, {"": 0.8}, Placed(priority=NORMAL, place="")),
        ("free", NORMAL, None, {"": None}, Placed(priority=NORMAL, place="")),
        # A place that lives is taken; under load another that lives; else it is as if nobody had set one.
        ("free", NORMAL, GPU, {"": 0.1, "gpu": 0.1}, Placed(priority=NORMAL, place="gpu")),
        ("free", NORMAL, GPU, {"": 0.1}, Placed(priority=NORMAL, place="")),
        ("free", NORMAL, GPU, {"gpu": 0.9, "small": 0.1}, Placed(priority=NORMAL, place="small")),
        ("free", NORMAL, GPU, {"gpu": 0.9, "small": None}, Placed(priority=NORMAL, place="small")),
        ("free", NORMAL, GPU, {"gpu": 0.9, "small": 0.9}, Placed(priority=LOW, place="small", delay_s=60)),
        ("free", NORMAL, GPU, {"gpu": 0.9, "": 0.1}, Placed(priority=LOW, place="gpu", delay_s=60)),
        ("pro", NORMAL, GPU, {"gpu": 0.9, "": 0.1}, Placed(priority=NORMAL, place="gpu")),
        # The load of workers that it does not go to says nothing.
        ("free", NORMAL, GPU, {"gpu": 0.1, "": 1.0}, Placed(priority=NORMAL, place="gpu")),
        # A press goes where presses go, and waits for no load.
        ("free", CRITICAL, GPU, {"gpu": 0.9, "reserved": 1.0}, Placed(priority=CRITICAL, place="reserved")),
        ("free", CRITICAL, GPU, {"gpu": 0.9}, Placed(priority=CRITICAL, place="")),
        (
            *("free", CRITICAL, Placement(place="gpu", under_load="small")),
            *({"gpu": 0.9, "small": 0.0}, Placed(priority=CRITICAL, place="gpu")),
        ),
        (
            "free",
            CRITICAL,
            Placement(place="gpu", press=""),
            {"gpu": 0.1},
            Placed(priority=CRITICAL, place=""),
        ),
    ],
)
def test_a_job_is_put_by_its_tier_its_wish_and_who_is_there(tier, wish, placement, loads, placed):
    assert place_job(tier, wish, placement, loads) == placed


def test_a_fair_rate_is_three_times_the_middle_accounts():
    assert fair_rate_per_s(None) == pytest.approx(0.9)
    assert fair_rate_per_s(0.2) == pytest.approx(0.6)


def test_accounts_that_ask_alike_are_never_behind():
    chance, counted = random.Random(7), Shares()

    behind_s = [
        counted.behind_s(f"user-{chance.randrange(200)}", "free", now_s / 20) for now_s in range(20 * 600)
    ]

    assert max(behind_s) == 0


def test_two_streams_of_an_account_are_not_behind_those_with_one():
    """Six chunks at once each 10 s, beside a hundred accounts with three."""
    counted = Shares()
    behind_s = []
    for second in range(0, 600, 10):
        for user in range(100):
            behind_s += [counted.behind_s(f"one-{user}", "free", second + user / 10) for _ in range(3)]
            if user == 50:
                behind_s += [counted.behind_s("two", "free", second + user / 10) for _ in range(6)]

    assert max(behind_s) == 0


def test_who_asks_for_a_hundred_times_as_much_falls_behind_and_nobody_else():
    counted = Shares()
    flood_s, others_s = [], []
    for tenth in range(1, 1200):
        flood_s.append(counted.behind_s("flood", "free", tenth / 10))
        if tenth % 10 == 0:
            others_s.append(counted.behind_s(f"user-{tenth // 10 % 10}", "free", tenth / 10))

    assert max(others_s) == 0
    assert flood_s[-1] > 100


def test_a_flood_that_is_over_is_forgiven_after_what_it_took():
    counted = Shares()
    for index in range(200):
        counted.behind_s("flood", "free", index / 100)
    later_s = counted.behind_s("flood", "free", 2 + 200 / fair_rate_per_s(None))

    assert later_s == 0


def test_nobody_is_put_further_behind_than_an_hour():
    counted = Shares()

    assert max(counted.behind_s("flood", "free", index / 1000) for index in range(60_000)) == pytest.approx(
        MAX_BEHIND_S
    )


def test_business_may_ask_for_sixteen_times_what_free_may():
    free, business = Shares(), Shares()
    free_s = [free.behind_s("a", "free", 0.0) for _ in range(128)]
    business_s = [business.behind_s("a", "business", 0.0) for _ in range(128)]

    assert max(business_s) == pytest.approx(0, abs=1e-6)
    assert max(free_s) > 60


def test_what_is_remembered_is_bounded_and_let_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shares, "MAX_ACCOUNTS", 50)
    counted = Shares()

    for user in range(500):
        counted.behind_s(f"user-{user}", "free", 0.0)
    most = counted.num_accounts
    counted.behind_s("another", "free", 1000.0)

    assert (most, counted.num_accounts) == (50, 1)


@pytest.mark.parametrize(
    ("num_slots", "num_timely", "kept"),
    [
        (1, 1, 0),
        (6, 4, 0),
        (7, 0, 1),
        (32, 0, 4),
        (32, 4, 4),
        (32, 9, 6),
        (32, 20, 9),
        (32, 32, 11),
        (32, 1_000, 12),
    ],
)
def test_slots_are_kept_for_as_many_as_may_come_by_chance(num_slots: int, num_timely: int, kept: int):
    assert num_kept(num_slots, num_timely=num_timely) == kept
