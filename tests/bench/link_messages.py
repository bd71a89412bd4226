"""What a load client says on the link, put together by hand: thousands a second from one process.

Each message is a head of its own and a payload that all share, so that 40 KB are neither copied nor hashed anew for
each chunk. The layout is that of protos/clippy/v1/link.proto; a test compares it with the generated classes. Pure.
"""

from __future__ import annotations

import hashlib

from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import PROTOCOL_VERSION

# Protobuf's tags: field number << 3 | wire type (0 varint, 2 length-delimited).
_AGENT_CHUNK = b"\x12"  # AgentMessage.chunk = 2
_CHUNK_SEQ, _CHUNK_START, _CHUNK_END = b"\x18", b"\x20", b"\x28"
_CHUNK_PAYLOAD = b"\x42"
_CONTENT_TYPE = "audio/ogg; codecs=opus"


def varint(value: int) -> bytes:
    """A number that is not negative, as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class ChunkMaker:
    """Chunks of the microphone's lane that all carry the same payload."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        described = media_pb2.Chunk(content_type=_CONTENT_TYPE, sha256=hashlib.sha256(payload).digest())
        self._rest = described.SerializeToString() + _CHUNK_PAYLOAD + varint(len(payload))

    def head(self, whose: bytes, seq: int, start_ns: int, end_ns: int) -> bytes:
        """All of an AgentMessage but the payload, which follows. `whose` is from `session_part`."""
        fields = b"".join(
            (
                *(whose, _CHUNK_SEQ, varint(seq), _CHUNK_START, varint(start_ns)),
                *(_CHUNK_END, varint(end_ns), self._rest),
            )
        )
        return _AGENT_CHUNK + varint(len(fields) + len(self.payload)) + fields


def session_part(session_id: str) -> bytes:
    """The fields of a chunk that stay the same for a session."""
    return media_pb2.Chunk(session_id=session_id, lane=media_pb2.LANE_MIC).SerializeToString()


def hello(agent_id: str, session_id: str, started_unix_ms: int) -> bytes:
    """The first message: an agent with one live session."""
    live = link_pb2.SessionStarted(session_id=session_id, started_unix_ms=started_unix_ms, is_live=True)
    message = link_pb2.Hello(
        agent_id=agent_id, agent_version="bench", protocol_version=PROTOCOL_VERSION, sessions=[live]
    )
    return link_pb2.AgentMessage(hello=message).SerializeToString()


def heartbeat(unix_ms: int) -> bytes:
    """A heartbeat; its echo carries the same number."""
    return link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=unix_ms)).SerializeToString()
