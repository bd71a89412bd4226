"""The picture's part of a recording: its lane built as it is set, and how it is made told in the status."""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.capture.clock import SessionClock
from agent.config import Config
from agent.encode.choose import Encoders
from agent.encode.power import is_on_battery
from agent.encode.probe_memory import ProbeMemory, machine_facts
from agent.encode.quality import TIERS_WITH_PROXY, Quality
from agent.encode.stream import OnEpoch
from agent.lanes.video import VideoLane
from agent.model.media import EncodedPacket, LaneChunk, SignalSample
from agent.paths import AgentPaths
from agent.ports import ScreenSource
from agent.worker import OnProblem
from protos.clippy.v1 import control_pb2

_BATTERY_LOOK_S = 10.0


def wished_quality(config: Config) -> Quality:
    """What the settings ask for."""
    encode, proxy = config.encode, config.uplink.proxy
    return Quality(
        frame_rate=config.capture.frame_rate,
        rate_bps=encode.video_bit_rate_bps,
        tier=encode.tier,
        preset=encode.preset,
        has_proxy=proxy == "on" or (proxy == "auto" and encode.tier in TIERS_WITH_PROXY),
        can_step_down=encode.can_step_down,
    )


def open_encoders(paths: AgentPaths, config: Config) -> Encoders:
    """The encoders of this machine, as earlier probes found them or probed now.

    Raises:
        InputUnusable: `encode.encoder` names none.
    """
    memory = ProbeMemory(paths.encoders, machine=machine_facts())
    return Encoders(codec=config.encode.codec, encoder=config.encode.encoder, memory=memory)


def build_picture(
    paths: AgentPaths,
    config: Config,
    screen: ScreenSource,
    clock: SessionClock,
    *,
    on_packet: Callable[[EncodedPacket], object],
    on_epoch: OnEpoch,
    on_chunk: Callable[[LaneChunk], None] | None,
    on_signal: Callable[[SignalSample], None],
    on_problem: OnProblem,
) -> VideoLane:
    """The picture's lane, not started; callbacks as `VideoLane` has them.

    Raises:
        ScreenUnavailable, EncoderUnavailable, InputUnusable: And says why.
    """
    return VideoLane(
        screen,
        clock,
        quality=wished_quality(config),
        encoders=open_encoders(paths, config),
        chunk_s=config.uplink.chunk_s,
        on_packet=on_packet,
        on_epoch=on_epoch,
        on_chunk=on_chunk,
        on_signal=on_signal,
        on_problem=on_problem,
    )


def picture_status(lane: VideoLane, config: Config) -> control_pb2.Picture:
    """How the picture is made now. Any thread."""
    state = lane.state
    return control_pb2.Picture(
        codec=state.track.codec,
        encoder_reason=state.encoder_reason,
        tier=config.encode.tier,
        step=state.step,
        step_reason=state.step_reason,
        is_proxy_on=state.is_proxy_on,
        loss_pct=round(100 * state.loss, 2),
        source_width=state.source_width_px,
        source_height=state.source_height_px,
    )


class BatteryWatch:
    """Tells a lane every 10 s whether the machine runs on its battery. Used by the `ticker` thread."""

    def __init__(
        self,
        lane: VideoLane,
        *,
        is_on_battery: Callable[[], bool] = is_on_battery,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lane = lane
        self._is_on_battery = is_on_battery
        self._monotonic_s = monotonic_s
        self._next_s = 0.0

    def look(self) -> None:
        """Look, if it is time. Takes milliseconds."""
        now_s = self._monotonic_s()
        if now_s >= self._next_s:
            self._next_s = now_s + _BATTERY_LOOK_S
            self._lane.set_on_battery(self._is_on_battery())
