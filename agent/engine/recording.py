"""One run of capture, built and joined: screen and sound to the ring, presses to clips.

Starts in the order in which data flows back: library, ring, sink, lanes; stops the other way round, so that the last
packets and chunks still find their place.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.capture.choose_screen import open_screen
from agent.capture.clock import SessionClock
from agent.clip.names import ClipNamer
from agent.clip.thumbnail import write_thumbnail
from agent.clip.writer import Mp4ClipWriter, remove_parts
from agent.config import Config
from agent.encode.probe import choose_encoder
from agent.engine import places
from agent.engine.errands import Errands
from agent.engine.sounds import SoundOutputs, Sounds
from agent.errors import AgentError, EnvironmentProblem
from agent.lanes.video import VideoLane
from agent.library.library import Library
from agent.model.clips import SavedClip
from agent.model.media import LaneChunk, SignalSample
from agent.paths import AgentPaths, make_private
from agent.ring.ring import GopRing
from agent.ring.sink import PacketSink
from agent.session import Session
from agent.signals.chunker import SignalChunker
from agent.signals.gate import Candidate, Gate
from agent.worker import Worker
from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()

_READY_LOOK_S = 0.05


class Recording:
    """One run of capture. `start` and `stop` belong to the composition root's thread."""

    def __init__(
        self,
        paths: AgentPaths,
        config: Config,
        *,
        is_generated: bool = False,
        on_chunk: Callable[[LaneChunk], None] | None = None,
        on_saved: Callable[[SavedClip, int], None] = lambda _clip, _at_ns: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Build everything; nothing runs yet.

        Args:
            is_generated: record a generated picture and sound.
            on_chunk: gets what may leave, in the thread `keeper`; None: nothing is made for leaving.
            on_saved: gets a saved press and its session time, in a `clip-writer` thread.
            on_change: something a user would see has changed; returns at once.

        Raises:
            EnvironmentProblem: No screen, no encoder, no place to write; says what to do.
        """
        self.session_id = uuid.uuid4().hex
        self.started_unix_ms = time.time_ns() // MILLISECOND_NS
        self.warnings: list[str] = []
        self.clip_folder = places.clip_folder(config)
        self._config = config
        self._on_chunk = on_chunk
        self._namer = ClipNamer(self.clip_folder, config.clips.name)
        remove_parts(self.clip_folder)
        self.library = Library(paths.library)
        self.clock = SessionClock()
        self.ring = GopRing(
            places.ring_folder(paths, config),
            session_id=self.session_id,
            t0_monotonic_ns=self.clock.t0_monotonic_ns,
            max_duration_ns=config.ring.max_duration_s * SECOND_NS,
            max_bytes=config.ring.max_bytes,
            min_free_bytes=config.ring.min_free_bytes,
            max_pinned_bytes=config.ring.max_pinned_bytes,
        )
        self.writer = Mp4ClipWriter()
        self.session = Session(
            session_id=self.session_id,
            line=self.clock,
            ring=self.ring,
            writer=self.writer,
            library=self.library,
            name_clip=self._next_path,
            make_thumbnail=write_thumbnail,
            thumbnail_folder=make_private(paths.thumbnails),
            on_saved=on_saved,
            on_change=on_change,
        )
        self.errands = Errands(self.session.report_problem)
        self._sink = PacketSink(self.ring, on_problem=self._report_sink)
        self._chunker = SignalChunker(chunk_s=config.uplink.chunk_s, on_chunk=self._keep_chunk)
        self._build_lanes(paths, is_generated=is_generated)
        self._readiness = _Readiness(self)

    def _build_lanes(self, paths: AgentPaths, *, is_generated: bool) -> None:
        capture = self._config.capture
        screen = open_screen(
            "generated" if is_generated else capture.screen,
            is_cursor_shown=capture.is_cursor_shown,
            area=capture.area,
            memory_file=paths.screen_costs,
        )
        self.video = VideoLane(
            screen,
            self.clock,
            frame_rate=capture.frame_rate,
            bit_rate_bps=self._config.encode.video_bit_rate_bps,
            on_packet=self._sink.put,
            on_signal=self._take_signal,
            on_problem=lambda exc: self.session.report_problem("picture", str(exc)),
            encoder=choose_encoder(),
        )
        self.sounds = Sounds(
            self._config,
            self.clock,
            self.library,
            SoundOutputs(
                on_packet=self._sink.put,
                on_chunk=self._keep_chunk if self._on_chunk else None,
                on_signal=self._take_signal,
            ),
            is_generated=is_generated,
        )
        self.sound = self.sounds.lane
        self._gate = Gate(1 + self.sounds.num_signals)

    def start(self) -> None:
        """Start every thread, back to front."""
        self.errands.start()
        self._sink.start()
        tracks = [self.video.track, *(self.sound.tracks if self.sound else [])]
        self._sink.begin_epoch(tracks)
        if self.sound:
            self.sound.start()
        self.video.start()
        self._readiness.start()

    def stop(self) -> None:
        """Finish presses, then stop front to back; the ring is given up, pins stay. The library stays open."""
        self._readiness.stop(1.0)
        self.session.stop()
        self.video.stop()
        if self.sound:
            self.sound.stop()
        self._chunker.flush()
        for candidate in self._gate.flush():
            self._pin_candidate(candidate)
        self.errands.stop(5.0)
        self._sink.stop(3.0)
        self.ring.close()

    @property
    def now_ns(self) -> int:
        """Now, on the session's line."""
        return self.clock.now_ns()

    def look_at_problems(self) -> None:
        """Tell the session what the stages say of themselves; the ticker calls it once a second."""
        self.session.report_problem("picture", self.video.problem or None)
        self.session.report_problem("ring", self.ring.problem or None)

    def _report_sink(self, exc: AgentError) -> None:
        # The ring's own trouble is its problem, which the ticker takes back when there is room again.
        self.session.report_problem("ring" if isinstance(exc, EnvironmentProblem) else "sink", str(exc))

    def _next_path(self) -> Path:
        return self._namer.next_path(title="clip", at=datetime.datetime.now().astimezone())

    def _keep_chunk(self, chunk: LaneChunk) -> None:
        if self._on_chunk is not None:
            keep = self._on_chunk
            self.errands.put(lambda: keep(chunk))

    def _take_signal(self, sample: SignalSample) -> None:
        self._chunker.feed(sample)
        for candidate in self._gate.feed(sample):
            self._pin_candidate(candidate)

    def _pin_candidate(self, candidate: Candidate) -> None:
        def pin() -> None:
            try:
                self.ring.pin(
                    candidate.start_ns,
                    candidate.end_ns,
                    kind="candidate",
                    owner_id=f"gate-{candidate.peak_ns}",
                )
            except AgentError as exc:
                # A candidate is a guess; a press and a request never depend on it.
                log.info("candidate_not_pinned", problem=str(exc))

        self.errands.put(pin)


class _Readiness(Worker):
    """Thread `readiness`: says ready when the first picture is in the ring, then ends."""

    def __init__(self, recording: Recording) -> None:
        super().__init__("readiness")
        self._recording = recording

    def step(self) -> None:
        if self._recording.ring.buffered_ns > 0:
            self._recording.session.report_picture()
            self.request_stop()
        else:
            self.wait(_READY_LOOK_S)
