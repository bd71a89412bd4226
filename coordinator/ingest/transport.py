"""The gRPC server's options, and the token that a call carries."""

from __future__ import annotations

from collections.abc import Collection

from protos.segment import MAX_MESSAGE_BYTES


def server_options(
    *, dead_peer_s: float, is_port_shared: bool, max_connection_age_s: float | None
) -> list[tuple[str, int]]:
    """gRPC's options; the arguments as `IngestSettings` has them. Pure."""
    idle_ms = int(max(10.0, dead_peer_s) * 1000)
    options = [
        ("grpc.so_reuseport", int(is_port_shared)),
        ("grpc.max_concurrent_streams", 8),
        # The defaults lost 38 % of 10,000 agents that came at once.
        ("grpc.server.max_pending_requests", 20_000),
        ("grpc.server.max_pending_requests_hard_limit", 40_000),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_metadata_size", 16 * 1024),
        # Identity only: chunks are compressed media, and a compressed bomb would be unpacked before we see it.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # A peer that is stopped or unplugged is asked after this long without a byte, and dropped when it is silent.
        ("grpc.keepalive_time_ms", int(dead_peer_s * 600)),
        ("grpc.keepalive_timeout_ms", int(dead_peer_s * 400)),
        # Without it the keepalive never drops a half-open connection.
        ("grpc.http2.ping_timeout_ms", int(dead_peer_s * 400)),
        # Connections that never become a stream. 10,000 that come at once need 17 s to be greeted, all in all.
        ("grpc.server_handshake_timeout_ms", 28_000),
        ("grpc.max_connection_idle_ms", idle_ms),
        # A chunk comes every few seconds and fits the window. Measuring each connection's bandwidth would add a ping
        # and its answer to every one; 256 KiB are 2.5 MB/s at 100 ms, what the widest account may send.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 256 * 1024),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 0),
    ]
    if max_connection_age_s is not None:
        # The backstop: gRPC's own end is an error to the agent; before it we say RetryLater.
        options.append(("grpc.max_connection_age_ms", int(max_connection_age_s * 2000)))
        options.append(("grpc.max_connection_age_grace_ms", 10_000))
    return options


def bearer_token(metadata: Collection[tuple[str, str | bytes]]) -> str:
    """Return the token of `authorization: Bearer ...`, or an empty text."""
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer ":
            return value[7:].strip()
    return ""
