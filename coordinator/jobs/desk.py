"""What people ask of jobs and do with them: look, call off, try again, give up.

Everything here is rows: it works from any process, whether or not a worker runs. Owned by nobody; each call is one
transaction.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from coordinator.errors import DatabaseUnavailable, NotFound
from coordinator.jobs import explain
from coordinator.jobs.connections import transaction
from coordinator.jobs.dispositions import MAX_REASON_CHARACTERS
from coordinator.jobs.engine import PgQueuerQueue, route_of
from coordinator.jobs.envelope import Envelope
from coordinator.jobs.explain import JobFacts, LineFacts, Rest, Try
from coordinator.jobs.numbers import behind_s, priority_of
from coordinator.jobs.pauses import pauses
from coordinator.jobs.work import FailureEffect, ReopenEffect
from coordinator.model.jobs import Job, NewJob, Priority, Queue
from coordinator.ports import Effect
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

SQL = load_statements("coordinator.jobs", "desk.sql")
STATES = ("waiting", "running", "done", "failed", "cancelled")
_ENDED = ("done", "failed", "cancelled")
_RETRY_AT_ONCE = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A job as people see it. `payload` holds ids only."""

    facts: JobFacts
    words: str
    session_id: str | None = None
    priority: int | None = None
    payload: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a wish for one key. `did`: cancelled, retried, left to its rows, nothing."""

    key: str
    did: str
    words: str


class Desk:
    """Every method raises DatabaseUnavailable when PostgreSQL is not there."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        zone: datetime.tzinfo | None = None,
        give_up: Mapping[Queue, FailureEffect] | None = None,
        reopen: Mapping[Queue, ReopenEffect] | None = None,
    ) -> None:
        """Args:
        zone: in which times are told; None: this machine's.
        give_up: what a job's rows say when it is called off, as when it fails.
        reopen: what they say when it is tried again.
        """
        self._pool = pool
        self._zone = zone
        self._give_up = give_up or {}
        self._reopen = reopen or {}

    async def lines(self) -> list[LineFacts]:
        """Every queue: what waits, who works it, and what keeps it."""
        async with transaction(self._pool, "looking at queues") as connection:
            return list((await _lines(connection, [queue.value for queue in Queue])).values())

    async def look(
        self,
        *,
        queue: Queue | None = None,
        state: str | None = None,
        session_id: str | None = None,
        code: str | None = None,
        limit: int = 50,
    ) -> list[Told]:
        """Jobs, what runs and waits first, then what ended, the newest first.

        Args:
            state: one of `STATES`; None: all.
            code: of what failed.
        """
        async with transaction(self._pool, "listing jobs") as connection:
            keys = await _keys(
                connection,
                queue.value if queue else None,
                (state,) if state else STATES,
                session_id,
                code,
                limit,
            )
            return await self._tell(connection, keys)

    async def show(self, key: str) -> Told:
        """One job. A key that nobody asked for is told so, not raised."""
        async with transaction(self._pool, "looking at a job") as connection:
            place = await connection.fetchval(SQL["place_in_line"], key)
            told = await self._tell(connection, [key], place_in_line=place)
            if told:
                return told[0]
        unknown = JobFacts(key=key, state="unknown")
        return Told(facts=unknown, words=explain.explain(unknown, LineFacts(queue=""), self._now()))

    async def cancel(self, keys: Sequence[str], *, by: str, reason: str = "") -> list[Outcome]:
        """Call jobs off: what waits vanishes, what runs is ended by its worker within 2 s and leaves nothing.

        They are not enqueued again, whatever rows want, until somebody retries them. Where a failure would be told to
        the user, it is told who called the job off, and why.
        """
        ordered, reason = sorted(set(keys)), reason.strip()[:MAX_REASON_CHARACTERS]
        async with transaction(self._pool, "calling jobs off") as connection:
            queues: dict[str, str] = {}
            for name in ("cancel", "cancel_lost"):
                rows = await connection.fetch(SQL[name], ordered, by, reason)
                queues |= {row["key"]: row["queue"] for row in rows}
            called_off = set(queues)
            parked = {
                row["key"]: row["status"] for row in await connection.fetch(SQL["park"], sorted(called_off))
            }
            jobs = await _as_they_were(connection, queues)
            words = f"cancelled by {by}{f': {reason}' if reason else ''}"
            await _write(
                connection,
                [(job, self._give_up[job.queue](job, words)) for job in jobs if job.queue in self._give_up],
            )
            others = await self._tell(connection, [key for key in ordered if key not in called_off])
        had_ended = {told.facts.key: told.words for told in others}
        return [
            Outcome(key=key, did="cancelled", words=_called_off(parked.get(key)))
            if key in called_off
            else Outcome(key=key, did="nothing", words=_not_there(key, had_ended, "it had ended"))
            for key in dict.fromkeys(keys)
        ]

    async def retry(self, keys: Sequence[str]) -> list[Outcome]:
        """Run again what failed or was called off, with all its attempts."""
        async with transaction(self._pool, "trying jobs again") as connection:
            rows = await connection.fetch(SQL["states"], sorted(set(keys)))
            again = [row["key"] for row in rows if row["state"] in ("failed", "cancelled")]
            ended = await _as_they_were(connection, {row["key"]: row["queue"] for row in rows}, only=again)
            await _write(
                connection,
                [(job, self._reopen[job.queue](job)) for job in ended if job.queue in self._reopen],
            )
            jobs = [_job_of(row) for row in await connection.fetch(SQL["parked"], again)]
            await PgQueuerQueue().replay(connection, jobs)
            enqueued = {job.key for job in jobs}
            # Without the engine's copy (gone after a week) only the rows know what the job was.
            await connection.execute(SQL["reopen"], [key for key in again if key not in enqueued])
            others = await self._tell(connection, [key for key in dict.fromkeys(keys) if key not in again])
        found = {told.facts.key: told.words for told in others}
        return [self._retried(key, key in again, key in enqueued, found) for key in dict.fromkeys(keys)]

    async def retry_all(self, *, queue: Queue | None = None, code: str | None = None) -> list[Outcome]:
        """Run again everything that failed, of one queue or by one code or both; what fails meanwhile is left out."""
        done: list[Outcome] = []
        async with transaction(self._pool, "listing what failed") as connection:
            name = queue.value if queue else None
            keys = await _ended(connection, name, ("failed",), None, code, None)
        for start in range(0, len(keys), _RETRY_AT_ONCE):
            done += await self.retry(keys[start : start + _RETRY_AT_ONCE])
        return done

    async def give_up(self, key: str, *, by: str) -> None:
        """Take a failed job off the list of those; it counts as called off.

        Raises:
            NotFound: No such job has failed.
        """
        async with transaction(self._pool, "giving a job up") as connection:
            if await connection.fetchval(SQL["give_up"], key, by) is None:
                raise NotFound(f"no failed job {key[:200]!r}; `clippy-coordinator jobs dead` lists them")

    def _retried(self, key: str, is_again: bool, is_enqueued: bool, found: dict[str, str]) -> Outcome:
        if is_enqueued:
            return Outcome(key=key, did="retried", words="in the queue again, with all its attempts")
        if is_again:
            words = "ended more than a week ago; enqueued within a minute if its rows still want it"
            return Outcome(key=key, did="left to its rows", words=words)
        return Outcome(key=key, did="nothing", words=_not_there(key, found, "it has not failed"))

    async def _tell(
        self, connection: asyncpg.Connection, keys: Sequence[str], *, place_in_line: int | None = None
    ) -> list[Told]:
        rows = await connection.fetch(SQL["facts"], list(keys))
        lines = await _lines(connection, sorted({row["queue"] for row in rows}))
        now = self._now()
        return [_told(row, lines, now, place_in_line) for row in rows]

    def _now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC).astimezone(self._zone)


async def _as_they_were(
    connection: asyncpg.Connection, queues: Mapping[str, str], *, only: Sequence[str] | None = None
) -> list[Job]:
    """Jobs that nobody runs any more, in the order of their keys; one whose copy is gone has no payload."""
    keys = sorted(queues if only is None else only)
    copies = {row["key"]: _job_of(row) for row in await connection.fetch(SQL["parked"], keys)}
    return [
        Job(
            job_id=0,
            queue=Queue(queues[key]),
            key=key,
            payload=copies[key].payload if key in copies else {},
            runs=0,
        )
        for key in keys
    ]


async def _write(connection: asyncpg.Connection, effects: Sequence[tuple[Job, Effect]]) -> None:
    """Each in a savepoint of its own: rows that cannot be written keep nobody from calling a job off."""
    for job, effect in effects:
        try:
            async with connection.transaction():
                await PgQueuerQueue().enqueue(connection, await effect(connection))
        except DatabaseUnavailable:
            raise
        except Exception:  # an effect's outermost frame
            if connection.is_closed():
                raise
            log.exception("desk_effect_crashed", queue=job.queue.value, key=job.key)


async def _keys(
    connection: asyncpg.Connection,
    queue: str | None,
    states: Sequence[str],
    session_id: str | None,
    code: str | None,
    limit: int,
) -> list[str]:
    keys: list[str] = []
    live = [name for state, name in (("running", "picked"), ("waiting", "queued")) if state in states]
    if live and code is None:
        rows = await connection.fetch(SQL["live_keys"], live, queue, session_id, limit)
        keys += [row["key"] for row in rows]
    if "waiting" in states and code is None:
        rows = await connection.fetch(SQL["lost_keys"], queue, session_id, limit)
        keys += [row["key"] for row in rows]
    # What needs somebody comes before what does not.
    for ended in (("failed",), ("cancelled", "done")):
        wanted = [state for state in ended if state in states]
        if wanted and len(keys) < limit:
            keys += await _ended(connection, queue, wanted, session_id, code, limit)
    return list(dict.fromkeys(keys))[:limit]


async def _ended(
    connection: asyncpg.Connection,
    queue: str | None,
    states: Sequence[str],
    session_id: str | None,
    code: str | None,
    limit: int | None,
) -> list[str]:
    rows = await connection.fetch(SQL["ended_keys"], list(states), queue, session_id, code, limit)
    return [row["key"] for row in rows]


async def _lines(connection: asyncpg.Connection, queues: Sequence[str]) -> dict[str, LineFacts]:
    resting = await pauses(connection)
    rests = {row["queue"]: row for row in await connection.fetch(SQL["rests"])}
    lines: dict[str, LineFacts] = {}
    for row in await connection.fetch(SQL["lines"], list(queues)):
        queue = row["queue"]
        lines[queue] = LineFacts(
            **dict(row),
            pauses=[one for one in resting if one.queue.value == queue],
            rest=_rest_of(rests.get(queue), row["num_workers"]),
        )
    return lines


def _rest_of(row: asyncpg.Record | None, num_workers: int) -> Rest | None:
    """A queue rests when all its workers do: one that works is enough for it to move."""
    if row is None or row["num_workers"] < num_workers:
        return None
    return Rest(reason=row["reason"], resumes_in_s=row["resumes_in_s"])


def _told(
    row: asyncpg.Record, lines: dict[str, LineFacts], now: datetime.datetime, place_in_line: int | None
) -> Told:
    envelope = msgspec.json.decode(row["payload"], type=Envelope) if row["payload"] else None
    state = _state(row["state"], row["status"])
    facts = JobFacts(
        key=row["key"],
        state=state,
        queue=row["queue"],
        tier=envelope.tier if envelope else "",
        age_s=(row["finished_age_s"] if state in _ENDED else row["started_age_s"]) or 0.0,
        due_in_s=row["due_in_s"] or 0.0,
        attempts=row["attempts"] or 1,
        runs=row["runs"] or 0,
        stage=row["stage"] or "",
        reason=row["reason"] or "",
        code=row["code"] or "",
        tried=[Try(**entry) for entry in json.loads(row["tried"] or "[]")],
        progress=row["progress"],
        progress_words=row["progress_words"] or "",
        worker=row["worker_id"] or "",
        silent_s=(row["heartbeat_age_s"] or 0.0) if state == "running" else 0.0,
        place_in_line=place_in_line,
        cancelled_by=row["cancelled_by"] or "",
        route=row["entrypoint"] or "",
        is_served=row["is_served"],
        is_low=row["priority"] is not None and priority_of(row["priority"]) is Priority.LOW,
        behind_s=behind_s(row["priority"], row["created"]) if row["priority"] is not None else 0.0,
    )
    return Told(
        facts=facts,
        words=explain.explain(facts, lines[row["queue"]], now),
        session_id=row["session_id"],
        priority=None if row["priority"] is None else int(priority_of(row["priority"])),
        payload=envelope.data if envelope else None,
    )


def _state(kept: str | None, status: str | None) -> str:
    """Of the ledger's state and the engine's: what has ended has ended, whatever the engine still holds."""
    if kept is not None and kept in _ENDED:
        return kept
    return {"queued": "waiting", "picked": "running"}.get(status or "", "lost")


def _job_of(row: asyncpg.Record) -> NewJob:
    envelope, route = msgspec.json.decode(row["payload"], type=Envelope), route_of(row["entrypoint"])
    return NewJob(
        queue=route.queue,
        key=row["key"],
        payload=envelope.data,
        priority=priority_of(row["priority"]),
        tier=envelope.tier,
        account=envelope.account,
        version=route.version,
        place=route.place,
    )


def _called_off(status: str | None) -> str:
    if status == "picked":
        return "cancelled while it ran; its worker ends it within 2 s, and nothing of it is written"
    return "cancelled before it ran"


def _not_there(key: str, found: dict[str, str], why: str) -> str:
    return f"{why}: {found[key]}" if key in found else "nobody ever asked for this key"
