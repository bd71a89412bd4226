"""Queues, priorities and the jobs in them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import TypeAlias


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
class Route:
    """Which workers a job may go to.

    Attributes:
        version: of its payload; a payload that older workers cannot read is a new version, and both are worked until
            the old ones are gone.
        place: a kind of worker, e.g. `small`; empty: any.
    """

    queue: Queue
    version: int = 1
    place: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that is wanted.

    Attributes:
        key: lasting identity, e.g. `stt:{session}:{seq}`; a key that is queued, running or done is not
            enqueued again.
        payload: ids only, JSON values, under 1 KB.
        tier: of the account it is for, which decides its attempts, priority and place; empty: nobody's, or as that
            of the job that it follows.
        account: whose it is, for fairness among accounts; empty: as `tier`.
        version, place: see `Route`.
    """

    queue: Queue
    key: str
    payload: dict[str, str | int | float | bool | None]
    priority: Priority = Priority.NORMAL
    delay_s: float = 0.0
    tier: str = ""
    account: str = ""
    version: int = 1
    place: str = ""

    @property
    def route(self) -> Route:
        """Which workers it may go to."""
        return Route(queue=self.queue, version=self.version, place=self.place)


# Told how far a job is: a share from 0 to 1, and words; cheap, written at most every other second.
Progress: TypeAlias = "Callable[[float, str], None]"


def untold(_share: float, _words: str) -> None:
    """Progress that nobody asks for."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that a worker has claimed.

    Attributes:
        runs: how often one started, crashes included.
        progress: for work that takes more than a few seconds.
        is_press: a press asked for it, or waits for it.
    """

    job_id: int
    queue: Queue
    key: str
    payload: dict[str, str | int | float | bool | None]
    runs: int
    tier: str = ""
    account: str = ""
    version: int = 1
    progress: Progress = untold
    is_press: bool = False
