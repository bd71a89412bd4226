"""The control API's calls about pairing: one request, one call of the pairing desk."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from agent.control.desk_calls import there
from agent.control.translated import translated
from agent.uplink_ports import PairingDesk
from protos.clippy.v1 import control_pb2, control_pb2_grpc


class PairingCalls(control_pb2_grpc.ControlServicer):
    """Pairing with a coordinator, and giving that up."""

    _pairing: PairingDesk | None

    def PairCoordinator(  # noqa: N802 - gRPC's own naming, here and below
        self, request: control_pb2.PairCoordinatorRequest, context: grpc.ServicerContext
    ) -> Iterator[control_pb2.PairingProgress]:
        desk = there(self._pairing, "way to pair", context)
        with translated(context):
            yield from desk.pair(request, is_wanted=context.is_active)

    def UnpairCoordinator(  # noqa: N802
        self, request: control_pb2.UnpairCoordinatorRequest, context: grpc.ServicerContext
    ) -> control_pb2.UnpairCoordinatorResponse:
        desk = there(self._pairing, "way to pair", context)
        with translated(context):
            return desk.unpair()
