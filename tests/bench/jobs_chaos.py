"""`bench jobs --part chaos`: kill -9 of workers and of the database for five minutes, under streams that go on.

Real workers, real stages, a real agent; once on the embedded PostgreSQL, once on an operator's. The kills follow a
seed. Afterwards the queue must empty by itself, and everything that was put must be there once.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import random
import signal
import statistics
import time
from typing import Any

from coordinator.settings import STAGES
from tests.bench import jobs_chaos_audit as audit
from tests.bench.jobs_chaos_site import LEASE_S, ChaosSite, EmbeddedSite, ExternalSite
from tests.bench.measure import CannotMeasure, quiet_log, say
from tests.e2e.processes import NotInTime, children_of, wait_until

QUEUES = {
    "media": "video-processing",
    "transcribe": "transcription",
    "ai": "ai-analysis",
    "clip": "clip-generation",
    "export": "export",
    "maintenance": "cleanup",
}
# Stages whose jobs are many or long are killed oftener.
_WEIGHTS = {"media": 2, "transcribe": 4, "ai": 2, "clip": 2, "export": 4, "maintenance": 1}
_CHILD_SHARE = 0.2
_BUSY_SHARE, _BUSY_WAIT_S = 0.8, 3.0

FIGURES = tuple(
    f"chaos_{kind}_{name}"
    for kind in (EmbeddedSite.kind, ExternalSite.kind)
    for name in ("kills", "db_kills", "lost", "twice", "left", "recovery_p50_s", "recovery_max_s")
)
HELD = (
    "select p.dedupe_key as key from pgqueuer p join workers w on w.holder = p.queue_manager_id"
    " where w.pid = $1 and p.status = 'picked' and p.dedupe_key is not null"
)
STARTED_BEFORE = (
    "select p.dedupe_key as key from pgqueuer p join job_runs r on r.key = p.dedupe_key"
    " where p.status = 'picked' and r.state = 'running' and r.started_at < to_timestamp($1)"
)
# When somebody started it again, or it ended; $2: seconds since 1970.
TAKEN_UP = (
    "select key, extract(epoch from min(at))::double precision as at_s from chaos_book"
    " where what = 'job' and key = any($1::text[]) and at > to_timestamp($2)"
    " and state in ('running', 'done', 'failed') group by key"
)

ENDED = "select key from job_runs where key = any($1::text[]) and state = 'done'"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Something died. `since_s`: from when on its jobs may be taken up (wall clock); `keys`: those that it held."""

    what: str
    is_child: bool = False
    is_database: bool = False
    since_s: float
    keys: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run. `recoveries_s`: of each job that somebody held who was killed, until it was taken up."""

    kills: list[Kill]
    recoveries_s: list[float]
    never: list[str]
    drained_s: float
    findings: audit.Findings

    @property
    def num_workers(self) -> int:
        """Workers that were killed, their children alone not counted."""
        return sum(not kill.is_child and not kill.is_database for kill in self.kills)

    @property
    def num_databases(self) -> int:
        """How often the database was killed."""
        return sum(kill.is_database for kill in self.kills)


def measure() -> dict[str, float]:
    """Both databases, or that of CLIPPY_BENCH_CHAOS (`embedded`, `external`), five minutes each."""
    figures: dict[str, float] = {}
    chosen = os.environ.get("CLIPPY_BENCH_CHAOS", "")
    with quiet_log():
        for site_class, seed in ((EmbeddedSite, 1), (ExternalSite, 2)):
            if chosen not in ("", site_class.kind):
                continue
            try:
                figures |= figures_of(site_class.kind, run_chaos(site_class, seed=seed))
            except CannotMeasure as exc:
                # What was seen of the other one stays.
                say(f"chaos {site_class.kind}: not measured: {exc}")
    return figures


def figures_of(kind: str, report: Report) -> dict[str, float]:
    """As the bench tells them."""
    found = report.findings
    waited_s = report.recoveries_s
    figures: dict[str, float] = {
        "kills": report.num_workers,
        "child_kills": sum(kill.is_child for kill in report.kills),
        "db_kills": report.num_databases,
        "lost": len(found.lost),
        "twice": len(found.twice),
        "left": len(found.left) + len(report.never),
        "recovered_jobs": len(waited_s),
        "recovery_bound_s": 2 * LEASE_S,
        "drained_s": round(report.drained_s, 1),
        **{name: float(number) for name, number in found.counts.items()},
    }
    if waited_s:
        figures["recovery_p50_s"] = round(statistics.median(waited_s), 2)
        figures["recovery_max_s"] = round(max(waited_s), 2)
    return {f"chaos_{kind}_{name}": value for name, value in figures.items()}


def run_chaos(
    site_class: type[ChaosSite],
    *,
    seed: int,
    duration_s: float = 300.0,
    num_kills: int = 33,
    num_databases: int = 3,
    num_agents: int = 3,
    period_s: float = 2.5,
) -> Report:
    """Kill for `duration_s`, let everything end, and look.

    Raises:
        CannotMeasure: It did not come up, or did not end by itself.
    """
    with site_class() as site:
        try:
            site.start_coordinator()
            audit.install(site)
            site.start_agents(num_agents, period_s)
            wait_until(lambda: len(site.told()) > 4 * num_agents, "chunks are put", deadline_s=60)
            kills = _Killing(site, seed).run(duration_s, num_kills, num_databases)
            began_s = time.monotonic()
            site.finish_agents()
            audit.wait_empty(site, deadline_s=240)
            drained_s = time.monotonic() - began_s
            recoveries_s, never = _recoveries(site, kills)
            findings = audit.look(site)
        except NotInTime as exc:
            raise CannotMeasure(f"{exc}\n{_state_of(site)}") from exc
    report = Report(
        kills=kills, recoveries_s=recoveries_s, never=never, drained_s=drained_s, findings=findings
    )
    for words in (*findings.lost, *findings.twice, *findings.left, *never):
        say(f"chaos {site.kind}: {words}")
    return report


class _Killing:
    """Who is killed when."""

    def __init__(self, site: ChaosSite, seed: int) -> None:
        self._site = site
        self._chance = random.Random(seed)
        # A stage is left alone until what it held has been taken up: else one wait would hide in the next.
        self._recent: collections.deque[str] = collections.deque(maxlen=2)

    def run(self, duration_s: float, num_kills: int, num_databases: int) -> list[Kill]:
        """Kill until all of them were made; returns them."""
        kills: list[Kill] = []
        began_s = time.monotonic()
        database_at_s = [duration_s * (number + 1) / (num_databases + 1) for number in range(num_databases)]
        num_workers = 0
        while num_workers < num_kills or database_at_s:
            due_s = duration_s * num_workers / max(1, num_kills) + self._chance.uniform(1.0, 4.0)
            time.sleep(max(0.0, began_s + due_s - time.monotonic()))
            if database_at_s and time.monotonic() - began_s >= database_at_s[0]:
                database_at_s.pop(0)
                kill: Kill | None = self._kill_database()
            elif self._chance.random() < _CHILD_SHARE:
                kill = self._kill_child()
            else:
                kill = self._kill_worker()
                num_workers += kill is not None
            if kill is not None:
                kills.append(kill)
                words = f"{time.monotonic() - began_s:5.1f} s killed {kill.what}, which held {len(kill.keys)}"
                say(f"chaos {self._site.kind}: {words}")
        time.sleep(max(0.0, began_s + duration_s - time.monotonic()))
        return kills

    def _kill_worker(self) -> Kill | None:
        stage = self._chance.choices(*zip(*_WEIGHTS.items(), strict=True))[0]
        if stage in self._recent:
            return None
        if self._chance.random() < _BUSY_SHARE:
            self._wait_busy(stage)
        pid = wait_until(lambda: self._site.worker_pid(stage), f"{stage} has a worker", deadline_s=40)
        at_s = time.time()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._recent.append(stage)
        # What it holds now it held when it died.
        keys = tuple(row["key"] for row in self._site.ask_sql(HELD, pid))
        return Kill(what=stage, since_s=at_s, keys=keys)

    def _kill_child(self) -> Kill | None:
        stage = self._chance.choice([name for name in STAGES if name not in ("ai", "maintenance")])
        pid = self._site.worker_pid(stage)
        children = sorted(children_of(pid)) if pid else []
        if not children:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._chance.choice(children), signal.SIGKILL)
        return Kill(what=f"a child of {stage}", is_child=True, since_s=time.time())

    def _kill_database(self) -> Kill:
        at_s = time.time()
        self._site.kill_database()
        # It may still answer for a moment on connections of before; a new one tells.
        since_s = self._site.wait_answering()
        keys = tuple(row["key"] for row in self._site.ask_sql(STARTED_BEFORE, at_s))
        return Kill(
            what=f"the database, {since_s - at_s:.1f} s", is_database=True, since_s=since_s, keys=keys
        )

    def _wait_busy(self, stage: str) -> None:
        running = "select exists (select from job_runs where queue = $1 and state = 'running') as is_busy"
        with contextlib.suppress(NotInTime):
            wait_until(
                lambda: self._site.ask_sql(running, QUEUES[stage])[0]["is_busy"],
                f"{stage} works",
                deadline_s=_BUSY_WAIT_S,
            )


def _recoveries(site: ChaosSite, kills: list[Kill]) -> tuple[list[float], list[str]]:
    """Of each job that was held: seconds until it was taken up, and which never was."""
    seconds: list[float] = []
    never: list[str] = []
    for kill in kills:
        if not kill.keys:
            continue
        taken = {row["key"]: row["at_s"] for row in site.sql(TAKEN_UP, list(kill.keys), kill.since_s)}
        # One that had sent its commit when it died has no line after that, and nothing is left to be taken up.
        ended = {row["key"] for row in site.sql(ENDED, list(kill.keys))}
        never += [f"never taken up: {key}" for key in kill.keys if key not in taken and key not in ended]
        for key, at_s in taken.items():
            # While the database is away nobody can; the clock starts when it answers again.
            answered = [
                other.since_s for other in kills if other.is_database and kill.since_s < other.since_s < at_s
            ]
            seconds.append(at_s - max([kill.since_s, *answered]))
            if seconds[-1] > 2 * LEASE_S:
                say(f"chaos {site.kind}: {seconds[-1]:.1f} s after {kill.what}: {key}")
    return seconds, never


def _state_of(site: ChaosSite) -> str:
    """What is still open, for the message."""
    rows: list[Any] = []
    for statement in (
        "select key, state, runs, attempts, reason from job_runs where state not in ('done') limit 20",
        "select dedupe_key, status::text, heartbeat, execute_after, now() from pgqueuer limit 20",
        "select request_id, state, reason from source_requests where state <> 'uploaded' limit 20",
        "select session_id, is_live, is_over from sessions",
    ):
        with contextlib.suppress(Exception):
            rows += [tuple(row.values()) for row in site.sql(statement)]
    return "\n".join([*map(str, rows), *(f"{name}: {words[-1500:]}" for name, words in site.logs().items())])
