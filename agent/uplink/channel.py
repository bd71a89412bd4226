"""The gRPC channel to the coordinator: credentials, options, and what its failures mean to a person."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import grpc

from agent.errors import Bug, LinkProblem
from agent.uplink.tokens import FileToken
from agent.uplink_ports import TokenSource
from protos.segment import MAX_MESSAGE_BYTES

# A peer that is gone without a word (laptop lid, cable) is noticed by the pings; ping_timeout is what makes the
# keepalive drop it (measured: without it a stopped peer was held for over 62 s).
OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Our own backoff decides when to try again; the channel is made anew each time.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """What we prove who we are with at a coordinator that asks for it, besides the token. PEM files."""

    certificate_path: Path
    key_path: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Coordinator:
    """Where the coordinator is and how we prove who we are.

    Attributes:
        address: `host:port`.
        ca_path: PEM file of the CA that issued its certificate; None: as `is_public` says.
        token_path: file that holds the bearer token, where `tokens` is not given.
        tokens: gives the bearer token of each connect.
        server_name: the name in its certificate, where it is not the host of `address`.
        ca_pem: the CA itself, in place of a file.
        is_public: without a CA: trust the public authorities; else plaintext, for tests on loopback only.
        client: our own certificate.
    """

    address: str
    ca_path: Path | None
    token_path: Path | None = None
    tokens: TokenSource | None = None
    server_name: str = ""
    ca_pem: bytes = b""
    is_public: bool = False
    client: ClientCertificate | None = None

    @property
    def token_source(self) -> TokenSource:
        """Who gives the token. Raises Bug where nobody does."""
        if self.tokens is not None:
            return self.tokens
        if self.token_path is None:
            raise Bug(f"nobody gives a token for {self.address}")
        return FileToken(self.token_path)

    @property
    def advice(self) -> str:
        """What to do about a token that is refused."""
        return FileToken.advice if self.tokens is None else self.tokens.advice


def open_channel(coordinator: Coordinator) -> grpc.Channel:
    """Return a channel; it connects at the first call.

    Raises:
        LinkProblem: The CA's file or our certificate cannot be read.
    """
    options: list[tuple[str, int | str]] = list(OPTIONS)
    if coordinator.server_name:
        options.append(("grpc.ssl_target_name_override", coordinator.server_name))
    ca = coordinator.ca_pem or None
    if ca is None and coordinator.ca_path is None and not coordinator.is_public:
        return grpc.insecure_channel(coordinator.address, options=options)
    if ca is None and coordinator.ca_path is not None:
        ca = _read(
            coordinator.ca_path,
            "the coordinator's CA",
            "pair again, or set uplink.ca_file to its tls/ca.pem",
        )
    key = certificate = None
    if (client := coordinator.client) is not None:
        key = _read(client.key_path, "our key", "set uplink.client_key_file")
        certificate = _read(client.certificate_path, "our certificate", "set uplink.client_cert_file")
    return grpc.secure_channel(
        coordinator.address, grpc.ssl_channel_credentials(ca, key, certificate), options=options
    )


def _read(path: Path, what: str, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise LinkProblem(f"cannot read {what} {path.name}: {exc.strerror or exc}; {advice}") from exc


def describe(error: grpc.RpcError, coordinator: Coordinator) -> str:
    """Say in words what went wrong and what to do."""
    # What a call raises is a grpc.Call too, but the stubs of grpc cannot say so.
    call: Any = error
    code = call.code() if hasattr(call, "code") else None
    details = str(call.details() or "" if hasattr(call, "details") else error)[:300]
    where = f"the coordinator at {coordinator.address}"
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return f"{where} refused this agent's token ({details}); {coordinator.advice}"
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return f"{where} does not allow this agent ({details}); {coordinator.advice}"
    if "CERTIFICATE_VERIFY_FAILED" in details or "handshake failed" in details.lower():
        return (
            f"{where} could not prove who it is ({details}); if it was set up anew, pair again, or copy "
            "its tls/ca.pem to uplink.ca_file"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"{where} does not answer ({details}); is it running?"
    if code is grpc.StatusCode.CANCELLED:
        return f"the stream to {coordinator.address} was cut"
    return f"{where} ended the stream: {code.name if code else 'unknown'} ({details})"
