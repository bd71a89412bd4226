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

from coordinator.errors import ChunkRefused
from coordinator.ingest.checks import check_span, checked_id, tidy
from coordinator.ingest.database import SQL, fetch, transaction
from coordinator.model.chunks import ChunkRow
from coordinator.model.jobs import NewJob
from coordinator.model.sessions import MarkerRow
from coordinator.ports import JobQueue, ObjectStore
from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import LANE_NAMES

log = structlog.get_logger(__name__)

MAX_SEQ = 2**63 - 1
MAX_MARKERS = 5_000
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
        after_upload: (request_id, is_press); pure.
        after_press: (connection, session_id, marker): may also write rows, such as the wish for its source.
        after_end: (session_id) of a session that has just ended; pure.
    """

    after_chunk: Callable[[ChunkRow], Sequence[NewJob]] = _no_jobs
    after_upload: Callable[[str, bool], Sequence[NewJob]] = _no_jobs
    after_press: Effect = _no_effect
    after_end: Callable[[str], Sequence[NewJob]] = _no_jobs


class EventRows:
    """Writes them. Every method may be called from any task.

    Raises (all):
        ChunkRefused: The message breaks a rule; sending it again will not help.
        DatabaseUnavailable: Later.
    """

    def __init__(self, pool: asyncpg.Pool, jobs: JobQueue, store: ObjectStore, follow_ups: FollowUps) -> None:
        self._pool = pool
        self._jobs = jobs
        self._store = store
        self._follow_ups = follow_ups

    async def session_ended(self, message: link_pb2.SessionEnded) -> None:
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
                await self._enqueue(connection, self._follow_ups.after_end(message.session_id))

    async def pressed(self, message: link_pb2.Pressed) -> None:
        """A press, and the clip that it made on the agent's disk."""
        check_span(message.start_ns, message.end_ns)
        check_span(0, message.at_ns)
        marker = MarkerRow(
            clip_id=checked_id("clip_id", message.clip_id),
            at_ns=message.at_ns,
            start_ns=message.start_ns,
            end_ns=message.end_ns,
        )
        values = (message.session_id, *dataclasses.astuple(marker))
        async with transaction(self._pool) as connection:
            if await connection.fetch(SQL["add_marker"], *values, MAX_MARKERS):
                jobs = await self._follow_ups.after_press(connection, message.session_id, marker)
                await self._enqueue(connection, jobs)
            elif not await connection.fetch(SQL["has_marker"], message.session_id, marker.clip_id):
                raise ChunkRefused(
                    f"session {message.session_id} has {MAX_MARKERS} presses, the most there may be"
                )

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

    async def source_reply(self, user_id: str, reply: link_pb2.SourceReply) -> None:
        """The agent's answer to a wish.

        Raises:
            StoreUnavailable: The upload cannot be looked at now; the agent sends its answer again.
        """
        rows = await fetch(self._pool, "request_of_user", checked_id("request_id", reply.request_id), user_id)
        if not rows:
            raise ChunkRefused(f"there is no source request {reply.request_id!r} of this account")
        state = link_pb2.SourceReply.State
        if reply.state == state.PINNED:
            await fetch(self._pool, "mark_pinned", reply.request_id)
        elif reply.state == state.UPLOADED:
            await self._uploaded(rows[0], reply)
        elif reply.state in (state.UNAVAILABLE, state.FAILED):
            name = "unavailable" if reply.state == state.UNAVAILABLE else "failed"
            reason = tidy(reply.reason, 300) or "the agent gave no reason"
            await fetch(self._pool, "mark_unfulfilled", reply.request_id, name, reason)
            log.info("source_unfulfilled", request_id=reply.request_id, state=name)
        else:
            raise ChunkRefused(f"state {reply.state} of a source reply is unknown")

    async def _uploaded(self, request: Any, reply: link_pb2.SourceReply) -> None:
        if request["state"] == "uploaded":
            return
        size_bytes = await self._store.size(request["object_key"])
        start_ns, end_ns = max(reply.start_ns, request["start_ns"]), min(reply.end_ns, request["end_ns"])
        problem = ""
        if size_bytes is None:
            problem = "the agent says it was uploaded, but the object is not there"
        elif size_bytes != reply.size_bytes:
            problem = f"the object has {size_bytes} bytes, the agent sent {reply.size_bytes}"
        elif start_ns >= end_ns:
            problem = f"it covers {reply.start_ns}..{reply.end_ns} ns, nothing of what was asked for"
        elif len(reply.sha256) != 32:
            problem = f"its sha256 has {len(reply.sha256)} bytes instead of 32"
        if problem:
            log.warning("source_upload_refused", request_id=reply.request_id, problem=problem)
            await fetch(self._pool, "mark_unfulfilled", reply.request_id, "failed", problem)
            return
        values = (reply.request_id, size_bytes, reply.sha256, start_ns, end_ns)
        async with transaction(self._pool) as connection:
            if await connection.fetch(SQL["mark_uploaded"], *values):
                is_press = request["marker_clip_id"] is not None
                await self._enqueue(connection, self._follow_ups.after_upload(reply.request_id, is_press))
        log.info("source_uploaded", request_id=reply.request_id, size_bytes=size_bytes)

    async def _enqueue(self, connection: asyncpg.Connection, jobs: Sequence[NewJob]) -> None:
        if jobs:
            await self._jobs.enqueue(connection, jobs)
