"""What is to be uploaded, on disk until the coordinator has stored it.

Invariants: a number of a lane is given once, without holes; what `put` returned survives kill -9; every number
ends as stored at the coordinator or as part of a gap that the user can see.
Any thread may call any method; the `uplink` thread is the only one that hands chunks out and takes answers in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import structlog
from sqlite_utils import Database

from agent.errors import Bug, InputUnusable
from agent.model.media import LaneChunk
from agent.uplink.dropping import drop_rank
from agent.uplink.outbox_file import OutboxFile, OutboxMovedAside
from agent.uplink.outbox_rows import (
    IN_SPAN,
    add_event,
    add_gap,
    close_session,
    drop,
    purge_sessions,
    reconcile_lane,
    remember_stored,
    time_covered_ns,
)
from agent.uplink.ranges import Range, from_wire, merge
from protos import segment
from protos.clippy.v1 import link_pb2, media_pb2
from protos.timebase import SECOND_NS

log = structlog.get_logger(__name__)

DEFAULT_MAX_BYTES = 512 * 1024 * 1024
ChunkKey = tuple[str, int, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """A small message that is sent again at every connect until its session is fully stored."""

    event_id: int
    message: link_pb2.AgentMessage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WaitingChunk:
    """A chunk to send, and its place in the order of sending."""

    chunk_id: int
    chunk: media_pb2.Chunk


class Outbox:
    """Durable, bounded by bytes.

    Raises (every method that writes):
        DiskFull, EnvironmentProblem: As `OutboxFile`.
    """

    def __init__(self, path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.file = OutboxFile(path)
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._on_change: Callable[[], None] = lambda: None
        # What must survive the loss of the file: the live session and the numbers it has used.
        self._live: tuple[str, int] | None = None
        self._lanes: dict[int, tuple[int, int]] = {}
        self._held_bytes = int(self.file.rows("select coalesce(sum(size_bytes), 0) from chunks")[0][0])

    def listen(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` (which returns at once) whenever there is something new to send."""
        self._on_change = on_change

    def nudge(self) -> None:
        """Tell the listener that there is something new to send."""
        self._on_change()

    def note_freed(self, num_bytes: int) -> None:
        """So much was deleted by a query that is not of this module."""
        with self._lock:
            self._held_bytes -= num_bytes

    def start_session(self, session_id: str, started_unix_ms: int) -> None:
        """Begin the live session; one that a crash left open is ended with what it has.

        Raises:
            InputUnusable: Not a session id.
        """
        if not segment.is_session_id(session_id):
            raise InputUnusable(f"session_id {session_id[:64]!r} is not 32 hexadecimal digits")
        with self._lock:
            with self.file.transaction() as db:
                orphans = db.execute(
                    "select session_id from sessions where is_live and session_id <> ?", [session_id]
                ).fetchall()
                for (orphan,) in orphans:
                    log.warning("session_found_unended", session_id=orphan)
                    close_session(db, orphan, None)
                db.execute("insert or ignore into sessions values (?, ?, 1)", [session_id, started_unix_ms])
                lanes = db.execute(
                    "select lane, next_seq, end_ns from lanes where session_id = ?", [session_id]
                ).fetchall()
            self._live = (session_id, started_unix_ms)
            self._lanes = {lane: (next_seq, end_ns) for lane, next_seq, end_ns in lanes}
        self._on_change()

    def end_session(self, session_id: str, duration_ns: int) -> None:
        """Close the session: no chunk follows. Twice is once."""
        with self._lock:
            with self.file.transaction() as db:
                close_session(db, session_id, duration_ns)
            if self._live is not None and self._live[0] == session_id:
                self._live = None
        self._on_change()

    def put(self, session_id: str, chunk: LaneChunk) -> int:
        """Keep a chunk and return its number on its lane; durable when this returns.

        Raises:
            InputUnusable: The chunk breaks a rule of `protos.segment`.
            Bug: The session was not started, or has ended.
        """
        message = media_pb2.Chunk(
            session_id=session_id,
            lane=segment.LANES_BY_NAME[chunk.lane],
            start_ns=chunk.start_ns,
            end_ns=chunk.end_ns,
            content_type=chunk.content_type,
            sha256=hashlib.sha256(chunk.payload).digest(),
            payload=chunk.payload,
        )
        try:
            segment.check_chunk(message)
        except segment.SegmentInvalid as exc:
            raise InputUnusable(f"chunk of lane {chunk.lane}: {exc}") from exc
        with self._lock:
            try:
                seq = self._insert(message)
            except OutboxMovedAside:
                self._restore_live()
                seq = self._insert(message)
        self._on_change()
        return seq

    def put_event(self, session_id: str, kind: str, message: link_pb2.AgentMessage) -> int:
        """Keep a small message; durable when this returns its id. Kinds: `pressed`, `reply`, `taste`."""
        with self.file.transaction() as db:
            event_id = add_event(db, session_id, kind, message)
        self._on_change()
        return event_id

    def sessions(self) -> list[link_pb2.SessionStarted]:
        """Every session with something left here, and the live one; oldest first."""
        rows = self.file.rows("select session_id, started_unix_ms, is_live from sessions order by rowid")
        return [
            link_pb2.SessionStarted(session_id=session_id, started_unix_ms=unix_ms, is_live=bool(is_live))
            for session_id, unix_ms, is_live in rows
        ]

    def waiting_after(
        self,
        chunk_id: int,
        *,
        limit: int,
        held_lanes: Collection[int] = (),
        sent_ids: Collection[int] = (),
    ) -> list[WaitingChunk]:
        """The next chunks to send, oldest first, after the one with this id (0: from the first).

        Args:
            held_lanes: of these none.
            sent_ids: these neither: they are on their way.
        """
        rows = self.file.rows(
            "select chunk_id, session_id, lane, seq, start_ns, end_ns, content_type, sha256, payload"
            " from chunks join payloads using (chunk_id)"
            f" where state = 'waiting' and chunk_id > ? and lane not in ({_marks(held_lanes)})"
            f" and chunk_id not in ({_marks(sent_ids)}) order by chunk_id limit ?",
            [chunk_id, *held_lanes, *sent_ids, limit],
        )
        names = ("session_id", "lane", "seq", "start_ns", "end_ns", "content_type", "sha256", "payload")
        return [
            WaitingChunk(chunk_id=row[0], chunk=media_pb2.Chunk(**dict(zip(names, row[1:], strict=True))))
            for row in rows
        ]

    def events_after(self, event_id: int, *, limit: int) -> list[OutboxEvent]:
        """The next small messages after the one with this id (0: from the first), in order."""
        rows = self.file.rows(
            "select event_id, payload from events where event_id > ? order by event_id limit ?",
            [event_id, limit],
        )
        return [
            OutboxEvent(event_id=number, message=link_pb2.AgentMessage.FromString(payload))
            for number, payload in rows
        ]

    def unacked(self, session_id: str, lane: int) -> list[int]:
        """Numbers of a lane that the coordinator does not yet hold, ascending."""
        rows = self.file.rows(
            "select seq from chunks where session_id = ? and lane = ? and state = 'waiting' order by seq",
            [session_id, lane],
        )
        return [seq for (seq,) in rows]

    def num_waiting(self) -> int:
        """How many chunks the coordinator does not yet hold."""
        return sum(self.waiting_by_lane().values())

    def waiting_by_lane(self) -> dict[int, int]:
        """The same for each lane."""
        return dict(self.file.rows("select lane, count(*) from chunks where state = 'waiting' group by lane"))

    def mark_fsynced(self, held: Iterable[media_pb2.LaneRanges]) -> list[ChunkKey]:
        """These need not be sent again; returns those that are new."""
        marked: list[ChunkKey] = []
        with self.file.transaction() as db:
            for item in held:
                for first, last in from_wire(item.fsynced):
                    span = [item.session_id, item.lane, first, last]
                    marked += db.execute(
                        f"select session_id, lane, seq from chunks where {IN_SPAN} and state = 'waiting'",
                        span,
                    ).fetchall()
                    db.execute(
                        "update chunks set state = 'fsynced', drop_rank = 0"
                        f" where {IN_SPAN} and state = 'waiting'",
                        span,
                    )
        return marked

    def delete_stored(self, held: Iterable[media_pb2.LaneRanges]) -> list[ChunkKey]:
        """These are in the object store: forget them; returns what was forgotten, and tidies up sessions."""
        deleted: list[ChunkKey] = []
        with self._lock, self.file.transaction() as db:
            for item in held:
                for first, last in from_wire(item.stored):
                    remember_stored(db, item.session_id, item.lane, first, last)
                    deleted += self._delete(db, item.session_id, item.lane, first, last)
            purge_sessions(db)
        return deleted

    def drop_refused(self, refused: Sequence[media_pb2.Gap]) -> list[ChunkKey]:
        """The coordinator will never take these: drop them, and keep the gap with the reason."""
        dropped: list[ChunkKey] = []
        with self._lock, self.file.transaction() as db:
            for gap in refused:
                for first, last in from_wire([media_pb2.SeqRange(first=gap.first, last=gap.last)]):
                    duration_ns = time_covered_ns(db, gap.session_id, gap.lane, first, last)
                    gone = self._delete(db, gap.session_id, gap.lane, first, last)
                    if gone:
                        add_gap(
                            db,
                            gap.session_id,
                            gap.lane,
                            (first, last),
                            f"refused: {gap.reason[:200]}",
                            duration_ns,
                        )
                    dropped += gone
        if dropped:
            log.warning(
                "chunks_refused",
                num_chunks=len(dropped),
                reason=next((gap.reason[:200] for gap in refused), ""),
            )
        return dropped

    def reconcile(self, held: Sequence[media_pb2.LaneRanges]) -> None:
        """Take the coordinator's whole list (Welcome): what it no longer lists is sent again.

        Numbers that neither side has any more become a gap.
        """
        fsynced: dict[tuple[str, int], list[Range]] = {}
        stored: dict[tuple[str, int], list[Range]] = {}
        for item in held:
            key = (item.session_id, item.lane)
            fsynced[key] = merge([*fsynced.get(key, []), *from_wire(item.fsynced)])
            stored[key] = merge([*stored.get(key, []), *from_wire(item.stored)])
        with self._lock, self.file.transaction() as db:
            for session_id, lane, next_seq in db.execute(
                "select session_id, lane, next_seq from lanes"
            ).fetchall():
                key = (session_id, lane)
                reconcile_lane(
                    db,
                    key,
                    next_seq,
                    fsynced.get(key, []),
                    stored.get(key, []),
                    lambda *span: self._delete(db, *span),
                )
            purge_sessions(db)

    def confirm_events(self, up_to_event_id: int) -> None:
        """The coordinator has committed every small message up to this one."""
        with self._lock, self.file.transaction() as db:
            db.execute(
                "update events set is_confirmed = 1 where event_id <= ? and not is_confirmed",
                [up_to_event_id],
            )
            db.execute("delete from events where is_confirmed and kind in ('reply', 'offer', 'taste')")
            purge_sessions(db)

    def gap_lines(self) -> list[str]:
        """What will never be uploaded, for people: `23 s of mic not uploaded: outbox full`."""
        rows = self.file.rows(
            "select lane, reason, sum(duration_ns) from events where kind = 'gap'"
            # What was sent and then forgotten did not fail to be uploaded.
            " and not (reason = 'forgotten' and duration_ns = 0) group by lane, reason"
        )
        return [
            f"{duration_ns / SECOND_NS:.0f} s of {segment.LANE_NAMES.get(lane, lane)} not uploaded: "
            f"{reason.replace('_', ' ')}"
            for lane, reason, duration_ns in rows
        ]

    def close(self) -> None:
        """Close the file. Twice is once."""
        self.file.close()

    def _insert(self, message: media_pb2.Chunk) -> int:
        session_id, lane = message.session_id, message.lane
        with self.file.transaction() as db:
            row = db.execute("select is_live from sessions where session_id = ?", [session_id]).fetchone()
            if row is None or not row[0]:
                raise Bug(f"session {session_id} was not started or has ended; no chunk can follow")
            next_seq = db.execute(
                "insert into lanes values (?, ?, 1, ?) on conflict (session_id, lane) do update"
                " set next_seq = next_seq + 1, end_ns = max(end_ns, excluded.end_ns) returning next_seq",
                [session_id, lane, message.end_ns],
            ).fetchone()[0]
            chunk_id = db.execute(
                "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256,"
                " size_bytes, drop_rank) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(session_id, lane, next_seq - 1, message.start_ns, message.end_ns),
                    *(message.content_type, message.sha256, len(message.payload)),
                    drop_rank(lane, is_fsynced=False),
                ],
            ).lastrowid
            db.execute("insert into payloads values (?, ?)", [chunk_id, message.payload])
            held_bytes = self._held_bytes + len(message.payload)
            if held_bytes > self._max_bytes:
                held_bytes -= drop(db, held_bytes - self._max_bytes)
        self._held_bytes = held_bytes
        self._lanes[lane] = (next_seq, message.end_ns)
        return int(next_seq) - 1

    def _restore_live(self) -> None:
        with self.file.transaction() as db:
            self._held_bytes = 0
            if self._live is not None:
                db.execute("insert or ignore into sessions values (?, ?, 1)", list(self._live))
                for lane, (next_seq, end_ns) in self._lanes.items():
                    db.execute(
                        "insert or ignore into lanes values (?, ?, ?, ?)",
                        [self._live[0], lane, next_seq, end_ns],
                    )

    def _delete(self, db: Database, session_id: str, lane: int, first: int, last: int) -> list[ChunkKey]:
        span = [session_id, lane, first, last]
        rows = db.execute(
            f"select chunk_id, session_id, lane, seq, size_bytes from chunks where {IN_SPAN}", span
        ).fetchall()
        if rows:
            db.execute(
                f"delete from payloads where chunk_id in (select chunk_id from chunks where {IN_SPAN})", span
            )
            db.execute(f"delete from chunks where {IN_SPAN}", span)
            self._held_bytes -= sum(row[4] for row in rows)
        return [(row[1], row[2], row[3]) for row in rows]


def _marks(values: Collection[int]) -> str:
    return ", ".join("?" for _ in values)
