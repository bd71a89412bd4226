"""The picture's lane: capture, encoding, motion and proxy, joined for the session.

    screen source -> capture-video -> FrameQueue -> encode -> on_epoch, on_packet (track 0)
                          ^                           |`-> motion -> on_signal
                          `--- ticks a second --------'`-> proxy -> on_chunk

`on_epoch` and `on_packet` come from the thread `encode`, by DTS. Start and stop belong to the composition root's
thread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import av

from agent.capture.clock import SessionClock
from agent.capture.video import CaptureWorker, FrameQueue, VideoCounters
from agent.encode.choose import Encoders
from agent.encode.ladder import Tally
from agent.encode.options import SOFTWARE_ENCODER
from agent.encode.proxy import ProxyChunker
from agent.encode.quality import PRESETS, Quality
from agent.encode.stepping import Stepper
from agent.encode.stream import OnEpoch, PictureStream, ignore_epoch
from agent.encode.video_worker import EncodeWorker
from agent.model.media import EncodedPacket, EpochReason, LaneChunk, SignalSample, TrackParams, ignore_signal
from agent.ports import ScreenSource
from agent.signals.motion import MotionMeter
from agent.worker import OnProblem, ignore_problem


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureState:
    """How the picture is made now.

    Attributes:
        encoder_reason: why not by the encoder that was wished for; empty when it is.
        step: what the ladder has taken away; empty: nothing.
        loss: share of the ticks lost over the last 5 s, 0 to 1.
        source_width_px, source_height_px: of the screen, before it is fitted.
    """

    track: TrackParams
    encoder_reason: str
    step: str
    step_reason: str
    is_proxy_on: bool
    loss: float
    source_width_px: int
    source_height_px: int


class VideoLane:
    """The picture, from the screen to packets of track 0.

    Args:
        source: closed; it is opened here once for its size, then owned by the `capture-video` thread.
        clock: the session's.
        quality: what was wished for.
        encoders: which encoder to open; owned by the lane from here on. None: x264.
        chunk_s: length of a proxy's chunk.
        on_packet: gets each packet, in the `encode` thread; returns at once.
        on_epoch: gets (track, start, reason) before the first packet of each epoch but the first, in that thread.
        on_chunk: gets the proxy's chunks, in that thread; None: there is no proxy, whatever the quality says.
        on_signal: gets `motion`, in the `encode` thread.
        on_problem: told of an outage once, and of what ends a thread, in that thread.

    Attributes:
        counters: frames captured, dropped and skipped.

    Raises:
        ScreenUnavailable, EncoderUnavailable: And says why.
    """

    def __init__(
        self,
        source: ScreenSource,
        clock: SessionClock,
        *,
        quality: Quality,
        encoders: Encoders | None = None,
        chunk_s: float = 10.0,
        on_packet: Callable[[EncodedPacket], object],
        on_epoch: OnEpoch = ignore_epoch,
        on_chunk: Callable[[LaneChunk], None] | None = None,
        on_signal: Callable[[SignalSample], None] = ignore_signal,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        size = source.open()
        source.close()
        encoders = encoders or Encoders(encoder=SOFTWARE_ENCODER)
        quality = _suited(quality, encoders, has_proxy=on_chunk is not None)
        self.source = source
        self.counters = VideoCounters()
        self._clock = clock
        queue = FrameQueue()
        self._capture = CaptureWorker(
            source,
            queue,
            clock=clock,
            frame_rate=quality.frame_rate,
            counters=self.counters,
            prepare=self._fit_ahead,
            on_problem=on_problem,
        )
        self._stepper = Stepper(
            quality,
            tally=self._tally,
            source_size=(size.width_px, size.height_px),
            on_frame_rate=self._capture.set_frame_rate,
        )
        self._stream = PictureStream(
            encoders,
            plan=self._stepper.plan,
            width_px=size.width_px,
            height_px=size.height_px,
            rate_bps=quality.rate_bps,
            gap_reason=self._gap_reason,
            on_epoch=on_epoch,
            on_packet=on_packet,
        )
        self._encode = EncodeWorker(
            queue.get,
            self._stream,
            to_session_ns=clock.to_session_ns,
            monotonic_ns=clock.monotonic_ns,
            stepper=self._stepper,
            proxy=ProxyChunker(chunk_s=chunk_s, on_chunk=on_chunk) if on_chunk is not None else None,
            on_small_picture=MotionMeter(on_signal).feed,
            on_problem=on_problem,
        )

    @property
    def track(self) -> TrackParams:
        """What a muxer must know of the newest epoch; known before the start. Any thread."""
        return self._stream.track

    @property
    def state(self) -> PictureState:
        """How the picture is made now. Any thread."""
        width_px, height_px = self._stream.source_size
        return PictureState(
            track=self._stream.track,
            encoder_reason=self._stream.encoder_reason,
            step="; ".join(self._stepper.plan.taken),
            step_reason=self._stepper.state.reason,
            is_proxy_on=self._encode.is_proxy_on,
            loss=self._stepper.state.loss,
            source_width_px=width_px,
            source_height_px=height_px,
        )

    @property
    def problem(self) -> str:
        """Why there is no picture now; empty when there is. Any thread."""
        return self._capture.problem

    @property
    def is_running(self) -> bool:
        """Are both threads alive? Any thread."""
        return self._capture.is_running and self._encode.is_running

    def request_epoch(self, reason: EpochReason) -> None:
        """Begin a new epoch with the next picture, which is a key frame. Any thread."""
        self._stream.request_epoch(reason)

    def set_on_battery(self, is_on_battery: bool) -> None:
        """Leave the proxy out while on battery. Any thread."""
        self._encode.is_on_battery = is_on_battery

    def set_leaving(self, is_leaving: bool) -> None:
        """Make no proxy while nothing leaves this PC. Any thread."""
        self._encode.is_leaving = is_leaving

    def set_proxy_bound(self, bound_bps: int | None) -> None:
        """What the proxy may take of the line; None: what it needs. Any thread."""
        self._encode.proxy_bound_bps = bound_bps

    def start(self) -> None:
        """Start both threads."""
        self._encode.start()
        self._capture.start()

    def stop(self, deadline_s: float = 3.0) -> bool:
        """Stop capture, encode what is queued; False when a thread hangs. Twice is once."""
        is_captured = self._capture.stop(deadline_s / 2)
        return self._encode.stop(deadline_s / 2) and is_captured

    def _fit_ahead(self, picture: av.VideoFrame) -> av.VideoFrame:
        """In the thread `capture-video`, which runs only once there is a stream."""
        return self._stream.fit_ahead(picture)

    def _tally(self) -> Tally:
        """What a lighter load could mend: frames the encoder had no time for, ticks the grab was too slow for."""
        lost = self.counters.num_dropped + self.counters.num_skipped
        return Tally(
            at_ns=self._clock.monotonic_ns(), num_ticks=self.counters.num_captured + lost, num_lost=lost
        )

    def _gap_reason(self, since_ns: int) -> EpochReason:
        """Was the screen away since that session time, or did everything stand still? In the `encode` thread."""
        lost_ns = self.counters.last_outage_ns
        return "screen" if lost_ns and self._clock.to_session_ns(lost_ns) >= since_ns else "stopped"


def _suited(quality: Quality, encoders: Encoders, *, has_proxy: bool) -> Quality:
    """The quality without what cannot be had here."""
    if not has_proxy:
        quality = dataclasses.replace(quality, has_proxy=False)
    if encoders.name != SOFTWARE_ENCODER:
        # Only x264's preset costs anything; and should the hardware fail, its cheapest is the safest.
        quality = dataclasses.replace(quality, preset=PRESETS[0])
    return quality
