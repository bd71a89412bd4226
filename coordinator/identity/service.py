"""The gRPC service `clippy.v1.Identity`, beside the link on its port: pairing, renewing, unpairing. Owned by the loop.

Whoever reaches the port may ask: a code is guessed no more often than `Tries` allows, and what a request says of its
agent is checked before it is kept.
"""

from __future__ import annotations

import dataclasses
import functools
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
import structlog

from coordinator.errors import (
    AgentTaken,
    CoordinatorError,
    DatabaseUnavailable,
    DeviceRefused,
    InputUnusable,
    NotFound,
    PairingPending,
    TooManyTries,
)
from coordinator.identity.pairing import POLL_S, Issued, Pairings
from coordinator.identity.peers import network_of
from coordinator.identity.renewal import Renewals
from coordinator.identity.tokens import family_of
from coordinator.identity.tries import Tries
from coordinator.model.accounts import AgentSelf
from protos.clippy.v1 import identity_pb2, identity_pb2_grpc
from protos.segment import PROTOCOL_VERSION

log = structlog.get_logger(__name__)

SERVICE = "clippy.v1.Identity"
_MAX_ID, _MAX_NAME, _MAX_VERSION, _MAX_CODE = 64, 80, 40, 200
_CODES: tuple[tuple[type[CoordinatorError], grpc.StatusCode], ...] = (
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (PairingPending, grpc.StatusCode.FAILED_PRECONDITION),
    (TooManyTries, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (DeviceRefused, grpc.StatusCode.UNAUTHENTICATED),
    (AgentTaken, grpc.StatusCode.ALREADY_EXISTS),
    (InputUnusable, grpc.StatusCode.INVALID_ARGUMENT),
    (DatabaseUnavailable, grpc.StatusCode.UNAVAILABLE),
)
Context = grpc.aio.ServicerContext[Any, Any]
_Reply = TypeVar("_Reply")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What this coordinator is. `ca_pem` empty: a public authority issued its certificate."""

    name: str
    ca_pem: str = ""
    ca_sha256: bytes = b""


def _answers(
    method: Callable[[Any, Any, Context], Awaitable[_Reply]],
) -> Callable[[Any, Any, Context], Awaitable[_Reply]]:
    """Turn our errors into gRPC's status, with their message."""

    @functools.wraps(method)
    async def answered(self: Any, request: Any, context: Context) -> _Reply:
        try:
            return await method(self, request, context)
        except CoordinatorError as exc:
            code = next((code for kind, code in _CODES if isinstance(exc, kind)), grpc.StatusCode.INTERNAL)
            if isinstance(exc, DatabaseUnavailable):
                log.warning("identity_delayed", problem=str(exc))
            await context.abort(code, str(exc)[:300])

    return answered


class IdentityService(identity_pb2_grpc.IdentityServicer):
    """The five calls. `register` puts them on a server."""

    def __init__(
        self,
        *,
        description: Description,
        pairings: Pairings,
        renewals: Renewals,
        tries: Tries | None = None,
        starts: Tries | None = None,
        refreshes: Tries | None = None,
    ) -> None:
        """`tries` counts wrong codes, `starts` agents that begin without one, `refreshes` what one device asks."""
        self._description = description
        self._pairings = pairings
        self._renewals = renewals
        self._tries = tries or Tries()
        self._starts = starts or Tries()
        # By device and without a bound for all: after a restart every agent comes at once.
        self._refreshes = refreshes or Tries(per_address=60, in_all=None)

    def register(self, server: grpc.aio.Server) -> None:
        """Serve on `server`, which has not started."""
        identity_pb2_grpc.add_IdentityServicer_to_server(self, server)

    async def Describe(  # noqa: N802  gRPC's names
        self, request: identity_pb2.DescribeRequest, context: Context
    ) -> identity_pb2.DescribeReply:
        """What this coordinator is."""
        return identity_pb2.DescribeReply(
            ca_pem=self._description.ca_pem,
            ca_sha256=self._description.ca_sha256,
            protocol_version=PROTOCOL_VERSION,
            name=self._description.name,
        )

    @_answers
    async def StartPairing(  # noqa: N802
        self, request: identity_pb2.StartPairingRequest, context: Context
    ) -> identity_pb2.StartPairingReply:
        """Begin without a code."""
        agent = checked_agent(request.device)
        self._starts.take(network_of(context.peer()))
        code = await self._pairings.start(agent)
        return identity_pb2.StartPairingReply(
            device_code=code.device_code,
            user_code=code.user_code,
            expires_in_s=int(code.expires_in_s),
            interval_s=POLL_S,
        )

    @_answers
    async def Pair(  # noqa: N802
        self, request: identity_pb2.PairRequest, context: Context
    ) -> identity_pb2.PairReply:
        """Finish, with either code."""
        agent = checked_agent(request.device)
        address = network_of(context.peer())
        self._tries.take(address)
        try:
            issued = await self._redeem(request, agent)
        except (PairingPending, AgentTaken, DatabaseUnavailable):
            # The code was right, or nobody knows: this was no guess.
            self._tries.give_back(address)
            raise
        self._tries.give_back(address)
        log.info(
            "agent_paired",
            user_id=issued.principal.user_id,
            device_id=issued.principal.device_id,
            agent_id=agent.agent_id,
            pii_device=agent.name,
        )
        return identity_pb2.PairReply(
            device_id=issued.principal.device_id,
            user_id=issued.principal.user_id,
            user_name=issued.user_name,
            tier=issued.principal.tier,
            tokens=_tokens(issued),
        )

    @_answers
    async def Refresh(  # noqa: N802
        self, request: identity_pb2.RefreshRequest, context: Context
    ) -> identity_pb2.RefreshReply:
        """New tokens for an old one."""
        self._refreshes.take(family_of(request.refresh_token) or network_of(context.peer()))
        issued = await self._renewals.renew(request.refresh_token)
        return identity_pb2.RefreshReply(tokens=_tokens(issued), tier=issued.principal.tier)

    @_answers
    async def Unpair(  # noqa: N802
        self, request: identity_pb2.UnpairRequest, context: Context
    ) -> identity_pb2.UnpairReply:
        """The device will not come back."""
        await self._renewals.end(request.refresh_token)
        return identity_pb2.UnpairReply()

    async def _redeem(self, request: identity_pb2.PairRequest, agent: AgentSelf) -> Issued:
        proof = request.WhichOneof("proof")
        if proof == "user_code":
            return await self._pairings.redeem_user_code(request.user_code[:_MAX_CODE], agent)
        if proof == "device_code":
            return await self._pairings.redeem_device_code(request.device_code[:_MAX_CODE], agent)
        raise InputUnusable("neither a user_code nor a device_code was given")


def checked_agent(device: identity_pb2.AgentDevice) -> AgentSelf:
    """What an agent says of itself, from outside.

    Raises:
        InputUnusable: Its id is empty, too long, or holds more than letters, digits and `. _ : -`.
    """
    agent_id = device.agent_id
    rest = agent_id[: _MAX_ID + 1].translate({ord(char): None for char in "._:-"})
    if not agent_id or len(agent_id) > _MAX_ID or not agent_id.isascii() or (rest and not rest.isalnum()):
        raise InputUnusable(
            f"agent_id {agent_id[:_MAX_ID]!r} is not an id of 1 to {_MAX_ID} letters and digits"
        )
    return AgentSelf(
        agent_id=agent_id,
        name=_shown(device.name, _MAX_NAME),
        version=_shown(device.version, _MAX_VERSION),
    )


def _shown(text: str, max_characters: int) -> str:
    """A text that an operator's terminal can show: no control characters, no changes of direction."""
    kept = (char for char in text[: 4 * max_characters] if not unicodedata.category(char).startswith("C"))
    return " ".join("".join(kept).split())[:max_characters]


def _tokens(issued: Issued) -> identity_pb2.Tokens:
    return identity_pb2.Tokens(
        access_token=issued.access_token,
        expires_in_s=int(issued.access_s),
        refresh_token=issued.refresh_token,
    )
