"""The sound's lane: devices, encoding, meters, loudness and voice, joined for the session.

    devices -> BlockQueue -> audio -> on_packet (tracks 1..), on_chunk (mic, desktop)
                                |`-> meters of every track
                                `--> loudness, voice -> on_signal
    sound-watch opens the devices, and opens again what went away

`on_packet` comes from the thread `audio`, in the order of its own tracks' DTS. Start and stop belong to the
composition root's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from agent.capture.clock import SessionClock
from agent.capture.watch import DeviceChanges, NoChanges, SoundWatch
from agent.encode.sound_pipeline import SoundPipeline
from agent.encode.sound_source import SoundCounters
from agent.model.media import (
    EncodedPacket,
    LaneChunk,
    SignalSample,
    SoundBlock,
    SoundName,
    TrackName,
    TrackParams,
    ignore_signal,
)
from agent.model.sound import SoundLevel, SoundSetting
from agent.ports import SoundSource
from agent.signals.level import LevelMeter
from agent.signals.sound import SoundMeter
from agent.worker import OnProblem, ignore_problem


class SoundLane:
    """The sound, from all devices to packets of track 1 and on, and to chunks for the uplink.

    Args:
        sources: closed, at least one, in the order of their tracks; owned by the `sound-watch` thread.
        clock: the session's.
        chunk_s: length of an Opus chunk.
        on_packet, on_chunk, on_signal: called in the `audio` thread; return at once. Without `on_chunk` no chunk is
            encoded: a quarter of the sound's cost.
        on_problem: told of each outage of a device once, in the `sound-watch` thread.
        settings: gain, mute and noise suppression by source; where there is none, as it comes.
        with_raw: the sources whose noise can be suppressed (`mic`), each with one more track for the raw sound.
        changes: tells of devices that come; owned by the `sound-watch` thread.

    Attributes:
        tracks: the mix, then each source, then `mic_raw`; known before the start.

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
        on_chunk: Callable[[LaneChunk], None] | None,
        on_signal: Callable[[SignalSample], None] = ignore_signal,
        on_problem: OnProblem = ignore_problem,
        settings: Mapping[SoundName, SoundSetting] | None = None,
        with_raw: Collection[SoundName] = (),
        changes: DeviceChanges | None = None,
    ) -> None:
        self.sources = tuple(sources)
        self._meter = LevelMeter()
        self._pipeline = SoundPipeline(
            [source.name for source in sources],
            now_ns=clock.now_ns,
            to_session_ns=clock.to_session_ns,
            chunk_s=chunk_s,
            on_packet=on_packet,
            on_chunk=on_chunk,
            on_sound=SoundMeter(on_signal).feed,
            on_track=self._meter.feed,
            settings=settings,
            with_raw=with_raw,
            on_problem=on_problem,
        )
        self.tracks: list[TrackParams] = self._pipeline.tracks
        self._watch = SoundWatch(
            sources,
            self._pipeline.queue.put,
            on_problem=on_problem,
            monotonic_ns=clock.monotonic_ns,
            changes=changes or NoChanges(),
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
    def levels(self) -> dict[TrackName, SoundLevel]:
        """How loud each track is, the mix included. Any thread."""
        return self._meter.levels

    @property
    def drift_ppm(self) -> dict[SoundName, float]:
        """How much faster than ours each source's clock runs. Any thread."""
        return self._pipeline.drift_ppm

    @property
    def errors_ms(self) -> dict[SoundName, float]:
        """How far each source is from the picture: from where its device's stamps put it. Any thread."""
        return self._pipeline.errors_ms

    @property
    def is_running(self) -> bool:
        """Are both threads alive? Any thread."""
        return self._pipeline.is_running and self._watch.is_running

    def set_sound(self, name: SoundName, setting: SoundSetting) -> None:
        """Change a source's gain, mute and suppression from now on. Any thread; returns at once."""
        self._pipeline.set_sound(name, setting)

    def set_leaving(self, is_leaving: bool) -> None:
        """Encode no chunk while nothing leaves this PC. Any thread."""
        self._pipeline.is_leaving = is_leaving

    def start(self) -> None:
        """Start both threads; devices are opened in the second."""
        self._pipeline.start()
        self._watch.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Close the devices, encode what has come, finish the chunks; False when a thread hangs. Twice is once."""
        is_closed = self._watch.stop(deadline_s / 2)
        return self._pipeline.stop(deadline_s / 2) and is_closed

    # By hand, without threads and devices: for what runs faster than time.

    def push(self, block: SoundBlock) -> None:
        """Give a block as a device would. Any thread."""
        self._pipeline.queue.put(block)

    def pump(self) -> None:
        """Do what the `audio` thread does in one turn, when the clock has moved."""
        self._pipeline.pump()

    def finish(self) -> None:
        """Encode what is left, as the end of the `audio` thread does."""
        self._pipeline.tear_down()
