"""One run of capture, built and joined: screen and sound to the ring, presses to clips.

Starts in the order in which data flows back: library, ring, sink, lanes; stops the other way round, so that the last
packets and chunks still find their place.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable

import structlog

from agent.capture.choose_screen import open_screen
from agent.capture.clock import SessionClock
from agent.clip.names import ClipNamer
from agent.clip.thumbnail import write_thumbnail
from agent.clip.writer import Mp4ClipWriter
from agent.config import Config
from agent.desk.presses import PressHooks, Sound
from agent.desk.tasting import Tasting
from agent.engine import places
from agent.engine.chats import open_sources
from agent.engine.desking import Recorded, build_desk
from agent.engine.errands import Errands
from agent.engine.picture import BatteryWatch, build_picture
from agent.engine.recovering import Recovering
from agent.engine.sounds import SoundOutputs, Sounds
from agent.errors import AgentError, EnvironmentProblem
from agent.health.silence import SilenceMeter
from agent.lanes.chat import ChatLane
from agent.library.library import Library
from agent.library.said import Held, SaidWords
from agent.model.clips import SavedClip
from agent.model.media import EpochReason, LaneChunk, SignalSample, TrackParams
from agent.paths import AgentPaths
from agent.ring.sink import PacketSink
from agent.session import Session
from agent.signals.chunker import SignalChunker
from agent.signals.gate import Candidate, Gate
from agent.worker import Worker
from protos.clippy.v1 import link_pb2
from protos.timebase import MILLISECOND_NS

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
        on_changed: Callable[[SavedClip], None] = lambda _clip: None,
        on_taste: Callable[[link_pb2.TasteNews], None] = lambda _news: None,
        play_sound: Callable[[Sound], None] = lambda _sound: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Build everything; nothing runs yet.

        Args:
            is_generated: record a generated picture and sound.
            on_chunk: gets what may leave, in the thread `keeper`; None: nothing is made for leaving. Made once
                `set_leaving` says so.
            on_saved: gets a new clip and the session time of its press, in a `clip-writer` thread.
            on_changed: gets each clip whose file was written, new or anew; any thread.
            on_taste: gets what was done with a moment; any thread; returns at once.
            play_sound: what the streamer hears of a key; returns at once.
            on_change: something a user would see has changed; returns at once.

        Raises:
            EnvironmentProblem: No screen, no encoder, no place to write; says what to do.
        """
        self.session_id = uuid.uuid4().hex
        self.started_unix_ms = time.time_ns() // MILLISECOND_NS
        self.warnings: list[str] = []
        self.silence = SilenceMeter()
        self.clip_folder = places.clip_folder(config)
        self._config = config
        self._on_chunk = on_chunk
        self._is_leaving = self._is_started = False
        self._leaving_since_ns = 0
        self.library = Library(paths.library)
        self.tasting = Tasting(self.library, say=on_taste)
        self.clock = SessionClock()
        self.ring = places.open_ring(
            paths, config, session_id=self.session_id, t0_monotonic_ns=self.clock.t0_monotonic_ns
        )
        self.writer = Mp4ClipWriter()
        self.session = Session(session_id=self.session_id, on_change=on_change)
        namer = ClipNamer(self.clip_folder, config.clips.name, num_before=self.library.num_clips_ever())
        self.recovering = Recovering(
            self.ring,
            writer=self.writer,
            library=self.library,
            name_clip=lambda at: namer.next_path(title="recovered", at=at),
            make_thumbnail=write_thumbnail,
            thumbnail_folder=paths.thumbnails,
        )
        self.errands = Errands(self.session.report_problem)
        self._sink = PacketSink(self.ring, on_problem=self._report_sink)
        self._chunker = SignalChunker(chunk_s=config.uplink.chunk_s, on_chunk=self._keep_chunk)
        self.chat = ChatLane(
            open_sources(paths, config.chat) if on_chunk is not None else [],
            now_ns=self.clock.now_ns,
            on_chunk=self._keep_chunk,
        )
        self._build_lanes(paths, is_generated=is_generated)
        self._readiness = _Readiness(self)
        self.desk = build_desk(
            paths,
            config,
            self.library,
            Recorded(
                session_id=self.session_id,
                line=self.clock,
                ring=self.ring,
                writer=self.writer,
                namer=namer,
                tracks=lambda: [self.video.track],
                tasting=self.tasting,
            ),
            hooks=PressHooks(
                play=play_sound,
                on_saved=on_saved,
                on_changed=on_changed,
                on_result=self.session.report_press,
            ),
            on_change=on_change,
        )

    def _build_lanes(self, paths: AgentPaths, *, is_generated: bool) -> None:
        capture = self._config.capture
        screen = open_screen(
            "generated" if is_generated else capture.screen,
            is_cursor_shown=capture.is_cursor_shown,
            area=capture.area,
            memory_file=paths.screen_costs,
        )
        self.video = build_picture(
            paths,
            self._config,
            screen,
            self.clock,
            on_packet=self._sink.put,
            on_epoch=self._begin_epoch,
            on_chunk=self._keep_chunk if self._on_chunk is not None else None,
            on_signal=self._take_signal,
            on_problem=lambda exc: self.session.report_problem("picture", str(exc)),
        )
        self._battery = BatteryWatch(self.video)
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
        self.set_leaving(False)
        self._gate = Gate(1 + self.sounds.num_signals)

    def start(self) -> None:
        """Start every thread, back to front."""
        self._is_started = True
        self.errands.start()
        self.desk.start()
        self._sink.start()
        self._begin_epoch(self.video.track, 0, "start")
        if self.sound:
            self.sound.start()
        self.video.start()
        self.chat.start()
        self._readiness.start()

    def stop(self) -> None:
        """Finish presses, then stop front to back; the ring is given up, pins stay. The library stays open."""
        self._readiness.stop(1.0)
        self.session.stop()
        self.desk.stop()
        self.chat.stop()
        self.video.stop()
        if self.sound:
            self.sound.stop()
        self._chunker.flush()
        for candidate in self._gate.flush():
            self._pin_candidate(candidate)
        self.errands.stop(5.0)
        self._sink.stop(3.0)
        self.ring.close()
        with contextlib.suppress(AgentError):
            # The next search drops it, too: nothing is told of what is not held.
            SaidWords(self.library).prune(held=Held(session_id="", start_ns=0))

    @property
    def now_ns(self) -> int:
        """Now, on the session's line."""
        return self.clock.now_ns()

    def begin_epoch(self, reason: EpochReason) -> None:
        """A clip must not jump over what happened now: the next picture begins a new epoch. Any thread."""
        log.info("epoch_wanted", reason=reason)
        self.video.request_epoch(reason)

    def set_leaving(self, is_leaving: bool) -> None:
        """Make chunks for leaving, or none, from now on. Any thread; returns at once."""
        if is_leaving and not self._is_leaving:
            # What was recorded before nobody had agreed to send.
            self._leaving_since_ns = self.now_ns if self._is_started else 0
        self._is_leaving = is_leaving
        self.video.set_leaving(is_leaving)
        self.chat.set_leaving(is_leaving)
        if self.sound:
            self.sound.set_leaving(is_leaving)

    def look_at_problems(self) -> None:
        """Tell the session what the stages say of themselves; the ticker calls it once a second."""
        self.session.report_problem("picture", self.video.problem or None)
        self.session.report_problem("ring", self.ring.problem or None)
        self._battery.look()

    def _begin_epoch(self, picture: TrackParams, start_ns: int, reason: EpochReason) -> None:
        """What is stamped from `start_ns` on belongs to a new epoch, the sound too. Any thread."""
        tracks = [picture, *(self.sound.tracks if self.sound else [])]
        self._sink.begin_epoch(tracks, start_ns=start_ns, reason=reason)

    def _report_sink(self, exc: AgentError) -> None:
        # The ring's own trouble is its problem, which the ticker takes back when there is room again.
        self.session.report_problem("ring" if isinstance(exc, EnvironmentProblem) else "sink", str(exc))

    def _keep_chunk(self, chunk: LaneChunk) -> None:
        if self._on_chunk is not None and self._is_leaving and chunk.start_ns >= self._leaving_since_ns:
            keep = self._on_chunk
            self.errands.put(lambda: keep(chunk))

    def _take_signal(self, sample: SignalSample) -> None:
        self.silence.feed(sample)
        self._chunker.feed(sample)
        for candidate in self._gate.feed(sample):
            self._pin_candidate(candidate)

    def _pin_candidate(self, candidate: Candidate) -> None:
        def pin() -> None:
            if not self.tasting.is_wanted(candidate):
                log.info("candidate_not_to_taste", lanes=candidate.lanes)
                return
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
