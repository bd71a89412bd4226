"""Jobs about what has been forgotten: they end quietly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import structlog

from coordinator.errors import InputUnusable, NotFound
from coordinator.model.jobs import Job, NewJob
from coordinator.ports import Effect
from coordinator.row_ports import Rows

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

Subject: TypeAlias = "Callable[[Rows, Job], Awaitable[object]]"
# What a job makes: its effect, or what the effect is made of.
Made = TypeVar("Made")


def unless_forgotten(
    handle: Callable[[Job], Awaitable[Made]], rows: Rows, subject: Subject
) -> Callable[[Job], Awaitable[Made | Effect]]:
    """As `handle`, but a job whose subject is gone, before or while it runs, ends with nothing to write.

    Args:
        subject: reads the row that the job is about, and raises NotFound when it is not there any more.
    """

    async def handle_unless_forgotten(job: Job) -> Made | Effect:
        try:
            return await handle(job)
        except (NotFound, InputUnusable):
            # Its row is gone; or its bytes are, which reads as a missing or a broken file.
            if await _is_there(rows, job, subject):
                raise
            log.info("job_without_subject", queue=job.queue.value, key=job.key, reason="forgotten")
            return _nothing

    return handle_unless_forgotten


async def _is_there(rows: Rows, job: Job, subject: Subject) -> bool:
    try:
        await subject(rows, job)
    except NotFound:
        return False
    return True


async def chunk_of(rows: Rows, job: Job) -> object:
    """The chunk that a job hears."""
    payload = job.payload
    return await rows.chunk(str(payload["session_id"]), int(payload["lane"] or 0), int(payload["seq"] or 0))


async def session_of(rows: Rows, job: Job) -> object:
    """The session that a job looks at."""
    return await rows.session(str(job.payload["session_id"]))


async def request_of(rows: Rows, job: Job) -> object:
    """The source request that a job prepares or cuts."""
    return await rows.request(str(job.payload["request_id"]))


async def clip_of(rows: Rows, job: Job) -> object:
    """The clip that a job renders."""
    return await rows.clip(str(job.payload["clip_id"]))


async def _write_nothing(_connection: asyncpg.Connection) -> list[NewJob]:
    return []


_nothing: Effect = _write_nothing
