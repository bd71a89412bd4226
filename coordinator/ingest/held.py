"""Which chunks are held, as ranges: what Welcome and Ack say of a session's lanes. Pure, but for the question."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import asyncpg

from coordinator.ingest.chunk_rows import spool_prefixes
from coordinator.ingest.database import SQL, STATEMENT_S
from protos.clippy.v1 import media_pb2

Held = dict[tuple[str, int], media_pb2.LaneRanges]


async def read_held(
    connection: asyncpg.Connection, session_ids: Sequence[str], nodes: Collection[str]
) -> Held:
    """Chunks of these sessions that lie in the store, or in the spools of these nodes."""
    held: Held = {}
    if not session_ids:
        return held
    values = (list(session_ids), spool_prefixes(nodes))
    for row in await connection.fetch(SQL["held_ranges"], *values, timeout=STATEMENT_S):
        key = (row["session_id"], row["lane"])
        lane = held.setdefault(key, media_pb2.LaneRanges(session_id=key[0], lane=key[1]))
        ranges = lane.stored if row["is_stored"] else lane.fsynced
        ranges.add(first=row["first"], last=row["last"])
    return held
