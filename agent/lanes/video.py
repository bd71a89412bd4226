"""The picture's lane: capture, encoding and motion, joined for the session.

    screen source -> capture-video -> FrameQueue -> encode -> on_packet (track 0)
                                                      `-> motion -> on_signal

`on_packet` comes from the thread `encode`, by DTS. Start and stop belong to the composition root's thread.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.capture.clock import SessionClock
from agent.capture.video import CaptureWorker, FrameQueue, VideoCounters
from agent.encode.video import DEFAULT_ENCODER, VideoEncoder
from agent.encode.video_worker import EncodeWorker
from agent.model.media import EncodedPacket, SignalSample, TrackParams, ignore_signal
from agent.ports import ScreenSource
from agent.signals.motion import MotionMeter
from agent.worker import OnProblem, ignore_problem


class VideoLane:
    """The picture, from the screen to packets of track 0.

    Args:
        source: closed; it is opened here once for its size, then owned by the `capture-video` thread.
        clock: the session's.
        frame_rate: ticks a second.
        bit_rate_bps: 0 follows the number of pixels.
        on_packet: gets each packet, in the `encode` thread; returns at once.
        on_signal: gets `motion`, in the `encode` thread.
        on_problem: told of an outage once, and of what ends a thread, in that thread.
        encoder: FFmpeg's name, as `choose_encoder` found it.

    Attributes:
        track: what a muxer must know; known before the start.
        counters: frames captured, dropped and skipped.

    Raises:
        ScreenUnavailable, EncoderUnavailable: And says why.
    """

    def __init__(
        self,
        source: ScreenSource,
        clock: SessionClock,
        *,
        frame_rate: int,
        bit_rate_bps: int = 0,
        on_packet: Callable[[EncodedPacket], object],
        on_signal: Callable[[SignalSample], None] = ignore_signal,
        on_problem: OnProblem = ignore_problem,
        encoder: str = DEFAULT_ENCODER,
    ) -> None:
        size = source.open()
        source.close()
        video = VideoEncoder(
            width_px=size.width_px & ~1,
            height_px=size.height_px & ~1,
            frame_rate=frame_rate,
            rate_bps=bit_rate_bps,
            encoder=encoder,
        )
        self.source = source
        self.track: TrackParams = video.track
        self.counters = VideoCounters()
        queue = FrameQueue()
        self._capture = CaptureWorker(
            source,
            queue,
            clock=clock,
            frame_rate=frame_rate,
            counters=self.counters,
            on_problem=on_problem,
        )
        self._encode = EncodeWorker(
            queue.get,
            video,
            to_session_ns=clock.to_session_ns,
            on_packet=on_packet,
            on_small_picture=MotionMeter(on_signal).feed,
            on_problem=on_problem,
        )

    @property
    def problem(self) -> str:
        """Why there is no picture now; empty when there is. Any thread."""
        return self._capture.problem

    @property
    def is_running(self) -> bool:
        """Are both threads alive? Any thread."""
        return self._capture.is_running and self._encode.is_running

    def start(self) -> None:
        """Start both threads."""
        self._encode.start()
        self._capture.start()

    def stop(self, deadline_s: float = 3.0) -> bool:
        """Stop capture, encode what is queued; False when a thread hangs. Twice is once."""
        is_captured = self._capture.stop(deadline_s / 2)
        return self._encode.stop(deadline_s / 2) and is_captured
