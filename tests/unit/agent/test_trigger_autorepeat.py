"""Presses and releases told from autorepeat, by the server's times."""

from __future__ import annotations

from agent.trigger.autorepeat import AutorepeatFilter, press_time_ns


def real_events(*events: tuple[str, int]) -> list[tuple[str, int]]:
    """What a listener tells of a server's events, silence at their end."""
    keys, told = AutorepeatFilter(), []

    def tell_release() -> None:
        if (released_ms := keys.take_release()) is not None:
            told.append(("up", released_ms))

    for kind, time_ms in events:
        if kind == "up":
            keys.release(time_ms)
        elif not keys.is_repeat(time_ms):
            tell_release()
            keys.press(time_ms)
            told.append(("down", time_ms))
    tell_release()
    return told


def test_a_held_key_is_one_press_and_one_release():
    # As a server sent it, at 200 ms and 30 repeats a second.
    repeats = [(kind, 1_000 + at) for at in (201, 234, 267, 300) for kind in ("up", "down")]

    assert real_events(("down", 1_000), *repeats, ("up", 1_351)) == [("down", 1_000), ("up", 1_351)]


def test_a_press_after_a_hold_counts():
    held = [("down", 0), ("up", 200), ("down", 200), ("up", 290)]

    assert real_events(*held, ("down", 400), ("up", 420)) == [
        ("down", 0),
        ("up", 290),
        ("down", 400),
        ("up", 420),
    ]


def test_presses_within_one_millisecond_count_each():
    # What `xdotool key --delay 0 F9 F9 F9` made.
    events = [("down", 190), ("up", 191), ("down", 191), ("up", 191), ("down", 191), ("up", 191)]

    assert real_events(*events) == events


def test_a_press_whose_release_got_lost_does_not_swallow_the_next():
    assert real_events(("down", 100), ("down", 900)) == [("down", 100), ("down", 900)]


def test_a_hold_across_the_wrap_of_the_servers_clock_is_one_press():
    began = 2**32 - 100

    assert real_events(("down", began), ("up", 150), ("down", 150), ("up", 180)) == [
        ("down", began),
        ("up", 180),
    ]


def test_a_press_is_dated_when_the_key_went_down():
    assert press_time_ns(5_000, 5_040 * 1_000_000) == 5_000 * 1_000_000


def test_a_press_from_a_server_with_another_clock_is_dated_when_it_came():
    assert press_time_ns(123, 5_040 * 1_000_000) == 5_040 * 1_000_000
