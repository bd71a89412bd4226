"""The control API's calls of the taste: keep or skip a moment, what was learnt, begin anew."""

from __future__ import annotations

import json
from typing import Protocol

import grpc

from agent.control.desk_calls import there
from agent.control.translated import translated
from agent.errors import InputUnusable
from protos.clippy.v1 import control_pb2, control_pb2_grpc
from protos.taste import VerdictKind
from protos.taste_wire import VerdictInvalid, kind_of
from protos.taste_words import lines_of_shown


class TasteDesk(Protocol):
    """What the control API asks about the taste. Any thread.

    Raises (every method):
        DiskFull, EnvironmentProblem: The library cannot be used.
    """

    def judge(self, words: str, kind: VerdictKind) -> str:
        """Keep or skip a moment; returns its id. Raises InputUnusable: there is none."""
        ...

    def shown(self) -> dict[str, object]:
        """What was learnt, and what it changes, as plain values."""
        ...

    def reset(self) -> int:
        """Forget it all; returns how many verdicts there were."""
        ...


class TasteCalls(control_pb2_grpc.ControlServicer):
    """Each one call of the desk."""

    _taste_desk: TasteDesk | None

    def JudgeMoment(  # noqa: N802 - gRPC's own naming
        self, request: control_pb2.JudgeMomentRequest, context: grpc.ServicerContext
    ) -> control_pb2.JudgeMomentResponse:
        desk = there(self._taste_desk, "taste", context)
        with translated(context):
            try:
                kind = kind_of(request.kind)
            except VerdictInvalid as exc:
                raise InputUnusable(str(exc)) from exc
            if kind not in ("keep", "skip", "undo"):
                raise InputUnusable(f"a moment is kept or skipped, not {kind}")
            return control_pb2.JudgeMomentResponse(moment_id=desk.judge(request.moment_id, kind))

    def GetTaste(  # noqa: N802
        self, request: control_pb2.GetTasteRequest, context: grpc.ServicerContext
    ) -> control_pb2.TasteShown:
        desk = there(self._taste_desk, "taste", context)
        with translated(context):
            value = desk.shown()
        return control_pb2.TasteShown(lines=lines_of_shown(value), json=json.dumps(value))

    def ResetTaste(  # noqa: N802
        self, request: control_pb2.ResetTasteRequest, context: grpc.ServicerContext
    ) -> control_pb2.ResetTasteResponse:
        desk = there(self._taste_desk, "taste", context)
        with translated(context):
            return control_pb2.ResetTasteResponse(num_verdicts=desk.reset())
