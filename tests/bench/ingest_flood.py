"""Bench `ingest`, part `flood`: what 200 well-behaved accounts notice of one that keeps no rule.

The two states take turns in one run, on the same connections, so that the machine's moods fall on both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from tests.bench.flood_server import FLOOD
from tests.bench.grpc_call import GrpcCall
from tests.bench.ingest_site import Load, Server, Site, open_site
from tests.bench.link_messages import ChunkMaker
from tests.bench.measure import ROOT, CannotMeasure, Result, median, percentile, quiet_log, running, say
from tests.bench.swarm import Swarm
from tests.bench.swarm_parts import client_context, collector_at_rest

PAYLOAD_BYTES = 40_000
NUM_STREAMS = 200
_PERIOD_S = 2.0
_MEASURED_S = 60.0
_NUM_TURNS = 8
# What is still under way when the flood begins or ends counts for neither.
_SETTLE_S = 2.0
_GRACE_S = 30.0
_FIGURES = (
    *("flood_p99_alone_ms", "flood_p99_ms", "flood_p99_ratio", "flood_p50_alone_ms", "flood_p50_ms"),
    *("flood_unacked", "flood_ends", "flood_chunks_per_s"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """From when to when (monotonic seconds), and what the server had used by then."""

    began_s: float
    ended_s: float
    before: Load
    after: Load


@dataclasses.dataclass(slots=True)
class _Windows:
    """When it was quiet, and when it was flooded."""

    alone: list[_Window] = dataclasses.field(default_factory=list)
    flooded: list[_Window] = dataclasses.field(default_factory=list)


def run_flood(result: Result, scale: float) -> None:
    """Measure both states in turn."""
    num_streams = max(20, round(NUM_STREAMS * min(1.0, scale)))
    turn_s = max(2.0, _MEASURED_S / _NUM_TURNS * min(1.0, scale))
    num_turns = _NUM_TURNS if scale >= 0.1 else 1
    with (
        result.promising(*_FIGURES),
        quiet_log(),
        open_site(needed_bytes=3 * 2**30) as site,
        _serving(site) as server,
    ):
        server.wait_ready()
        _measure(result, site, server, num_streams, turn_s, num_turns)


def _measure(
    result: Result, site: Site, server: Server, num_streams: int, turn_s: float, num_turns: int
) -> None:
    tokens = [f"good-{index}" for index in range(num_streams)]
    site.fetch("insert into accounts (user_id) select unnest($1::text[])", [*tokens, FLOOD])
    swarm = Swarm(
        ("127.0.0.1", site.port),
        client_context(str(site.certificates.ca_path), "h2"),
        tokens,
        new_call=lambda token: GrpcCall(
            authority=f"localhost:{site.port}", path="/clippy.v1.Link/Connect", token=token
        ),
        chunks=ChunkMaker(os.urandom(PAYLOAD_BYTES)),
    )
    say(f"ingest flood: {num_streams} streams, {num_turns} turns of {turn_s:.0f} s alone and flooded")
    try:
        with collector_at_rest(), _flooding(site) as flood:
            swarm.connect_all(rate_per_s=100)
            if not swarm.run_until(lambda: swarm.are_all_streaming, timeout_s=60):
                raise CannotMeasure(f"not all are connected; ends: {dict(swarm.counts.ends)}")
            windows = _take_turns(swarm, flood, lambda: site.load(server), turn_s, num_turns)
            swarm.stop_chunks()
            swarm.run_until(lambda: swarm.num_unacked == 0, timeout_s=_GRACE_S)
            told = _told(flood)
        _report(result, swarm, windows, told)
    finally:
        swarm.close()


def _take_turns(
    swarm: Swarm, flood: subprocess.Popen[str], load: Callable[[], Load], turn_s: float, num_turns: int
) -> _Windows:
    windows = _Windows()
    swarm.start_chunks(period_s=_PERIOD_S)
    swarm.run_until(lambda: False, timeout_s=2 * _PERIOD_S)
    for _ in range(num_turns):
        for order, found in (("stop", windows.alone), ("go", windows.flooded)):
            _say_to(flood, order)
            swarm.run_until(lambda: False, timeout_s=_SETTLE_S)
            began_s, before = time.monotonic(), load()
            swarm.run_until(lambda: False, timeout_s=turn_s)
            after = load()
            found.append(_Window(began_s=began_s, ended_s=time.monotonic(), before=before, after=after))
    _say_to(flood, "stop")
    return windows


def _report(result: Result, swarm: Swarm, windows: _Windows, told: dict[str, int]) -> None:
    alone = [_acks_of(swarm, window) for window in windows.alone]
    flooded = [_acks_of(swarm, window) for window in windows.flooded]
    if not all((*alone, *flooded)):
        raise CannotMeasure(f"no chunk was acknowledged; ends: {dict(swarm.counts.ends)}")
    all_alone = [ms for turn in alone for ms in turn]
    all_flooded = [ms for turn in flooded for ms in turn]
    p99s_alone = [percentile(turn, 0.99) for turn in alone]
    p99s_flooded = [percentile(turn, 0.99) for turn in flooded]
    flooded_s = sum(window.ended_s - window.began_s for window in windows.flooded)
    result.figures |= {
        "flood_p99_alone_ms": median(p99s_alone, 1),
        "flood_p99_ms": median(p99s_flooded, 1),
        # Of the medians of the turns: one hiccup of the machine has the worst hundredth of a turn to itself.
        "flood_p99_ratio": round(median(p99s_flooded, 6) / median(p99s_alone, 6), 3),
        "flood_p50_alone_ms": round(percentile(all_alone, 0.5), 1),
        "flood_p50_ms": round(percentile(all_flooded, 0.5), 1),
        "flood_unacked": swarm.num_unacked,
        "flood_ends": swarm.counts.num_ends,
        "flood_chunks_per_s": round(told.get("chunks", 0) / flooded_s, 1),
    }
    pairs = ", ".join(f"{quiet:.1f}/{loud:.1f}" for quiet, loud in zip(p99s_alone, p99s_flooded, strict=True))
    result.notes.append(
        f"flood: p99 alone/flooded of each turn, ms: {pairs}; of all turns together "
        f"{percentile(all_alone, 0.99):.1f}/{percentile(all_flooded, 0.99):.1f}; "
        f"{len(all_alone)} and {len(all_flooded)} chunks; "
        f"CPU s/s of server + PostgreSQL alone {_cpu_per_s(windows.alone)}, "
        f"flooded {_cpu_per_s(windows.flooded)}; the flood: {dict(sorted(told.items()))}"
        + (f"; streams of others ended: {dict(swarm.counts.ends)}" if swarm.counts.ends else "")
    )


def _acks_of(swarm: Swarm, window: _Window) -> list[float]:
    return [
        ms
        for due_s, ms in zip(swarm.acked_due_s, swarm.acked_ms, strict=True)
        if window.began_s <= due_s < window.ended_s
    ]


def _cpu_per_s(windows: list[_Window]) -> str:
    """CPU seconds a second of the server and of PostgreSQL, for people."""
    seconds = sum(window.ended_s - window.began_s for window in windows)
    server = sum(window.after.server_cpu_s - window.before.server_cpu_s for window in windows)
    postgres = sum(window.after.postgres_cpu_s - window.before.postgres_cpu_s for window in windows)
    return f"{server / seconds:.2f} + {postgres / seconds:.2f}"


@contextlib.contextmanager
def _serving(site: Site) -> Iterator[Server]:
    log = site.data / "flood-server.log"
    command = [sys.executable, "-m", "tests.bench.flood_server", str(site.data), str(site.port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": site.postgres.url}
    with running(command, environment=environment, log=log) as child:
        yield Server(child, site.port, log)


@contextlib.contextmanager
def _flooding(site: Site) -> Iterator[subprocess.Popen[str]]:
    log = site.data / "flood-client.log"
    command = [sys.executable, "-m", "tests.bench.flood_client"]
    command += [str(site.certificates.ca_path), str(site.port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(command, environment=environment, log=log, has_input=True) as child:
        yield child


def _say_to(child: subprocess.Popen[str], order: str) -> None:
    if child.stdin is None or child.poll() is not None:
        raise CannotMeasure(f"the flood ended by itself ({child.returncode})")
    child.stdin.write(order + "\n")
    child.stdin.flush()


def _told(flood: subprocess.Popen[str]) -> dict[str, int]:
    _say_to(flood, "")
    assert flood.stdout is not None
    return dict(json.loads(flood.stdout.readline() or "{}"))
