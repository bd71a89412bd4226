"""Bench `jobs`, parts `ceiling` and `soak`: the highest rate that holds, and an hour of it with a reader in the way.

A rate holds when, at the end of its time, no more jobs wait than one second brings. Two worker processes, each with all
three stages; the client starts pipelines every 20 ms, as ingest commits its groups.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
import uuid
from collections.abc import Iterator

import asyncpg

from tests.bench.jobs_site import Client, JobsSite, Start, Worker
from tests.bench.jobs_worker import STAGES
from tests.bench.measure import CannotMeasure, Result, cpu_s, percentile, say

CEILING_FIGURES = ("jobs_per_s_sustained", "jobs_per_s_per_core", "p99_start_ms_sustained")
SOAK_FIGURES = (
    *("soak_jobs_per_s", "soak_p99_start_ms", "soak_p99_start_ms_reader", "soak_p99_start_ms_after"),
    *(
        "soak_dead_tuples_max",
        "soak_dead_tuples_end",
        "soak_queue_mib_max",
        "soak_queue_mib_end",
        "soak_left",
    ),
)
_NUM_WORKERS = 2
_TICK_S = 0.02
_FIRST_RATE, _STEP = 200.0, 1.3
_TRY_S, _HOLD_S = 15.0, 60.0
_SOAK_S, _READER_S = 3600.0, 300.0
_SOAK_VARIABLE, _RATE_VARIABLE = "CLIPPY_BENCH_SOAK_S", "CLIPPY_BENCH_SOAK_RATE"
# Of the ceiling: an hour at the very edge says nothing but that there is an edge.
_SOAK_SHARE = 0.8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a rate did over a time."""

    jobs_per_s: float
    has_held: bool
    num_waiting: int
    cpu_s_per_1000: float
    start_s: float
    end_s: float


def run_ceiling(result: Result, site: JobsSite, scale: float) -> None:
    """Raise the rate until it does not hold, then let the last one that did hold for a minute."""
    try_s, hold_s = max(2.0, _TRY_S * scale), max(3.0, _HOLD_S * scale)
    tried: list[Held] = []
    with site.client("ours") as client:
        rate = _FIRST_RATE
        while True:
            held, _ = _try(site, client, rate, try_s)
            tried.append(held)
            if not held.has_held or (scale < 0.1 and len(tried) > 1):
                break
            rate *= _STEP
        while True:
            rate /= _STEP
            held, starts = _try(site, client, rate, hold_s)
            tried.append(held)
            if held.has_held:
                break
            if rate < _FIRST_RATE / 4:
                raise CannotMeasure("no rate held")
    waited_ms = [start.waited_ms for start in starts if start.at_s >= held.start_s]
    result.figures |= {
        "jobs_per_s_sustained": round(held.jobs_per_s),
        "jobs_per_s_per_core": round(1000 / held.cpu_s_per_1000),
        "p99_start_ms_sustained": round(percentile(waited_ms, 0.99), 1),
    }
    words = [
        f"{one.jobs_per_s:.0f}/s {'held' if one.has_held else 'did not hold'} ({one.num_waiting} waited)"
        for one in tried
    ]
    result.notes.append(
        f"ceiling: {', '.join(words)}; per core: of the CPU of workers, server and client; 10,000 streams need 1,000"
    )


def _try(site: JobsSite, client: Client, rate: float, seconds: float) -> tuple[Held, list[Start]]:
    with _workers(site, client) as workers:
        held = _hold(site, client, workers, rate, seconds)
        say(f"jobs ceiling: {rate:.0f} jobs/s for {seconds:.0f} s: {held.num_waiting} waited at its end")
        workers[0].wait_for(client, timeout_s=300)
        starts = [start for worker in workers for start in worker.finish()]
    return held, starts


@contextlib.contextmanager
def _workers(site: JobsSite, client: Client) -> Iterator[list[Worker]]:
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(site.worker("ours", "pipeline")) for _ in range(_NUM_WORKERS)]
        client.put([uuid.uuid4().hex for _ in range(64)])
        workers[0].wait_for(client, timeout_s=60)
        yield workers


def _hold(site: JobsSite, client: Client, workers: list[Worker], rate: float, seconds: float) -> Held:
    def used_s() -> float:
        return time.process_time() + site.postgres_cpu_s() + sum(cpu_s(worker.pid) for worker in workers)

    before_s, start_s = used_s(), time.monotonic()
    num_put, now = 0, start_s
    while now < start_s + seconds:
        due = round((now - start_s) * rate / len(STAGES)) - num_put
        if due > 0:
            client.put([uuid.uuid4().hex for _ in range(due)])
            num_put += due
        time.sleep(_TICK_S)
        now = time.monotonic()
    num_waiting = client.value("select count(*) from pgqueuer where status = 'queued'")
    end_s, used = time.monotonic(), used_s() - before_s
    num_jobs = num_put * len(STAGES)
    return Held(
        jobs_per_s=num_jobs / (end_s - start_s),
        # A client that could not keep up held nothing.
        has_held=num_waiting <= rate and num_jobs >= 0.97 * rate * seconds,
        num_waiting=num_waiting,
        cpu_s_per_1000=1000 * used / max(1, num_jobs - num_waiting),
        start_s=start_s,
        end_s=end_s,
    )


def run_soak(result: Result, site: JobsSite, scale: float) -> None:
    """Hold a rate for an hour (CLIPPY_BENCH_SOAK_S), a transaction that reads open for a twelfth of it."""
    seconds = float(os.environ.get(_SOAK_VARIABLE) or _SOAK_S * min(1.0, scale))
    rate = float(os.environ.get(_RATE_VARIABLE, "0"))
    if not rate:
        ceiling = Result()
        run_ceiling(ceiling, site, min(scale, seconds / _SOAK_S))
        rate = _SOAK_SHARE * float(ceiling.figures["jobs_per_s_sustained"] or 0)
    watch = _Watch(site.urls["ours"])
    reader_s = min(_READER_S, seconds / 12)
    with site.client("ours") as client, site.client("ours") as reader, _workers(site, client) as workers:
        with watch:
            first = _hold(site, client, workers, rate, 0.4 * seconds)
            reader.value("begin isolation level repeatable read")
            reader.value("select count(*) from pgqueuer")
            read = _hold(site, client, workers, rate, reader_s)
            reader.value("commit")
            last = _hold(site, client, workers, rate, 0.6 * seconds - reader_s)
        workers[0].wait_for(client, timeout_s=300)
        starts = [start for worker in workers for start in worker.finish()]
        left = client.value("select count(*) from job_runs where state <> 'done'")

    def p99_ms(since_s: float, until_s: float) -> float:
        waited_ms = [start.waited_ms for start in starts if since_s <= start.at_s < until_s]
        return round(percentile(waited_ms or [0.0], 0.99), 1)

    result.figures |= {
        "soak_jobs_per_s": round(rate),
        "soak_p99_start_ms": p99_ms(first.start_s, first.end_s),
        "soak_p99_start_ms_reader": p99_ms(read.start_s, read.end_s),
        # The last third: what the reader held up has been cleaned up by then.
        "soak_p99_start_ms_after": p99_ms(last.end_s - seconds / 3, last.end_s),
        "soak_dead_tuples_max": max(dead for dead, _ in watch.seen),
        "soak_dead_tuples_end": watch.seen[-1][0],
        "soak_queue_mib_max": round(max(size for _, size in watch.seen), 1),
        "soak_queue_mib_end": round(watch.seen[-1][1], 1),
        "soak_left": left,
    }
    result.notes.append(
        f"soak: {seconds:.0f} s at {rate:.0f} jobs/s, a reading transaction open for {reader_s:.0f} s; waited at the "
        f"ends of its three parts: {first.num_waiting}, {read.num_waiting}, {last.num_waiting}"
    )


class _Watch(threading.Thread):
    """Looks at the queue's table every few seconds, on a connection and a loop of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[int, float]] = []
        self._url = url
        self._stop_asked = threading.Event()

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join(30)

    def run(self) -> None:
        """Look until asked to stop, and once more then."""
        client = Client(self._url, "ours")
        try:
            while True:
                has_ended = self._stop_asked.wait(2.0)
                with contextlib.suppress(asyncpg.PostgresError):
                    dead = client.value(
                        "select n_dead_tup from pg_stat_user_tables where relname = 'pgqueuer'"
                    )
                    size = client.value("select pg_total_relation_size('pgqueuer')")
                    self.seen.append((dead, size / 2**20))
                if has_ended:
                    return
        finally:
            client.close()
