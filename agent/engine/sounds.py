"""The sound of a recording: its sources opened, its lane built, and how each track is told of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import structlog

from agent.capture.choose_sound import await_sound, open_application, open_changes, open_sound
from agent.capture.clock import SessionClock
from agent.capture.watch import DeviceChanges
from agent.config import Config
from agent.engine.sound_desk import Facts, SoundDesk
from agent.errors import SoundUnavailable
from agent.lanes.sound import SoundLane
from agent.model.media import EncodedPacket, LaneChunk, SignalSample, SoundName
from agent.model.sound import SoundLevel, SoundSetting
from agent.ports import SoundSource
from protos.clippy.v1 import control_pb2

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundOutputs:
    """Where the sound goes; each is called in the `audio` thread and returns at once. No `on_chunk`: nothing leaves."""

    on_packet: Callable[[EncodedPacket], object]
    on_chunk: Callable[[LaneChunk], None] | None
    on_signal: Callable[[SignalSample], None]


class Sounds:
    """All sound of one recording.

    Args:
        config: what to record, and how.
        clock: the session's.
        facts: where the user's settings are kept.
        outputs: where it goes.
        is_generated: generated sound instead of devices.

    Attributes:
        lane: None when nothing can be recorded, or nothing is wanted.
        desk: gain, mute and noise suppression.

    Raises:
        EncoderUnavailable: And says why.
    """

    def __init__(
        self,
        config: Config,
        clock: SessionClock,
        facts: Facts,
        outputs: SoundOutputs,
        *,
        is_generated: bool = False,
    ) -> None:
        self._missing: list[str] = []
        sources = self._open_sources(config, is_generated=is_generated)
        self.desk = SoundDesk([source.name for source in sources], config, facts)
        changes = None if is_generated else open_changes()
        self.lane = self._build_lane(sources, clock, config, outputs, changes) if sources else None
        if self.lane is not None:
            self.desk.connect(self.lane.set_sound)

    @property
    def warnings(self) -> list[str]:
        """What is not recorded, and why: from the start, and now. Any thread."""
        warnings = list(self._missing)
        if self.lane is not None:
            warnings += [f"no sound from {name}: {why}" for name, why in self.lane.problems.items()]
        if self.desk.warning:
            warnings.append(self.desk.warning)
        return warnings

    @property
    def num_signals(self) -> int:
        """How many signals each half second has of it."""
        names = [source.name for source in self.lane.sources] if self.lane else []
        return sum({"mic": 2, "desktop": 1}.get(name, 0) for name in names)

    def tracks(self) -> list[control_pb2.SoundTrack]:
        """Every track as the status tells of it. Any thread."""
        lane = self.lane
        if lane is None:
            return []
        levels, problems, drift_ppm = lane.levels, lane.problems, lane.drift_ppm
        settings = self.desk.settings
        devices = {source.name: source.device for source in lane.sources}
        tracks = []
        for track in lane.tracks:
            is_raw = track.name == "mic_raw"
            source = "mic" if is_raw else track.name
            level = levels.get(track.name, SoundLevel())
            setting = settings.get(source, SoundSetting())
            tracks.append(
                control_pb2.SoundTrack(
                    name=track.name,
                    device=devices.get(source, ""),
                    loudness_db=round(level.loudness_db, 1),
                    peak_db=round(level.peak_db, 1),
                    is_running=source not in problems,
                    gain_db=0.0 if is_raw else setting.gain_db,
                    is_muted=setting.is_muted,
                    is_noise_suppressed=setting.is_noise_suppressed and self.desk.has_raw_mic and not is_raw,
                    problem=problems.get(source, ""),
                    drift_ppm=round(drift_ppm.get(source, 0.0), 1),
                )
            )
        return tracks

    def _build_lane(
        self,
        sources: list[SoundSource],
        clock: SessionClock,
        config: Config,
        outputs: SoundOutputs,
        changes: DeviceChanges | None,
    ) -> SoundLane:
        return SoundLane(
            sources,
            clock,
            chunk_s=config.uplink.chunk_s,
            on_packet=outputs.on_packet,
            on_chunk=outputs.on_chunk,
            on_signal=outputs.on_signal,
            on_problem=lambda exc: log.warning("sound_problem", problem=str(exc)),
            settings=self.desk.settings,
            with_raw=["mic"] if self.desk.has_raw_mic else [],
            changes=changes,
        )

    def _open_sources(self, config: Config, *, is_generated: bool) -> list[SoundSource]:
        capture = config.capture
        devices = {"mic": capture.microphone, "desktop": capture.desktop_sound}
        sources = [
            self._open_device(name, "generated" if is_generated else wanted)
            for name, wanted in devices.items()
        ]
        if not is_generated:
            sources += [self._open_application(app) for app in capture.apps]
        return [source for source in sources if source is not None]

    def _open_device(self, name: SoundName, wanted: str) -> SoundSource | None:
        try:
            return open_sound(name, wanted)
        except SoundUnavailable as exc:
            source = await_sound(name, wanted)
            if source is None:
                words = "microphone" if name == "mic" else "desktop sound"
                self._leave_out(name, f"no {words}: {exc}")
            return source

    def _open_application(self, name: SoundName) -> SoundSource | None:
        try:
            return open_application(name)
        except SoundUnavailable as exc:
            self._leave_out(name, f"no track of {name}: {exc}")
            return None

    def _leave_out(self, name: SoundName, problem: str) -> None:
        self._missing.append(problem)
        log.warning("sound_left_out", sound=name, problem=problem)
