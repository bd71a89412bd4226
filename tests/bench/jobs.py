"""Bench `jobs`: what job keeping costs beside bare PgQueuer, and how soon a job starts.

Both on one embedded PostgreSQL with a database each, workers as processes of their own; the work itself is nothing.
"""

from __future__ import annotations

import importlib
import statistics
import time
import uuid
from importlib.metadata import version

from coordinator.model.jobs import Priority
from tests.bench.jobs_site import Client, Cost, JobsSite, open_jobs_site
from tests.bench.jobs_sustained import CEILING_FIGURES, SOAK_FIGURES, run_ceiling, run_soak
from tests.bench.jobs_worker import STAGES, job_of
from tests.bench.measure import CannotMeasure, Result, cpu_s, median, percentile, quiet_log, say, spread

PARTS = ("overhead", "steady", "backlog")
# Long ones, and whole modules by themselves, which fill in figures of their own names.
MORE_PARTS = ("ceiling", "soak", "chaos", "fair", "outage")
_NUM_ROUNDS = 5
_NUM_PIPELINES, _NUM_BATCHED = 1000, 3000
_PIPELINES_PER_S, _STEADY_S = 67.0, 60.0
_NUM_BACKLOG, _NUM_CRITICAL = 100_000, 20
_OVERHEAD = (
    *("cpu_ratio_bare", "cpu_ratio_bare_batch_stage", "cpu_s_per_1000", "bare_cpu_s_per_1000"),
    *(
        "batch_stage_cpu_s_per_1000",
        "bare_batch_stage_cpu_s_per_1000",
        "bulk_jobs_per_s",
        "bare_bulk_jobs_per_s",
    ),
)
_STEADY = ("p50_start_ms_200", "p99_start_ms_200", "steady_jobs_per_s", "steady_cpu_s_per_1000")
_BACKLOG = ("critical_start_ms_100k", "critical_start_ms_0", "backlog_jobs_per_s")


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure."""
    for part in parts:
        if part in ("chaos", "fair", "outage"):
            _run_other(result, part)
            continue
        promised, measure = {
            "ceiling": (CEILING_FIGURES, run_ceiling),
            "soak": (SOAK_FIGURES, run_soak),
            "overhead": (_OVERHEAD, _run_overhead),
            "steady": (_STEADY, _run_steady),
            "backlog": (_BACKLOG, _run_backlog),
        }[part]
        with result.promising(*promised), quiet_log(), open_jobs_site() as site:
            measure(result, site, scale)


def _run_other(result: Result, part: str) -> None:
    module = importlib.import_module(f"tests.bench.jobs_{part}")
    with result.promising(*module.FIGURES), quiet_log():
        result.figures |= module.measure()


def _run_overhead(result: Result, site: JobsSite, scale: float) -> None:
    result.rivals["pgqueuer"] = version("pgqueuer")
    seen: dict[tuple[str, str], list[Cost]] = {}
    for shape, whole in (("pipeline", _NUM_PIPELINES), ("stage", _NUM_BATCHED)):
        num = max(64, round(whole * scale))
        for index in range(max(1, round(_NUM_ROUNDS * min(1.0, scale)))):
            # In turns, so that a noise of the machine meets both.
            for kind in ("ours", "bare") if index % 2 else ("bare", "ours"):
                cost = site.cost(kind, shape, num)
                seen.setdefault((kind, shape), []).append(cost)
                say(
                    f"jobs overhead: {shape} {kind} {cost.words()} = {cost.cpu_s_per_1000:.2f} CPU s/1000, "
                    f"{cost.num_jobs / cost.elapsed_s:.0f} jobs/s"
                )
    _check_all_done(site)
    for shape, suffix in (("pipeline", ""), ("stage", "_batch_stage")):
        ours, bare = seen["ours", shape], seen["bare", shape]
        ratios = [one.cpu_s_per_1000 / other.cpu_s_per_1000 for one, other in zip(ours, bare, strict=True)]
        result.figures |= {
            f"cpu_ratio_bare{suffix}": median(ratios),
            f"{suffix[1:]}{'_' if suffix else ''}cpu_s_per_1000": median(
                [cost.cpu_s_per_1000 for cost in ours]
            ),
            f"bare{suffix}_cpu_s_per_1000": median([cost.cpu_s_per_1000 for cost in bare]),
        }
        result.notes.append(
            f"{shape}: ratios {spread(ratios, 2)}; CPU s of 1,000 jobs, client+worker+server: ours "
            f"{' '.join(cost.words() for cost in ours)}; bare {' '.join(cost.words() for cost in bare)}"
        )
    for kind, name in (("ours", "bulk_jobs_per_s"), ("bare", "bare_bulk_jobs_per_s")):
        rates = [cost.num_jobs / cost.elapsed_s for cost in seen[kind, "pipeline"]]
        result.figures[name] = round(statistics.median(rates), 1)


def _check_all_done(site: JobsSite) -> None:
    with site.client("ours") as client:
        first, last, open_ = (
            client.value(f"select count(*) from job_runs where state {state} and queue = '{queue.value}'")
            for state, queue in (("= 'done'", STAGES[1]), ("= 'done'", STAGES[2]), ("<> 'done'", STAGES[0]))
        )
    if first != last or open_:
        raise CannotMeasure(f"of {first} pipelines {last} ended, {open_} jobs did not")


def _run_steady(result: Result, site: JobsSite, scale: float) -> None:
    seconds = max(3.0, _STEADY_S * scale)
    with site.client("ours") as client, site.worker("ours", "pipeline") as worker:
        client.put([uuid.uuid4().hex for _ in range(64)])
        worker.wait_for(client, timeout_s=60)
        names = [uuid.uuid4().hex for _ in range(round(seconds * _PIPELINES_PER_S))]
        before_s = time.monotonic()
        cost = _paced(site, client, worker.pid, names)
        worker.wait_for(client, timeout_s=60)
        took_s = time.monotonic() - before_s
        wanted = set(names)
        started = [start for start in worker.finish() if start.key.partition(":")[2] in wanted]
    if len(started) < 0.9 * 3 * _PIPELINES_PER_S * took_s:
        raise CannotMeasure(f"{len(started) / took_s:.0f} jobs/s is not the rate that was asked for")
    waited_ms = [start.waited_ms for start in started]
    result.figures |= {
        "p50_start_ms_200": round(percentile(waited_ms, 0.5), 1),
        "p99_start_ms_200": round(percentile(waited_ms, 0.99), 1),
        "steady_jobs_per_s": round(len(started) / took_s, 1),
        "steady_cpu_s_per_1000": round(1000 * cost / max(1, len(started)), 3),
    }
    by_queue = {
        queue.value: round(
            percentile([start.waited_ms for start in started if start.queue == queue.value], 0.99), 1
        )
        for queue in STAGES
    }
    result.notes.append(
        f"steady: p99 by stage {by_queue} ms, slowest {max(waited_ms):.0f} ms, of {len(started)} jobs"
    )


def _paced(site: JobsSite, client: Client, worker_pid: int, names: list[str]) -> float:
    """Start pipelines at the rate; returns the CPU seconds of worker, server and client."""
    before = time.process_time() + cpu_s(worker_pid) + site.postgres_cpu_s()
    start_s, num_put = time.monotonic(), 0
    while num_put < len(names):
        # What is due goes in one transaction, as ingest does it: one that waited for a commit catches up.
        due = min(len(names), 1 + int((time.monotonic() - start_s) * _PIPELINES_PER_S))
        if due > num_put:
            client.put(names[num_put:due])
            num_put = due
        time.sleep(max(0.0, start_s + num_put / _PIPELINES_PER_S - time.monotonic()))
    return time.process_time() + cpu_s(worker_pid) + site.postgres_cpu_s() - before


def _run_backlog(result: Result, site: JobsSite, scale: float) -> None:
    num = max(1000, round(_NUM_BACKLOG * scale))
    with site.client("ours") as client:
        with site.worker("ours", "stage") as worker:
            client.put([uuid.uuid4().hex for _ in range(64)])
            worker.wait_for(client, timeout_s=60)
            alone = _criticals(client)
            alone_ms = [start.waited_ms for start in worker.finish() if start.key in alone]
        client.put([uuid.uuid4().hex for _ in range(num)])
        with site.worker("ours", "stage") as worker:
            before_s, left = time.monotonic(), num
            while left > num - 64:
                time.sleep(0.05)
                left = client.value("select count(*) from pgqueuer where status = 'queued'")
                if time.monotonic() - before_s > 60:
                    raise CannotMeasure("the worker took nothing of the backlog within 60 s")
            started_s = time.monotonic()
            critical = _criticals(client)
            left_after = client.value("select count(*) from pgqueuer where status = 'queued'")
            took_s = time.monotonic() - started_s
            critical_ms = [start.waited_ms for start in worker.finish() if start.key in critical]
    if len(critical_ms) != len(critical) or not left_after:
        raise CannotMeasure(
            f"{len(critical_ms)} of {len(critical)} started, {left_after} of the backlog left"
        )
    result.figures |= {
        "critical_start_ms_100k": round(max(critical_ms), 1),
        "critical_start_ms_0": round(max(alone_ms), 1),
        "backlog_jobs_per_s": round((left - left_after) / took_s, 1),
    }
    result.notes.append(
        f"backlog: {num} waited, {left_after} still did at the end; CRITICAL jobs started after "
        f"{spread(critical_ms, 0)} ms, without a backlog {spread(alone_ms, 0)} ms"
    )


def _criticals(client: Client) -> set[str]:
    """Enqueue CRITICAL jobs one by one, and wait until the last has had time to start; returns their keys."""
    keys = set()
    for _ in range(_NUM_CRITICAL):
        name = uuid.uuid4().hex
        client.put([name], Priority.CRITICAL)
        keys.add(job_of(name, 0).key)
        time.sleep(0.25)
    time.sleep(2.0)
    return keys
