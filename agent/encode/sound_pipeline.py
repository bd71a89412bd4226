"""All sound of a session: from devices' blocks to AAC tracks and Opus chunks. Thread `audio` owns everything here.

Devices push blocks from their own threads into one bounded queue; nothing else crosses but settings. Each source is put
onto the session's sample grid; where one is late or absent, silence is filled in from the clock, so the mix waits for
nobody. All sources are then encoded in step, 1024 samples at a time.

What an application plays is part of the desktop's sound: it has a track of its own, and is mixed in only where the
desktop is not recorded. While one is muted, the desktop is replaced (on its track, in the mix, in what leaves) by the
sum of the applications that are not, for it cannot be taken out of the desktop's sound.

To drive it by hand: `queue.put` blocks, `pump` after each move of the clock, `tear_down` at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import structlog

from agent.encode.audio import AAC_FRAME_SAMPLES, AacEncoder, OpusChunker
from agent.encode.block_queue import BlockQueue, longest_backlog_samples
from agent.encode.fader import Fader
from agent.encode.mix import mix, to_mono
from agent.encode.sound_source import MAX_WAIT_NS, MIN_WAIT_NS, SoundCounters, Source
from agent.errors import SoundUnavailable
from agent.model.media import (
    SOUND_RATE_HZ,
    EncodedPacket,
    LaneChunk,
    LaneName,
    SoundBlock,
    SoundName,
    TrackName,
    TrackParams,
)
from agent.model.sound import SoundSetting
from agent.worker import OnProblem, Worker, ignore_problem
from protos.timebase import ns_to_ticks

log = structlog.get_logger()
MIX_RATE_BPS = 160_000
SOURCE_RATE_BPS = 128_000
# What leaves this PC. An application's sound does so as part of the desktop's.
_LANES: tuple[tuple[LaneName, int], ...] = (("mic", 24_000), ("desktop", 16_000))
_TURN_S = 0.02
_ALARM_SAMPLES = 2 * SOUND_RATE_HZ
_DEVICES = ("mic", "desktop")
Mono = npt.NDArray[np.float32]
Stereo = npt.NDArray[np.float32]


class SoundPipeline(Worker):
    """Thread `audio`.

    Args:
        names: the sources, in the order of their tracks; at least one. What is neither `mic` nor `desktop` is an
            application.
        now_ns: the session's time now.
        to_session_ns: monotonic to session time.
        chunk_s: length of an Opus chunk.
        on_packet, on_chunk: get what is finished, in this thread; return at once. Without `on_chunk` none is encoded.
        on_sound: gets (name, position in samples of the session's line, mono samples) of what leaves: mic and desktop.
        on_track: gets (name, position, stereo samples) of every track, as they are encoded.
        settings: gain, mute and suppression to begin with.
        with_raw: the sources whose noise can be suppressed: the microphone or none. Each has one more track.
        first_track: the mix's index in the epoch; its sources follow, then raw tracks.

    Attributes:
        tracks: the mix, then each source, then raw tracks; known before the start.
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
        on_chunk: Callable[[LaneChunk], None] | None,
        on_sound: Callable[[SoundName, int, Mono], None] | None = None,
        on_track: Callable[[TrackName, int, Stereo], None] | None = None,
        settings: Mapping[SoundName, SoundSetting] | None = None,
        with_raw: Collection[SoundName] = (),
        first_track: int = 1,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        super().__init__("audio", on_problem=on_problem)
        self._now_ns = now_ns
        self._to_session_ns = to_session_ns
        self._on_packet = on_packet
        self._on_chunk = on_chunk or _leave_out
        self._on_sound = on_sound
        self._on_track = on_track
        self._sources = {
            name: Source(
                name,
                (settings or {}).get(name, SoundSetting()),
                is_application=name not in _DEVICES,
                has_suppressor=name in with_raw,
            )
            for name in names
        }
        tracks = ["mix", *names, *(f"{name}_raw" for name in names if name in with_raw)]
        self._encoders = {
            name: AacEncoder(
                name,
                track=first_track + index,
                rate_bps=MIX_RATE_BPS if name == "mix" else SOURCE_RATE_BPS,
            )
            for index, name in enumerate(tracks)
        }
        self._chunkers = {
            lane: OpusChunker(lane, chunk_s=chunk_s, rate_bps=rate_bps, is_voice=lane == "mic")
            for lane, rate_bps in _LANES
            if lane in names and on_chunk is not None
        }
        # What signals are measured on, whether it leaves or not.
        self._lanes = [lane for lane, _ in _LANES if lane in names]
        # How much of the desktop's own sound is heard.
        self._cover = Fader(is_muted=self._is_application_muted())
        self.tracks: list[TrackParams] = [encoder.track for encoder in self._encoders.values()]
        self.queue = BlockQueue()
        self._position: int | None = None
        # False: nothing leaves this PC, and no chunk is encoded; set by any thread.
        self.is_leaving = True
        self._is_late = False

    @property
    def counters(self) -> dict[SoundName, SoundCounters]:
        """By source; from any thread."""
        return {name: source.counters for name, source in self._sources.items()}

    @property
    def errors_ms(self) -> dict[SoundName, float]:
        """How far each source lies from where its device's stamps put it; from any thread."""
        return {name: source.error_ms for name, source in self._sources.items()}

    @property
    def drift_ppm(self) -> dict[SoundName, float]:
        """How much faster than ours each source's clock runs; from any thread."""
        return {name: source.drift_ppm for name, source in self._sources.items()}

    def set_sound(self, name: SoundName, setting: SoundSetting) -> None:
        """Change a source's gain, mute and suppression from now on. Any thread; returns at once.

        Suppression of a source without a raw track changes nothing.
        """
        at = ns_to_ticks(max(0, self._now_ns()), SOUND_RATE_HZ)
        self._sources[name].set(setting, at=at)
        self._cover.set(0.0, is_muted=self._is_application_muted(), at=at)

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
        now_ns = self._now_ns()
        wait_ns = self._wait_ns()
        for source in self._sources.values():
            source.fill(now_ns, wait_ns)
        self._encode_complete(ns_to_ticks(now_ns - wait_ns, SOUND_RATE_HZ))

    def tear_down(self) -> None:
        """Encode what is left, each source filled up to the longest, and close encoders and chunks."""
        self._begin()
        self._place_queued()
        assert self._position is not None
        end = max((source.placed_to or 0 for source in self._sources.values()), default=0)
        num_frames = max(0, -(-(end - self._position) // AAC_FRAME_SAMPLES))
        end = self._position + num_frames * AAC_FRAME_SAMPLES
        for source in self._sources.values():
            source.fill_to(end)
        self._encode_complete(end)
        for encoder in self._encoders.values():
            self._hand_on(encoder.flush())
        for chunker in self._chunkers.values():
            for chunk in chunker.flush():
                self._on_chunk(chunk)

    def _begin(self) -> None:
        if self._position is None:
            self._position = ns_to_ticks(max(0, self._now_ns()), SOUND_RATE_HZ)
            for source in self._sources.values():
                source.begin(self._position)

    def _is_application_muted(self) -> bool:
        return any(source.is_application and source.setting.is_muted for source in self._sources.values())

    def _place_queued(self) -> None:
        blocks = self.queue.take_all()
        self._watch_backlog(blocks)
        for block in blocks:
            source = self._sources.get(block.source)
            if source is not None:
                self._place(source, block)
                # Before the next block: a long backlog of one source must not overflow while another waits.
                self._encode_complete(None)

    def _place(self, source: Source, block: SoundBlock) -> None:
        samples = block.samples
        if not np.isfinite(np.sum(samples)):
            samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
        source.place(block.part, self._to_session_ns(block.monotonic_ns), samples, self._now_ns())

    def _wait_ns(self) -> int:
        wanted_ns = max((source.wanted_wait_ns for source in self._sources.values()), default=0)
        return min(MAX_WAIT_NS, max(MIN_WAIT_NS, wanted_ns))

    def _encode_complete(self, quiet_to: int | None) -> None:
        """Encode what all sources have; where none has a stream, silence up to `quiet_to`."""
        assert self._position is not None
        ends = [end for source in self._sources.values() if (end := source.readable_to) is not None]
        end = min(ends) if ends else quiet_to or 0
        while end - self._position >= AAC_FRAME_SAMPLES:
            self._encode_frame(self._position)
            self._position += AAC_FRAME_SAMPLES

    def _encode_frame(self, position: int) -> None:
        sounds: dict[TrackName, Stereo] = {}
        desktop = self._sources.get("desktop")
        raw = {name: source.read(position, AAC_FRAME_SAMPLES) for name, source in self._sources.items()}
        for name, source in self._sources.items():
            source.count(self.queue.dropped[name])
            if source is not desktop:
                sounds[name] = source.fader.apply(position, raw[name][0])
            if source.has_suppressor:
                sounds[f"{name}_raw"] = source.raw.apply(position, raw[name][1])
        if desktop is not None:
            covered = self._without_muted(position, raw["desktop"][0], sounds)
            sounds["desktop"] = desktop.fader.apply(position, covered)
        in_mix = _DEVICES if desktop is not None else tuple(self._sources)
        sounds["mix"] = mix([sounds[name] for name in in_mix if name in self._sources])
        self._encode_sounds(position, sounds)

    def _without_muted(self, position: int, desktop: Stereo, sounds: Mapping[TrackName, Stereo]) -> Stereo:
        """The desktop's sound; while an application is muted, the sum of the others instead."""
        share = self._cover.gains(position, len(desktop))
        if isinstance(share, float) and share == 1.0:
            return desktop
        others = np.zeros_like(desktop)
        for name, source in self._sources.items():
            if source.is_application:
                others += sounds[name]
        return np.asarray(others + share * (desktop - others), np.float32)

    def _encode_sounds(self, position: int, sounds: Mapping[TrackName, Stereo]) -> None:
        for name, encoder in self._encoders.items():
            self._hand_on(encoder.encode(position, sounds[name]))
            if self._on_track is not None:
                self._on_track(name, position, sounds[name])
        for lane in self._lanes:
            mono = to_mono(sounds[lane])
            if (chunker := self._chunkers.get(lane)) is not None:
                for chunk in chunker.push(position, mono) if self.is_leaving else chunker.flush():
                    self._on_chunk(chunk)
            if self._on_sound is not None:
                self._on_sound(lane, position, mono)

    def _hand_on(self, packets: list[EncodedPacket]) -> None:
        for packet in packets:
            self._on_packet(packet)

    def _watch_backlog(self, blocks: list[SoundBlock]) -> None:
        """Say so once when over two seconds waited: this machine does not keep up."""
        num_samples = longest_backlog_samples(blocks)
        is_late = num_samples > _ALARM_SAMPLES
        if is_late and not self._is_late:
            late_s = num_samples / SOUND_RATE_HZ
            log.warning("sound_fell_behind", late_s=round(late_s, 1))
            self._on_problem(
                SoundUnavailable(f"sound waited {late_s:.1f} s to be encoded; close what else is busy")
            )
        self._is_late = is_late


def _leave_out(_chunk: LaneChunk) -> None:
    """Where nothing leaves, no chunk is made."""
