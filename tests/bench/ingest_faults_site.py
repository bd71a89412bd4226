"""What the bench `ingest --part faults` runs on: folders, a database, certificates, nodes and agents as processes.

Everything belongs to the bench's loop. A child ends with the bench, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import asyncpg
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from coordinator.errors import DatabaseUnavailable
from coordinator.ingest.server import SERVICE
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.migrate import migrate
from tests.bench.ingest_faults_chunks import TOKEN
from tests.bench.measure import ROOT, CannotMeasure, process_tree, say
from tests.fakes.link_parts import make_certificates

TMPFS_BYTES = 24 * 1024 * 1024
Key = tuple[str, str, int]


class Child:
    """A process and what it has said in whole lines."""

    def __init__(self, site: Site, name: str) -> None:
        self.name = name
        self.site = site
        self.process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def spawn(self, module: str, *arguments: str) -> None:
        """Start it; a child of an earlier life must be dead."""
        dying = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with (self.site.folder / "logs" / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*dying, sys.executable, "-m", module, str(self.site.folder), *arguments),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "CLIPPY_BENCH_DATABASE": self.site.database_url},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._reader = asyncio.create_task(self._read(self.process))

    def signal(self, number: int) -> None:
        """Send a signal; one that is gone gets none."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def kill(self) -> None:
        """kill -9, and wait until it is gone and all it said is heard."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def wait(self) -> int | None:
        """Its exit status, once it is gone and all it said is heard."""
        if self.process is None or self._reader is None:
            return None
        code = await self.process.wait()
        await self._reader
        return code

    def heard(self, words: list[str]) -> None:
        """One line, split."""
        raise NotImplementedError

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        # The last line of a killed process may be half a promise: it counts only when it is whole.
        while (line := await process.stdout.readline()).endswith(b"\n"):
            self.heard(line.decode("ascii", "replace").split(maxsplit=1))


class Node(Child):
    """A node of the coordinator."""

    def __init__(self, site: Site, name: str) -> None:
        super().__init__(site, name)
        self.port = 0
        self.num_streams = 0
        self.torn_bytes = 0
        self.lost_rows = 0
        self.readded = 0
        self.is_serving = False
        self._listening = asyncio.Event()

    @property
    def spool(self) -> Path:
        """The folder of its segments."""
        return self.site.folder / f"spool-{self.name}" / self.name

    async def start(self) -> None:
        """Begin to start it."""
        self._listening.clear()
        self.num_streams = 0
        await self.spawn("tests.bench.ingest_faults_server", self.name, str(self.port))

    @property
    def is_up(self) -> bool:
        """Does it listen?"""
        return self._listening.is_set() and self.process is not None and self.process.returncode is None

    async def up(self, within_s: float = 90.0) -> None:
        """Wait until it listens.

        Raises:
            CannotMeasure: It ended, or took too long.
        """
        try:
            await asyncio.wait_for(self._listening.wait(), within_s)
        except TimeoutError:
            raise CannotMeasure(f"node {self.name} did not listen within {within_s:.0f} s") from None

    def heard(self, words: list[str]) -> None:
        """What the server process says."""
        if words[0] == "recovered":
            report = json.loads(words[1])
            self.torn_bytes += report["num_torn_bytes"]
            self.lost_rows += report["num_lost"]
            self.readded += report["num_readded"]
        elif words[0] == "listening":
            self.port = int(words[1])
            self._listening.set()
        elif words[0] == "streams":
            self.num_streams = int(words[1])


class Agents(Child):
    """One or more agents in a process; `promises` collects what they said."""

    def __init__(
        self, site: Site, *, first: int, count: int = 1, period_s: float = 1.0, port: Callable[[], int]
    ) -> None:
        super().__init__(site, f"agent-{first}")
        self._arguments = (first, count, period_s)
        self.port = port
        self.num_connected = 0
        self.is_finished = False
        self.sessions: set[str] = set()

    async def start(self) -> None:
        """Start the process."""
        self.num_connected = 0
        first, count, period_s = self._arguments
        await self.spawn(
            "tests.bench.ingest_faults_agent", str(self.port()), str(first), str(count), str(period_s)
        )

    def finish(self) -> None:
        """Ask it to end its sessions and to leave when all is stored."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self.process.stdin.write(b"finish\n")

    def heard(self, words: list[str]) -> None:
        """What the agent process says."""
        if words[0] == "finished":
            self.is_finished = True
            return
        if words[0] == "connected":
            self.num_connected = int(words[1])
            return
        session_id, lane, seq = words[1].split()
        self.sessions.add(session_id)
        self.site.promises.note(words[0], session_id, lane, int(seq))


class Promises:
    """What agents were promised, and by whom, by key (session, name of the lane, number)."""

    def __init__(self) -> None:
        self.put: set[Key] = set()
        self.acked: set[Key] = set()
        self.counts: Counter[str] = Counter()

    def note(self, what: str, session_id: str, lane: str, seq: int) -> None:
        """One line of an agent."""
        # Acks name the lane by its number, and puts by its name.
        key = (session_id, LANES.get(lane, lane), seq)
        self.counts[what] += 1
        if what == "put":
            self.put.add(key)
        elif what in ("ack", "stored"):
            self.acked.add(key)


LANES = {"1": "mic", "2": "desktop", "3": "proxy", "4": "signals", "5": "chat"}


class Site:
    """Folders, database, certificates. `open` and `close` belong to the bench."""

    def __init__(self) -> None:
        # Not below a home: as root PostgreSQL runs as a user who cannot enter one.
        self.folder = Path(
            tempfile.mkdtemp(prefix="clippy-bench-", dir="/tmp" if os.name == "posix" else None)
        )
        self.folder.chmod(0o711)
        self.postgres = EmbeddedPostgres(self.folder / "data")
        self.promises = Promises()
        self.database_url = ""
        self.pool: asyncpg.Pool | None = None
        self.tmpfs: Path | None = None
        self.left_behind: list[Agents] = []
        self.channels: dict[str, grpc.aio.Channel] = {}

    async def open(self) -> None:
        """Make it all."""
        for name in ("logs", "outboxes", "objects"):
            (self.folder / name).mkdir()
        certificates = make_certificates(self.folder)
        (self.folder / "server.pem").write_bytes(certificates.tls.certificate)
        (self.folder / "server.key").write_bytes(certificates.tls.key)
        (self.folder / "token").write_text(TOKEN, encoding="ascii")
        self.database_url = await asyncio.to_thread(self.postgres.start)
        await asyncio.to_thread(migrate, self.database_url)
        self.pool = await asyncpg.create_pool(self.database_url, min_size=0, max_size=3)

    def mount_small_disk(self, node: str) -> bool:
        """Put a node's spool on a disk that can be filled; False where that is not allowed."""
        folder = self.folder / f"spool-{node}"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "clippy-bench", str(folder)]
        if os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"):
            return False
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return False
        self.tmpfs = folder
        return True

    async def close(self) -> None:
        """Give everything back."""
        for channel in self.channels.values():
            await channel.close()
        if self.pool is not None:
            self.pool.terminate()
        await asyncio.to_thread(self.postgres.stop)
        if self.tmpfs is not None:
            await asyncio.to_thread(
                subprocess.run, ["umount", "-l", str(self.tmpfs)], capture_output=True, check=False
            )
        if not os.environ.get("CLIPPY_BENCH_KEEP"):
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        else:
            say(f"kept {self.folder}")

    async def ask_health(self, node: Node) -> bool:
        """Does the node say that it serves?"""
        channel = self.channels.get(node.name)
        if channel is None:
            credentials = grpc.ssl_channel_credentials((self.folder / "ca.pem").read_bytes())
            options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]
            channel = grpc.aio.secure_channel(f"127.0.0.1:{node.port}", credentials, options=options)
            self.channels[node.name] = channel
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=2.0)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def database_backends(self) -> list[int]:
        """PostgreSQL's processes that serve the nodes."""
        if self.postgres.pid is None:
            return []
        found = []
        for pid in process_tree(self.postgres.pid)[1:]:
            with contextlib.suppress(OSError):
                if b"clippy clippy" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    async def kill_database(self, dice: random.Random, *, is_whole: bool) -> bool:
        """kill -9 of a backend, upon which PostgreSQL drops all connections, or of the server itself."""
        if not is_whole:
            backends = self.database_backends()
            if not backends:
                return False
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(backends), signal.SIGKILL)
            return True
        pid = self.postgres.pid
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        for _ in range(20):
            try:
                await asyncio.to_thread(self.postgres.restart)
                return True
            except DatabaseUnavailable as exc:
                say(f"faults: the database is not back yet: {exc}")
                await asyncio.sleep(0.5)
        raise CannotMeasure("the database did not come back after a kill")
