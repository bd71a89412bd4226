"""What is the matter with a job, in words. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from coordinator.jobs.pauses import Pause
from coordinator.model.jobs import Queue
from coordinator.policy.remedies import remedy_of
from coordinator.policy.retry import max_attempts

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
# A worker says that it lives every few seconds; one that is silent for longer may be gone.
_SILENT_S = 15.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Something that was tried and did not end well."""

    at: str
    stage: str
    code: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What is known of one key.

    Attributes:
        state: unknown, waiting, running, lost (started, not ended, and not in the queue), done, failed,
            expired (too late to be of use, so it was not run), cancelled.
        age_s: since it began to run, or since it ended.
        due_in_s: of a waiting job; 0 or less: it is ready.
        attempts: from 1; of a waiting job the next one.
        runs: starts, crashes included.
        place_in_line: from 1; None: it is not ready, or nobody counted.
        route: its queue with version and place, as workers take it; empty: it is in no queue.
        is_served: a worker that lives takes it.
        is_low: it goes after all others.
        behind_s: by how much later than it came it counts as come, because its account asks for much.
    """

    key: str
    state: str
    queue: str = ""
    tier: str = ""
    age_s: float = 0.0
    due_in_s: float = 0.0
    attempts: int = 1
    runs: int = 0
    stage: str = ""
    reason: str = ""
    code: str = ""
    tried: Sequence[Try] = ()
    progress: float | None = None
    progress_words: str = ""
    worker: str = ""
    silent_s: float = 0.0
    place_in_line: int | None = None
    cancelled_by: str = ""
    route: str = ""
    is_served: bool = True
    is_low: bool = False
    behind_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A queue rests in every worker that serves it, because what they need is down."""

    reason: str
    resumes_in_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """What waits in one queue, and who works it."""

    queue: str
    num_ready: int = 0
    num_delayed: int = 0
    num_running: int = 0
    num_held: int = 0
    oldest_age_s: float = 0.0
    num_workers: int = 0
    num_slots: int = 0
    num_busy: int = 0
    pauses: Sequence[Pause] = ()
    rest: Rest | None = None


def explain(job: JobFacts, line: LineFacts, now: datetime.datetime) -> str:
    """One line for a person.

    Args:
        line: of the job's queue.
        now: in the reader's time zone, which times are told in.
    """
    if job.state == "waiting":
        return _waiting(job, line, now)
    if job.state == "running":
        return _running(job)
    if job.state == "failed":
        return _failed(job)
    if job.state == "done":
        return f"done {span(job.age_s)} ago"
    if job.state == "cancelled":
        told = f"cancelled by {job.cancelled_by or 'nobody known'} {span(job.age_s)} ago"
        if job.reason and not job.code:
            return f"{told}: {job.reason}"
        return f"{told}; it had failed at {job.stage}: {job.reason}" if job.code and job.stage else told
    if job.state == "lost":
        return "waiting: it has lost its place in the queue, and gets another within a minute if its rows want it"
    return "nobody ever asked for this key"


def explain_line(line: LineFacts, now: datetime.datetime) -> str:
    """Why a queue does not move, in words; empty: nothing keeps it."""
    return _held_back(line, now) if line.num_ready or line.pauses or line.rest else ""


def span(seconds: float) -> str:
    """A length of time as a person would say it."""
    seconds = max(0.0, seconds)
    for unit_s, name, below in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds < below * unit_s:
            return f"{round(seconds / unit_s)} {name}"
    return f"{round(seconds / 86_400)} days"


def clock(moment: datetime.datetime, now: datetime.datetime) -> str:
    """A time of day, with the date when it is not today's."""
    local = moment.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def _waiting(job: JobFacts, line: LineFacts, now: datetime.datetime) -> str:
    if kept := _held_back(line, now):
        return f"waiting: {kept}"
    if not job.is_served and job.due_in_s <= 0:
        return f"waiting: no worker serves {job.route}"
    if job.due_in_s > 0 and job.code:
        attempt = job.attempts - 1
        after = f" after attempt {attempt} of {_num_attempts(job)}" if attempt > 0 else ""
        return f"put off {span(job.due_in_s)}{after}: {_problem(job)}"
    if job.due_in_s > 0:
        busy = ", put off while its queue is busy" if job.is_low and job.tier else ""
        return f"waiting: due in {span(job.due_in_s)}{busy}"
    behind = f"{_ordinal(job.place_in_line)} in line of" if job.place_in_line else "in a line of"
    far = f", {span(job.behind_s)} behind because its account asks for much" if job.behind_s >= 1 else ""
    return f"waiting: {behind} {line.num_ready}, oldest {span(line.oldest_age_s)}{far}"


def _held_back(line: LineFacts, now: datetime.datetime) -> str:
    """What keeps a whole queue; empty: nothing."""
    for one in line.pauses:
        resumes = "" if one.until is None else f"resumes in {span((one.until - now).total_seconds())}"
        if one.owner.startswith("system:"):
            return ", ".join(part for part in (one.reason or one.owner, resumes) if part)
        why = f" ({one.reason})" if one.reason else ""
        until = "until it is resumed" if one.until is None else f"until {clock(one.until, now)}"
        return f"queue paused by {one.owner}{why}, {until}"
    if not line.num_workers:
        return f"no worker serves {line.queue}"
    if line.rest is not None:
        resumes = span(line.rest.resumes_in_s)
        return f"{line.rest.reason}, {f'resumes in {resumes}' if line.rest.resumes_in_s >= 1 else 'tried again now'}"
    return ""


def _running(job: JobFacts) -> str:
    told = f"running for {span(job.age_s)}"
    if job.worker:
        told += f" on {job.worker}"
    if job.progress is not None:
        told += f", {round(100 * job.progress)} %"
    if job.progress_words:
        told += f": {job.progress_words}"
    num_crashes = job.runs - job.attempts
    if num_crashes > 0:
        told += f"; its worker died {'once' if num_crashes == 1 else f'{num_crashes} times'} before"
    if job.silent_s > _SILENT_S:
        told += f"; its worker was last heard of {span(job.silent_s)} ago, another takes it when the lease is over"
    return told


def _failed(job: JobFacts) -> str:
    tries = "" if job.attempts == 1 else f" after {job.attempts} attempts"
    return f"failed at {job.stage or job.queue}{tries}: {job.reason}; {remedy_of(job.code)}"


def _problem(job: JobFacts) -> str:
    return "timeout" if job.code == "timeout" else job.reason or job.code


def _num_attempts(job: JobFacts) -> int:
    return max_attempts(Queue(job.queue), job.tier)


def _ordinal(number: int) -> str:
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
