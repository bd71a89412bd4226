"""One lane for the picture and one for the sound: each joins capture, encoding and signals for the session.

    x11grab -> capture-video -> FrameQueue -> encode -> on_packet (track 0)
                                                  `-> motion -> on_signal
    devices -> BlockQueue -> audio -> on_packet (tracks 1..), on_chunk (mic, desktop)
                                `-> loudness, voice -> on_signal
    sound-watch opens the devices, and opens again what went away

`on_packet` comes from `encode` and from `audio`, each in the order of its own tracks' DTS. Start and stop belong
to the `session` thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.capture.clock import SessionClock
from agent.capture.video import CaptureWorker, FrameQueue, VideoCounters
from agent.capture.watch import SoundWatch
from agent.encode.sound_pipeline import SoundCounters, SoundPipeline
from agent.encode.video import DEFAULT_ENCODER, VideoEncoder
from agent.encode.video_worker import EncodeWorker
from agent.model.media import EncodedPacket, LaneChunk, SignalSample, SoundName, TrackParams
from agent.ports import ScreenSource, SoundSource
from agent.signals.motion import MotionMeter
from agent.signals.sound import SoundMeter
from agent.worker import OnProblem, ignore_problem


def ignore_signal(_sample: SignalSample) -> None:
    """For a lane whose signals nobody wants."""


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


class SoundLane:
    """The sound, from all devices to packets of track 1 and on, and to chunks for the uplink.

    Args:
        sources: closed, at least one, in the order of their tracks; owned by the `sound-watch` thread.
        clock: the session's.
        chunk_s: length of an Opus chunk.
        on_packet, on_chunk, on_signal: called in the `audio` thread; return at once.
        on_problem: told of each outage of a device once, in the `sound-watch` thread.

    Attributes:
        tracks: the mix, then each source; known before the start.

    Raises:
        EncoderUnavailable: And says why.
    """

    def __init__(
        self,
        sources: Sequence[SoundSource],
        clock: SessionClock,
        *,
        chunk_s: float,
        on_packet: Callable[[EncodedPacket], object],
        on_chunk: Callable[[LaneChunk], None],
        on_signal: Callable[[SignalSample], None] = ignore_signal,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        self.sources = tuple(sources)
        self._pipeline = SoundPipeline(
            [source.name for source in sources],
            now_ns=clock.now_ns,
            to_session_ns=clock.to_session_ns,
            chunk_s=chunk_s,
            on_packet=on_packet,
            on_chunk=on_chunk,
            on_sound=SoundMeter(on_signal).feed,
            on_problem=on_problem,
        )
        self.tracks: list[TrackParams] = self._pipeline.tracks
        self._watch = SoundWatch(
            sources, self._pipeline.queue.put, on_problem=on_problem, monotonic_ns=clock.monotonic_ns
        )

    @property
    def problems(self) -> dict[SoundName, str]:
        """Devices that give no sound now, and why. Any thread."""
        return self._watch.problems

    @property
    def counters(self) -> dict[SoundName, SoundCounters]:
        """What became of each source's samples. Any thread."""
        return self._pipeline.counters

    @property
    def is_running(self) -> bool:
        """Are both threads alive? Any thread."""
        return self._pipeline.is_running and self._watch.is_running

    def start(self) -> None:
        """Start both threads; devices are opened in the second."""
        self._pipeline.start()
        self._watch.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Close the devices, encode what has come, finish the chunks; False when a thread hangs. Twice is once."""
        is_closed = self._watch.stop(deadline_s / 2)
        return self._pipeline.stop(deadline_s / 2) and is_closed
