"""What becomes of the outbox when this PC is unpaired, or paired with somebody else. Any thread.

What was recorded for one account never goes to another.
"""

from __future__ import annotations

from agent.uplink.outbox import Outbox
from agent.uplink.outbox_rows import add_gap

_TABLES = (
    "sessions",
    "lanes",
    "payloads",
    "chunks",
    "events",
    "wishes",
    "stored_chunks",
    "sent_sources",
    "forgets",
)


def drop_waiting(outbox: Outbox, reason: str) -> int:
    """Drop every chunk that the coordinator does not hold, with a gap for each; returns how many. Raises as `Outbox`.

    Numbers stay given, so that the same account may go on with the same session.
    """
    with outbox.file.transaction() as db:
        rows = db.execute(
            "select chunk_id, session_id, lane, seq, end_ns - start_ns, size_bytes from chunks"
            " where state = 'waiting' order by chunk_id"
        ).fetchall()
        for chunk_id, session_id, lane, seq, duration_ns, _ in rows:
            add_gap(db, session_id, lane, (seq, seq), reason, duration_ns)
            db.execute("delete from payloads where chunk_id = ?", [chunk_id])
            db.execute("delete from chunks where chunk_id = ?", [chunk_id])
        db.execute("delete from wishes")
    outbox.note_freed(sum(row[5] for row in rows))
    outbox.file.scrub()
    return len(rows)


def clear(outbox: Outbox) -> None:
    """Forget all of it, sessions and numbers too; no session may be live. Raises as `Outbox`."""
    with outbox.file.transaction() as db:
        (size_bytes,) = db.execute("select coalesce(sum(size_bytes), 0) from chunks").fetchone()
        for table in _TABLES:
            db.execute(f"delete from {table}")
    outbox.note_freed(size_bytes)
    outbox.file.scrub()
