"""Devices that go away are opened again, stepped without a thread or a device."""

from __future__ import annotations

import pytest

from agent.capture.clock import ManualClock
from agent.capture.watch import SoundWatch, next_delay_s
from agent.errors import SoundUnavailable
from protos.timebase import SECOND_NS


class SwitchedSource:
    """A sound source whose cable a test pulls."""

    name = "mic"
    device = "switched"

    def __init__(self):
        self.is_plugged = True
        self.is_open = False
        self.num_opens = 0

    def open(self, on_block):
        self.num_opens += 1
        if not self.is_plugged:
            raise SoundUnavailable("no such device")
        self.is_open = True

    @property
    def is_running(self):
        return self.is_open and self.is_plugged

    def close(self):
        self.is_open = False


class ToldChanges:
    """Says that something came when a test says so."""

    def __init__(self):
        self.is_news = False
        self.is_closed = False

    def has_changed(self):
        is_news, self.is_news = self.is_news, False
        return is_news

    def close(self):
        self.is_closed = True


class Watched:
    """A watch over one switched source, on a clock that a test moves."""

    def __init__(self):
        self.changes = ToldChanges()
        self.source = SwitchedSource()
        self.clock = ManualClock(0)
        self.problems = []
        self.watch = SoundWatch(
            [self.source],
            lambda block: None,
            on_problem=self.problems.append,
            monotonic_ns=self.clock.monotonic_ns,
            changes=self.changes,
        )
        self.watch.wait = lambda timeout_s: False
        self.watch.set_up()

    def turns(self, num_turns):
        for _ in range(num_turns):
            self.clock.advance(SECOND_NS)
            self.watch.step()


@pytest.mark.logs("sound_lost")
def test_a_device_that_stops_is_opened_again_when_it_is_back():
    watched = Watched()
    watched.turns(3)
    watched.source.is_plugged = False
    watched.turns(5)
    watched.source.is_plugged = True
    watched.turns(10)

    assert watched.source.is_running
    assert watched.watch.problems == {}


@pytest.mark.logs("sound_lost")
def test_an_outage_is_reported_once():
    watched = Watched()
    watched.turns(3)
    watched.source.is_plugged = False
    watched.turns(100)

    assert len(watched.problems) == 1
    assert "mic" in watched.watch.problems


@pytest.mark.logs("sound_lost")
def test_a_device_that_stays_away_is_tried_ever_more_rarely():
    watched = Watched()
    watched.source.is_plugged = False
    watched.turns(120)

    assert watched.source.num_opens <= 10


@pytest.mark.logs("sound_lost")
def test_a_device_that_stayed_away_is_opened_at_once_when_something_has_come():
    watched = Watched()
    watched.source.is_plugged = False
    watched.turns(120)
    watched.source.is_plugged = True
    watched.changes.is_news = True
    watched.turns(1)

    assert watched.source.is_open


def test_the_end_of_the_watch_closes_what_it_listens_to():
    watched = Watched()
    watched.watch.tear_down()

    assert watched.changes.is_closed and not watched.source.is_open


def test_a_device_that_has_just_been_opened_may_take_its_time():
    watched = Watched()
    watched.source.is_plugged = False
    watched.turns(2)

    assert watched.problems == []


@pytest.mark.parametrize(
    ("num_failures", "delay_s"),
    [(0, 1), (1, 2), (4, 16), (5, 30), (50, 30)],
)
def test_the_delay_doubles_up_to_half_a_minute(num_failures, delay_s):
    assert next_delay_s(num_failures) == delay_s
