"""The agents' small messages as rows: hello, sessions, presses, gaps, answers to wishes.

Each is idempotent (agents send them again at every connect) and commits together with the jobs that follow from it.
Values from outside are checked here; what breaks a rule raises ChunkRefused and changes nothing.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import asyncpg
import structlog

from coordinator.errors import ChunkRefused
from coordinator.ingest.database import SQL, fetch, transaction
from coordinator.model.chunks import ChunkRow
from coordinator.model.jobs import NewJob
from coordinator.model.sessions import MarkerRow
from coordinator.ports import JobQueue, ObjectStore
from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import LANE_NAMES, MAX_SESSION_NS, is_session_id

log = structlog.get_logger(__name__)

MAX_SEQ = 2**63 - 1
_MAX_ID = 64
_MAX_UNIX_MS = 4_102_444_800_000  # the year 2100
_MAX_SESSIONS = 1000
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

    async def hello(self, user_id: str, hello: link_pb2.Hello) -> None:
        """An agent and its sessions."""
        agent_id = checked_id("agent_id", hello.agent_id)
        if len(hello.sessions) > _MAX_SESSIONS:
            raise ChunkRefused(f"{len(hello.sessions)} sessions in one Hello, at most {_MAX_SESSIONS}")
        async with transaction(self._pool) as connection:
            version = tidy(hello.agent_version, 64)
            if not await connection.fetch(SQL["upsert_agent"], agent_id, user_id, version):
                raise ChunkRefused(f"agent {agent_id!r} belongs to another account")
            for session in sorted(hello.sessions, key=lambda item: item.session_id):
                await self._upsert_session(connection, user_id, agent_id, session)

    async def session_started(self, user_id: str, agent_id: str, message: link_pb2.SessionStarted) -> None:
        """A session begins while the stream is open."""
        async with transaction(self._pool) as connection:
            await self._upsert_session(connection, user_id, agent_id, message)

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

    async def _upsert_session(
        self, connection: asyncpg.Connection, user_id: str, agent_id: str, session: link_pb2.SessionStarted
    ) -> None:
        if not is_session_id(session.session_id):
            raise ChunkRefused(f"session_id {session.session_id[:64]!r} is not 32 hexadecimal digits")
        started_ms = session.started_unix_ms
        if not 0 < started_ms < _MAX_UNIX_MS:
            started_ms = time.time_ns() // 1_000_000
        values = (session.session_id, user_id, agent_id, float(started_ms), session.is_live)
        if not await connection.fetch(SQL["upsert_session"], *values):
            raise ChunkRefused(f"session {session.session_id} belongs to another account")

    async def _enqueue(self, connection: asyncpg.Connection, jobs: Sequence[NewJob]) -> None:
        if jobs:
            await self._jobs.enqueue(connection, jobs)


def tidy(text: str, max_chars: int) -> str:
    """Text from outside as PostgreSQL and a page can take it: no control characters, bounded."""
    return "".join(char for char in text[: 4 * max_chars] if char.isprintable())[:max_chars]


def checked_id(name: str, text: str) -> str:
    """Return an id from outside.

    Raises:
        ChunkRefused: It is empty, too long or holds more than letters, digits and `. _ : -`.
    """
    rest = text[: _MAX_ID + 1].translate({ord(char): None for char in "._:-"})
    if not text or len(text) > _MAX_ID or not text.isascii() or (rest and not rest.isalnum()):
        raise ChunkRefused(f"{name} {text[:_MAX_ID]!r} is not an id of 1 to {_MAX_ID} letters and digits")
    return text


def check_span(start_ns: int, end_ns: int) -> None:
    """Raise ChunkRefused unless 0 <= start <= end <= a session's longest."""
    if not 0 <= start_ns <= end_ns <= MAX_SESSION_NS:
        raise ChunkRefused(f"times {start_ns}..{end_ns} ns are not within a session")
