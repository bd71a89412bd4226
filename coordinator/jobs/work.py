"""What a worker is given for each queue: plain values and callables, no engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from coordinator.model.jobs import Job, Queue, Route
from coordinator.ports import Effect

# Works outside any transaction, and returns what to write: see `Effect`.
Handler: TypeAlias = "Callable[[Job], Awaitable[Effect]]"
# For each job, in the same order: its effect, or what failed for it alone.
BatchHandler: TypeAlias = "Callable[[Sequence[Job]], Awaitable[Sequence[Effect | Exception]]]"
# What else to write when a job has failed for good, expired or was called off, in the transaction that says so.
FailureEffect: TypeAlias = "Callable[[Job, str], Effect]"
# What else to write when such a job is to be run again after all.
ReopenEffect: TypeAlias = "Callable[[Job], Effect]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How one queue is worked. Make it with `one_by_one` or `in_batches`.

    Attributes:
        batch: at most so many jobs in one call; it takes what waits and never waits for more.
        concurrency: so many calls at once in this process.
        versions: of payloads that it can read; others stay queued for workers that can.
        places: the kinds of worker that this one is, the one whose jobs come first first; empty: any.
    """

    handle_many: BatchHandler
    batch: int
    concurrency: int
    on_failed: FailureEffect | None
    versions: tuple[int, ...] = (1,)
    places: tuple[str, ...] = ("",)

    def routes(self, queue: Queue) -> tuple[tuple[Route, ...], ...]:
        """What it takes of `queue`: the first group's jobs before the second's."""
        return tuple(
            tuple(Route(queue=queue, version=version, place=place) for version in self.versions)
            for place in self.places
        )

    @property
    def slots(self) -> int:
        """Jobs held at once: what runs, and for a batch the next one."""
        return self.batch * self.concurrency + (self.batch if self.batch > 1 else 0)


def one_by_one(
    handle: Handler,
    *,
    concurrency: int = 1,
    on_failed: FailureEffect | None = None,
    versions: tuple[int, ...] = (1,),
    places: tuple[str, ...] = ("",),
) -> Work:
    """Work a queue one job a call."""

    async def handle_many(jobs: Sequence[Job]) -> Sequence[Effect | Exception]:
        return [await handle(job) for job in jobs]

    return Work(
        handle_many=handle_many,
        batch=1,
        concurrency=concurrency,
        on_failed=on_failed,
        versions=versions,
        places=places,
    )


def in_batches(
    handle_many: BatchHandler,
    *,
    batch: int,
    concurrency: int = 1,
    on_failed: FailureEffect | None = None,
    versions: tuple[int, ...] = (1,),
    places: tuple[str, ...] = ("",),
) -> Work:
    """Work a queue up to `batch` jobs a call.

    What `handle_many` raises is the fate of all its jobs, what it returns in a job's place is that job's alone.
    """
    return Work(
        handle_many=handle_many,
        batch=batch,
        concurrency=concurrency,
        on_failed=on_failed,
        versions=versions,
        places=places,
    )


async def _write_nothing(_connection: object) -> Sequence[object]:
    return ()


nothing: Effect = _write_nothing  # type: ignore[assignment]
"""The effect of a job that has nothing to write."""
