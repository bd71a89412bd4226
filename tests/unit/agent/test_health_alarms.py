"""Alarms: each once, the worst first, heard at most once a minute."""

from __future__ import annotations

import pytest

from agent.health.alarms import AlarmBook
from protos.timebase import SECOND_NS

pytestmark = pytest.mark.logs("alarm_raised")


class Clock:
    ns = 0
    unix_ms = 1_000_000


def test_the_worst_comes_first_and_each_keeps_its_beginning():
    clock = Clock()
    book = AlarmBook(monotonic_ns=lambda: clock.ns, unix_ms=lambda: clock.unix_ms)

    book.report("drift", "44 ms")
    clock.unix_ms += 5000
    book.report("frozen", "it stands still")
    book.report("drift", "45 ms")

    found = [(alarm.code, alarm.message, alarm.since_unix_ms) for alarm in book.standing()]
    assert found == [("frozen", "it stands still", 1_005_000), ("drift", "45 ms", 1_000_000)]


def test_only_what_makes_clips_worthless_is_said_to():
    book = AlarmBook()
    book.report("silent_mic", "no voice")
    assert book.worthless() is None

    book.report("black", "nothing to be seen")

    assert book.worthless() == "nothing to be seen"


def test_an_alarm_is_told_once_and_cleared_once():
    told: list[tuple[str, str]] = []
    book = AlarmBook(
        on_raised=lambda alarm: told.append(("raised", alarm.code)),
        on_cleared=lambda alarm: told.append(("cleared", alarm.code)),
    )

    for message in ("a", "b", None, None):
        book.report("stale", message)

    assert told == [("raised", "stale"), ("cleared", "stale")]
    assert book.standing() == []


def test_the_same_alarm_is_heard_at_most_once_a_minute():
    clock = Clock()
    heard: list[str] = []
    book = AlarmBook(on_sound=lambda alarm: heard.append(alarm.code), monotonic_ns=lambda: clock.ns)

    def flap(code: str) -> None:
        book.report(code, "so")
        book.report(code, None)

    flap("black")
    clock.ns += 59 * SECOND_NS
    flap("black")
    flap("frozen")
    assert heard == ["black", "frozen"]

    clock.ns += 2 * SECOND_NS
    flap("black")

    assert heard == ["black", "frozen", "black"]
