"""The running engine as the control API sees it: port `Engine`."""

from __future__ import annotations

import os
import threading

import structlog

from agent import __version__
from agent.config import Config
from agent.engine.buffering import buffer_status
from agent.engine.chats import chat_status
from agent.engine.picture import picture_status
from agent.engine.recording import Recording
from agent.engine.sending import Sending
from agent.engine.surveying import list_devices
from agent.engine.ticking import Ticker, rss_bytes
from agent.engine.watching import Watching
from agent.paths import AgentPaths
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

log = structlog.get_logger()


class RunningEngine:
    """Answers from any thread."""

    def __init__(
        self,
        paths: AgentPaths,
        config: Config,
        recording: Recording,
        sending: Sending,
        watching: Watching,
        stop: threading.Event,
    ) -> None:
        self.watching = watching
        self.ticker = Ticker(recording, watching)
        self.hotkey = ""
        self._paths = paths
        self._config = config
        self._recording = recording
        self._sending = sending
        self._stop = stop
        self._changed = threading.Condition()
        self._version = 0

    def note_change(self) -> None:
        """Something a user would see has changed; any thread; returns at once."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def wait_for_change(self, timeout_s: float) -> None:
        """As the port says."""
        with self._changed:
            version = self._version
            self._changed.wait_for(lambda: self._version != version or self._stop.is_set(), timeout=timeout_s)

    def status(self) -> control_pb2.Status:
        """As the port says."""
        recording, session = self._recording, self._recording.session
        video = recording.video
        status = control_pb2.Status(
            state=session.state.value,
            problem=session.problem,
            session_id=session.session_id,
            buffered_ns=recording.ring.buffered_ns,
            buffered_bytes=recording.ring.buffered_bytes,
            max_buffer_ns=self._config.ring.max_duration_s * SECOND_NS,
            cpu_s_per_s=round(self.ticker.cpu_s_per_s, 3),
            rss_bytes=rss_bytes(),
            frames_captured=video.counters.num_captured,
            frames_dropped=video.counters.num_dropped + video.counters.num_skipped,
            screen_source=video.source.name,
            video_encoder=video.track.encoder,
            uplink=self._sending.status(),
            hotkey=self.hotkey,
            warnings=self._warnings(),
            width=video.track.width_px,
            height=video.track.height_px,
            frame_rate=video.track.frame_rate,
            captured_bytes=recording.ring.captured_bytes,
            now_ns=recording.now_ns,
            engine_version=__version__,
            pid=os.getpid(),
            clip_folder=str(recording.clip_folder),
            last_press_error=session.last_press_error,
            session_t0_monotonic_ns=recording.clock.t0_monotonic_ns,
            buffer=buffer_status(
                recording.ring, self._config.ring, num_recoverable=recording.recovering.num_left
            ),
            picture=picture_status(video, self._config),
            health=self.watching.health(),
            cost=self.ticker.cost(),
        )
        status.sound.extend(recording.sounds.tracks())
        status.chats.extend(chat_status(chat) for chat in recording.chat.statuses())
        return status

    def _warnings(self) -> list[str]:
        warnings = [
            *self._recording.sounds.warnings,
            *self._recording.warnings,
            *self._sending.forget_lines(),
        ]
        if squeeze := self._recording.ring.squeeze:
            warnings.append(squeeze)
        return warnings

    def moments(self, limit: int) -> control_pb2.ListMomentsResponse:
        """As the port says."""
        answer = control_pb2.ListMomentsResponse()
        for one in self._recording.tasting.moments(limit):
            answer.moments.add(moment=one.moment, exports=one.exports, verdict=one.verdict)
        if not answer.moments:
            uplink = self._sending.status()
            answer.reason = {
                "off": "no coordinator is set (uplink.address): moments are found there",
                "connected": "the coordinator has found none yet",
            }.get(uplink.state, uplink.problem or "the coordinator is being connected")
        return answer

    def devices(self) -> list[control_pb2.Device]:
        """As the port says."""
        return list_devices(self._paths)

    def request_stop(self) -> None:
        """As the port says."""
        self._stop.set()
        self.note_change()
