"""Bench `ingest`, part `load`: 10,000 streams over TLS, each with a chunk of 40 KB every 10 s, made durable.

One process with no thread beside it is all the agents. First against the coordinator, then against a plain WebSocket
server that does the same work with as many processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version

from tests.bench.grpc_call import GrpcCall
from tests.bench.ingest_site import Load, Server, Site, on_database, open_site, raise_open_files
from tests.bench.link_messages import ChunkMaker
from tests.bench.measure import ROOT, CannotMeasure, Result, end, percentile, quiet_log, running, say
from tests.bench.swarm import Swarm
from tests.bench.swarm_parts import Call, client_context, collector_at_rest

PAYLOAD_BYTES = 40_000
NUM_STREAMS = 10_000
_MEASURED_S, _RIVAL_S = 300.0, 90.0
_PERIOD_S = 10.0
_CONNECTS_PER_S = 500.0
_GRACE_S = 60.0
_FIGURES = (
    *("streams", "chunks_per_s", "p50_ack_ms", "p99_ack_ms", "max_ack_ms", "cpu_s_per_1000"),
    *("postgres_cpu_s_per_1000", "kb_per_stream", "client_cpu_s_per_s", "client_late_p99_ms"),
    "server_processes",
    *("load_unacked", "load_acked_twice", "load_refused", "load_reconnects", "load_not_in_database"),
)
_RIVAL_FIGURES = (
    *("cpu_ratio_websocket", "websocket_cpu_s_per_1000", "websocket_postgres_cpu_s_per_1000"),
    *("websocket_p99_ack_ms", "websocket_kb_per_stream", "websocket_unacked"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it: `scale` 1 is what must hold, less is for tests."""

    num_streams: int
    measured_s: float
    rival_s: float
    period_s: float

    @property
    def needed_bytes(self) -> int:
        """Room on the disk: nothing leaves the spool meanwhile, and the database adds about a tenth."""
        seconds = max(self.measured_s, self.rival_s) + 3 * self.period_s
        return round(1.1 * PAYLOAD_BYTES * seconds * self.num_streams / self.period_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one server did under the load."""

    chunks_per_s: float
    ack_ms: list[float]
    cpu_s_per_1000: float
    postgres_cpu_s_per_1000: float
    kb_per_stream: float
    client_cpu_s_per_s: float
    client_late_p99_ms: float
    num_acked: int
    num_unacked: int
    acked_twice: int
    num_refused: int
    num_heartbeats: int
    ends: dict[str, int]

    def ack_at(self, share: float) -> float:
        """Percentile of the time from due to acknowledged, ms."""
        return round(percentile(self.ack_ms, share), 1)


def plan_of(scale: float) -> Plan:
    """The whole of it, or a small one: tens of streams for seconds."""
    if scale >= 1:
        return Plan(num_streams=NUM_STREAMS, measured_s=_MEASURED_S, rival_s=_RIVAL_S, period_s=_PERIOD_S)
    num_streams = max(20, round(NUM_STREAMS * scale))
    return Plan(
        num_streams=num_streams,
        measured_s=max(2.0, _MEASURED_S * scale),
        rival_s=max(2.0, _RIVAL_S * scale),
        period_s=_PERIOD_S if scale >= 0.1 else 1.0,
    )


def run_load(result: Result, scale: float) -> None:
    """Measure both servers, one after the other."""
    plan = plan_of(scale)
    with result.promising(*_FIGURES, *_RIVAL_FIGURES), quiet_log():
        raise_open_files(plan.num_streams)
        with open_site(needed_bytes=plan.needed_bytes) as site:
            ours, num_processes = _ours(result, site, plan)
            # Its rows and bytes must not be vacuumed or written back at the rival's cost.
            site.fetch("drop database clippy with (force)", database="postgres")
            shutil.rmtree(site.spool, ignore_errors=True)
            _rival(result, site, plan, ours, num_processes)


def _ours(result: Result, site: Site, plan: Plan) -> tuple[Seen, int]:
    with site.serving() as server:
        server.wait_ready()
        num_processes = server.wait_settled()
        say(f"ingest load: {plan.num_streams} streams to {num_processes} process(es) of the coordinator")
        seen = _drive(site, [server], plan, plan.measured_s, kind="grpc")
        code = server.terminate()
    rows = site.fetch(
        "select count(*) as chunks, count(distinct session_id) as sessions, "
        "(select count(*) from pgqueuer where entrypoint = 'transcription') as jobs from chunks"
    )[0]
    result.figures |= {
        "streams": plan.num_streams,
        "chunks_per_s": round(seen.chunks_per_s, 1),
        "p50_ack_ms": seen.ack_at(0.5),
        "p99_ack_ms": seen.ack_at(0.99),
        "max_ack_ms": seen.ack_at(1.0),
        "cpu_s_per_1000": round(seen.cpu_s_per_1000, 3),
        "postgres_cpu_s_per_1000": round(seen.postgres_cpu_s_per_1000, 3),
        "kb_per_stream": round(seen.kb_per_stream, 1),
        "client_cpu_s_per_s": round(seen.client_cpu_s_per_s, 3),
        "client_late_p99_ms": round(seen.client_late_p99_ms, 1),
        "server_processes": num_processes,
        "load_unacked": seen.num_unacked,
        "load_acked_twice": seen.acked_twice,
        "load_refused": seen.num_refused,
        "load_reconnects": sum(seen.ends.values()),
        "load_not_in_database": max(0, seen.num_acked - min(rows["chunks"], rows["jobs"])),
    }
    result.notes.append(
        f"{plan.measured_s:.0f} s measured after one round of {plan.period_s:.0f} s; {seen.num_acked} chunks "
        f"acknowledged in all, rows {rows['chunks']}, jobs {rows['jobs']}; {seen.num_heartbeats} "
        f"heartbeats, sent as an agent sends them; "
        f"exit code at SIGTERM {code}" + (f"; streams ended: {seen.ends}" if seen.ends else "")
    )
    return seen, num_processes


def _rival(result: Result, site: Site, plan: Plan, ours: Seen, num_processes: int) -> None:
    url = on_database(site.new_database("rival"), "rival")
    say(f"ingest load: the same to {num_processes} process(es) of uvicorn")
    with _rivals(site, url, num_processes) as servers:
        seen = _drive(site, servers, plan, plan.rival_s, kind="websocket")
    result.rivals["uvicorn"] = f"{version('uvicorn')}, websockets {version('websockets')}"
    result.figures |= {
        "cpu_ratio_websocket": round(ours.cpu_s_per_1000 / seen.cpu_s_per_1000, 3),
        "websocket_cpu_s_per_1000": round(seen.cpu_s_per_1000, 3),
        "websocket_postgres_cpu_s_per_1000": round(seen.postgres_cpu_s_per_1000, 3),
        "websocket_p99_ack_ms": seen.ack_at(0.99),
        "websocket_kb_per_stream": round(seen.kb_per_stream, 1),
        "websocket_unacked": seen.num_unacked,
    }
    result.notes.append(
        f"uvicorn: {plan.rival_s:.0f} s, {seen.chunks_per_s:.0f} chunks/s, client "
        f"{seen.client_cpu_s_per_s:.3f} CPU s/s, late by {seen.client_late_p99_ms:.1f} ms (p99)"
        + (f"; streams ended: {seen.ends}" if seen.ends else "")
    )


@contextlib.contextmanager
def _rivals(site: Site, url: str, num_processes: int) -> Iterator[list[Server]]:
    # uvicorn warns that the websockets implementation is the older one of two.
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.ingest_rival"]
    with contextlib.ExitStack() as stack:
        servers = []
        for number in range(num_processes):
            log = site.data / f"rival-{number}.log"
            child = stack.enter_context(
                running(
                    [*command, str(site.rival_port), str(site.data), f"rival-{number}"],
                    environment={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": url},
                    log=log,
                    has_input=True,
                )
            )
            assert child.stdin is not None
            child.stdin.write(site.rival_token + "\n")
            child.stdin.flush()
            servers.append(Server(child, site.rival_port, log))
        for server in servers:
            server.wait_ready()
            if server.wait_settled() == 0:
                raise CannotMeasure("a process of the WebSocket server does not listen")
        yield servers
        for server in servers:
            end(server.child)


def new_swarm(site: Site, num_streams: int, *, kind: str) -> Swarm:
    """Agents of the coordinator, or of its rival."""
    port = site.port if kind == "grpc" else site.rival_port
    authority = f"localhost:{port}"

    def call(token: str) -> Call:
        if kind == "grpc":
            return GrpcCall(authority=authority, path="/clippy.v1.Link/Connect", token=token)
        from tests.bench.websocket_call import WebSocketCall

        return WebSocketCall(authority=authority, path="/", token=token)

    # The rival knows one account.
    tokens = site.tokens_for(num_streams) if kind == "grpc" else [site.rival_token] * num_streams
    context = client_context(str(site.certificates.ca_path), "h2" if kind == "grpc" else "http/1.1")
    return Swarm(
        ("127.0.0.1", port),
        context,
        tokens,
        new_call=call,
        chunks=ChunkMaker(os.urandom(PAYLOAD_BYTES)),
    )


def _drive(site: Site, servers: list[Server], plan: Plan, measured_s: float, *, kind: str) -> Seen:
    """Connect, one round to warm up, then the measured time; and wait for what is still under way."""
    idle = _sum(site, servers)
    swarm = new_swarm(site, plan.num_streams, kind=kind)
    try:
        with collector_at_rest():
            swarm.connect_all(rate_per_s=_CONNECTS_PER_S)
            patience_s = 60 + plan.num_streams / _CONNECTS_PER_S
            if not swarm.run_until(lambda: swarm.are_all_streaming, timeout_s=patience_s):
                raise CannotMeasure(
                    f"{swarm.counts.num_streaming} of {plan.num_streams} streams have their Welcome after "
                    f"{patience_s:.0f} s; ends: {dict(swarm.counts.ends)}"
                )
            swarm.start_chunks(period_s=plan.period_s)
            swarm.run_until(lambda: False, timeout_s=plan.period_s)
            before, began_s, own_s = _sum(site, servers), time.monotonic(), time.process_time()
            acked, num_sent = swarm.counts.chunks_acked, len(swarm.late_ms)
            swarm.run_until(lambda: False, timeout_s=measured_s)
            after, ended_s, own_s = _sum(site, servers), time.monotonic(), time.process_time() - own_s
            acked = swarm.counts.chunks_acked - acked
            late_ms = swarm.late_ms[num_sent:]
            swarm.stop_chunks()
            swarm.run_until(lambda: swarm.num_unacked == 0, timeout_s=_GRACE_S)
        ack_ms = [
            ms
            for due_s, ms in zip(swarm.acked_due_s, swarm.acked_ms, strict=True)
            if began_s <= due_s < ended_s
        ]
        if not ack_ms or not late_ms:
            raise CannotMeasure(f"no chunk was acknowledged; ends: {dict(swarm.counts.ends)}")
        return Seen(
            chunks_per_s=acked / (ended_s - began_s),
            ack_ms=ack_ms,
            cpu_s_per_1000=1000 * (after.server_cpu_s - before.server_cpu_s) / acked,
            postgres_cpu_s_per_1000=1000 * (after.postgres_cpu_s - before.postgres_cpu_s) / acked,
            kb_per_stream=1024 * (after.server_rss_mib - idle.server_rss_mib) / plan.num_streams,
            client_late_p99_ms=percentile(late_ms, 0.99),
            client_cpu_s_per_s=own_s / (ended_s - began_s),
            num_acked=swarm.counts.chunks_acked,
            num_unacked=swarm.num_unacked,
            acked_twice=swarm.counts.acked_twice,
            num_refused=swarm.counts.chunks_refused,
            num_heartbeats=swarm.counts.heartbeats,
            ends=dict(swarm.counts.ends),
        )
    finally:
        swarm.close()


def _sum(site: Site, servers: list[Server]) -> Load:
    loads = [site.load(server) for server in servers]
    return Load(
        server_cpu_s=sum(load.server_cpu_s for load in loads),
        postgres_cpu_s=loads[0].postgres_cpu_s,
        server_rss_mib=sum(load.server_rss_mib for load in loads),
    )
