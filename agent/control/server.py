"""Serves the control API on a Unix socket (Windows: loopback and a token file) in a folder only the user may open.

Owned by the composition root; requests run in a small pool of threads named `control`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import structlog

from agent.control.clip_calls import ClipCalls
from agent.control.desk_calls import ForgetCalls, RecoveryCalls, SoundCalls
from agent.control.pairing_calls import PairingCalls
from agent.control.taste_calls import TasteCalls, TasteDesk
from agent.errors import EnvironmentProblem
from agent.paths import make_private
from agent.ports import ClipDesk, Engine, Forgetter, Recovery, SoundDesk
from agent.uplink_ports import PairingDesk
from protos.clippy.v1 import control_pb2, control_pb2_grpc

log = structlog.get_logger()
_MAX_WATCHERS = 4
_NUM_THREADS = 4 + _MAX_WATCHERS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """What an engine may have besides; calls of one that it lacks are answered as unimplemented."""

    sound: SoundDesk | None = None
    recovery: Recovery | None = None
    forgetter: Forgetter | None = None
    pairing: PairingDesk | None = None
    taste: TasteDesk | None = None


class _Servicer(
    ClipCalls,
    SoundCalls,
    RecoveryCalls,
    ForgetCalls,
    PairingCalls,
    TasteCalls,
    control_pb2_grpc.ControlServicer,
):
    """One request, one call of the engine or of a desk. A subject's calls are in a class of their own."""

    def __init__(self, engine: Engine, clips: ClipDesk, desks: Desks) -> None:
        self._engine = engine
        self._clips = clips
        self._sound_desk = desks.sound
        self._recovery = desks.recovery
        self._forgetter = desks.forgetter
        self._pairing = desks.pairing
        self._taste_desk = desks.taste
        self._num_watchers = 0

    def GetStatus(  # noqa: N802 - gRPC's own naming
        self, request: control_pb2.GetStatusRequest, context: grpc.ServicerContext
    ) -> control_pb2.Status:
        return self._engine.status()

    def WatchStatus(  # noqa: N802
        self, request: control_pb2.GetStatusRequest, context: grpc.ServicerContext
    ) -> Iterator[control_pb2.Status]:
        if self._num_watchers >= _MAX_WATCHERS:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{_MAX_WATCHERS} watchers already; close one")
        self._num_watchers += 1
        try:
            while context.is_active():
                yield self._engine.status()
                self._engine.wait_for_change(timeout_s=1.0)
        finally:
            self._num_watchers -= 1

    def ListMoments(  # noqa: N802
        self, request: control_pb2.ListMomentsRequest, context: grpc.ServicerContext
    ) -> control_pb2.ListMomentsResponse:
        return self._engine.moments(request.limit or 100)

    def ListDevices(  # noqa: N802
        self, request: control_pb2.ListDevicesRequest, context: grpc.ServicerContext
    ) -> control_pb2.ListDevicesResponse:
        return control_pb2.ListDevicesResponse(devices=self._engine.devices())

    def StopEngine(  # noqa: N802
        self, request: control_pb2.StopEngineRequest, context: grpc.ServicerContext
    ) -> control_pb2.StopEngineResponse:
        self._engine.request_stop()
        return control_pb2.StopEngineResponse()


class ControlServer:
    """Starts and stops the API."""

    def __init__(self, engine: Engine, clips: ClipDesk, socket_path: Path, *, desks: Desks = Desks()) -> None:
        self._socket_path = socket_path
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=_NUM_THREADS, thread_name_prefix="control"),
            options=[("grpc.so_reuseport", 0)],
        )
        control_pb2_grpc.add_ControlServicer_to_server(_Servicer(engine, clips, desks), self._server)

    def start(self) -> None:
        """Listen.

        Raises:
            EnvironmentProblem: The folder or the socket cannot be made.
        """
        make_private(self._socket_path.parent)
        with contextlib.suppress(FileNotFoundError):
            # Ours alone: the engine's lock is held, so nobody listens on what a killed engine left.
            self._socket_path.unlink()
        try:
            self._server.add_insecure_port(f"unix:{self._socket_path}")
        except RuntimeError as exc:
            raise EnvironmentProblem(f"cannot listen on {self._socket_path}: {exc}") from exc
        self._server.start()
        self._socket_path.chmod(0o600)
        log.info("control_started")

    def stop(self) -> None:
        """Answer what is under way, at most one second, then stop."""
        self._server.stop(grace=1.0).wait(timeout=3.0)
        with contextlib.suppress(FileNotFoundError):
            self._socket_path.unlink()
