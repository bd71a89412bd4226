"""What a valid chunk is: both sides ask here, so that they cannot disagree.

Pure; any thread. Media is never parsed here.
"""

from __future__ import annotations

import hashlib
import re

from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

PROTOCOL_VERSION = 1
MAX_PAYLOAD_BYTES = 1_250_000
MAX_MESSAGE_BYTES = 1_310_720  # a full payload and its envelope
MAX_CHUNK_NS = 60 * SECOND_NS
MAX_SESSION_NS = 7 * 24 * 3600 * SECOND_NS
_SESSION_ID = re.compile(r"[0-9a-f]{32}\Z")
LANE_NAMES = {
    media_pb2.LANE_MIC: "mic",
    media_pb2.LANE_DESKTOP: "desktop",
    media_pb2.LANE_PROXY: "proxy",
    media_pb2.LANE_SIGNALS: "signals",
    media_pb2.LANE_CHAT: "chat",
    media_pb2.LANE_EVENTS: "events",
}
LANES_BY_NAME = {name: lane for lane, name in LANE_NAMES.items()}


class SegmentInvalid(ValueError):
    """A chunk breaks a rule; the message says which, with the value."""


def is_session_id(text: str) -> bool:
    """Is this 32 lower-case hexadecimal digits (a UUID without dashes)?"""
    return _SESSION_ID.match(text) is not None


def check_chunk(chunk: media_pb2.Chunk) -> None:
    """Return quietly when `chunk` keeps every rule.

    Raises:
        SegmentInvalid: The first rule that it breaks.
    """
    if not is_session_id(chunk.session_id):
        raise SegmentInvalid(f"session_id {chunk.session_id[:64]!r} is not 32 hexadecimal digits")
    if chunk.lane not in LANE_NAMES:
        raise SegmentInvalid(f"lane {chunk.lane} is unknown to protocol version {PROTOCOL_VERSION}")
    if not 0 <= chunk.start_ns < chunk.end_ns <= MAX_SESSION_NS:
        raise SegmentInvalid(f"times {chunk.start_ns}..{chunk.end_ns} ns are not within a session")
    if chunk.end_ns - chunk.start_ns > MAX_CHUNK_NS:
        raise SegmentInvalid(f"{(chunk.end_ns - chunk.start_ns) / SECOND_NS:.1f} s is longer than 60 s")
    if not 0 < len(chunk.payload) <= MAX_PAYLOAD_BYTES:
        raise SegmentInvalid(f"payload of {len(chunk.payload)} bytes is not within 1..{MAX_PAYLOAD_BYTES}")
    if hashlib.sha256(chunk.payload).digest() != chunk.sha256:
        raise SegmentInvalid("sha256 does not match the payload")
