"""A coordinator of one test process: identity and link on one TLS port, real gRPC, everything in memory.

It keeps the contract of identity.proto: a code counts once, a refresh token renews until its successor was used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from protos.clippy.v1 import (
    identity_pb2,
    identity_pb2_grpc,
    link_pb2,
    link_pb2_grpc,
    media_pb2,
)
from tests.fakes.link_parts import Certificates


@dataclasses.dataclass(slots=True)
class Device:
    """A paired one. `refresh`: the tokens that renew, oldest first."""

    device_id: str
    name: str
    refresh: list[str]


class _Identity(identity_pb2_grpc.IdentityServicer):
    def __init__(self, owner: CoordinatorHere) -> None:
        self._owner = owner

    def Describe(self, request: Any, context: grpc.ServicerContext) -> identity_pb2.DescribeReply:  # noqa: N802
        self._owner.calls.append("Describe")
        ca_pem = self._owner.shown_ca_pem
        digest = self._owner.shown_ca_sha256
        if ca_pem and not digest:
            digest = bytes.fromhex(self._owner.fingerprint)
        return identity_pb2.DescribeReply(ca_pem=ca_pem, ca_sha256=digest, protocol_version=1, name="Here")

    def StartPairing(self, request: Any, context: grpc.ServicerContext) -> identity_pb2.StartPairingReply:  # noqa: N802
        self._owner.calls.append("StartPairing")
        return identity_pb2.StartPairingReply(
            device_code="device-code",
            user_code="WXYZ-2345",
            expires_in_s=self._owner.expires_in_s,
            interval_s=1,
        )

    def Pair(  # noqa: N802
        self, request: identity_pb2.PairRequest, context: grpc.ServicerContext
    ) -> identity_pb2.PairReply:
        owner = self._owner
        owner.calls.append("Pair")
        with owner.lock:
            if request.WhichOneof("proof") == "device_code":
                owner.num_asked += 1
                if owner.num_asked <= owner.num_refusals:
                    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not approved yet")
            elif request.user_code not in owner.codes:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such code")
            else:
                owner.codes.remove(request.user_code)
            device = Device(secrets.token_hex(4), request.device.name, [secrets.token_hex(8)])
            owner.devices.append(device)
            return identity_pb2.PairReply(
                device_id=device.device_id,
                user_id=owner.user_id,
                user_name="Ada",
                tier="pro",
                tokens=owner.tokens(device),
            )

    def Refresh(self, request: identity_pb2.RefreshRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        owner = self._owner
        owner.calls.append("Refresh")
        with owner.lock:
            for device in owner.devices:
                if request.refresh_token in device.refresh:
                    device.refresh = [request.refresh_token, secrets.token_hex(8)]
                    return identity_pb2.RefreshReply(tokens=owner.tokens(device), tier="pro")
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "revoked or unknown")
        raise AssertionError("abort raises")

    def Unpair(self, request: identity_pb2.UnpairRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        owner = self._owner
        owner.calls.append("Unpair")
        with owner.lock:
            owner.devices = [
                device for device in owner.devices if request.refresh_token not in device.refresh
            ]
        return identity_pb2.UnpairReply()


class _Link(link_pb2_grpc.LinkServicer):
    def __init__(self, owner: CoordinatorHere) -> None:
        self._owner = owner

    def Connect(  # noqa: N802
        self, request_iterator: Iterator[link_pb2.AgentMessage], context: grpc.ServicerContext
    ) -> Iterator[link_pb2.CoordinatorMessage]:
        owner = self._owner
        token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
        with owner.lock:
            owner.tokens_seen.append(token)
            refusal = owner.refusals.pop(0) if owner.refusals else None
        if refusal is not None:
            context.abort(refusal, "as the test wants it")
        if token not in owner.access:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")
        owner.hellos.append(next(request_iterator).hello)
        yield link_pb2.CoordinatorMessage(welcome=link_pb2.Welcome(protocol_version=1))
        if owner.config is not None:
            yield link_pb2.CoordinatorMessage(config=owner.config)
        for message in request_iterator:
            kind = message.WhichOneof("kind")
            if kind == "heartbeat":
                yield link_pb2.CoordinatorMessage(heartbeat=message.heartbeat)
            elif kind == "chunk":
                chunk = message.chunk
                with owner.arrived:
                    owner.chunks.append((chunk.session_id, chunk.lane, chunk.seq))
                    owner.arrived.notify_all()
                span = [media_pb2.SeqRange(first=chunk.seq, last=chunk.seq)]
                held = media_pb2.LaneRanges(
                    session_id=chunk.session_id, lane=chunk.lane, fsynced=span, stored=span
                )
                yield link_pb2.CoordinatorMessage(ack=link_pb2.Ack(held=[held]))


class CoordinatorHere:
    """Starts listening when it is made; a context manager.

    Attributes:
        codes: user codes that may be used, each once.
        num_refusals: how often the device grant is answered "not yet".
        refusals: statuses for the next streams, first come first served.
        config: said after each Welcome; None: nothing.
        shown_ca_pem: the authority that Describe names; empty: a public one.
        shown_ca_sha256: in place of the true one.
    """

    def __init__(
        self, certificates: Certificates, *, host: str = "127.0.0.1", client_ca: bytes | None = None
    ) -> None:
        self.lock = threading.Lock()
        self.arrived = threading.Condition()
        self.codes: list[str] = []
        self.num_asked = self.num_refusals = 0
        self.expires_in_s = 600
        self.user_id = "user-1"
        self.devices: list[Device] = []
        self.access: set[str] = set()
        self.access_life_s = 900
        self.tokens_seen: list[str] = []
        self.refusals: list[grpc.StatusCode] = []
        self.config: link_pb2.StreamConfig | None = None
        self.hellos: list[link_pb2.Hello] = []
        self.chunks: list[tuple[str, int, int]] = []
        self.calls: list[str] = []
        self.shown_ca_sha256 = b""
        self.shown_ca_pem = certificates.ca_path.read_text()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        identity_pb2_grpc.add_IdentityServicer_to_server(_Identity(self), self._server)
        link_pb2_grpc.add_LinkServicer_to_server(_Link(self), self._server)
        credentials = grpc.ssl_server_credentials(
            [(certificates.tls.key, certificates.tls.certificate)],
            root_certificates=client_ca,
            require_client_auth=client_ca is not None,
        )
        self.port = self._server.add_secure_port(f"{host}:0", credentials)
        self._server.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"localhost:{self.port}"

    @property
    def fingerprint(self) -> str:
        """Of the authority that it shows."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.shown_ca_pem)).hexdigest()

    def tokens(self, device: Device) -> identity_pb2.Tokens:
        """A new access token, and the newest refresh token. With the lock held."""
        access = secrets.token_hex(8)
        self.access.add(access)
        return identity_pb2.Tokens(
            access_token=access, expires_in_s=self.access_life_s, refresh_token=device.refresh[-1]
        )

    def wait_for_chunks(self, number: int, *, timeout_s: float = 30.0) -> bool:
        """Wait until so many chunks have arrived; False at the deadline."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.chunks) >= number, timeout_s)

    def __enter__(self) -> CoordinatorHere:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stop(0).wait(5)
