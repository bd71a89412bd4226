"""Changes to the outbox's rows that several of its methods share. Each runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlite_utils import Database

from agent.uplink.dropping import drop_rank
from agent.uplink.ranges import Range, holds, holes, merge, to_ranges
from protos.clippy.v1 import link_pb2, media_pb2

log = structlog.get_logger(__name__)

IN_SPAN = "session_id = ? and lane = ? and seq between ? and ?"


def add_event(db: Database, session_id: str, kind: str, message: link_pb2.AgentMessage) -> int:
    """Insert a small message in the caller's transaction; return its id."""
    cursor = db.execute(
        "insert into events (session_id, kind, payload) values (?, ?, ?)",
        [session_id, kind, message.SerializeToString()],
    )
    return int(cursor.lastrowid or 0)


def close_session(db: Database, session_id: str, duration_ns: int | None) -> None:
    """Close a session with the counts of its lanes; without a duration it ends where its chunks end."""
    ended = db.execute("update sessions set is_live = 0 where session_id = ? and is_live", [session_id])
    if ended.rowcount == 0:
        return
    lanes = db.execute(
        "select lane, next_seq, end_ns from lanes where session_id = ? order by lane", [session_id]
    ).fetchall()
    message = link_pb2.SessionEnded(
        session_id=session_id,
        duration_ns=max((end_ns for _, _, end_ns in lanes), default=0)
        if duration_ns is None
        else duration_ns,
        lanes=[link_pb2.LaneCount(lane=lane, num_chunks=next_seq) for lane, next_seq, _ in lanes],
    )
    add_event(db, session_id, "ended", link_pb2.AgentMessage(session_ended=message))


def drop(db: Database, excess_bytes: int) -> int:
    """Drop chunks worth at least `excess_bytes`; return how many bytes went."""
    freed_bytes = 0
    while freed_bytes < excess_bytes:
        victim = db.execute(
            "select chunk_id, session_id, lane, seq, start_ns, end_ns, size_bytes, state from chunks"
            " where size_bytes > 0 order by drop_rank, chunk_id limit 1"
        ).fetchone()
        if victim is None:
            break
        chunk_id, session_id, lane, seq, start_ns, end_ns, size_bytes, state = victim
        db.execute("delete from payloads where chunk_id = ?", [chunk_id])
        if state == "fsynced":
            # The coordinator has it: a gap only if it turns out (reconcile) that it no longer does.
            db.execute("update chunks set state = 'freed', size_bytes = 0 where chunk_id = ?", [chunk_id])
        else:
            db.execute("delete from chunks where chunk_id = ?", [chunk_id])
            add_gap(db, session_id, lane, (seq, seq), "outbox_full", end_ns - start_ns)
        freed_bytes += size_bytes
    return freed_bytes


def add_gap(db: Database, session_id: str, lane: int, span: Range, reason: str, duration_ns: int) -> None:
    """Keep numbers that will never come; a gap that continues another one takes its place."""
    first, last = span
    before = db.execute(
        "select event_id, first, duration_ns from events"
        " where kind = 'gap' and session_id = ? and lane = ? and reason = ? and last = ?",
        [session_id, lane, reason, first - 1],
    ).fetchone()
    if before is not None:
        # A longer gap is a new event, so that it is sent; the shorter one need not be.
        db.execute("delete from events where event_id = ?", [before[0]])
        first, duration_ns = before[1], before[2] + duration_ns
    gap = media_pb2.Gap(
        session_id=session_id, lane=media_pb2.Lane.ValueType(lane), first=first, last=last, reason=reason
    )
    event_id = add_event(db, session_id, "gap", link_pb2.AgentMessage(gap=gap))
    db.execute(
        "update events set lane = ?, first = ?, last = ?, reason = ?, duration_ns = ? where event_id = ?",
        [lane, first, last, reason, duration_ns, event_id],
    )


def add_forget(db: Database, forget: link_pb2.Forget, unix_ms: int) -> None:
    """Ask the coordinator to forget a span, once for each id."""
    known = db.execute("select 1 from forgets where forget_id = ?", [forget.forget_id]).fetchone()
    if known is not None:
        return
    db.execute("insert into forgets values (?, ?, ?, null)", [forget.forget_id, forget.session_id, unix_ms])
    event_id = add_event(db, forget.session_id, "forget", link_pb2.AgentMessage(forget=forget))
    db.execute("update events set reason = ? where event_id = ?", [forget.forget_id, event_id])


def keep_receipt(db: Database, receipt: link_pb2.Forgotten, *, max_kept: int) -> None:
    """The coordinator has forgotten: ask no more, and keep what it said."""
    db.execute("delete from events where kind = 'forget' and reason = ?", [receipt.forget_id])
    db.execute(
        "update forgets set receipt = ? where forget_id = ?", [receipt.SerializeToString(), receipt.forget_id]
    )
    db.execute(
        "delete from forgets where receipt is not null and forget_id not in"
        " (select forget_id from forgets order by asked_unix_ms desc limit ?)",
        [max_kept],
    )


def remember_stored(db: Database, session_id: str, lane: int, first: int, last: int) -> None:
    """The coordinator has these in its object store: keep only what they span."""
    db.execute(
        "insert or ignore into stored_chunks select session_id, lane, seq, start_ns, end_ns"
        f" from chunks where {IN_SPAN}",
        [session_id, lane, first, last],
    )


def time_covered_ns(db: Database, session_id: str, lane: int, first: int, last: int) -> int:
    """How much time the chunks of a span of numbers cover."""
    row = db.execute(
        f"select coalesce(sum(end_ns - start_ns), 0) from chunks where {IN_SPAN}",
        [session_id, lane, first, last],
    ).fetchone()
    return int(row[0])


def purge_sessions(db: Database) -> None:
    """Forget sessions that have ended, whose chunks are all stored and whose events are all committed."""
    done = db.execute(
        "select session_id from sessions s where not is_live"
        " and not exists (select 1 from chunks c where c.session_id = s.session_id)"
        " and not exists (select 1 from events e where e.session_id = s.session_id and not e.is_confirmed)"
        " and not exists (select 1 from wishes w where w.session_id = s.session_id)"
        # Told at each connect until its receipt came.
        " and not exists (select 1 from events f where f.session_id = s.session_id and f.kind = 'forget')"
    ).fetchall()
    for (session_id,) in done:
        for table in ("sessions", "lanes", "events", "stored_chunks", "sent_sources"):
            db.execute(f"delete from {table} where session_id = ?", [session_id])
    if done:
        log.info("sessions_fully_stored", num_sessions=len(done))


def reconcile_lane(
    db: Database,
    key: tuple[str, int],
    next_seq: int,
    fsynced: list[Range],
    stored: list[Range],
    delete: Callable[[str, int, int, int], object],
) -> None:
    """Make one lane agree with what the coordinator holds of it.

    Args:
        delete: takes a span of numbers out of the outbox, in this transaction.
    """
    session_id, lane = key
    rows = db.execute(
        "select seq, state from chunks where session_id = ? and lane = ? order by seq", [session_id, lane]
    ).fetchall()
    again = to_ranges(seq for seq, state in rows if state == "fsynced" and not holds(fsynced, seq))
    lost = to_ranges(
        seq for seq, state in rows if state == "freed" and not holds(fsynced, seq) and not holds(stored, seq)
    )
    for first, last in again:
        db.execute(
            f"update chunks set state = 'waiting', drop_rank = ? where {IN_SPAN} and state = 'fsynced'",
            [drop_rank(lane, is_fsynced=False), session_id, lane, first, last],
        )
    for first, last in lost:
        add_gap(
            db,
            session_id,
            lane,
            (first, last),
            "outbox_full",
            time_covered_ns(db, session_id, lane, first, last),
        )
        delete(session_id, lane, first, last)
    for first, last in fsynced:
        db.execute(
            f"update chunks set state = 'fsynced', drop_rank = 0 where {IN_SPAN} and state = 'waiting'",
            [session_id, lane, first, last],
        )
    for first, last in stored:
        remember_stored(db, session_id, lane, first, last)
        delete(session_id, lane, first, last)
    gaps = db.execute(
        "select first, last from events where kind = 'gap' and session_id = ? and lane = ?",
        [session_id, lane],
    ).fetchall()
    known = merge([*to_ranges(seq for seq, _ in rows), *fsynced, *stored, *gaps])
    for first, last in holes(known, next_seq):
        add_gap(db, session_id, lane, (first, last), "lost", 0)
