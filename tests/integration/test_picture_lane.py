"""The picture's lane, both threads stepped by hand on a clock that is moved by hand: epochs, ladder, proxy."""

from __future__ import annotations

import dataclasses

import av
import numpy as np
import pytest

from agent.capture.clock import ManualClock
from agent.encode.quality import Quality
from agent.engine.picture import BatteryWatch
from agent.errors import ScreenUnavailable
from agent.lanes.video import VideoLane
from agent.model.media import CapturedFrame, ScreenFormat
from protos.timebase import MILLISECOND_NS, SECOND_NS

RATE = 30


class ScriptedScreen:
    """A screen that has the size it is told, and may be away; grabbing takes as long as it is told."""

    name = "scripted"

    def __init__(self, clock, width_px, height_px) -> None:
        self.clock = clock
        self.size = (width_px, height_px)
        self.is_away = False
        self.grab_ns = 0
        self._opened = None

    def open(self):
        if self.is_away:
            raise ScreenUnavailable("the screen is away; it is opened again")
        self._opened = self.size
        return ScreenFormat(width_px=self.size[0], height_px=self.size[1])

    def grab(self):
        if self.is_away or self._opened != self.size:
            raise ScreenUnavailable("the screen went away; it is opened again")
        stamp_ns = self.clock.monotonic_ns()
        self.clock.advance(self.grab_ns)
        width, height = self.size
        planes = np.full((height * 3 // 2, width), 100, np.uint8)
        return CapturedFrame(
            monotonic_ns=stamp_ns, picture=av.VideoFrame.from_ndarray(planes, format="yuv420p")
        )

    def close(self):
        self._opened = None


class Lane:
    """A lane whose capture and encoding are stepped in turn; remembers what came out."""

    def __init__(self, size=(320, 180), **wish) -> None:
        self.clock = ManualClock(SECOND_NS)
        self.screen = ScriptedScreen(self.clock, *size)
        self.packets, self.epochs, self.chunks, self.problems = [], [], [], []
        self.lane = VideoLane(
            self.screen,
            self.clock,
            quality=Quality(**({"frame_rate": RATE} | wish)),
            chunk_s=2.0,
            on_packet=self.packets.append,
            on_epoch=lambda track, start_ns, reason: self.epochs.append((track, start_ns, reason)),
            on_chunk=self.chunks.append,
            on_problem=self.problems.append,
        )
        self.lane._capture.wait = lambda timeout_s: self.clock.advance(round(timeout_s * SECOND_NS))

    def run(self, seconds):
        """Until so much time has passed."""
        ends = self.clock.monotonic_ns() + round(seconds * SECOND_NS)
        while self.clock.monotonic_ns() < ends:
            before = len(self.packets)
            self.lane._capture.step()
            queued = self.lane.counters.num_captured
            if queued > len(self.packets) or before == 0:
                self.encode()
        return self

    def encode(self):
        self.lane._encode._take_frame, take = (lambda _timeout_s: take(0)), self.lane._encode._take_frame
        try:
            self.lane._encode.step()
        finally:
            self.lane._encode._take_frame = take

    @property
    def reasons(self):
        return [reason for _, _, reason in self.epochs]


@pytest.mark.logs("screen_lost")
def test_a_screen_that_changes_its_size_goes_on_in_a_new_epoch():
    lane = Lane().run(1)
    lane.screen.size = (256, 160)
    lane.run(1)

    assert lane.reasons == ["size"]
    track, start_ns, _ = lane.epochs[0]
    assert (track.width_px, track.height_px) == (256, 160)
    assert lane.lane.track == track
    assert lane.lane.state.source_width_px == 256
    first = next(packet for packet in lane.packets if packet.pts_ns >= start_ns)
    assert first.is_key_frame and first.pts_ns == start_ns


def test_a_process_that_stood_still_for_three_seconds_goes_on_in_a_new_epoch():
    lane = Lane().run(1)
    lane.clock.advance(3 * SECOND_NS)
    lane.run(1)

    assert lane.reasons == ["stopped"]
    assert lane.lane.counters.num_skipped == 0


@pytest.mark.logs("screen_lost")
@pytest.mark.parametrize(("away_s", "reasons"), [(1, []), (4, ["screen"])])
def test_a_screen_that_was_away_for_long_goes_on_in_a_new_epoch(away_s, reasons):
    lane = Lane().run(1)
    lane.screen.is_away = True
    lane.run(away_s)
    lane.screen.is_away = False
    lane.run(8)

    assert lane.reasons == reasons


@pytest.mark.logs("screen_lost")
def test_standing_still_long_after_the_screen_was_briefly_away_is_told_as_what_it_is():
    lane = Lane().run(1)
    lane.screen.is_away = True
    lane.run(0.5)
    lane.screen.is_away = False
    lane.run(3)
    lane.clock.advance(3 * SECOND_NS)
    lane.run(1)

    assert lane.reasons == ["stopped"]


def test_an_epoch_can_be_asked_for():
    lane = Lane().run(1)
    lane.lane.request_epoch("suspended")
    lane.run(1)

    assert lane.reasons == ["suspended"]


def test_a_grab_that_is_too_slow_costs_the_frame_rate_and_it_comes_back_after_a_clean_minute():
    lane = Lane(frame_rate=60).run(2)
    lane.screen.grab_ns = 25 * MILLISECOND_NS  # 40 a second
    lane.run(8)

    state = lane.lane.state
    assert lane.reasons == ["encoder"]
    assert (state.step, state.track.frame_rate) == ("30 fps instead of 60", 30)
    assert state.step_reason.endswith("of the ticks were lost over 5 s")

    num_before = lane.lane.counters.num_captured
    lane.run(10)
    assert lane.lane.counters.num_captured - num_before == pytest.approx(300, abs=3)

    lane.screen.grab_ns = 0
    lane.run(62)
    assert (lane.reasons, lane.lane.state.step) == (["encoder", "encoder"], "")
    assert lane.lane.track.frame_rate == 60


def test_a_ladder_that_may_not_step_loses_frames_and_says_how_many():
    lane = Lane(frame_rate=60, can_step_down=False).run(1)
    lane.screen.grab_ns = 25 * MILLISECOND_NS
    lane.run(8)

    assert (lane.reasons, lane.lane.state.step) == ([], "")
    assert lane.lane.state.loss == pytest.approx(1 / 3, abs=0.1)


def test_the_proxy_covers_the_time_line_across_an_epoch_and_pauses_on_battery():
    lane = Lane(size=(640, 360), has_proxy=True).run(3)
    lane.lane.request_epoch("stopped")
    lane.run(2)
    assert lane.lane.state.is_proxy_on
    on_battery = [True]
    watch = BatteryWatch(
        lane.lane, is_on_battery=on_battery.pop, monotonic_s=lambda: lane.clock.monotonic_ns() / SECOND_NS
    )
    watch.look()
    watch.look()  # too soon to look again
    lane.run(2)

    assert not lane.lane.state.is_proxy_on
    starts = [chunk.start_ns for chunk in lane.chunks]
    ends = [chunk.end_ns for chunk in lane.chunks]
    assert starts[1:] == ends[:-1]
    assert ends[-1] == pytest.approx(5 * SECOND_NS, abs=SECOND_NS // 5)
    assert {chunk.lane for chunk in lane.chunks} == {"proxy"}


def test_without_anybody_to_take_chunks_there_is_no_proxy():
    clock = ManualClock(0)
    lane = VideoLane(
        ScriptedScreen(clock, 320, 180),
        clock,
        quality=Quality(has_proxy=True),
        on_packet=lambda packet: None,
    )

    assert not lane.state.is_proxy_on


def test_the_tier_bounds_the_size_and_the_screens_own_is_still_told():
    state = Lane(size=(2560, 1440), tier="free").lane.state

    assert (state.track.width_px, state.track.height_px) == (1280, 720)
    assert (state.source_width_px, state.source_height_px) == (2560, 1440)
    assert dataclasses.asdict(state)["encoder_reason"] == ""
