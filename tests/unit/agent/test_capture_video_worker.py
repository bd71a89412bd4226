"""The thread that asks the screen for frames, stepped without a thread."""

from __future__ import annotations

import itertools

import pytest

from agent.capture.clock import ManualClock
from agent.capture.generated import GeneratedScreen
from agent.capture.video import MAX_QUEUED_FRAMES, CaptureWorker, FrameQueue, VideoCounters
from agent.errors import ScreenUnavailable
from protos.timebase import SECOND_NS


class BrittleScreen(GeneratedScreen):
    """Goes away at its third grab, and is back after two failed tries."""

    def __init__(self, clock):
        super().__init__(64, 36, monotonic_ns=clock.monotonic_ns)
        self.num_grabs = 0
        self.num_opens = 0

    def open(self):
        self.num_opens += 1
        if self.num_opens in (2, 3):
            raise ScreenUnavailable("the X server is gone")
        return super().open()

    def grab(self):
        self.num_grabs += 1
        if self.num_grabs == 3:
            raise ScreenUnavailable("the screen went away")
        return super().grab()


def worker_of(screen, clock, queue, problems):
    worker = CaptureWorker(
        screen,
        queue,
        clock=clock,
        frame_rate=10,
        counters=VideoCounters(),
        on_problem=problems.append,
    )
    worker.wait = lambda timeout_s: clock.advance(round(timeout_s * SECOND_NS))
    return worker


def test_a_full_queue_drops_the_new_frame_and_counts_it():
    clock = ManualClock(1)
    queue = FrameQueue()
    worker = worker_of(GeneratedScreen(64, 36, monotonic_ns=clock.monotonic_ns), clock, queue, [])

    for _ in range(1 + MAX_QUEUED_FRAMES + 2):  # the first opens
        worker.step()

    assert (worker._counters.num_captured, worker._counters.num_dropped) == (MAX_QUEUED_FRAMES, 2)


def test_frames_are_stamped_a_tick_apart():
    clock = ManualClock(5 * SECOND_NS)
    queue = FrameQueue()
    worker = worker_of(GeneratedScreen(64, 36, monotonic_ns=clock.monotonic_ns), clock, queue, [])

    for _ in range(4):
        worker.step()
    stamps_ns = [queue.get(0).monotonic_ns for _ in range(3)]

    assert [stamp_ns - 5 * SECOND_NS for stamp_ns in stamps_ns] == [0, SECOND_NS // 10, SECOND_NS // 5]


@pytest.mark.logs("screen_lost")
def test_a_screen_that_went_away_is_reported_once_and_opened_again():
    clock = ManualClock(0)
    queue = FrameQueue(max_frames=100)
    problems = []
    worker = worker_of(BrittleScreen(clock), clock, queue, problems)

    for _ in range(12):
        worker.step()

    assert [str(problem) for problem in problems] == ["the screen went away"]
    assert worker.problem == ""
    assert worker._counters.num_captured == 7  # of 12 turns: 2 that opened, 1 that lost, 2 that failed


@pytest.mark.logs("screen_lost")
def test_an_outage_is_not_counted_as_skipped_ticks():
    clock = ManualClock(0)
    worker = worker_of(BrittleScreen(clock), clock, FrameQueue(max_frames=100), [])

    for _ in range(12):
        worker.step()

    assert (worker._counters.num_skipped, worker._counters.num_outages) == (0, 1)


def test_a_closed_queue_wakes_its_reader_and_takes_no_more():
    queue = FrameQueue()
    queue.close()

    assert queue.get(60.0) is None
    assert not queue.put(None)


def test_a_new_frame_rate_holds_from_the_next_tick_and_skips_none():
    clock = ManualClock(0)
    queue = FrameQueue(max_frames=100)
    worker = worker_of(GeneratedScreen(64, 36, monotonic_ns=clock.monotonic_ns), clock, queue, [])
    for _ in range(4):
        worker.step()
    worker.set_frame_rate(5)
    for _ in range(3):
        worker.step()

    stamps_ns = [queue.get(0).monotonic_ns for _ in range(6)]
    assert stamps_ns[:3] == [0, SECOND_NS // 10, SECOND_NS // 5]
    assert [later - earlier for earlier, later in itertools.pairwise(stamps_ns[3:])] == [SECOND_NS // 5] * 2
    assert worker._counters.num_skipped == 0


@pytest.mark.parametrize(("stood_still_s", "skipped", "slept"), [(1, 9, 0), (3, 0, 29)])
def test_ticks_that_passed_while_the_process_stood_still_are_not_the_grabs_fault(
    stood_still_s, skipped, slept
):
    clock = ManualClock(0)
    worker = worker_of(GeneratedScreen(64, 36, monotonic_ns=clock.monotonic_ns), clock, FrameQueue(), [])
    for _ in range(2):
        worker.step()

    clock.advance(stood_still_s * SECOND_NS)
    worker.step()

    assert (worker._counters.num_skipped, worker._counters.num_slept) == (skipped, slept)
