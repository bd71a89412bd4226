"""How long a stream lives: old ones leave in good order, and what is half open is dropped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.uplink.outbox import Outbox
from tests.fakes.link_parts import TOKEN, Site, eventually, lane_chunk, new_session_id

ROOT = Path(__file__).parents[2]


async def test_an_old_stream_is_asked_to_connect_anew_and_nothing_is_lost(site: Site, tmp_path: Path):
    server = await site.start(max_connection_age_s=1.0)
    outbox = Outbox(tmp_path / "outbox.db")
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    problems: list[str] = []
    client = site.client(outbox)
    client.start()
    seen: set[int] = set()

    def look() -> bool:
        seen.update(id(stream) for stream in server._streams)
        problems.append(client.problem)
        if outbox.num_waiting() == 0:
            outbox.put(session_id, lane_chunk(len(problems)))
        return len(seen) >= 3

    try:
        await eventually(look, deadline_s=30, what="it has connected three times")
        await eventually(lambda: outbox.num_waiting() == 0, deadline_s=20)
    finally:
        await asyncio.to_thread(client.stop)
        await server.stop()
        outbox.close()

    # gRPC's own end would be told as a problem with this text.
    assert not [problem for problem in problems if "max connection age" in problem.lower()]


def stopped_agent(site: Site, tmp_path: Path) -> subprocess.Popen[str]:
    (tmp_path / "token").write_text(TOKEN)
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.fakes.link_agent_process",
            str(tmp_path),
            new_session_id(),
            str(site.port),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def is_dropped(site: Site, tmp_path: Path, *, dead_peer_s: float, within_s: float) -> None:
    """A real agent under load is stopped in the middle; its stream and its connection go."""
    server = await site.start(dead_peer_s=dead_peer_s)
    agent = stopped_agent(site, tmp_path)
    try:
        await eventually(lambda: server.num_streams == 1, deadline_s=30)
        await eventually(lambda: server.commits.counters.num_chunks > 10, deadline_s=20)
        os.kill(agent.pid, signal.SIGSTOP)
        await eventually(lambda: server.num_streams == 0, deadline_s=within_s, what="its stream is dropped")
        await eventually(lambda: connections(site.port) == 0, deadline_s=within_s, what="its connection, too")
    finally:
        agent.kill()
        agent.wait()
        await server.stop()


def connections(port: int) -> int:
    """Established connections of this machine whose server side is `port`. See proc(5)."""
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    return sum(int(row[1].rpartition(":")[2], 16) == port and row[3] == "01" for row in rows)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_stopped_agent_is_dropped(site: Site, tmp_path: Path):
    await is_dropped(site, tmp_path, dead_peer_s=3.0, within_s=20)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_stopped_agent_is_dropped_within_30_s_as_it_is_configured(site: Site, tmp_path: Path):
    await is_dropped(site, tmp_path, dead_peer_s=25.0, within_s=32)
