"""The control API from the caller's side: the app's and the command line's only way to the engine.

Blocking, with a deadline on each call; may be shared by threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import grpc

from agent.control.wire import clip_from_wire
from agent.errors import AgentError, DiskFull, EngineNotRunning, EnvironmentProblem, NothingToClip
from agent.model.clips import SavedClip
from protos.clippy.v1 import control_pb2, control_pb2_grpc

_Answer = TypeVar("_Answer")
_ERRORS: dict[str, type[AgentError]] = {
    error.code: error for error in (NothingToClip, DiskFull, EnvironmentProblem, EngineNotRunning)
}


class ControlClient:
    """Speaks to the engine that serves `socket_path`."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._channel = grpc.insecure_channel(
            f"unix:{socket_path}",
            # A Unix socket never goes by way of a proxy; a fast first retry finds an engine that just started.
            options=[
                ("grpc.enable_http_proxy", 0),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ],
        )
        self._stub = control_pb2_grpc.ControlStub(self._channel)

    def status(self, timeout_s: float = 2.0) -> control_pb2.Status:
        """One status. Raises EngineNotRunning, as every call does."""
        return self._ask(self._stub.GetStatus, control_pb2.GetStatusRequest(), timeout_s)

    def watch_status(self) -> Iterator[control_pb2.Status]:
        """A status at each change, and at least one a second, until the engine stops."""
        try:
            yield from self._stub.WatchStatus(control_pb2.GetStatusRequest())
        except grpc.RpcError as exc:
            raise _our_error(exc) from exc

    def save_clip(
        self, *, last_ns: int, trigger: str = "command", is_exact: bool = False, timeout_s: float = 60.0
    ) -> SavedClip:
        """Save the last `last_ns` (0: everything).

        Raises:
            EngineNotRunning, NothingToClip, DiskFull: And says why.
        """
        request = control_pb2.SaveClipRequest(last_ns=last_ns, trigger=trigger, is_exact=is_exact)
        return clip_from_wire(self._ask(self._stub.SaveClip, request, timeout_s))

    def clips(self, limit: int = 100, timeout_s: float = 5.0) -> list[SavedClip]:
        """The newest first."""
        answer = self._ask(self._stub.ListClips, control_pb2.ListClipsRequest(limit=limit), timeout_s)
        return [clip_from_wire(clip) for clip in answer.clips]

    def moments(self, limit: int = 100, timeout_s: float = 5.0) -> control_pb2.ListMomentsResponse:
        """The best first, with their exports, or the reason why there are none."""
        return self._ask(self._stub.ListMoments, control_pb2.ListMomentsRequest(limit=limit), timeout_s)

    def devices(self, timeout_s: float = 10.0) -> list[control_pb2.Device]:
        """What could be recorded, and what is."""
        return list(self._ask(self._stub.ListDevices, control_pb2.ListDevicesRequest(), timeout_s).devices)

    def stop_engine(self, timeout_s: float = 5.0) -> None:
        """Ask the engine to stop."""
        self._ask(self._stub.StopEngine, control_pb2.StopEngineRequest(), timeout_s)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _ask(self, method: Callable[..., _Answer], request: object, timeout_s: float) -> _Answer:
        try:
            return method(request, timeout=timeout_s)
        except grpc.RpcError as exc:
            raise _our_error(exc) from exc


def _our_error(exc: grpc.RpcError) -> AgentError:
    """The error that the engine raised, from the status it travelled as."""
    call = cast("grpc.Call", exc)  # what the stubs raise is both; their types do not say so
    code, details = call.code(), call.details() or ""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return EngineNotRunning(
            "the engine of this data directory does not answer; start it with `clippy engine`, or name its --data"
        )
    metadata = {str(key): str(value) for key, value in call.trailing_metadata() or ()}
    return _ERRORS.get(metadata.get("clippy-code", ""), AgentError)(details or str(code))
