"""What passes between the engine, which claims jobs, and whoever works them: values without an engine."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from coordinator.model.jobs import Queue


class Fate(enum.Enum):
    """What becomes of a claimed job."""

    ENDED = enum.auto()  # acknowledged: the row goes
    AGAIN = enum.auto()  # back into the queue, after a delay
    HELD = enum.auto()  # parked: it failed for good


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a callback says of a job. `is_acknowledged`: it was let go of with what it wrote, and its row is gone."""

    fate: Fate
    delay_s: float = 0.0
    reason: str = ""
    is_acknowledged: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that this process holds, before anything was written of it. `holder` is this process in the engine.

    `is_press`: see `Job`.
    """

    job_id: int
    queue: Queue
    key: str
    payload: dict[str, str | int | float | bool | None]
    tier: str = ""
    account: str = ""
    version: int = 1
    holder: uuid.UUID | None = None
    is_press: bool = False


Callback: TypeAlias = Callable[[Claim], Awaitable[Verdict]]
