"""Joins the recording with what watches over it: content, clocks, alarms.

Started after the recording and stopped before it. An alarm that makes clips worthless is the session's problem too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from agent.capture.second import excuse_for_zeros, second_screen
from agent.config import Config
from agent.engine.recording import Recording
from agent.errors import AgentError
from agent.health.alarms import Alarm, AlarmBook
from agent.health.clock_watch import ClockWatch
from agent.health.clocks import Break, Clocks
from agent.health.content import SILENT_AFTER_NS, SoundFacts
from agent.health.glance import ScreenGlance
from agent.health.self_test import FIRST_LOOK_S, RETRY_S, SelfTest, SelfTestHooks
from agent.lanes.sound import SoundLane
from agent.ports import ScreenSource, SoundSource
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

log = structlog.get_logger()
_CONTENT = "content"
_METER_LAG_S = 1.5
_WATCHED_SOUNDS = ("mic", "desktop")


class Watching:
    """Content, clocks and alarms of one recording. `start` and `stop` belong to the composition root's thread."""

    def __init__(
        self,
        recording: Recording,
        config: Config,
        *,
        on_change: Callable[[], None] = lambda: None,
        on_sound: Callable[[], None] = lambda: None,
        make_second: Callable[[], ScreenSource | None] | None = None,
        clocks: Clocks | None = None,
        first_look_s: float = FIRST_LOOK_S,
        retry_s: float = RETRY_S,
    ) -> None:
        """Build; nothing runs yet.

        Args:
            on_sound: an alarm that is to be heard; returns at once.
            make_second: another source of the recorded picture; None: what this machine has.
            clocks: None: this machine's.
        """
        self._recording = recording
        self._config = config
        self._on_change = on_change
        self._make_second = make_second
        self.alarms = AlarmBook(
            on_raised=self._alarm_changed,
            on_cleared=self._alarm_changed,
            on_sound=lambda _alarm: on_sound() if config.health.are_alarms_on else None,
        )
        track = recording.video.track
        self.self_test = SelfTest(
            recording.ring,
            ScreenGlance(self._second_screen),
            self.alarms,
            SelfTestHooks(
                now_ns=recording.clock.now_ns,
                outage=lambda: recording.video.problem,
                sounds=self._sounds,
                on_checked=on_change,
            ),
            size_px=(track.width_px, track.height_px),
            interval_s=config.health.check_interval_s,
            first_look_s=first_look_s,
            retry_s=retry_s,
            on_problem=self._self_test_ended,
        )
        self._clock_watch = ClockWatch(self._take_break, clocks=clocks)

    def start(self) -> None:
        """Start both threads."""
        self._clock_watch.start()
        self.self_test.start()

    def stop(self) -> None:
        """Stop them. Twice is once."""
        self.self_test.stop(4.0)
        self._clock_watch.stop()

    def look_at_stages(self) -> None:
        """What the stages say of themselves becomes alarms; the ticker calls it once a second."""
        self.alarms.report("screen_lost", self._recording.video.problem or None)
        self.alarms.report("disk", self._recording.ring.problem or None)
        self.alarms.report("disk_short", self._recording.ring.squeeze or None)
        sound = self._recording.sound
        if sound is not None:
            problems = sound.problems
            for source in self._watched_sources(sound):
                self.alarms.report(f"sound_lost_{source.name}", problems.get(source.name))

    def health(self) -> control_pb2.Health:
        """As the control API tells it. Any thread."""
        health = control_pb2.Health()
        if (last := self.self_test.last) is not None:
            health.last_check_unix_ms = last.unix_ms
            health.last_check_age_s = round((time.monotonic_ns() - last.monotonic_ns) / SECOND_NS, 1)
            for finding in last.findings:
                health.checks.add(name=finding.name, is_ok=finding.is_ok, detail=finding.detail)
        for alarm in self.alarms.standing():
            health.alarms.add(code=alarm.code, message=alarm.message, since_unix_ms=alarm.since_unix_ms)
        return health

    def _alarm_changed(self, _alarm: Alarm) -> None:
        self._recording.session.report_problem(_CONTENT, self._worthless_content())
        self._on_change()

    def _worthless_content(self) -> str | None:
        # A lost screen and a full disk are stages' own problems, which the ticker tells the session.
        content = [
            alarm for alarm in self.alarms.standing() if alarm.is_worthless and alarm.code != "screen_lost"
        ]
        return content[0].message if content else None

    def _self_test_ended(self, exc: AgentError) -> None:
        self.alarms.report("self_test", f"the recorded content is checked no more: {exc}")

    def _take_break(self, reason: Break, _lost_ns: int) -> None:
        # A process that stood still left a gap between two pictures, which the encoder sees by itself. In sleep the
        # session's line stands still as well: nobody else would notice.
        if reason == "suspended":
            self._recording.begin_epoch(reason)

    # ---- the thread self-test

    def _second_screen(self) -> ScreenSource | None:
        if self._make_second is not None:
            return self._make_second()
        capture = self._config.capture
        return second_screen(
            self._recording.video.source, area=capture.area, is_cursor_shown=capture.is_cursor_shown
        )

    def _sounds(self) -> Sequence[SoundFacts]:
        sound = self._recording.sound
        if sound is None:
            return []
        silence = self._recording.silence
        problems, errors_ms = sound.problems, sound.errors_ms
        settings = self._recording.sounds.desk.settings
        facts = []
        for source in self._watched_sources(sound):
            zeros_ns = silence.zeros_ns(source.name)
            excuse = "muted by you" if settings[source.name].is_muted else ""
            if (
                not excuse
                and zeros_ns is not None
                and zeros_ns >= SILENT_AFTER_NS
                and source.name not in problems
            ):
                wanted = self._wanted(source.name, source.device)
                excuse = excuse_for_zeros(source.name, source.device, wanted)
                if not excuse:
                    # What begins to play in this moment reaches the meter a little later.
                    self.self_test.wait(_METER_LAG_S)
                    zeros_ns = silence.zeros_ns(source.name)
            facts.append(
                SoundFacts(
                    name=source.name,
                    device=source.device,
                    is_running=source.name not in problems,
                    zeros_ns=zeros_ns,
                    excuse=excuse,
                    drift_ms=errors_ms.get(source.name) if source.name not in problems else None,
                )
            )
        return facts

    @staticmethod
    def _watched_sources(sound: SoundLane) -> list[SoundSource]:
        """Microphone and desktop; applications come and go by themselves."""
        return [source for source in sound.sources if source.name in _WATCHED_SOUNDS]

    def _wanted(self, name: str, device: str) -> str:
        if device == "generated":
            return device
        capture = self._config.capture
        return capture.microphone if name == "mic" else capture.desktop_sound
