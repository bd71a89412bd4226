"""What is said of chunks: why one can never be taken, and what became of those that were. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from coordinator.ingest.chunk_rows import Outcome
from coordinator.ingest.events import MAX_SEQ
from coordinator.ingest.held import Held
from coordinator.ingest.records import MAX_CONTENT_TYPE_BYTES
from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import SegmentInvalid, check_chunk


def chunk_problem(chunk: media_pb2.Chunk, sessions: Collection[str]) -> str:
    """Why a chunk can never be taken on a stream that announced these sessions; empty when it can."""
    try:
        check_chunk(chunk)
    except SegmentInvalid as exc:
        return str(exc)
    if chunk.session_id not in sessions:
        return f"session {chunk.session_id[:64]!r} was not announced on this stream"
    if chunk.seq > MAX_SEQ:
        return f"seq {chunk.seq} is over {MAX_SEQ}"
    content_type = chunk.content_type
    if not (content_type.isascii() and content_type.isprintable() and content_type):
        return f"content_type {content_type[:40]!r} is not printable ASCII"
    if len(content_type) > MAX_CONTENT_TYPE_BYTES:
        return f"content_type is longer than {MAX_CONTENT_TYPE_BYTES} characters"
    return ""


def ack_of(outcomes: Sequence[tuple[media_pb2.Chunk, Outcome]]) -> link_pb2.Ack:
    """What to tell the agent of these chunks, of each only its key."""
    ack = link_pb2.Ack()
    lanes: Held = {}
    for chunk, outcome in outcomes:
        if outcome.kind == "refused":
            ack.refused.add(
                session_id=chunk.session_id[:64],
                lane=chunk.lane,
                first=chunk.seq,
                last=chunk.seq,
                reason=outcome.reason[:200],
            )
            continue
        lane = lanes.setdefault(
            (chunk.session_id, chunk.lane),
            media_pb2.LaneRanges(session_id=chunk.session_id, lane=chunk.lane),
        )
        ranges = lane.stored if outcome.kind == "stored" else lane.fsynced
        ranges.add(first=chunk.seq, last=chunk.seq)
    ack.held.extend(lanes.values())
    return ack
