"""What a restart finds in the spool, made whole before the first stream is accepted.

Records past the last indexed byte get their rows; a torn tail is cut off; rows whose bytes are gone no longer
count as held. So a resent chunk meets a complete index.
"""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import islice

import asyncpg
import structlog

from coordinator.ingest.chunk_rows import ChunkRows
from coordinator.ingest.database import SQL, fetch, transaction
from coordinator.ingest.places import SpoolPlace, parse_place
from coordinator.ingest.records import PlacedRecord, is_writable, scan
from coordinator.ingest.spool import Spool
from coordinator.model.chunks import ChunkRow

log = structlog.get_logger(__name__)

_ROWS_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What was found. `num_lost`: rows whose bytes are gone; their agents send them again."""

    num_segments: int
    num_readded: int
    num_torn_bytes: int
    num_lost: int


async def recover(pool: asyncpg.Pool, spool: Spool, rows: ChunkRows) -> RecoveryReport:
    """Make rows and segments of this node agree. Called once, after `spool.open`, before listening.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
        DiskFull, StoreUnavailable: The spool cannot be read or cut.
    """
    found = await fetch(pool, "spooled_ends", f"spool:{spool.node}")
    indexed_ends = {row["segment"]: row["indexed_end"] for row in found}
    segments = await asyncio.to_thread(spool.segments)
    num_readded = num_torn_bytes = num_lost = 0
    for segment in segments:
        indexed_end = indexed_ends.get(segment, 0)
        size_bytes = spool.path(segment).stat().st_size
        whole_end, num_found = await _readd_segment(pool, spool, rows, segment, min(indexed_end, size_bytes))
        num_readded += num_found
        if size_bytes > whole_end >= indexed_end:
            await asyncio.to_thread(spool.truncate, segment, whole_end)
            num_torn_bytes += size_bytes - whole_end
        if size_bytes < indexed_end:
            num_lost += await _lose(pool, spool, segment, size_bytes)
    for segment in set(indexed_ends) - set(segments):
        num_lost += await _lose(pool, spool, segment, 0)
    report = RecoveryReport(
        num_segments=len(segments),
        num_readded=num_readded,
        num_torn_bytes=num_torn_bytes,
        num_lost=num_lost,
    )
    log.info("spool_recovered", node=spool.node, **dataclasses.asdict(report))
    return report


async def _readd_segment(
    pool: asyncpg.Pool, spool: Spool, rows: ChunkRows, segment: int, indexed_end: int
) -> tuple[int, int]:
    """Add rows for the records past `indexed_end`; returns where whole records end, and how many rows were added.

    Some records at a time: a segment of tiny ones has more of them than memory should hold.
    """
    num_readded, whole_end = 0, indexed_end
    with spool.path(segment).open("rb") as file:
        found = scan(file, indexed_end)
        while batch := await asyncio.to_thread(lambda: list(islice(found, _ROWS_AT_ONCE))):
            whole_end = batch[-1].offset + batch[-1].length
            kept = [item for item in batch if item.is_kept]
            writable = [item for item in kept if is_writable(item.record)]
            if len(writable) < len(kept):
                log.warning(
                    "spooled_records_unusable", segment=segment, num_records=len(kept) - len(writable)
                )
            # One key once: of two copies the later one was written because the first was not acknowledged.
            unique = {(item.record.session_id, item.record.lane, item.record.seq): item for item in writable}
            async with transaction(pool) as connection:
                outcomes = await rows.write(
                    connection, [_row(spool.node, segment, item) for item in unique.values()]
                )
            num_readded += sum(outcome.kind == "fsynced" for outcome in outcomes.values())
    return whole_end, num_readded


def _row(node: str, segment: int, item: PlacedRecord) -> ChunkRow:
    place = SpoolPlace(node=node, segment=segment, offset=item.offset, length=item.length)
    return ChunkRow(
        session_id=item.record.session_id,
        lane=item.record.lane,
        seq=item.record.seq,
        start_ns=item.record.start_ns,
        end_ns=item.record.end_ns,
        content_type=item.record.content_type,
        sha256=item.record.sha256,
        size_bytes=item.length,
        place=str(place),
    )


async def _lose(pool: asyncpg.Pool, spool: Spool, segment: int, size_bytes: int) -> int:
    async with transaction(pool) as connection:
        held = await connection.fetch(SQL["chunks_of_segment"], f"spool:{spool.node}", segment)
        gone = [row for row in held if _end(row["place"]) > size_bytes]
        columns = ([row[name] for row in gone] for name in ("session_id", "lane", "seq", "place"))
        await connection.fetch(SQL["lose_chunks"], *columns)
    if gone:
        log.warning("spooled_chunks_lost", node=spool.node, segment=segment, num_chunks=len(gone))
    return len(gone)


def _end(place: str) -> int:
    parsed = parse_place(place)
    return parsed.offset + parsed.length
