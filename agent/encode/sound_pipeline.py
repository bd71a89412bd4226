"""All sound of a session: from devices' blocks to AAC tracks and Opus chunks. Thread `audio` owns everything here.

Devices push blocks from their own threads into one bounded queue; nothing else crosses. Each source is put onto
the session's sample grid; where one is late or absent, silence is filled in from the clock, so the mix waits for
nobody. All sources are then encoded in step, 1024 samples at a time.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import structlog

from agent.encode.audio import AAC_FRAME_SAMPLES, AacEncoder, OpusChunker
from agent.encode.mix import mix, to_mono
from agent.encode.timeline import SoundTimeline
from agent.errors import SoundUnavailable
from agent.model.media import (
    SOUND_RATE_HZ,
    EncodedPacket,
    LaneChunk,
    SoundBlock,
    SoundName,
    TrackParams,
)
from agent.worker import OnProblem, Worker, ignore_problem
from protos.timebase import MILLISECOND_NS, SECOND_NS, ns_to_ticks

log = structlog.get_logger()
MIX_RATE_BPS = 160_000
SOURCE_RATE_BPS = 128_000
LANE_RATE_BPS: dict[SoundName, int] = {"mic": 24_000, "desktop": 16_000}
# How long the mix waits for a source: with the turn and the block that come on top, under 200 ms.
MIN_WAIT_NS = 120 * MILLISECOND_NS
# A headset over radio may be this late all the time, and is still better late than silent.
MAX_WAIT_NS = 600 * MILLISECOND_NS
_WAIT_MARGIN_NS = 40 * MILLISECOND_NS
_LAG_DECAY = 0.995  # a block of 20 ms: half in 2.8 s
_TURN_S = 0.02
_ALARM_SAMPLES = 2 * SOUND_RATE_HZ
_MAX_QUEUED_SAMPLES = 10 * SOUND_RATE_HZ
_MAX_AHEAD_NS = SECOND_NS
Mono = npt.NDArray[np.float32]


@dataclasses.dataclass(slots=True)
class SoundCounters:
    """What became of the sound of one source, in samples. Written by the `audio` thread, read by any."""

    num_blocks: int = 0
    num_dropped: int = 0
    num_filled: int = 0
    num_skipped: int = 0
    num_corrected: int = 0


class _Source:
    """One source on its way. Owned by the `audio` thread."""

    def __init__(self, name: SoundName, *, track: int, chunk_s: float) -> None:
        self.name: SoundName = name
        self.aac = AacEncoder(name, track=track, rate_bps=SOURCE_RATE_BPS)
        self.opus = OpusChunker(name, chunk_s=chunk_s, rate_bps=LANE_RATE_BPS[name], is_voice=name == "mic")
        self.timeline = SoundTimeline(0, max_samples=_MAX_QUEUED_SAMPLES)
        self.counters = SoundCounters()
        self.lag_ns = 0.0


class BlockQueue:
    """Blocks on their way from devices' threads to the `audio` thread, bounded by time. Never waits."""

    def __init__(self, max_samples: int = _MAX_QUEUED_SAMPLES) -> None:
        self._max_samples = max_samples
        self._lock = threading.Lock()
        self._blocks: collections.deque[SoundBlock] = collections.deque()
        self._num_samples: collections.Counter[SoundName] = collections.Counter()
        self.dropped: collections.Counter[SoundName] = collections.Counter()

    def put(self, block: SoundBlock) -> None:
        """Append a block; the oldest go when a source has over ten seconds waiting."""
        with self._lock:
            self._blocks.append(block)
            self._num_samples[block.source] += len(block.samples)
            while self._num_samples[block.source] > self._max_samples:
                oldest = self._blocks.popleft()
                self._num_samples[oldest.source] -= len(oldest.samples)
                self.dropped[oldest.source] += len(oldest.samples)

    def take_all(self) -> list[SoundBlock]:
        """Everything that waits, in the order in which it came."""
        with self._lock:
            blocks = list(self._blocks)
            self._blocks.clear()
            self._num_samples.clear()
        return blocks


class SoundPipeline(Worker):
    """Thread `audio`.

    Args:
        names: the sources, in the order of their tracks; at least one.
        now_ns: the session's time now.
        to_session_ns: monotonic to session time.
        chunk_s: length of an Opus chunk.
        on_packet, on_chunk: get what is finished, in this thread; return at once.
        on_sound: gets (name, position in samples of the session's line, mono samples) of every source.
        first_track: the mix's index in the epoch; its sources follow.

    Attributes:
        tracks: the mix, then each source; known before the start.
        queue: where devices put their blocks, from any thread.

    Raises:
        EncoderUnavailable: AAC or Opus cannot be encoded here.
    """

    def __init__(
        self,
        names: Sequence[SoundName],
        *,
        now_ns: Callable[[], int],
        to_session_ns: Callable[[int], int],
        chunk_s: float,
        on_packet: Callable[[EncodedPacket], object],
        on_chunk: Callable[[LaneChunk], None],
        on_sound: Callable[[SoundName, int, Mono], None] | None = None,
        first_track: int = 1,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        super().__init__("audio", on_problem=on_problem)
        self._now_ns = now_ns
        self._to_session_ns = to_session_ns
        self._on_packet = on_packet
        self._on_chunk = on_chunk
        self._on_sound = on_sound
        self._mix = AacEncoder("mix", track=first_track, rate_bps=MIX_RATE_BPS)
        self._sources = {
            name: _Source(name, track=first_track + 1 + index, chunk_s=chunk_s)
            for index, name in enumerate(names)
        }
        self.tracks: list[TrackParams] = [self._mix.track]
        self.tracks += [source.aac.track for source in self._sources.values()]
        self.queue = BlockQueue()
        self._position: int | None = None
        self._is_late = False

    @property
    def counters(self) -> dict[SoundName, SoundCounters]:
        """By source; from any thread."""
        return {name: source.counters for name, source in self._sources.items()}

    @property
    def errors_ms(self) -> dict[SoundName, float]:
        """How far each source lies from where its device's stamps put it; from any thread."""
        return {name: source.timeline.error_ms for name, source in self._sources.items()}

    def set_up(self) -> None:
        """The sound's line begins now."""
        self._begin()

    def step(self) -> None:
        """Wait a little, then encode what has come. # 20 ms a turn; measured 2 ms with two sources."""
        if not self.wait(_TURN_S):
            self.pump()

    def pump(self) -> None:
        """One turn without waiting: place what has come, fill what is late, encode what is complete."""
        self._begin()
        self._place_queued()
        horizon = ns_to_ticks(self._now_ns() - self._wait_ns(), SOUND_RATE_HZ)
        for source in self._sources.values():
            source.timeline.fill_to(horizon)
        self._encode_complete()

    def tear_down(self) -> None:
        """Encode what is left, each source filled up to the longest, and close encoders and chunks."""
        self._begin()
        self._place_queued()
        end = max((source.timeline.end for source in self._sources.values()), default=0)
        assert self._position is not None
        num_frames = -(-(end - self._position) // AAC_FRAME_SAMPLES)
        for source in self._sources.values():
            source.timeline.fill_to(self._position + num_frames * AAC_FRAME_SAMPLES)
        self._encode_complete()
        for encoder in (self._mix, *(source.aac for source in self._sources.values())):
            self._hand_on(encoder.flush())
        for source in self._sources.values():
            for chunk in source.opus.flush():
                self._on_chunk(chunk)

    def _begin(self) -> None:
        if self._position is None:
            self._position = ns_to_ticks(max(0, self._now_ns()), SOUND_RATE_HZ)
            for source in self._sources.values():
                source.timeline = SoundTimeline(self._position, max_samples=_MAX_QUEUED_SAMPLES)

    def _place_queued(self) -> None:
        blocks = self.queue.take_all()
        self._watch_backlog(blocks)
        for block in blocks:
            source = self._sources.get(block.source)
            if source is not None:
                self._place(source, block)
                # Before the next block: a long backlog of one source must not overflow while another waits.
                self._encode_complete()

    def _place(self, source: _Source, block: SoundBlock) -> None:
        now_ns = self._now_ns()
        time_ns = self._to_session_ns(block.monotonic_ns)
        source.counters.num_blocks += 1
        if time_ns > now_ns + _MAX_AHEAD_NS:
            source.timeline.num_skipped += len(block.samples)  # a driver's clock that is beside itself
            return
        samples = block.samples
        if not np.isfinite(np.sum(samples)):
            samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
        end_ns = time_ns + len(samples) * SECOND_NS // SOUND_RATE_HZ
        source.lag_ns = max(float(now_ns - end_ns), source.lag_ns * _LAG_DECAY)
        source.timeline.place(time_ns, samples)

    def _wait_ns(self) -> int:
        lag_ns = max((source.lag_ns for source in self._sources.values()), default=0.0)
        return min(MAX_WAIT_NS, max(MIN_WAIT_NS, round(lag_ns * 1.25) + _WAIT_MARGIN_NS))

    def _encode_complete(self) -> None:
        assert self._position is not None
        end = min((source.timeline.end for source in self._sources.values()), default=self._position)
        while end - self._position >= AAC_FRAME_SAMPLES:
            self._encode_frame(self._position)
            self._position += AAC_FRAME_SAMPLES

    def _encode_frame(self, position: int) -> None:
        sounds = []
        for name, source in self._sources.items():
            samples = source.timeline.read(position, AAC_FRAME_SAMPLES)
            sounds.append(samples)
            self._hand_on(source.aac.encode(position, samples))
            mono = to_mono(samples)
            for chunk in source.opus.push(position, mono):
                self._on_chunk(chunk)
            if self._on_sound is not None:
                self._on_sound(name, position, mono)
            source.counters.num_filled = source.timeline.num_filled
            source.counters.num_skipped = source.timeline.num_skipped
            source.counters.num_corrected = source.timeline.num_corrected
            source.counters.num_dropped = self.queue.dropped[name]
        self._hand_on(self._mix.encode(position, mix(sounds)))

    def _hand_on(self, packets: list[EncodedPacket]) -> None:
        for packet in packets:
            self._on_packet(packet)

    def _watch_backlog(self, blocks: list[SoundBlock]) -> None:
        """Say so once when over two seconds waited: this machine does not keep up."""
        num_samples = max(
            (sum(len(block.samples) for block in blocks if block.source == name) for name in self._sources),
            default=0,
        )
        is_late = num_samples > _ALARM_SAMPLES
        if is_late and not self._is_late:
            late_s = num_samples / SOUND_RATE_HZ
            log.warning("sound_fell_behind", late_s=round(late_s, 1))
            self._on_problem(
                SoundUnavailable(f"sound waited {late_s:.1f} s to be encoded; close what else is busy")
            )
        self._is_late = is_late
