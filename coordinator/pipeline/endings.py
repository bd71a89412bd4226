"""What rows say when a job comes to nothing, and when it is tried again after all: for every queue, in one place.

Workers write it when a job fails for good, the desk when one is called off or retried; a job whose payload is gone is
known by its key (`steps.subject_of`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.model.object_keys import export_id_of
from coordinator.pipeline import detect, export, forget, hear, source, steps
from coordinator.ports import Effect
from coordinator.row_ports import Looks, Rows, Tombstones

if TYPE_CHECKING:
    import asyncpg

GiveUp: TypeAlias = "Callable[[Job, str], Effect]"
Reopen: TypeAlias = "Callable[[Job], Effect]"

# What a payload must say for a row to be found. A round of cleaning has none.
_NEEDED = {
    Queue.VIDEO_PROCESSING: {"request_id"},
    Queue.CLIP_GENERATION: {"request_id"},
    Queue.TRANSCRIPTION: {"session_id", "lane", "seq"},
    Queue.AI_ANALYSIS: {"session_id"},
    Queue.EXPORT: {"clip_id"},
    Queue.CLEANUP: set(),
}


def give_up_by_queue(rows: Rows, looks: Looks, tombstones: Tombstones) -> Mapping[Queue, GiveUp]:
    """For each queue what is written when a job of it ends without a result."""
    requests = source.give_up(rows)
    found: dict[Queue, GiveUp] = {
        Queue.VIDEO_PROCESSING: requests,
        Queue.CLIP_GENERATION: requests,
        Queue.TRANSCRIPTION: hear.give_up(rows, looks),
        Queue.AI_ANALYSIS: detect.give_up(rows, looks),
        Queue.EXPORT: export.give_up(rows),
        Queue.CLEANUP: forget.give_up(tombstones),
    }
    return {queue: _with_subject(effect) for queue, effect in found.items()}


def reopen_by_queue(rows: Rows) -> Mapping[Queue, Reopen]:
    """For each queue whose rows say that a job came to nothing what is written when it is tried again."""

    def reopening(write_row: Callable[[asyncpg.Connection, Job], Awaitable[None]]) -> Reopen:
        def effect(job: Job) -> Effect:
            known = _known(job)

            async def write(connection: asyncpg.Connection) -> list[NewJob]:
                if known is not None:
                    await write_row(connection, known)
                return []

            return write

        return effect

    async def request(connection: asyncpg.Connection, job: Job) -> None:
        await rows.reopen_request(connection, str(job.payload["request_id"]))

    async def post(connection: asyncpg.Connection, job: Job) -> None:
        clip_id = str(job.payload["clip_id"])
        if "preset" in job.payload:
            await rows.reopen_export(connection, export_id_of(clip_id, str(job.payload["preset"])))
        else:
            await rows.reopen_exports(connection, clip_id)

    of_request = reopening(request)
    return {
        Queue.VIDEO_PROCESSING: of_request,
        Queue.CLIP_GENERATION: of_request,
        Queue.EXPORT: reopening(post),
    }


def _with_subject(give_up: GiveUp) -> GiveUp:
    def effect(job: Job, reason: str) -> Effect:
        known = _known(job)
        return _nothing if known is None else give_up(known, reason)

    return effect


def _known(job: Job) -> Job | None:
    """With what it is about; None: neither its payload nor its key says so, and no row waits for it."""
    payload = {**steps.subject_of(job.key), **job.payload}
    if not _NEEDED[job.queue] <= set(payload):
        return None
    return dataclasses.replace(job, payload=payload)


async def _nothing(_connection: asyncpg.Connection) -> list[NewJob]:
    return []
