"""One queue in one worker: claims come in, calls of up to a batch go out, each job gets a verdict of its own.

Greedy: a call takes what waits, up to the batch, and never waits for more. Owned by the loop.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import structlog

from coordinator.errors import Bug, DatabaseUnavailable
from coordinator.jobs.claims import Claim, Fate, Verdict
from coordinator.jobs.dispositions import Disposition, Problem, problem_of
from coordinator.jobs.ledger import End, Ledger, Started
from coordinator.jobs.progress import ProgressBook
from coordinator.jobs.turns import Turns
from coordinator.jobs.work import Work
from coordinator.model.jobs import Job, Queue
from coordinator.policy.retry import (
    PUT_OFF_S,
    is_poison,
    is_suspect,
    max_attempts,
    next_delay_s,
    next_pause_s,
    time_limit_s,
)
from coordinator.ports import Effect

log = structlog.get_logger(__name__)

_STOPPING = Problem(disposition=Disposition.PAUSE, stage="", reason="the worker stopped", code="stopping")
_ENDED = Verdict(fate=Fate.ENDED)
_DONE = Verdict(fate=Fate.ENDED, is_acknowledged=True)
_LOST_DELAY_S = 1.0
_Waiting: TypeAlias = "tuple[Claim, asyncio.Future[Verdict]]"
_WorkMany: TypeAlias = "Callable[[Sequence[Claim]], Awaitable[dict[str, Verdict | None]]]"


class Lane:
    """Works one queue."""

    def __init__(
        self,
        queue: Queue,
        work: Work,
        ledger: Ledger,
        *,
        on_pause: Callable[[Queue, str, float], None],
        on_resume: Callable[[Queue], None],
        progress: ProgressBook | None = None,
    ) -> None:
        """Args: on_pause: told (queue, reason, seconds) when what the jobs depend on is down; on_resume: it is back."""
        self.queue = queue
        self._work = work
        self._ledger = ledger
        self._on_pause = on_pause
        self._on_resume = on_resume
        self._progress = progress
        self._num_pauses = 0
        self._paused_until = 0.0
        # Bounded by the claims: the engine holds no more of this queue than `work.slots`.
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._is_draining = False
        self._abort = asyncio.Event()
        self._turns = Turns()
        self._calls: dict[asyncio.Future[Sequence[Effect | Exception]], frozenset[str]] = {}

    @property
    def running_keys(self) -> frozenset[str]:
        """The jobs that are worked now."""
        return frozenset().union(*self._calls.values())

    def cancel(self, keys: Collection[str]) -> None:
        """End the calls of jobs that were called off, and tell nobody: their rows say so.

        A call that works others too goes on for them; the ledger refuses the effect of what was called off.
        """
        for call, held in self._calls.items():
            if held <= set(keys):
                log.info("jobs_cancelled", queue=self.queue.value, keys=sorted(held))
                call.cancel()

    async def submit(self, claim: Claim) -> Verdict:
        """Work a claimed job; returns when it ended, one way or the other."""
        if self._is_draining:
            return _again(0.0, "stopping")
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((claim, verdict))
        return await verdict

    async def run(self) -> None:
        """Make calls until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._work.concurrency):
                group.create_task(self._run_calls())

    def drain(self) -> None:
        """Start nothing more; what waits goes back."""
        self._is_draining = True
        while not self._waiting.empty():
            _, verdict = self._waiting.get_nowait()
            _give(verdict, _again(0.0, "stopping"))

    def abort(self) -> None:
        """Stop what runs now; it goes back, and its start does not count."""
        self.drain()
        self._abort.set()

    async def _run_calls(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._work.batch and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            for suspect in await self._answer(batch, self._work_batch):
                await self._answer([suspect], self._work_alone)

    async def _answer(self, batch: Sequence[_Waiting], work: _WorkMany) -> list[_Waiting]:
        """Work them and give each its verdict; returns those that are to be worked alone."""
        verdicts: dict[str, Verdict | None] = {}
        try:
            verdicts = await work([claim for claim, _ in batch])
        except DatabaseUnavailable as exc:
            log.info("jobs_put_back", queue=self.queue.value, count=len(batch), reason=str(exc))
        except Exception:  # a call's outermost frame
            log.exception("jobs_crashed", queue=self.queue.value, count=len(batch))
        finally:
            lost = _again(_LOST_DELAY_S, "the worker could not keep it")
            suspects = [entry for entry in batch if verdicts.get(entry[0].key, lost) is None]
            for claim, future in batch:
                if (verdict := verdicts.get(claim.key, lost)) is not None:
                    _give(future, verdict)
        return suspects

    async def _work_batch(self, claims: Sequence[Claim]) -> dict[str, Verdict | None]:
        """Work jobs in one call; None: it did not run, and is to be worked alone."""
        async with self._turns.beside_others():
            if self._is_draining:
                return {claim.key: _again(0.0, "stopping") for claim in claims}
            return await self._work_started(claims, await self._ledger.begin(claims))

    async def _work_alone(self, claims: Sequence[Claim]) -> dict[str, Verdict | None]:
        """Work a job while no other of this queue runs, so that whoever kills the worker does it to itself alone."""
        async with self._turns.alone():
            if self._is_draining:
                return {claim.key: _again(0.0, "stopping") for claim in claims}
            log.info("job_worked_alone", queue=self.queue.value, keys=[claim.key for claim in claims])
            return await self._work_started(claims, await self._ledger.begin(claims), is_alone=True)

    async def _work_started(
        self, claims: Sequence[Claim], started: Mapping[str, Started], *, is_alone: bool = False
    ) -> dict[str, Verdict | None]:
        # What has ended before is acknowledged, and nothing else.
        verdicts: dict[str, Verdict | None] = {
            claim.key: _ENDED for claim in claims if claim.key not in started
        }
        # Where one runs at a time, each is alone already.
        can_spread = not is_alone and self._work.batch * self._work.concurrency > 1
        healthy: list[Started] = []
        for entry in started.values():
            if is_poison(runs=entry.job.runs, attempts=entry.attempts):
                verdicts[entry.job.key] = await self._fail(entry.job, _poison(entry, self.queue))
            elif can_spread and is_suspect(runs=entry.job.runs, attempts=entry.attempts):
                is_ours = await self._ledger.take_back(entry.job, _suspect(entry, self.queue))
                verdicts[entry.job.key] = None if is_ours else _ENDED
            else:
                healthy.append(entry)
        if healthy:
            began = time.monotonic()
            results = await self._call_telling([entry.job for entry in healthy])
            elapsed_s = time.monotonic() - began
            outcomes = await self._complete(healthy, results, elapsed_s)
            for entry, outcome in zip(healthy, outcomes, strict=True):
                verdicts[entry.job.key] = await self._settle(entry, outcome)
        return verdicts

    async def _call_telling(self, jobs: Sequence[Job]) -> Sequence[Effect | BaseException | None]:
        """As `_call`, while how far each is gets written."""
        if self._progress is None:
            return await self._call(jobs)
        try:
            return await self._call([self._progress.open(job) for job in jobs])
        finally:
            for job in jobs:
                self._progress.close(job)

    async def _call(self, jobs: Sequence[Job]) -> Sequence[Effect | BaseException | None]:
        """What the handler returns or raises, for each job; None: it was aborted."""
        call = asyncio.ensure_future(self._work.handle_many(jobs))
        self._calls[call] = frozenset(job.key for job in jobs)
        aborted = asyncio.ensure_future(self._abort.wait())
        try:
            await asyncio.wait(
                {call, aborted}, timeout=time_limit_s(self.queue), return_when=asyncio.FIRST_COMPLETED
            )
            if not call.done():
                call.cancel()
                await asyncio.wait({call}, timeout=5.0)
                if self._abort.is_set():
                    return [None] * len(jobs)
                return [TimeoutError(f"over {time_limit_s(self.queue):.0f} s")] * len(jobs)
            if call.cancelled():
                return [None] * len(jobs)
            results = call.result()
            if len(results) != len(jobs):
                raise Bug(f"{self.queue}: {len(results)} results for {len(jobs)} jobs")
            return results
        except Exception as exc:  # noqa: BLE001 - a job's outermost frame
            return [exc] * len(jobs)
        finally:
            aborted.cancel()
            call.cancel()
            del self._calls[call]

    async def _complete(
        self, entries: Sequence[Started], results: Sequence[Effect | BaseException | None], elapsed_s: float
    ) -> Sequence[bool | BaseException | None]:
        """Write the effects; for each job whether it is done, what it raised or its effect, or None: aborted."""
        ends = [
            End(started=entry, effect=result)
            for entry, result in zip(entries, results, strict=True)
            if result is not None and not isinstance(result, BaseException)
        ]
        written = await self._ledger.complete_many(ends) if ends else ()
        outcomes = {end.key: outcome for end, outcome in zip(ends, written, strict=True)}
        self._say_done([end for end in ends if outcomes[end.key] is True], "done", elapsed_s)
        self._say_done([end for end in ends if outcomes[end.key] is False], "was_done_before", elapsed_s)
        return [
            result if result is None or isinstance(result, BaseException) else outcomes[entry.job.key]
            for entry, result in zip(entries, results, strict=True)
        ]

    def _say_done(self, ends: Sequence[End], what: str, elapsed_s: float) -> None:
        if not ends:
            return
        self._resume()
        elapsed_ms = round(1000 * elapsed_s)
        if len(ends) == 1:
            log.info(f"job_{what}", **_names(ends[0].started.job), elapsed_ms=elapsed_ms)
        else:
            # A line a job is a tenth of what job keeping costs a worker.
            log.info(
                f"jobs_{what}", queue=self.queue.value, keys=[end.key for end in ends], elapsed_ms=elapsed_ms
            )

    async def _settle(self, entry: Started, outcome: bool | BaseException | None) -> Verdict:
        if outcome is None:
            await self._ledger.take_back(entry.job, _STOPPING)
            return _again(0.0, _STOPPING.reason)
        if isinstance(outcome, bool):
            return _DONE
        return await self._put_right(entry, outcome)

    async def _put_right(self, entry: Started, error: BaseException) -> Verdict:
        job, problem = entry.job, problem_of(error, self.queue.value)
        if problem.disposition is Disposition.PAUSE:
            delay_s = self._pause(problem)
            is_ours = await self._ledger.take_back(job, problem)
            return _again(delay_s, problem.reason) if is_ours else _ENDED
        if problem.disposition is Disposition.PUT_OFF:
            is_ours, delay_s = await self._ledger.take_back(job, problem), problem.rest_s or PUT_OFF_S
            log.info("job_put_off", **_names(job), delay_s=delay_s, code=problem.code)
            return _again(delay_s, problem.reason) if is_ours else _ENDED
        if problem.disposition is Disposition.RETRY and entry.attempts < max_attempts(self.queue, job.tier):
            delay_s = next_delay_s(entry.attempts, random.random())
            is_ours = await self._ledger.try_again(job, problem)
            log.info(
                "job_put_off",
                **_names(job),
                attempt=entry.attempts,
                delay_s=round(delay_s, 2),
                code=problem.code,
            )
            return _again(delay_s, problem.reason) if is_ours else _ENDED
        return await self._fail(job, problem, error)

    async def _fail(self, job: Job, problem: Problem, error: BaseException | None = None) -> Verdict:
        on_failed = self._work.on_failed
        effect = on_failed(job, problem.reason) if on_failed is not None else None
        try:
            is_ours = await self._ledger.fail(job, problem, effect)
        except DatabaseUnavailable:
            raise
        except Exception:  # the failure itself is kept all the same
            log.exception("failure_effect_crashed", **_names(job))
            is_ours = await self._ledger.fail(job, problem, None)
        is_surprise = problem.code == "bug"
        log.error(
            "job_failed",
            **_names(job),
            stage=problem.stage,
            code=problem.code,
            pii_reason=problem.reason,
            exc_info=error if is_surprise and isinstance(error, Exception) else None,
        )
        return Verdict(fate=Fate.HELD, reason=problem.reason) if is_ours else _ENDED

    def _pause(self, problem: Problem) -> float:
        now = time.monotonic()
        if now < self._paused_until:
            # Others of the same call, or of a call beside it, have said so already.
            return self._paused_until - now
        self._num_pauses += 1
        delay_s = max(next_pause_s(self._num_pauses), problem.rest_s)
        self._paused_until = now + delay_s
        log.warning(
            "queue_paused", queue=self.queue.value, seconds=delay_s, code=problem.code, reason=problem.reason
        )
        self._on_pause(self.queue, problem.reason, delay_s)
        return delay_s

    def _resume(self) -> None:
        if self._num_pauses:
            self._num_pauses = 0
            log.info("queue_resumed", queue=self.queue.value)
            self._on_resume(self.queue)


def _again(delay_s: float, reason: str) -> Verdict:
    return Verdict(fate=Fate.AGAIN, delay_s=delay_s, reason=reason)


def _give(future: asyncio.Future[Verdict], verdict: Verdict) -> None:
    if not future.done():
        future.set_result(verdict)


def _poison(entry: Started, queue: Queue) -> Problem:
    num_crashes = entry.job.runs - entry.attempts
    return Problem(
        disposition=Disposition.FAIL,
        stage=queue.value,
        reason=f"its worker died {num_crashes} times while it ran",
        code="poison",
    )


def _suspect(entry: Started, queue: Queue) -> Problem:
    # The present start has not run, and is taken back.
    num_crashes = entry.job.runs - entry.attempts
    return Problem(
        disposition=Disposition.PUT_OFF,
        stage=queue.value,
        reason=f"its worker died {num_crashes} times while it ran; it is worked alone",
        code="suspect",
    )


def _names(job: Job) -> dict[str, object]:
    return {"queue": job.queue.value, "key": job.key, "runs": job.runs}
