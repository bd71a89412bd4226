"""Chunks as the coordinator keeps them."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRow:
    """One durable chunk.

    Attributes:
        lane: number of `protos.clippy.v1.media_pb2.Lane`.
        place: where the bytes are: `spool:{node}/{segment}/{offset}/{length}` or
            `object:{key}/{offset}/{length}` (the key may hold slashes; the last two fields are numbers).
        is_pressed: a press has saved part of its span, as far as was known when it was written.
    """

    session_id: str
    lane: int
    seq: int
    start_ns: int
    end_ns: int
    content_type: str
    sha256: bytes
    size_bytes: int
    place: str
    is_pressed: bool = False
