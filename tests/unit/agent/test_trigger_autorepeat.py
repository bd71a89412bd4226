"""Presses told from autorepeat, by the server's times."""

from __future__ import annotations

from agent.trigger.autorepeat import AutorepeatFilter, press_time_ns


def num_presses(*events: tuple[str, int]) -> int:
    keys, num = AutorepeatFilter(), 0
    for kind, time_ms in events:
        if kind == "down":
            num += keys.is_new_press(time_ms)
        else:
            keys.release(time_ms)
    return num


def test_a_held_key_is_one_press():
    # As a server sent it, at 200 ms and 30 repeats a second.
    repeats = [(kind, 1_000 + at) for at in (201, 234, 267, 300) for kind in ("up", "down")]

    assert num_presses(("down", 1_000), *repeats, ("up", 1_351)) == 1


def test_a_press_after_a_hold_counts():
    assert num_presses(("down", 0), ("up", 200), ("down", 200), ("up", 290), ("down", 400), ("up", 420)) == 2


def test_presses_within_one_millisecond_count_each():
    # What `xdotool key --delay 0 F9 F9 F9` made.
    events = [("down", 190), ("up", 191), ("down", 191), ("up", 191), ("down", 191), ("up", 191)]

    assert num_presses(*events) == 3


def test_a_press_whose_release_got_lost_does_not_swallow_the_next():
    assert num_presses(("down", 100), ("down", 900)) == 2


def test_a_hold_across_the_wrap_of_the_servers_clock_is_one_press():
    assert num_presses(("down", 2**32 - 100), ("up", 150), ("down", 150), ("up", 180)) == 1


def test_a_press_is_dated_when_the_key_went_down():
    assert press_time_ns(5_000, 5_040 * 1_000_000) == 5_000 * 1_000_000


def test_a_press_from_a_server_with_another_clock_is_dated_when_it_came():
    assert press_time_ns(123, 5_040 * 1_000_000) == 5_040 * 1_000_000
