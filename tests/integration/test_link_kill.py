"""kill -9 of both ends under load: what was promised is stored, once, byte for byte."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from agent.uplink.link import LinkClient
from agent.uplink.outbox import Outbox
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from coordinator.store.objects import MARK
from protos.clippy.v1 import media_pb2
from tests.fakes.link_parts import QUICK, Site, eventually, lane_chunk, make_site, new_session_id

ROOT = Path(__file__).parents[2]


class Process:
    """One end in a process; its output is read by a thread."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The last line of a killed process may be half a promise: it counts only when it is whole.
            if line.endswith("\n"):
                self.lines.append(line.strip())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def processes() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(module: str, *arguments: str) -> Process:
        started.append(Process(module, *arguments))
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ValueError):
            process.kill()


async def listening(server: Process) -> int:
    await eventually(lambda: [line for line in server.lines if line.isdigit()], deadline_s=30)
    return int(next(line for line in server.lines if line.isdigit()))


@pytest.mark.logs("session_found_unended")
async def test_kills_of_both_ends_under_load_lose_and_double_nothing(
    tmp_path: Path, pool: asyncpg.Pool, database_url: str, processes: Callable[..., Process]
):
    site = await make_site(tmp_path, pool)
    (tmp_path / "server.pem").write_bytes(site.certificates.tls.certificate)
    (tmp_path / "server.key").write_bytes(site.certificates.tls.key)
    (tmp_path / "token").write_text("a-token-of-the-test")
    serve, act = "tests.fakes.link_server_process", "tests.fakes.link_agent_process"
    server = processes(serve, str(tmp_path), database_url, "0")
    port = await listening(server)
    promised: dict[tuple[str, str, int], int] = {}

    for turn in range(3):
        session_id = new_session_id()
        agent = processes(act, str(tmp_path), session_id, str(port))
        await eventually(lambda agent=agent: len(agent.lines) > 40, deadline_s=30)
        before = await pool.fetchval("select count(*) from chunks")
        await eventually(
            lambda before=before: grown(pool, before + 20),
            deadline_s=30,
            what="chunks arrive before the kill",
        )
        if turn < 2:
            server.kill()
            server = processes(serve, str(tmp_path), database_url, str(port))
            await listening(server)
            await eventually(lambda before=before: grown(pool, before + 40), deadline_s=30)
        agent.kill()
        for _, lane, seq, index in (line.split() for line in agent.lines if line.startswith("put ")):
            promised[session_id, lane, int(seq)] = int(index)

    outbox = Outbox(tmp_path / "outbox.db")
    outbox.start_session(new_session_id(), 1_700_000_000_000)
    link = LinkClient(
        site.client(outbox, port=port).coordinator,
        outbox,
        agent_id="agent-1",
        agent_version="0",
        settings=QUICK,
    )
    link.start()
    await eventually(lambda: outbox.num_waiting() == 0, deadline_s=60)
    await eventually(lambda: len(outbox.sessions()) == 1, deadline_s=60, what="all sessions are stored")
    link.stop()
    outbox.close()
    server.kill()

    await check_stored(site, promised)


async def check_stored(site: Site, promised: dict[tuple[str, str, int], int]) -> None:
    rows = await site.pool.fetch("select * from chunks")
    names = {media_pb2.LANE_MIC: "mic", media_pb2.LANE_PROXY: "proxy"}
    stored = {(row["session_id"], names[row["lane"]], row["seq"]): row for row in rows}
    assert len(promised) > 100
    assert [key for key in promised if key not in stored] == []
    assert await site.pool.fetchval("select max(num) from wanted_jobs") == 1
    assert await site.pool.fetchval("select count(*) from wanted_jobs") == sum(
        key[1] == "mic" for key in stored
    )
    reader = PlacedBytes(spools=SpoolFolders(site.folder / "spool"), objects=site.objects)
    for key, index in promised.items():
        data = await reader.read(stored[key]["place"])
        assert data == lane_chunk(index, lane="mic" if key[1] == "mic" else "proxy", num_bytes=3000).payload
        assert hashlib.sha256(data).digest() == stored[key]["sha256"]
    for row in await site.pool.fetch("select * from sessions where lane_counts is not null"):
        for lane, num_chunks in json.loads(row["lane_counts"]).items():
            have = [seq for session, name, seq in stored if (session, name) == (row["session_id"], lane)]
            assert sorted(have) == list(range(num_chunks))
    used = {row["place"].removeprefix("object:").rsplit("/", 2)[0] for row in rows}
    on_disk = {
        str(path.relative_to(site.folder / "objects"))
        for path in (site.folder / "objects").rglob("*")
        if path.is_file() and path.name != MARK
    }
    intents = len(list((site.folder / "spool" / "n1" / "intents").glob("*.json")))
    assert len(on_disk - used) <= intents, "objects that nobody uses and nobody knows of"


async def grown(pool: asyncpg.Pool, num_chunks: int) -> bool:
    return bool(await pool.fetchval("select count(*) from chunks") >= num_chunks)
