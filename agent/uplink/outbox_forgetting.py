"""Takes a span out of the outbox, and tells the coordinator that it is to be forgotten.

One transaction: the tombstones (`Gap`, reason `forgotten`), the order to the coordinator and the deletion are there
together or not at all. A chunk that straddles an end goes whole. The order is sent at each connect until the
coordinator's receipt came. Any thread.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import structlog

from agent.model.media import LaneChunk
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_rows import add_forget, add_gap, keep_receipt, purge_sessions
from protos.clippy.v1 import link_pb2

log = structlog.get_logger(__name__)

_MAX_RECEIPTS = 100
REASON = "forgotten"
_OVERLAPS = "session_id = ? and start_ns < ? and end_ns > ?"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSpan:
    """What the outbox holds of a span, or held.

    Attributes:
        start_ns, end_ns: widened to whole chunks; what was asked for where there are none.
        num_chunks, size_bytes: that are here, sent or not.
        num_sent: of these and of those that are here no more, how many the coordinator has.
        num_sources, source_bytes: full quality that was sent on request.
    """

    start_ns: int
    end_ns: int
    num_chunks: int = 0
    size_bytes: int = 0
    num_sent: int = 0
    num_sources: int = 0
    source_bytes: int = 0


class OutboxForgetting:
    """Looks at a span, and forgets it. `is_asking`: is there a coordinator that could be asked to follow?"""

    def __init__(self, outbox: Outbox, *, is_asking: Callable[[], bool] = lambda: True) -> None:
        self._outbox = outbox
        self._is_asking = is_asking

    def look(self, session_id: str, start_ns: int, end_ns: int) -> OutboxSpan:
        """What would go, and what the coordinator has. Raises as `Outbox`."""
        span = [session_id, end_ns, start_ns]
        with self._outbox.file.transaction() as db:
            here = db.execute(
                "select count(*), coalesce(sum(size_bytes), 0), min(start_ns), max(end_ns),"
                f" coalesce(sum(state <> 'waiting'), 0) from chunks where {_OVERLAPS}",
                span,
            ).fetchone()
            stored = db.execute(
                f"select count(*), min(start_ns), max(end_ns) from stored_chunks where {_OVERLAPS}", span
            ).fetchone()
            sources = db.execute(
                f"select count(*), coalesce(sum(size_bytes), 0) from sent_sources where {_OVERLAPS}", span
            ).fetchone()
        return OutboxSpan(
            start_ns=min(value for value in (start_ns, here[2], stored[1]) if value is not None),
            end_ns=max(value for value in (end_ns, here[3], stored[2]) if value is not None),
            num_chunks=here[0],
            size_bytes=here[1],
            num_sent=here[4] + stored[0],
            num_sources=sources[0],
            source_bytes=sources[1],
        )

    def forget(
        self, session_id: str, start_ns: int, end_ns: int, *, forget_id: str | None = None
    ) -> OutboxSpan:
        """Delete it here, and keep a tombstone for every chunk; durable when this returns. Twice is once.

        Args:
            forget_id: under which the coordinator is asked to follow; None: it is only told the numbers.

        Raises as `Outbox`.
        """
        with self._outbox.file.transaction() as db:
            found = self._forget(session_id, start_ns, end_ns)
            if forget_id is not None and self._is_asking():
                order = link_pb2.Forget(
                    forget_id=forget_id, session_id=session_id, start_ns=start_ns, end_ns=end_ns
                )
                add_forget(db, order, time.time_ns() // 1_000_000)
        self._outbox.file.scrub()
        self._outbox.nudge()
        return found

    def take_receipt(self, receipt: link_pb2.Forgotten) -> None:
        """The coordinator has forgotten what it could reach. Raises as `Outbox`."""
        with self._outbox.file.transaction() as db:
            keep_receipt(db, receipt, max_kept=_MAX_RECEIPTS)
            purge_sessions(db)
        log.info("coordinator_forgot", forget_id=receipt.forget_id, num_unreachable=len(receipt.unreachable))

    def is_known(self, forget_id: str) -> bool:
        """Was this order carried out here already? Raises as `Outbox`."""
        return bool(self._outbox.file.rows("select 1 from forgets where forget_id = ?", [forget_id]))

    def receipt(self, forget_id: str) -> link_pb2.Forgotten | None:
        """What the coordinator said of an order; None: nothing yet. Raises as `Outbox`."""
        rows = self._outbox.file.rows(
            "select receipt from forgets where forget_id = ? and receipt is not null", [forget_id]
        )
        return link_pb2.Forgotten.FromString(rows[0][0]) if rows else None

    def num_unconfirmed(self) -> int:
        """How many orders the coordinator has not confirmed. Raises as `Outbox`."""
        return int(self._outbox.file.rows("select count(*) from forgets where receipt is null")[0][0])

    def put_forgotten(self, session_id: str, chunk: LaneChunk) -> None:
        """A chunk that was still being made: it takes its number, and only its tombstone is kept.

        Raises as `Outbox.put`.
        """
        # In one transaction, so that nobody finds the chunk in between.
        with self._outbox.file.transaction():
            self._outbox.put(session_id, chunk)
            self._forget(session_id, chunk.start_ns, chunk.end_ns)
        self._outbox.file.scrub()

    def _forget(self, session_id: str, start_ns: int, end_ns: int) -> OutboxSpan:
        span = [session_id, end_ns, start_ns]
        with self._outbox.file.transaction() as db:
            found = self.look(session_id, start_ns, end_ns)
            rows = db.execute(
                "select lane, seq, case state when 'waiting' then end_ns - start_ns else 0 end"
                f" from chunks where {_OVERLAPS}"
                f" union all select lane, seq, 0 from stored_chunks where {_OVERLAPS} order by lane, seq",
                [*span, *span],
            ).fetchall()
            for lane, seq, unsent_ns in rows:
                add_gap(db, session_id, lane, (seq, seq), REASON, unsent_ns)
            db.execute(
                f"delete from payloads where chunk_id in (select chunk_id from chunks where {_OVERLAPS})",
                span,
            )
            # What was said of a moment of it, and is not sent yet.
            for event_id, payload in db.execute(
                "select event_id, payload from events where kind = 'taste' and not is_confirmed"
            ).fetchall():
                moment = link_pb2.AgentMessage.FromString(payload).taste.verdict.moment
                if moment.session_id == session_id and moment.start_ns < end_ns and moment.end_ns > start_ns:
                    db.execute("delete from events where event_id = ?", [event_id])
            for table in ("chunks", "stored_chunks", "sent_sources"):
                db.execute(f"delete from {table} where {_OVERLAPS}", span)
        self._outbox.note_freed(found.size_bytes)
        return found
