"""The control API's calls about clips: one request, one call of the clip desk."""

from __future__ import annotations

from typing import TypeVar, cast

import grpc

from agent.control.translated import translated
from agent.control.wire import clip_to_wire
from agent.model.clips import Trigger
from agent.ports import ClipDesk
from protos.clippy.v1 import clips_pb2, control_pb2, control_pb2_grpc

_Value = TypeVar("_Value")
# What a caller may say of itself; the other triggers are the engine's own.
_FROM_OUTSIDE = frozenset({"command", "app", "key", "voice", "chat"})


class ClipCalls(control_pb2_grpc.ControlServicer):
    """Saving, listing, changing and handing on clips."""

    _clips: ClipDesk

    def SaveClip(  # noqa: N802 - gRPC's own naming, here and below
        self, request: control_pb2.SaveClipRequest, context: grpc.ServicerContext
    ) -> clips_pb2.Clip:
        if request.last_ns < 0:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"last_ns = {request.last_ns} must not be negative"
            )
        with translated(context):
            clip = self._clips.save(
                last_ns=request.last_ns,
                trigger=_trigger(request.trigger),
                is_exact=request.is_exact,
                tracks=tuple(request.tracks),
                title=request.title,
            )
        return clip_to_wire(clip)

    def PressKey(  # noqa: N802
        self, request: control_pb2.PressKeyRequest, context: grpc.ServicerContext
    ) -> control_pb2.PressKeyResponse:
        if request.action not in (control_pb2.KEY_ACTION_DOWN, control_pb2.KEY_ACTION_UP):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "action must be KEY_ACTION_DOWN or KEY_ACTION_UP")
        is_down = request.action == control_pb2.KEY_ACTION_DOWN
        with translated(context):
            clip = self._clips.key(is_down=is_down, monotonic_ns=request.monotonic_ns, trigger="command")
        return control_pb2.PressKeyResponse(clip=None if clip is None else clip_to_wire(clip))

    def ListClips(  # noqa: N802
        self, request: control_pb2.ListClipsRequest, context: grpc.ServicerContext
    ) -> control_pb2.ListClipsResponse:
        with translated(context):
            clips = self._clips.clips(request.limit or 100, is_trash=request.is_trash)
        return control_pb2.ListClipsResponse(clips=[clip_to_wire(clip) for clip in clips])

    def MoveClipEnds(  # noqa: N802
        self, request: control_pb2.MoveClipEndsRequest, context: grpc.ServicerContext
    ) -> clips_pb2.Clip:
        with translated(context):
            clip = self._clips.move_ends(
                request.clip_id,
                start_ns=_given(request.HasField("start_ns"), request.start_ns),
                end_ns=_given(request.HasField("end_ns"), request.end_ns),
            )
        return clip_to_wire(clip)

    def ShareClip(  # noqa: N802
        self, request: control_pb2.ShareClipRequest, context: grpc.ServicerContext
    ) -> control_pb2.ShareClipResponse:
        with translated(context):
            file = self._clips.share(request.clip_id, tracks=tuple(request.tracks))
        return control_pb2.ShareClipResponse(path=file.path, size_bytes=file.size_bytes)

    def UpdateClip(  # noqa: N802
        self, request: control_pb2.UpdateClipRequest, context: grpc.ServicerContext
    ) -> clips_pb2.Clip:
        with translated(context):
            clip = self._clips.update(
                request.clip_id,
                title=_given(request.HasField("title"), request.title),
                is_locked=_given(request.HasField("is_locked"), request.is_locked),
            )
        return clip_to_wire(clip)

    def TrashClip(  # noqa: N802
        self, request: control_pb2.TrashClipRequest, context: grpc.ServicerContext
    ) -> clips_pb2.Clip:
        with translated(context):
            clip = self._clips.trash(request.clip_id)
        return clip_to_wire(clip)

    def RestoreClip(  # noqa: N802
        self, request: control_pb2.RestoreClipRequest, context: grpc.ServicerContext
    ) -> clips_pb2.Clip:
        with translated(context):
            clip = self._clips.restore(request.clip_id)
        return clip_to_wire(clip)

    def EmptyTrash(  # noqa: N802
        self, request: control_pb2.EmptyTrashRequest, context: grpc.ServicerContext
    ) -> control_pb2.EmptyTrashResponse:
        with translated(context):
            clips = self._clips.empty_trash(is_preview=request.is_preview)
        return control_pb2.EmptyTrashResponse(clips=[clip_to_wire(clip) for clip in clips])


def _trigger(name: str) -> Trigger:
    return cast("Trigger", name) if name in _FROM_OUTSIDE else "command"


def _given(is_given: bool, value: _Value) -> _Value | None:
    return value if is_given else None
