"""The gRPC channel to the coordinator: credentials, options, and what its failures mean to a person."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import grpc

from agent.errors import LinkProblem
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
class Coordinator:
    """Where the coordinator is and how we prove who we are.

    Attributes:
        address: `host:port`.
        ca_path: PEM file of the CA that issued its certificate; None: plaintext, for tests on loopback only.
        token_path: file that holds the bearer token; read at every connect, so that a new one is taken up.
        server_name: the name in its certificate, where it is not the host of `address`.
    """

    address: str
    ca_path: Path | None
    token_path: Path
    server_name: str = ""


def read_token(coordinator: Coordinator) -> str:
    """Return the bearer token.

    Raises:
        LinkProblem: The file cannot be read or is empty.
    """
    try:
        token = coordinator.token_path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise LinkProblem(
            f"cannot read the token file {coordinator.token_path.name}: {reason}; "
            "set uplink.token_file to the coordinator's owner.token"
        ) from exc
    if not token or not token.isprintable():
        raise LinkProblem(
            f"the token file {coordinator.token_path.name} holds no token; "
            "copy the coordinator's owner.token there"
        )
    return token


def open_channel(coordinator: Coordinator) -> grpc.Channel:
    """Return a channel; it connects at the first call.

    Raises:
        LinkProblem: The CA's file cannot be read.
    """
    options: list[tuple[str, int | str]] = list(OPTIONS)
    if coordinator.server_name:
        options.append(("grpc.ssl_target_name_override", coordinator.server_name))
    if coordinator.ca_path is None:
        return grpc.insecure_channel(coordinator.address, options=options)
    try:
        ca = coordinator.ca_path.read_bytes()
    except OSError as exc:
        raise LinkProblem(
            f"cannot read the coordinator's CA {coordinator.ca_path.name}: {exc.strerror or exc}; "
            "set uplink.ca_file to its tls/ca.pem"
        ) from exc
    return grpc.secure_channel(coordinator.address, grpc.ssl_channel_credentials(ca), options=options)


def describe(error: grpc.RpcError, coordinator: Coordinator) -> str:
    """Say in words what went wrong and what to do."""
    # What a call raises is a grpc.Call too, but the stubs of grpc cannot say so.
    call: Any = error
    code = call.code() if hasattr(call, "code") else None
    details = str(call.details() or "" if hasattr(call, "details") else error)[:300]
    where = f"the coordinator at {coordinator.address}"
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return f"{where} refused this agent's token ({details}); copy its owner.token to uplink.token_file"
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return f"{where} does not allow this agent ({details}); copy its owner.token to uplink.token_file"
    if "CERTIFICATE_VERIFY_FAILED" in details or "handshake failed" in details.lower():
        return (
            f"{where} could not prove who it is ({details}); if it was set up anew, copy its tls/ca.pem to "
            "uplink.ca_file"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"{where} does not answer ({details}); is it running?"
    if code is grpc.StatusCode.CANCELLED:
        return f"the stream to {coordinator.address} was cut"
    return f"{where} ended the stream: {code.name if code else 'unknown'} ({details})"
