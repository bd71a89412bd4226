"""The control API's calls of the smaller desks, each optional: sounds, what a kill left, forgetting.

A desk that the running engine does not have answers as UNIMPLEMENTED, in words.
"""

from __future__ import annotations

from typing import TypeVar

import grpc

from agent.control.translated import translated
from agent.control.wire import clip_to_wire
from agent.ports import Engine, Forgetter, Recovery, SoundDesk
from protos.clippy.v1 import clips_pb2, control_pb2, control_pb2_grpc

_Desk = TypeVar("_Desk")


def there(desk: _Desk | None, name: str, context: grpc.ServicerContext) -> _Desk:
    """The desk, or the end of the call where this engine has none."""
    if desk is None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"this engine has no {name}")
        raise AssertionError("abort raises")
    return desk


class SoundCalls(control_pb2_grpc.ControlServicer):
    """Gain, mute and noise suppression of a source."""

    _engine: Engine
    _sound_desk: SoundDesk | None

    def SetSound(  # noqa: N802 - gRPC's own naming
        self, request: control_pb2.SetSoundRequest, context: grpc.ServicerContext
    ) -> control_pb2.Status:
        desk = there(self._sound_desk, "sound to change", context)
        with translated(context):
            desk.set_sound(
                request.name,
                gain_db=request.gain_db if request.HasField("gain_db") else None,
                is_muted=request.is_muted if request.HasField("is_muted") else None,
                is_noise_suppressed=(
                    request.is_noise_suppressed if request.HasField("is_noise_suppressed") else None
                ),
            )
        return self._engine.status()


class RecoveryCalls(control_pb2_grpc.ControlServicer):
    """What killed engines left in the ring."""

    _recovery: Recovery | None

    def ListRecoverable(  # noqa: N802 - gRPC's own naming, here and below
        self, request: control_pb2.ListRecoverableRequest, context: grpc.ServicerContext
    ) -> control_pb2.ListRecoverableResponse:
        recovery = there(self._recovery, "recovery", context)
        with translated(context):
            return control_pb2.ListRecoverableResponse(sessions=recovery.sessions())

    def RecoverClip(  # noqa: N802
        self, request: control_pb2.RecoverClipRequest, context: grpc.ServicerContext
    ) -> clips_pb2.Clip:
        recovery = there(self._recovery, "recovery", context)
        with translated(context):
            return clip_to_wire(recovery.recover(request.session_id, last_ns=request.last_ns))

    def DiscardRecoverable(  # noqa: N802
        self, request: control_pb2.DiscardRecoverableRequest, context: grpc.ServicerContext
    ) -> control_pb2.DiscardRecoverableResponse:
        recovery = there(self._recovery, "recovery", context)
        with translated(context):
            recovery.discard(request.session_id)
        return control_pb2.DiscardRecoverableResponse()


class ForgetCalls(control_pb2_grpc.ControlServicer):
    """Taking a span out of everything."""

    _forgetter: Forgetter | None

    def Forget(  # noqa: N802 - gRPC's own naming
        self, request: control_pb2.ForgetRequest, context: grpc.ServicerContext
    ) -> control_pb2.ForgetReceipt:
        forgetter = there(self._forgetter, "way to forget", context)
        with translated(context):
            return forgetter.forget(request)
