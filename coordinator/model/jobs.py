"""Queues, priorities and the jobs in them."""

from __future__ import annotations

import dataclasses
import enum


class Queue(enum.StrEnum):
    """The six queues."""

    VIDEO_PROCESSING = "video-processing"
    TRANSCRIPTION = "transcription"
    AI_ANALYSIS = "ai-analysis"
    CLIP_GENERATION = "clip-generation"
    EXPORT = "export"
    CLEANUP = "cleanup"


class Priority(enum.IntEnum):
    """Public priorities: lower runs first."""

    CRITICAL = 1
    HIGH = 10
    NORMAL = 100
    LOW = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that is wanted.

    Attributes:
        key: lasting identity, e.g. `stt:{session}:{seq}`; a key that is queued, running or done is not
            enqueued again.
        payload: ids only, JSON values, under 1 KB.
    """

    queue: Queue
    key: str
    payload: dict[str, str | int | float | bool | None]
    priority: Priority = Priority.NORMAL
    delay_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that a worker has claimed. `runs` counts how often one started, crashes included."""

    job_id: int
    queue: Queue
    key: str
    payload: dict[str, str | int | float | bool | None]
    runs: int
