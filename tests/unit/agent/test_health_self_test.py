"""Each alarm and each non-alarm: scripted pictures through a real encoder and ring, beside a scripted screen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.health.alarms import AlarmBook
from agent.health.content import SoundFacts
from agent.health.glance import ScreenGlance
from agent.health.self_test import SelfTest, SelfTestHooks
from agent.model.media import EncodedPacket
from protos.timebase import SECOND_NS
from tests.fakes.scripted_screen import HEIGHT, RATE, WIDTH, ScriptedRing, ScriptedScreen

pytestmark = pytest.mark.logs("alarm_raised")


class Watched:
    """A self-test that is stepped by hand: `look` is one look, with what follows from it."""

    def __init__(self, folder: Path) -> None:
        self.recorded = ScriptedRing(folder)
        self.screen = ScriptedScreen()
        self.has_second = True
        self.outage = ""
        self.late_ns = 0
        self.sounds: list[SoundFacts] = []
        self.heard: list[str] = []
        self.alarms = AlarmBook(on_sound=lambda alarm: self.heard.append(alarm.code))
        self.test = SelfTest(
            self.recorded.ring,
            ScreenGlance(lambda: self.screen if self.has_second else None),
            self.alarms,
            SelfTestHooks(
                now_ns=lambda: self.recorded.now_ns + self.late_ns,
                outage=lambda: self.outage,
                sounds=lambda: self.sounds,
            ),
            size_px=(WIDTH, HEIGHT),
            interval_s=0.0,
            retry_s=0.0,
        )

    def look(self, recorded: str, screen: str | None = None, *, duration_s: float = 2.5) -> list[str]:
        """Record some seconds while the screen shows something (the same, if not told), look; what alarms."""
        self.screen.kind = screen or recorded
        self.recorded.record(recorded, duration_s)
        self.test.step()
        return [alarm.code for alarm in self.alarms.standing()]

    def detail(self, name: str) -> str:
        assert self.test.last is not None
        return next(finding.detail for finding in self.test.last.findings if finding.name == name)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.recorded.close()


def test_a_still_desktop_is_no_fault(watched: Watched):
    assert [watched.look("desktop") for _ in range(3)] == [[], [], []]
    assert watched.detail("frozen") == "still, as the screen is"


def test_a_window_that_opens_is_no_fault(watched: Watched):
    watched.look("desktop")

    assert watched.look("desktop_with_window") == []
    assert watched.look("desktop") == []


def test_a_moving_picture_is_no_fault_and_needs_no_deep_look(watched: Watched):
    assert [watched.look("moving") for _ in range(2)] == [[], []]
    assert watched.detail("frozen") == "the picture moves"
    assert watched.screen.num_grabs == 2


def test_a_picture_that_stands_still_while_the_screen_changes_is_frozen(watched: Watched):
    watched.look("desktop")

    first, second = (watched.look("desktop", "desktop_with_window") for _ in range(2))

    assert (first, second) == ([], ["frozen"])
    assert watched.heard == ["frozen"]


def test_a_frozen_picture_of_a_moving_screen_is_noticed_without_an_earlier_look_that_was_alike(
    watched: Watched,
):
    watched.look("black", "moving")

    looks = [watched.look("desktop", "moving") for _ in range(4)]

    assert looks[-1] == ["frozen"]


def test_a_change_within_the_look_is_looked_at_again_before_anybody_is_alarmed(watched: Watched):
    watched.look("desktop")
    watched.look("desktop", "desktop_with_window")

    assert watched.look("desktop_with_window") == []
    assert watched.heard == []


def test_a_flash_that_only_the_second_source_caught_is_found_in_the_recording_too(watched: Watched):
    watched.look("desktop")
    watched.recorded.record("desktop", 0.9)
    watched.recorded.record("desktop_with_window", 0.1)

    assert watched.look("desktop", "desktop_with_window", duration_s=1.5) == []
    assert watched.detail("frozen") == "the picture moves"


def test_a_picture_that_moves_again_ends_the_alarm(watched: Watched):
    watched.look("desktop")
    watched.look("desktop", "moving")
    assert watched.look("desktop", "moving") == ["frozen"]

    assert watched.look("moving") == []


def test_a_black_recording_of_a_lit_screen_is_a_fault(watched: Watched):
    assert watched.look("black", "desktop") == []
    assert watched.look("black", "desktop") == ["black"]


def test_a_black_desktop_is_no_fault_but_is_said(watched: Watched):
    assert [watched.look("black") for _ in range(2)] == [[], []]
    assert watched.detail("black") == "black, as the screen itself is"


def test_without_a_second_source_nothing_is_claimed_of_black_or_frozen(watched: Watched):
    watched.has_second = False

    assert [watched.look(kind) for kind in ("black", "black", "desktop", "desktop")] == [[], [], [], []]
    assert "no second source" in watched.detail("frozen")


def test_a_picture_that_does_not_come_is_stale(watched: Watched):
    watched.look("desktop")
    watched.late_ns = 6 * SECOND_NS

    assert watched.look("desktop", duration_s=0) == []
    assert watched.look("desktop", duration_s=0) == ["stale"]


def test_a_screen_that_is_known_to_be_away_is_told_as_that_alone(watched: Watched):
    watched.look("desktop")
    watched.late_ns = 6 * SECOND_NS
    watched.outage = "the X11 screen went away"

    assert [watched.look("desktop", duration_s=0) for _ in range(2)] == [[], []]


def test_packets_that_do_not_decode_are_a_fault(watched: Watched):
    for index in range(4 * RATE):
        watched.recorded.ring.push(
            EncodedPacket(
                track=0,
                pts_ns=index * SECOND_NS // RATE,
                dts_ns=index * SECOND_NS // RATE,
                duration_ns=SECOND_NS // RATE,
                is_key_frame=index % RATE == 0,
                payload=b"\0\0\0\x10" + bytes(range(16)),
            )
        )

    watched.look("desktop", duration_s=0)

    assert watched.look("desktop", duration_s=0) == ["undecodable"]


MIC = SoundFacts(name="mic", device="headset")


@pytest.mark.parametrize(
    ("sound", "alarms"),
    [
        # a quiet room has noise: never a whole half second of zeros
        (dataclasses.replace(MIC, zeros_ns=0), []),
        # a short hole is the timeline's business
        (dataclasses.replace(MIC, zeros_ns=5 * SECOND_NS), []),
        (dataclasses.replace(MIC, zeros_ns=21 * SECOND_NS), ["silent_mic"]),
        (dataclasses.replace(MIC, zeros_ns=21 * SECOND_NS, excuse="headset is muted"), []),
        # a device that does not run has an alarm of its own
        (dataclasses.replace(MIC, zeros_ns=21 * SECOND_NS, is_running=False), []),
        (dataclasses.replace(MIC, name="desktop", zeros_ns=60 * SECOND_NS, excuse="nothing plays"), []),
        (dataclasses.replace(MIC, name="desktop", zeros_ns=60 * SECOND_NS), ["silent_desktop"]),
        (dataclasses.replace(MIC, zeros_ns=None), []),
    ],
)
def test_digital_silence_is_told_at_once_unless_there_is_a_reason(
    watched: Watched, sound: SoundFacts, alarms: list[str]
):
    watched.sounds = [sound]

    assert watched.look("desktop") == alarms


def test_sound_over_forty_milliseconds_from_the_picture_is_a_fault(watched: Watched):
    watched.sounds = [dataclasses.replace(MIC, drift_ms=12.0)]
    assert [watched.look("desktop") for _ in range(2)] == [[], []]

    watched.sounds = [dataclasses.replace(MIC, drift_ms=-44.0)]
    watched.look("desktop")

    assert watched.look("desktop") == ["drift"]
