"""Job keeping under load: an embedded PostgreSQL, workers as processes of their own, and the client here."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.jobs import Priority
from tests.bench.ingest_site import Site, open_site
from tests.bench.jobs_worker import STAGES, bare_payload, job_of
from tests.bench.measure import CannotMeasure, cpu_s, last_words, running

_T = TypeVar("_T")
_AT_ONCE = 1000
_NUM_WARM = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a number of jobs took, in CPU seconds of each side."""

    num_jobs: int
    client_cpu_s: float
    worker_cpu_s: float
    postgres_cpu_s: float
    elapsed_s: float

    @property
    def cpu_s_per_1000(self) -> float:
        """All of it, of 1,000 jobs."""
        return 1000 * (self.client_cpu_s + self.worker_cpu_s + self.postgres_cpu_s) / self.num_jobs

    def words(self) -> str:
        """client + worker + server, of 1,000 jobs."""
        parts = (self.client_cpu_s, self.worker_cpu_s, self.postgres_cpu_s)
        return "+".join(f"{1000 * part / self.num_jobs:.2f}" for part in parts)


class Start(NamedTuple):
    """A job started: how long after it was enqueued, and when (monotonic seconds)."""

    queue: str
    key: str
    waited_ms: float
    at_s: float


class Client:
    """Enqueues for `ours` or `bare` on one connection, and watches the queue."""

    def __init__(self, url: str, kind: str) -> None:
        self._kind = kind
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection = self.wait(asyncpg.connect(url))

    def wait(self, doing: Coroutine[Any, Any, _T]) -> _T:
        """Run it to its end."""
        return self._loop.run_until_complete(doing)

    def close(self) -> None:
        """Let go of the connection."""
        self.wait(self._connection.close())
        self._loop.close()

    def put(self, names: list[str], priority: Priority = Priority.NORMAL) -> None:
        """Start pipelines, in one transaction a thousand."""
        for start in range(0, len(names), _AT_ONCE):
            self.wait(self._put(names[start : start + _AT_ONCE], priority))

    def value(self, statement: str) -> Any:
        """Ask for one value."""
        return self.wait(self._connection.fetchval(statement))

    def wait_empty(self, timeout_s: float) -> None:
        """Wait until no job is left."""
        deadline_s = time.monotonic() + timeout_s
        while self.value("select exists (select from pgqueuer)"):
            if time.monotonic() > deadline_s:
                left = self.value("select count(*) from pgqueuer")
                raise CannotMeasure(f"{self._kind}: {left} jobs are left after {timeout_s:.0f} s")
            time.sleep(0.1)

    async def _put(self, names: list[str], priority: Priority) -> None:
        async with self._connection.transaction():
            if self._kind == "ours":
                jobs = [job_of(name, 0, priority) for name in names]
                await PgQueuerQueue().enqueue(self._connection, jobs)
                return
            await Queries(AsyncpgDriver(self._connection)).enqueue(
                [STAGES[0].value] * len(names),
                [bare_payload(name) for name in names],
                [0] * len(names),
                dedupe_key=[f"{STAGES[0].value}:{name}" for name in names],
                on_conflict="skip",
            )


class JobsSite:
    """A server, with a database for each kind."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.urls = {"ours": site.postgres.url, "bare": site.new_database("rival")}
        self._num_reports = 0
        self._folder = site.data

    @contextlib.contextmanager
    def client(self, kind: str) -> Iterator[Client]:
        """A client of one kind's database."""
        client = Client(self.urls[kind], kind)
        try:
            yield client
        finally:
            client.close()

    @contextlib.contextmanager
    def worker(self, kind: str, shape: str) -> Iterator[Worker]:
        """A worker process for the block."""
        self._num_reports += 1
        report = self._folder / f"report-{self._num_reports}.json"
        log = self._folder / f"worker-{self._num_reports}.log"
        command = [sys.executable, "-m", "tests.bench.jobs_worker", kind, shape, str(report)]
        environment = {**os.environ, "DATABASE_URL": self.urls[kind]}
        with running(command, environment=environment, log=log) as child:
            yield Worker(child, report, log)

    def postgres_cpu_s(self) -> float:
        """What the server has used."""
        if (pid := self._site.postgres.pid) is None:
            raise CannotMeasure("PostgreSQL is gone")
        return cpu_s(pid)

    def superuser(self, kind: str, statement: str) -> None:
        """Tell a database something as its superuser."""
        name = {"ours": "clippy", "bare": "rival"}[kind]
        self._site.fetch(statement, database=name)

    def cost(self, kind: str, shape: str, num: int) -> Cost:
        """Work off `num` pipelines, or jobs of one stage, that are all there at once."""
        with self.client(kind) as client, self.worker(kind, shape) as worker:
            # Not in the figure: imports, connections, prepared statements.
            client.put([uuid.uuid4().hex for _ in range(_NUM_WARM)])
            worker.wait_for(client, timeout_s=60)
            before = (time.process_time(), cpu_s(worker.pid), self.postgres_cpu_s(), time.monotonic())
            client.put([uuid.uuid4().hex for _ in range(num)])
            client_cpu_s = time.process_time() - before[0]
            worker.wait_for(client, timeout_s=300)
            return Cost(
                num_jobs=num * (len(STAGES) if shape == "pipeline" else 1),
                client_cpu_s=client_cpu_s,
                worker_cpu_s=cpu_s(worker.pid) - before[1],
                postgres_cpu_s=self.postgres_cpu_s() - before[2],
                elapsed_s=time.monotonic() - before[3],
            )


class Worker:
    """A worker process."""

    def __init__(self, child: subprocess.Popen[str], report: Path, log: Path) -> None:
        self.pid = child.pid
        self._child = child
        self._report = report
        self._log = log

    def wait_for(self, client: Client, *, timeout_s: float) -> None:
        """Wait until it has worked off what is there."""
        try:
            client.wait_empty(timeout_s)
        except CannotMeasure as exc:
            raise CannotMeasure(f"{exc}: {last_words(self._log)}") from exc

    def finish(self) -> list[Start]:
        """End it in order; returns its jobs' starts."""
        self._child.terminate()
        try:
            self._child.wait(60)
        except subprocess.TimeoutExpired as exc:
            raise CannotMeasure("the worker did not end within 60 s of SIGTERM") from exc
        if not self._report.exists():
            raise CannotMeasure(f"the worker ended ({self._child.returncode}): {last_words(self._log)}")
        return [Start(*entry) for entry in json.loads(self._report.read_text(encoding="utf-8"))["started"]]


@contextlib.contextmanager
def open_jobs_site() -> Iterator[JobsSite]:
    """A fresh server; all of it is deleted with the block."""
    with open_site(needed_bytes=2**29) as site:
        yield JobsSite(site)
