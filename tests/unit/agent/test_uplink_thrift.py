"""The rules for metered lines and batteries, and the coordinator's wishes, as plain decisions."""

from __future__ import annotations

import pytest

from agent.uplink.sluice import Sluice
from agent.uplink.thrift import (
    LOW_BATTERY,
    METERED,
    NO_ROOM_FOR_PICTURE,
    UNWANTED,
    ByteBudget,
    LineState,
    held_lanes,
    held_words,
    picture_bound_bps,
    source_wait,
)
from protos.clippy.v1 import link_pb2, media_pb2

MIC, DESKTOP, PROXY = media_pb2.LANE_MIC, media_pb2.LANE_DESKTOP, media_pb2.LANE_PROXY


def test_on_a_metered_line_only_the_big_lanes_wait():
    assert held_lanes(LineState(is_metered=True)) == {DESKTOP: METERED, PROXY: METERED}


def test_a_battery_holds_no_lane_back():
    assert held_lanes(LineState(is_on_battery=True, charge_pct=5)) == {}


def test_lanes_that_the_coordinator_does_not_want_wait_with_that_reason():
    held = held_lanes(LineState(is_metered=True), [MIC, DESKTOP])

    assert held[PROXY] == UNWANTED
    assert held[DESKTOP] == METERED
    assert MIC not in held


@pytest.mark.parametrize(
    ("line", "rule", "is_pressed", "expected"),
    [
        (LineState(), "none", False, ""),  # an ordinary line: no rule applies
        (LineState(is_metered=True), "press", True, ""),
        (LineState(is_metered=True), "press", False, METERED),
        (LineState(is_metered=True), "all", False, ""),
        (LineState(is_metered=True), "none", True, METERED),
        (LineState(is_on_battery=True, charge_pct=29), "press", False, LOW_BATTERY),
        (LineState(is_on_battery=True, charge_pct=30), "press", False, ""),
        (LineState(is_on_battery=True, charge_pct=None), "press", False, ""),  # nobody knows
        (LineState(is_on_battery=True, charge_pct=5), "all", True, ""),  # one's own press always goes
        (LineState(is_on_battery=False, charge_pct=5), "press", False, ""),  # it is charging
    ],
)
def test_an_upload_of_full_quality_waits(line, rule, is_pressed, expected):
    assert source_wait(line, rule, is_pressed=is_pressed) == expected


def test_what_waits_is_told_in_words():
    held = {DESKTOP: METERED, PROXY: METERED, MIC: UNWANTED}

    assert held_words(held, {DESKTOP: 12, PROXY: 0, MIC: 1}) == [
        "the coordinator does not want it: 1 chunk of mic waits",
        "on a metered line: 12 chunks of desktop wait",
    ]


def test_a_budget_lets_a_minutes_worth_go_at_once_and_then_its_rate():
    budget = ByteBudget(0.0)
    budget.limit(100, 0.0)
    sent = [0.0]
    for second in range(600):
        while budget.has_room(float(second)):
            budget.spend(500, float(second))
            sent.append(sent[-1] + 500)

    assert 60 * 100 + 599 * 100 <= sent[-1] <= 60 * 100 + 599 * 100 + 500


def test_a_budget_never_goes_backwards_with_the_clock_and_no_limit_is_none():
    budget = ByteBudget(10.0)
    assert budget.has_room(10.0)
    budget.limit(1, 10.0)
    budget.spend(60, 10.0)

    assert not budget.has_room(5.0)
    assert budget.has_room(12.0)
    budget.limit(0, 12.0)
    budget.spend(10**9, 12.0)
    assert budget.has_room(12.0)


def test_a_new_stream_forgets_the_wishes_and_keeps_the_debt():
    now_s = [0.0]
    sluice = Sluice(monotonic_s=lambda: now_s[0])
    sluice.take_config(link_pb2.StreamConfig(lanes=[MIC], max_bytes_per_s=10))
    sluice.spend(MIC, 700)

    assert set(sluice.held) == set(held_lanes(LineState(), [MIC]))
    sluice.begin_stream()
    assert set(sluice.held) == {PROXY}
    sluice.take_config(link_pb2.StreamConfig(max_bytes_per_s=10))
    assert not sluice.has_room()
    now_s[0] = 11.0
    assert sluice.has_room()


@pytest.mark.parametrize(
    ("max_proxy_bps", "max_bytes_per_s", "expected"),
    [
        (0, 0, None),
        (80_000, 0, 80_000),
        (80_000, 100_000, 80_000),  # what is taken in all leaves more
        (0, 20_000, 60_000),  # 160 kbit/s less what sound and signals need
        (80_000, 20_000, 60_000),
        (80_000, 5_000, 0),
    ],
)
def test_the_picture_may_take_what_it_is_told_and_what_the_sound_leaves(
    max_proxy_bps: int, max_bytes_per_s: int, expected: int | None
):
    assert picture_bound_bps(max_proxy_bps, max_bytes_per_s) == expected


def test_the_picture_waits_once_it_has_used_its_rate_and_others_do_not():
    now_s = [0.0]
    sluice = Sluice(monotonic_s=lambda: now_s[0])
    sluice.take_config(link_pb2.StreamConfig(max_proxy_bps=8_000))
    sluice.spend(MIC, 10**6)
    assert sluice.held == {}
    sluice.spend(PROXY, 11_000)
    assert sluice.held == {PROXY: "the coordinator takes 8 kbit/s of the picture"}
    assert sluice.has_room()
    now_s[0] = 1.1
    assert sluice.held == {}


def test_a_metered_line_is_the_reason_that_is_told_where_both_hold():
    sluice = Sluice(monotonic_s=lambda: 0.0)
    sluice.take_config(link_pb2.StreamConfig(max_bytes_per_s=10))
    assert sluice.held == {PROXY: NO_ROOM_FOR_PICTURE}
    sluice.set_line(LineState(is_metered=True))
    assert sluice.held == {DESKTOP: METERED, PROXY: METERED}
