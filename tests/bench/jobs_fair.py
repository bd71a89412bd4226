"""Bench `jobs`, part `fair`: what 10,000 users notice of a hundred of them who ask for a hundred times as much.

Jobs come by chance (Poisson) and are put through the product's own queue with its placing, in groups of 20 ms, the
others' and the flood's on connections of their own, as those of different streams are; two worker processes work
them, each job a sleep. One placing lives through all phases, as in a `serve` that has run for a
while: what it knows of its accounts' rates it has from the others alone. Those need 0.62 of the workers, with the flood
it is 1.24: the flood must be told apart, or all wait. Phases: others alone, with the flood, twice; then with the
flood and no fairness. Of each it says what the others' jobs of its second half waited, from when a job
was due to be enqueued until it started, and until its work had ended.
Before each phase the server makes a checkpoint, so that none falls into one.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.placing import Placing
from coordinator.jobs.reconciler import reconcile_once
from coordinator.model.jobs import NewJob, Queue
from coordinator.store.connect import connect
from tests.bench.ingest_site import Site, open_site
from tests.bench.measure import CannotMeasure, last_words, percentile, running, say

FIGURES = (
    *("fair_p95_start_ms_calm", "fair_p95_start_ms_flood", "fair_p95_start_ms_unfair"),
    *("fair_p95_end_ms_calm", "fair_p95_end_ms_flood", "fair_p95_end_ms_unfair"),
    *("fair_ratio_start", "fair_ratio_end", "unfair_ratio_start", "unfair_ratio_end"),
    "fair_flood_p95_end_ms",
)
NUM_USERS, NUM_FLOODING, FLOOD_FACTOR = 10_000, 100, 100.0
OTHERS_PER_S = 80.0
_FLOOD_PER_S = OTHERS_PER_S / (NUM_USERS - NUM_FLOODING) * FLOOD_FACTOR * NUM_FLOODING
_NUM_WORKERS, _SLOTS, _WORK_S = 2, 32, 0.5
_WARM_S, _MEASURED_S = 30.0, 30.0
_TICK_S, _RECONCILE_S, _PATIENCE_S = 0.02, 15.0, 90.0
_PHASES = ("calm", "flood", "calm", "flood", "unfair")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """95th percentiles of a phase, in milliseconds; `flood_end_ms` of those flooding jobs that were worked at all."""

    start_ms: float
    end_ms: float
    flood_end_ms: float


def measure(*, scale: float = 1.0) -> dict[str, float]:
    """Run the phases; `scale` shortens them."""
    with open_site(needed_bytes=2**29) as site:
        seen = asyncio.run(_phases(site, scale))

    def ratios(phase: str, name: str) -> float:
        # The n-th flood beside the n-th calm, which came just before it.
        pairs = zip(seen[phase], seen["calm"], strict=False)
        return round(statistics.median(getattr(one, name) / getattr(calm, name) for one, calm in pairs), 3)

    figures = {
        f"fair_p95_{what}_ms_{phase}": round(
            statistics.median(getattr(one, f"{what}_ms") for one in found), 1
        )
        for phase, found in seen.items()
        for what in ("start", "end")
    }
    figures |= {
        "fair_ratio_start": ratios("flood", "start_ms"),
        "fair_ratio_end": ratios("flood", "end_ms"),
        "unfair_ratio_start": ratios("unfair", "start_ms"),
        "unfair_ratio_end": ratios("unfair", "end_ms"),
        "fair_flood_p95_end_ms": round(statistics.median(one.flood_end_ms for one in seen["flood"]), 1),
    }
    return figures


async def _phases(site: Site, scale: float) -> dict[str, list[Waited]]:
    seen: dict[str, list[Waited]] = {}
    pool = await connect(site.postgres.url, max_connections=4)
    # One that falls into a phase holds up its commits for a second or two, and into which is the clock's choice.
    server = await asyncpg.connect(site.postgres.superuser_url)
    await server.execute("alter system set checkpoint_timeout = '1h'")
    await server.execute("select pg_reload_conf()")
    placing = Placing(pool)
    looking = asyncio.create_task(placing.run())
    try:
        for number, phase in enumerate(_PHASES):
            await server.execute("checkpoint")
            queue = PgQueuerQueue(None if phase == "unfair" else placing)
            waited = await _phase(site, pool, queue, phase != "calm", number, scale)
            say(
                f"jobs fair: {phase}: others' p95 to start {waited.start_ms:.0f} ms, to end {waited.end_ms:.0f} ms; "
                f"the flood's to end {waited.flood_end_ms:.0f} ms"
            )
            seen.setdefault(phase, []).append(waited)
    finally:
        looking.cancel()
        await server.close()
        await pool.close()
    return seen


async def _phase(
    site: Site, pool: asyncpg.Pool, queue: PgQueuerQueue, has_flood: bool, number: int, scale: float
) -> Waited:
    reports = [site.data / f"fair-{number}-{index}.json" for index in range(_NUM_WORKERS)]
    with _workers(site.postgres.url, reports) as children:
        async with pool.acquire() as connection, pool.acquire() as second:
            await _until_there(connection)
            total_s = (_WARM_S + _MEASURED_S) * scale
            # The others' jobs are the same ones in every phase.
            others = _arrivals(
                random.Random(1), OTHERS_PER_S, total_s, NUM_FLOODING, NUM_USERS - NUM_FLOODING
            )
            flood = _arrivals(random.Random(2), _FLOOD_PER_S, total_s, 0, NUM_FLOODING) if has_flood else []
            start_s = time.monotonic()
            await asyncio.gather(
                _offer(connection, queue, others, f"others:{number}", start_s, does_reconcile=True),
                _offer(second, queue, flood, f"flood:{number}", start_s),
            )
            if (late_s := time.monotonic() - start_s - total_s) > 1.0:
                raise CannotMeasure(
                    f"the client was {late_s:.1f} s late: this machine is too busy for these rates"
                )
            measured = {
                f"others:{number}:{index}"
                for index, (at_s, _) in enumerate(others)
                if at_s >= _WARM_S * scale
            }
            await _until_worked(connection)
        for child in children:
            child.terminate()
        for child in children:
            await asyncio.to_thread(child.wait, 60)
    await pool.execute("truncate pgqueuer; truncate job_runs; truncate workers")
    return _waited(reports, measured)


@contextlib.contextmanager
def _workers(url: str, reports: list[Path]) -> Iterator[list[subprocess.Popen[str]]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                running(
                    [
                        *(sys.executable, "-m", "tests.bench.jobs_fair_worker"),
                        *(str(_SLOTS), str(_WORK_S), str(report)),
                    ],
                    environment={**os.environ, "DATABASE_URL": url},
                    log=report.with_suffix(".log"),
                )
            )
            for report in reports
        ]


async def _until_there(connection: asyncpg.Connection) -> None:
    deadline_s = time.monotonic() + 30
    while await connection.fetchval("select count(*) from workers where state = 'ready'") < _NUM_WORKERS:
        if time.monotonic() > deadline_s:
            raise CannotMeasure("the workers were not there within 30 s")
        await asyncio.sleep(0.1)


def _arrivals(
    chance: random.Random, per_s: float, seconds: float, first: int, count: int
) -> list[tuple[float, int]]:
    """When (seconds from the start) which user asks for a job."""
    found, at_s = [], chance.expovariate(per_s)
    while at_s < seconds:
        found.append((at_s, first + chance.randrange(count)))
        at_s += chance.expovariate(per_s)
    return found


async def _offer(
    connection: asyncpg.Connection,
    queue: PgQueuerQueue,
    due: list[tuple[float, int]],
    name: str,
    start_s: float,
    *,
    does_reconcile: bool = False,
) -> None:
    """Enqueue what is due, tick by tick."""
    index, reconciled_s = 0, start_s
    while index < len(due):
        now_s, first = time.monotonic() - start_s, index
        while index < len(due) and due[index][0] <= now_s:
            index += 1
        if index > first:
            jobs = [_job(f"{name}:{at}", due[at][1], start_s + due[at][0]) for at in range(first, index)]
            async with connection.transaction():
                await queue.enqueue(connection, jobs, are_new=True)
        if does_reconcile and time.monotonic() - reconciled_s > _RECONCILE_S:
            reconciled_s = time.monotonic()
            async with connection.transaction():
                await reconcile_once(connection, queue, [])
        await asyncio.sleep(_TICK_S)


def _job(key: str, user: int, at_s: float) -> NewJob:
    return NewJob(
        queue=Queue.TRANSCRIPTION,
        key=key,
        payload={"at_ns": round(at_s * 1e9)},
        # Of no tier, which has a free account's share: what is put off for 60 s under load is another matter.
        account=f"user-{user}",
    )


async def _until_worked(connection: asyncpg.Connection) -> None:
    """Until nothing of the others is left; what the flood has left is dropped with the phase."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while left := await connection.fetchval(
        "select count(*) from pgqueuer where starts_with(dedupe_key, 'others:')"
    ):
        if time.monotonic() > deadline_s:
            raise CannotMeasure(f"{left} jobs of the others were not worked within {_PATIENCE_S:.0f} s")
        await asyncio.sleep(0.2)


def _waited(reports: list[Path], measured: set[str]) -> Waited:
    worked: list[tuple[str, float, float]] = []
    for report in reports:
        if not report.exists():
            raise CannotMeasure(f"a worker ended: {last_words(report.with_suffix('.log'))}")
        worked += json.loads(report.read_text(encoding="utf-8"))["worked"]
    others = {key: (start_ms, end_ms) for key, start_ms, end_ms in worked if key in measured}
    if missing := len(measured) - len(others):
        raise CannotMeasure(f"{missing} jobs of the others have no end")
    flood = [end_ms for key, _, end_ms in worked if key.startswith("flood:")]
    return Waited(
        start_ms=percentile([start for start, _ in others.values()], 0.95),
        end_ms=percentile([end for _, end in others.values()], 0.95),
        flood_end_ms=percentile(flood or [0.0], 0.95),
    )
