"""The sound's lane: devices, encoding, loudness and voice, joined for the session.

    devices -> BlockQueue -> audio -> on_packet (tracks 1..), on_chunk (mic, desktop)
                                `-> loudness, voice -> on_signal
    sound-watch opens the devices, and opens again what went away

`on_packet` comes from the thread `audio`, in the order of its own tracks' DTS. Start and stop belong to the
composition root's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.capture.clock import SessionClock
from agent.capture.watch import SoundWatch
from agent.encode.sound_pipeline import SoundCounters, SoundPipeline
from agent.model.media import EncodedPacket, LaneChunk, SignalSample, SoundName, TrackParams, ignore_signal
from agent.ports import SoundSource
from agent.signals.sound import SoundMeter
from agent.worker import OnProblem, ignore_problem


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
    def errors_ms(self) -> dict[SoundName, float]:
        """How far each source is from the picture: from where its device's stamps put it. Any thread."""
        return self._pipeline.errors_ms

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
