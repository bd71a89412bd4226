"""The agents' small messages as rows: ends of sessions, presses, gaps, answers to wishes.

Each is idempotent (agents send them again at every connect) and commits together with the jobs that follow from it.
Values from outside are checked here; what breaks a rule raises ChunkRefused and changes nothing.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import asyncpg
import structlog

from coordinator.errors import ChunkRefused, SourceExpired
from coordinator.ingest.checks import check_span, checked_id, tidy
from coordinator.ingest.chunk_rows import owned
from coordinator.ingest.database import SQL, fetch, transaction
from coordinator.ingest.source_uploads import SourceUploads, is_offered
from coordinator.model.accounts import Owner
from coordinator.model.chunks import ChunkRow
from coordinator.model.jobs import NewJob
from coordinator.model.sessions import MarkerRow
from coordinator.policy.source_uploads import FIRST_RETRY_S, MAX_RETRIES
from coordinator.ports import JobQueue
from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import LANE_NAMES

log = structlog.get_logger(__name__)

MAX_SEQ = 2**63 - 1
MAX_MARKERS = 5_000
# Of one clip: each may cost an upload, a cut and posts.
MAX_CHANGES = 100
MAX_GAPS = 10_000

Effect: TypeAlias = "Callable[[asyncpg.Connection, str, MarkerRow], Awaitable[Sequence[NewJob]]]"


def _no_jobs(*_: object) -> Sequence[NewJob]:
    return ()


async def _no_effect(*_: object) -> Sequence[NewJob]:
    return ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FollowUps:
    """What follows from what arrived; the jobs are enqueued in the transaction that writes the row.

    Attributes:
        after_chunk: (row of a new chunk); pure.
        after_upload: (request_id, is_press, how many uploads before it were no good); pure.
        after_press: (connection, session_id, marker): may also write rows, such as the wish for its source. Comes again
            when its clip has another span.
        after_end: (session_id) of a session that has just ended; pure.
        after_forget: (forget_id) of a new order to forget; pure.
        after_sweep: (forget_id, node): this node's spool holds nothing of an order any more; pure.
    """

    after_chunk: Callable[[ChunkRow], Sequence[NewJob]] = _no_jobs
    after_upload: Callable[[str, bool, int], Sequence[NewJob]] = _no_jobs
    after_press: Effect = _no_effect
    after_end: Callable[[str], Sequence[NewJob]] = _no_jobs
    after_forget: Callable[[str], Sequence[NewJob]] = _no_jobs
    after_sweep: Callable[[str, str], Sequence[NewJob]] = _no_jobs


class EventRows:
    """Writes them. Every method may be called from any task.

    Raises (all):
        ChunkRefused: The message breaks a rule; sending it again will not help.
        DatabaseUnavailable: Later.
    """

    def __init__(
        self, pool: asyncpg.Pool, jobs: JobQueue, sources: SourceUploads, follow_ups: FollowUps
    ) -> None:
        self._pool = pool
        self._jobs = jobs
        self._sources = sources
        self._follow_ups = follow_ups

    async def session_ended(self, message: link_pb2.SessionEnded, owner: Owner) -> None:
        """A session has ended, with the counts of its lanes."""
        check_span(0, message.duration_ns)
        counts = {
            LANE_NAMES[item.lane]: min(item.num_chunks, MAX_SEQ)
            for item in message.lanes
            if item.lane in LANE_NAMES
        }
        values = (message.session_id, message.duration_ns, json.dumps(counts))
        async with transaction(self._pool) as connection:
            if await connection.fetch(SQL["end_session"], *values):
                await self._enqueue(connection, self._follow_ups.after_end(message.session_id), owner)

    async def pressed(self, message: link_pb2.Pressed, owner: Owner) -> None:
        """A press, and the clip that it made on the agent's disk; or what that clip has become."""
        check_span(message.start_ns, message.end_ns)
        check_span(0, message.at_ns)
        clip_id, session_id = checked_id("clip_id", message.clip_id), message.session_id
        span = {"start_ns": message.start_ns, "end_ns": message.end_ns}
        values = (session_id, clip_id, message.at_ns, *span.values(), max(0, message.version))
        async with transaction(self._pool) as connection:
            if rows := await connection.fetch(SQL["add_marker"], *values, MAX_MARKERS, MAX_CHANGES):
                marker = MarkerRow(clip_id=clip_id, **span, **dict(rows[0]))
                jobs = await self._follow_ups.after_press(connection, session_id, marker)
                await self._enqueue(connection, jobs, owner)
                return
            known = await connection.fetchrow(SQL["marker"], session_id, clip_id)
        if known is None:
            raise ChunkRefused(f"session {session_id} has {MAX_MARKERS} presses, the most there may be")
        if message.version > known["version"] and known["num_changes"] >= MAX_CHANGES:
            raise ChunkRefused(f"clip {clip_id} has changed {MAX_CHANGES} times, the most it may")

    async def gap(self, message: media_pb2.Gap) -> None:
        """Chunks that will never come."""
        if message.lane not in LANE_NAMES or not 0 <= message.first <= message.last <= MAX_SEQ:
            raise ChunkRefused(f"gap {message.first}..{message.last} of lane {message.lane} is not one")
        [counted] = await fetch(self._pool, "count_gaps", message.session_id, MAX_GAPS)
        if counted["num_gaps"] >= MAX_GAPS:
            raise ChunkRefused(f"session {message.session_id} has {MAX_GAPS} gaps, the most there may be")
        reason = tidy(message.reason, 200)
        values = (message.session_id, message.lane, message.first, message.last, reason)
        await fetch(self._pool, "add_gap", *values)

    async def source_offer(self, user_id: str, offer: link_pb2.SourceOffer) -> None:
        """The agent has made the file of a wish, and waits for addresses: whoever holds its stream sends them.

        Raises:
            StoreUnavailable: Parts of another file cannot be deleted now; the agent offers again.
        """
        self._sources.check_offer(offer)
        row = await self._request_of(user_id, offer.request_id)
        if row["offered_sha256"] is not None and not is_offered(row, offer):
            await self._sources.delete_parts(row)
        values = (offer.request_id, offer.size_bytes, offer.sha256, self._sources.part_bytes)
        async with transaction(self._pool) as connection:
            if await connection.fetch(SQL["save_offer"], *values):
                await connection.execute(SQL["notify_link"], row["session_id"])

    async def source_reply(self, owner: Owner, reply: link_pb2.SourceReply) -> None:
        """The agent's answer to a wish.

        Raises:
            StoreUnavailable: The upload cannot be looked at now; the agent sends its answer again.
            SourceExpired: It came too late; the agent is told why with the request's end.
        """
        row = await self._request_of(owner.user_id, reply.request_id)
        state = link_pb2.SourceReply.State
        reason = tidy(reply.reason, 300) or "the agent gave no reason"
        if reply.state == state.PINNED:
            await fetch(self._pool, "mark_pinned", reply.request_id)
        elif reply.state == state.UPLOADED:
            await self._uploaded(row, reply, owner)
        elif reply.state == state.UNAVAILABLE:
            await fetch(self._pool, "mark_unfulfilled", reply.request_id, "unavailable", reason)
            log.info("source_unfulfilled", request_id=reply.request_id, state="unavailable")
        elif reply.state == state.FAILED:
            await self._ask_again(reply.request_id, reason)
        else:
            raise ChunkRefused(f"state {reply.state} of a source reply is unknown")

    async def _request_of(self, user_id: str, request_id: str) -> Any:
        rows = await fetch(self._pool, "request_of_user", checked_id("request_id", request_id), user_id)
        if not rows:
            raise ChunkRefused(f"there is no source request {request_id!r} of this account")
        return rows[0]

    async def _uploaded(self, row: Any, reply: link_pb2.SourceReply, owner: Owner) -> None:
        if row["state"] in ("uploaded", "forgotten", "replaced"):
            return
        if row["state"] == "expired":
            await fetch(self._pool, "note_late", reply.request_id)
            raise SourceExpired(
                f"source {reply.request_id} came after its request had expired; it was not taken"
            )
        problem = await self._sources.problem(row, reply)
        if problem:
            log.warning("source_upload_refused", request_id=reply.request_id, problem=problem)
            await self._ask_again(reply.request_id, problem)
            return
        start_ns, end_ns = max(reply.start_ns, row["start_ns"]), min(reply.end_ns, row["end_ns"])
        values = (reply.request_id, reply.size_bytes, reply.sha256, start_ns, end_ns)
        async with transaction(self._pool) as connection:
            if await connection.fetch(SQL["mark_uploaded"], *values):
                is_press = row["marker_clip_id"] is not None
                jobs = self._follow_ups.after_upload(reply.request_id, is_press, row["num_attempts"])
                await self._enqueue(connection, jobs, owner)
        log.info("source_uploaded", request_id=reply.request_id, size_bytes=reply.size_bytes)

    async def _ask_again(self, request_id: str, reason: str) -> None:
        rows = await fetch(self._pool, "ask_again", request_id, reason, MAX_RETRIES, FIRST_RETRY_S)
        state = rows[0]["state"] if rows else "answered before"
        log.info("source_unfulfilled", request_id=request_id, state=state, reason=reason)

    async def _enqueue(self, connection: asyncpg.Connection, jobs: Sequence[NewJob], owner: Owner) -> None:
        if jobs:
            await self._jobs.enqueue(connection, owned(jobs, owner))
