"""The coordinator's identity service from the agent's side: one call, one channel, one deadline.

Nothing above sees a gRPC error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from agent.errors import LinkProblem, PairingRefused
from agent.uplink.channel import Coordinator, describe, open_channel
from agent.uplink.tokens import Unpaired
from protos.clippy.v1 import identity_pb2, identity_pb2_grpc

_Reply = TypeVar("_Reply")
_TIMEOUT_S = 10.0


class IdentityCalls:
    """Calls of one coordinator, which is trusted as `coordinator` says. Any thread.

    Raises (every call):
        LinkProblem: It does not answer, or cannot prove who it is; says what to do.
    """

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    def describe(self) -> identity_pb2.DescribeReply:
        """What this coordinator is."""
        return self._call(lambda stub: stub.Describe, identity_pb2.DescribeRequest())

    def start_pairing(self, device: identity_pb2.AgentDevice) -> identity_pb2.StartPairingReply:
        """Ask for a code to be shown here and approved there."""
        return self._call(lambda stub: stub.StartPairing, identity_pb2.StartPairingRequest(device=device))

    def pair(self, request: identity_pb2.PairRequest) -> identity_pb2.PairReply | None:
        """Finish pairing; None: not approved yet.

        Raises:
            PairingRefused: The code is wrong, used or too old.
        """
        try:
            return self._call(lambda stub: stub.Pair, request)
        except _Answered as exc:
            if exc.status is grpc.StatusCode.FAILED_PRECONDITION:
                return None
            raise

    def refresh(self, refresh_token: str) -> identity_pb2.RefreshReply:
        """A new access token, and the next refresh token.

        Raises:
            Unpaired: This device is revoked or unknown.
        """
        try:
            return self._call(
                lambda stub: stub.Refresh, identity_pb2.RefreshRequest(refresh_token=refresh_token)
            )
        except _Answered as exc:
            if exc.status is grpc.StatusCode.UNAUTHENTICATED:
                raise Unpaired("this PC was unpaired; run `clippy pair`") from exc
            raise

    def unpair(self, refresh_token: str) -> None:
        """Tell it that this device will not come back."""
        self._call(lambda stub: stub.Unpair, identity_pb2.UnpairRequest(refresh_token=refresh_token))

    def _call(
        self, method: Callable[[identity_pb2_grpc.IdentityStub], Callable[..., _Reply]], request: object
    ) -> _Reply:
        channel = open_channel(self._coordinator)
        try:
            return method(identity_pb2_grpc.IdentityStub(channel))(request, timeout=_TIMEOUT_S)
        except grpc.RpcError as exc:
            raise _our_error(exc, self._coordinator) from exc
        finally:
            channel.close()


class _Answered(LinkProblem):
    """It answered with a status that the caller may understand."""

    def __init__(self, message: str, status: grpc.StatusCode) -> None:
        super().__init__(message)
        self.status = status


def _our_error(exc: grpc.RpcError, coordinator: Coordinator) -> LinkProblem | PairingRefused:
    # What a call raises is a grpc.Call too, but the stubs of grpc cannot say so.
    call: Any = exc
    status, details = call.code(), str(call.details() or "")[:300]
    if status is grpc.StatusCode.NOT_FOUND:
        return PairingRefused(f"the code is wrong, used or too old ({details}); ask for a new one")
    if status in (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT):
        return PairingRefused(f"the coordinator at {coordinator.address} refuses this PC: {details}")
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return LinkProblem(f"the coordinator at {coordinator.address} takes no more tries now ({details})")
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return LinkProblem(f"{coordinator.address} is no coordinator that pairs; its version may be too old")
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return LinkProblem(
            f"the coordinator at {coordinator.address} did not answer within {_TIMEOUT_S:.0f} s"
        )
    return _Answered(describe(exc, coordinator), status)
