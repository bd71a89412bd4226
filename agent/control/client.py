"""The control API from the caller's side: the app's and the command line's only way to the engine.

Blocking, with a deadline on each call; may be shared by threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

import grpc

from agent.control.wire import clip_from_wire
from agent.errors import (
    AgentError,
    CoordinatorUntrusted,
    DiskFull,
    EncoderUnavailable,
    EngineNotRunning,
    EnvironmentProblem,
    InputUnusable,
    LinkProblem,
    NothingToClip,
    PairingRefused,
    SecretsUnavailable,
)
from agent.model.clips import SavedClip
from protos.clippy.v1 import clips_pb2, control_pb2, control_pb2_grpc

_Answer = TypeVar("_Answer")
_ERRORS: dict[str, type[AgentError]] = {
    error.code: error
    for error in (
        NothingToClip,
        DiskFull,
        EnvironmentProblem,
        EngineNotRunning,
        InputUnusable,
        EncoderUnavailable,
        SecretsUnavailable,
        CoordinatorUntrusted,
        LinkProblem,
        PairingRefused,
    )
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
        self,
        *,
        last_ns: int,
        trigger: str = "command",
        is_exact: bool = False,
        tracks: Sequence[str] = (),
        title: str = "",
        timeout_s: float = 60.0,
    ) -> SavedClip:
        """Save the last `last_ns` (0: everything), with `tracks` of its sounds (none: as clips.tracks says).

        Raises:
            EngineNotRunning, NothingToClip, DiskFull: And says why.
        """
        request = control_pb2.SaveClipRequest(
            last_ns=last_ns, trigger=trigger, is_exact=is_exact, tracks=tracks, title=title
        )
        return clip_from_wire(self._ask(self._stub.SaveClip, request, timeout_s))

    def press_key(
        self, action: control_pb2.KeyAction.ValueType, *, monotonic_ns: int = 0, timeout_s: float = 60.0
    ) -> SavedClip | None:
        """One key event (down or up, now or at `monotonic_ns`) into the press grammar.

        Returns:
            The clip that it made or changed, once its file is closed; None where it made none.

        Raises:
            EngineNotRunning, NothingToClip, DiskFull: And says why.
        """
        request = control_pb2.PressKeyRequest(action=action, monotonic_ns=monotonic_ns)
        answer = self._ask(self._stub.PressKey, request, timeout_s)
        return clip_from_wire(answer.clip) if answer.HasField("clip") else None

    def clips(self, limit: int = 100, *, is_trash: bool = False, timeout_s: float = 5.0) -> list[SavedClip]:
        """The newest first; those in the trash instead with `is_trash`."""
        request = control_pb2.ListClipsRequest(limit=limit, is_trash=is_trash)
        return [clip_from_wire(clip) for clip in self._ask(self._stub.ListClips, request, timeout_s).clips]

    def move_clip_ends(
        self, clip_id: str, *, start_ns: int | None = None, end_ns: int | None = None, timeout_s: float = 60.0
    ) -> SavedClip:
        """Write a clip anew with other ends (session time), as far as its packets are pinned.

        Raises:
            InputUnusable: No such clip, or an end beyond what is pinned.
            EngineNotRunning, NothingToClip, DiskFull: And says why.
        """
        request = control_pb2.MoveClipEndsRequest(clip_id=clip_id, start_ns=start_ns, end_ns=end_ns)
        return clip_from_wire(self._ask(self._stub.MoveClipEnds, request, timeout_s))

    def share_clip(self, clip_id: str, *, tracks: Sequence[str] = (), timeout_s: float = 120.0) -> Path:
        """A file that holds nothing from before the clip's start, with the mix (or `tracks`) alone.

        Raises:
            InputUnusable: No such clip or track, or its file is gone.
            EngineNotRunning, DiskFull, EncoderUnavailable: And says why.
        """
        request = control_pb2.ShareClipRequest(clip_id=clip_id, tracks=tracks)
        return Path(self._ask(self._stub.ShareClip, request, timeout_s).path)

    def update_clip(
        self, clip_id: str, *, title: str | None = None, is_locked: bool | None = None, timeout_s: float = 5.0
    ) -> SavedClip:
        """Name a clip, or lock it against the trash and against forgetting. Raises InputUnusable: no such clip."""
        request = control_pb2.UpdateClipRequest(clip_id=clip_id, title=title, is_locked=is_locked)
        return clip_from_wire(self._ask(self._stub.UpdateClip, request, timeout_s))

    def trash_clip(self, clip_id: str, timeout_s: float = 5.0) -> SavedClip:
        """Put a clip into the trash for 7 days. Raises InputUnusable: no such clip, or it is locked."""
        request = control_pb2.TrashClipRequest(clip_id=clip_id)
        return clip_from_wire(self._ask(self._stub.TrashClip, request, timeout_s))

    def restore_clip(self, clip_id: str, timeout_s: float = 5.0) -> SavedClip:
        """Take a clip out of the trash. Raises InputUnusable: it is not in there."""
        request = control_pb2.RestoreClipRequest(clip_id=clip_id)
        return clip_from_wire(self._ask(self._stub.RestoreClip, request, timeout_s))

    def empty_trash(self, *, is_preview: bool, timeout_s: float = 60.0) -> list[SavedClip]:
        """Delete what is in the trash for good, or only say what would go; locked clips stay."""
        request = control_pb2.EmptyTrashRequest(is_preview=is_preview)
        return [clip_from_wire(clip) for clip in self._ask(self._stub.EmptyTrash, request, timeout_s).clips]

    def recoverable(self, timeout_s: float = 10.0) -> list[control_pb2.Recoverable]:
        """What earlier engines left in the ring when they were killed, newest first."""
        request = control_pb2.ListRecoverableRequest()
        return list(self._ask(self._stub.ListRecoverable, request, timeout_s).sessions)

    def recover(self, session_id: str, *, last_ns: int = 0, timeout_s: float = 120.0) -> SavedClip:
        """Save what a killed engine left: the last `last_ns` of its newest epoch, or (0) all of that.

        Raises:
            NothingToClip: Nothing of it can be read.
            EngineNotRunning, DiskFull: And says why.
        """
        request = control_pb2.RecoverClipRequest(session_id=session_id, last_ns=last_ns)
        return clip_from_wire(self._ask(self._stub.RecoverClip, request, timeout_s))

    def discard_recoverable(self, session_id: str, timeout_s: float = 30.0) -> None:
        """Delete what a killed engine left."""
        request = control_pb2.DiscardRecoverableRequest(session_id=session_id)
        self._ask(self._stub.DiscardRecoverable, request, timeout_s)

    def set_sound(
        self,
        name: str,
        *,
        gain_db: float | None = None,
        is_muted: bool | None = None,
        is_noise_suppressed: bool | None = None,
        timeout_s: float = 5.0,
    ) -> control_pb2.Status:
        """Change one source, now and for later starts; returns the status after it.

        Raises:
            InputUnusable: No such source, or a gain out of range.
        """
        request = control_pb2.SetSoundRequest(
            name=name, gain_db=gain_db, is_muted=is_muted, is_noise_suppressed=is_noise_suppressed
        )
        return self._ask(self._stub.SetSound, request, timeout_s)

    def forget(
        self,
        *,
        last_ns: int = 0,
        start_ns: int = 0,
        end_ns: int = 0,
        is_preview: bool,
        clip_ids: Sequence[str] = (),
        timeout_s: float = 60.0,
    ) -> control_pb2.ForgetReceipt:
        """Take a span out of everything that holds it; with `is_preview` only say what would go.

        Args:
            last_ns: the last so much; else [start_ns, end_ns) of this session (end 0: now).
            clip_ids: saved clips that overlap and shall go too.
        """
        request = control_pb2.ForgetRequest(
            last_ns=last_ns, start_ns=start_ns, end_ns=end_ns, is_preview=is_preview, clip_ids=clip_ids
        )
        return self._ask(self._stub.Forget, request, timeout_s)

    def pair(self, request: control_pb2.PairCoordinatorRequest, timeout_s: float = 3700.0) -> PairingCall:
        """Pair with a coordinator; the answer is iterated over."""
        return PairingCall(self._stub.PairCoordinator(request, timeout=timeout_s))

    def unpair(self, timeout_s: float = 40.0) -> control_pb2.UnpairCoordinatorResponse:
        """Give the pairing up. Raises InputUnusable: this PC is not paired."""
        return self._ask(self._stub.UnpairCoordinator, control_pb2.UnpairCoordinatorRequest(), timeout_s)

    def moments(self, limit: int = 100, timeout_s: float = 5.0) -> control_pb2.ListMomentsResponse:
        """The best first, with their exports, or the reason why there are none."""
        return self._ask(self._stub.ListMoments, control_pb2.ListMomentsRequest(limit=limit), timeout_s)

    def judge_moment(
        self, moment_id: str, kind: clips_pb2.MomentVerdict.Kind.ValueType, timeout_s: float = 5.0
    ) -> str:
        """Keep or skip a moment, or take that back; returns its id. Raises InputUnusable: no such moment."""
        request = control_pb2.JudgeMomentRequest(moment_id=moment_id, kind=kind)
        return self._ask(self._stub.JudgeMoment, request, timeout_s).moment_id

    def taste(self, timeout_s: float = 5.0) -> control_pb2.TasteShown:
        """What was learnt from what is kept and thrown away."""
        return self._ask(self._stub.GetTaste, control_pb2.GetTasteRequest(), timeout_s)

    def reset_taste(self, timeout_s: float = 5.0) -> int:
        """Forget it all; returns how many verdicts there were."""
        return self._ask(self._stub.ResetTaste, control_pb2.ResetTasteRequest(), timeout_s).num_verdicts

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


class PairingCall:
    """How far a pairing is, step by step; ends after `confirm` or `paired`. Who stops iterating gives up.

    Raises (while it is iterated over):
        InputUnusable, SecretsUnavailable, CoordinatorUntrusted, LinkProblem, PairingRefused: And says what to do.
    """

    def __init__(self, call: grpc.CallIterator[control_pb2.PairingProgress]) -> None:
        self._call = call

    def __iter__(self) -> Iterator[control_pb2.PairingProgress]:
        try:
            yield from self._call
        except grpc.RpcError as exc:
            raise _our_error(exc) from exc
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Give up; what is iterated over ends with an error. Any thread; twice is once."""
        self._call.cancel()  # type: ignore[no-untyped-call]


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
