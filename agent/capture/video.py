"""The thread that asks the screen for a frame at each tick, and the short queue behind it.

A full queue drops the new frame and counts it; a missed tick is skipped and counted; nothing bursts. Thread
`capture-video` owns the source; the queue's other end belongs to the `encode` thread.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from agent.capture.clock import SessionClock
from agent.capture.pacer import Pacer
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame, ScreenFormat
from agent.ports import ScreenSource
from agent.worker import OnProblem, Worker, ignore_problem
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import av

log = structlog.get_logger()
MAX_QUEUED_FRAMES = 3  # 9 MB of 1080p in 4:2:0, 25 as most screens give it
_MAX_WAIT_S = 0.5
_MAX_BACKOFF_S = 2.0
# No grab takes so long: this process was stopped, or the machine slept.
_MIN_SLEEP_S = 2


def as_it_is(picture: av.VideoFrame) -> av.VideoFrame:
    """For a queue that holds pictures as they were grabbed."""
    return picture


@dataclasses.dataclass(slots=True)
class VideoCounters:
    """What became of the ticks. Plain ints, each written by one thread and read by any.

    Attributes:
        num_skipped: the grab was too slow for them.
        num_slept: they passed while the whole process stood still.
        last_outage_ns: when the screen was last found to be away, monotonic; 0: never.
    """

    num_captured: int = 0
    num_dropped: int = 0
    num_skipped: int = 0
    num_slept: int = 0
    num_outages: int = 0
    last_outage_ns: int = 0


class FrameQueue:
    """A few raw frames on their way to the encoder. `put` never waits. Any thread."""

    def __init__(self, max_frames: int = MAX_QUEUED_FRAMES) -> None:
        self._max_frames = max_frames
        self._frames: collections.deque[CapturedFrame] = collections.deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, frame: CapturedFrame) -> bool:
        """Append a frame; False when the queue is full or closed and the frame was dropped."""
        with self._changed:
            if self._is_closed or len(self._frames) >= self._max_frames:
                return False
            self._frames.append(frame)
            self._changed.notify()
            return True

    @property
    def has_room(self) -> bool:
        """Would a frame be taken now?"""
        return len(self._frames) < self._max_frames

    def get(self, timeout_s: float) -> CapturedFrame | None:
        """The oldest frame; None at the deadline, or when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._is_closed, timeout_s)
            return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        """Take no more frames and wake whoever waits; what is queued can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class CaptureWorker(Worker):
    """Thread `capture-video`.

    A screen that goes away is opened again until it is back: the lane's pictures pause, its time goes on.

    Args:
        source: closed; the worker opens, grabs and closes it in its own thread.
        queue: where frames go.
        frame_rate: ticks a second.
        counters: counts here.
        prepare: makes of a grabbed picture what shall wait in the queue; in this thread.
        on_problem: told once of each outage.
    """

    def __init__(
        self,
        source: ScreenSource,
        queue: FrameQueue,
        *,
        clock: SessionClock,
        frame_rate: int,
        counters: VideoCounters,
        prepare: Callable[[av.VideoFrame], av.VideoFrame] = as_it_is,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        super().__init__("capture-video", on_problem=on_problem)
        self._source = source
        self._queue = queue
        self._clock = clock
        self._frame_rate = frame_rate
        self._pacer = Pacer(frame_rate, clock.monotonic_ns())
        self._counters = counters
        self._prepare = prepare
        self._is_open = False
        self._num_failures = 0
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why there is no picture now; empty when there is. Any thread."""
        return self._problem

    def set_frame_rate(self, frame_rate: int) -> None:
        """Tick so many times a second from the next tick on. Any thread."""
        self._frame_rate = frame_rate

    def step(self) -> None:
        """Wait for one tick and grab its frame. # 60 fps: 16.6 ms a turn; x11grab at 1080p took 1-2 ms."""
        if not self._is_open:
            self._reopen()
            return
        if self._frame_rate != self._pacer.frame_rate:
            self._pacer = Pacer(self._frame_rate, self._clock.monotonic_ns())
        tick = self._pacer.next_tick(self._clock.monotonic_ns())
        if tick.num_skipped < _MIN_SLEEP_S * self._frame_rate:
            self._counters.num_skipped += tick.num_skipped
        else:
            self._counters.num_slept += tick.num_skipped
        while (wait_ns := tick.due_ns - self._clock.monotonic_ns()) > 0:
            if self.wait(min(_MAX_WAIT_S, wait_ns / SECOND_NS)):
                return
        try:
            frame = self._source.grab()
        except ScreenUnavailable as exc:
            self._lose(exc)
            return
        self._num_failures = 0
        self._problem = ""
        if self._queue.has_room and self._queue.put(self._prepared(frame)):
            self._counters.num_captured += 1
        else:
            self._counters.num_dropped += 1

    def _prepared(self, frame: CapturedFrame) -> CapturedFrame:
        return dataclasses.replace(frame, picture=self._prepare(frame.picture))

    def tear_down(self) -> None:
        """Close the source; the encoder takes what is queued."""
        self._source.close()
        self._queue.close()

    def _reopen(self) -> None:
        try:
            size: ScreenFormat = self._source.open()
        except ScreenUnavailable as exc:
            self._lose(exc)
            return
        self._is_open = True
        log.info("screen_opened", source=self._source.name, size=f"{size.width_px}x{size.height_px}")
        # A new line of ticks: those of the outage are one outage, not thousands of skips.
        self._pacer = Pacer(self._frame_rate, self._clock.monotonic_ns())

    def _lose(self, exc: ScreenUnavailable) -> None:
        self._source.close()
        self._is_open = False
        self._num_failures += 1
        self._counters.last_outage_ns = self._clock.monotonic_ns()
        if not self._problem:
            self._counters.num_outages += 1
            log.warning("screen_lost", source=self._source.name, problem=str(exc))
            self._on_problem(exc)
        self._problem = str(exc)
        # At once the first time: a screen that changed its size is there already.
        if self._num_failures > 1:
            self.wait(min(_MAX_BACKOFF_S, 0.1 * 2 ** min(self._num_failures, 6)))
