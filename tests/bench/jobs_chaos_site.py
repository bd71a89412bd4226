"""What `bench jobs --part chaos` kills: a whole coordinator on a database of its own, or on an operator's.

`EmbeddedSite` is `coordinator all`: its supervisor starts again what was killed, PostgreSQL too. `ExternalSite` is a
fleet on one machine: `serve` and `worker --stage` one by one on Debian's PostgreSQL, each ended with all its children
and started again after a second by a plain loop, as systemd or Kubernetes would.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from coordinator.settings import STAGES
from tests.bench.measure import CannotMeasure, process_tree
from tests.e2e.processes import Started, wait_until
from tests.e2e.stack import Stack

LEASE_S = 10.0
_RESTART_S = 1.0
_SETTINGS = {
    "WORKERS__LEASE_S": LEASE_S,
    "WORKERS__RECONCILE_S": 10,
    "WORKERS__CLEANUP_S": 30,
    "ROLL_UP_S": 30,
    "AUTO_EXPORT__PER_HOUR": 4,
    "SERVE__PROCESSES": 1,
}


class ChaosSite(Stack):
    """A coordinator whose parts can be killed by name, and agents that stream to it."""

    kind = ""

    def __init__(self, **settings: Any) -> None:
        super().__init__(coordinator=_SETTINGS | settings)
        self.agents: Started | None = None

    def start_agents(self, count: int, period_s: float) -> None:
        """Sessions that put ten seconds each `period_s`."""
        token = self.data / "owner.token"
        wait_until(token.exists, "the token is there", deadline_s=30)
        words = [str(self.folder / "agents"), f"127.0.0.1:{self.grpc_port}"]
        words += [str(self.data / "tls" / "ca.pem"), str(token), str(count), str(period_s)]
        command = [sys.executable, "-m", "tests.bench.jobs_chaos_agent", *words]
        self.agents = self._start("agents", command, stdin=subprocess.PIPE)

    def finish_agents(self) -> None:
        """Let them begin nothing new, and wait until all they have is stored."""
        assert self.agents is not None
        self.agents.stdin.write(b"finish\n")
        self.agents.stdin.flush()
        wait_until(lambda: ["stored"] in self.told(), "every chunk is stored", deadline_s=120)

    def told(self) -> list[list[str]]:
        """What the agents said, by line and word."""
        assert self.agents is not None
        self.agents.check()
        return [line.split() for line in self.agents.log.read_text(encoding="utf-8").splitlines()]

    def worker_pid(self, stage: str) -> int | None:
        """The worker of a stage; None while there is none."""
        raise NotImplementedError

    def kill_database(self) -> None:
        """kill -9; returns when it is gone, and it is started again by whoever does that."""
        raise NotImplementedError

    def wait_answering(self, deadline_s: float = 90.0) -> float:
        """Wait until the database answers; returns when (wall clock, seconds)."""
        wait_until(self._answers, "the database answers", deadline_s=deadline_s)
        return time.time()

    def ask_sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """As `sql`; a database that is away is asked again."""
        answers: list[list[asyncpg.Record]] = []

        def ask() -> bool:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                answers.append(self.sql(statement, *values))
            return bool(answers)

        wait_until(ask, "the database answers", deadline_s=90)
        return answers[0]

    def execute(self, script: str) -> None:
        """Run statements as the product's role."""

        async def run() -> None:
            connection = await asyncpg.connect((self.data / "database.url").read_text().strip(), timeout=10)
            try:
                await connection.execute(script)
            finally:
                await connection.close(timeout=5)

        asyncio.run(run())

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self.sql("select true as is_there"))
        return False


class EmbeddedSite(ChaosSite):
    """`coordinator all`."""

    kind = "embedded"

    def worker_pid(self, stage: str) -> int | None:
        """As its state file says."""
        pid = self.state().get("children", {}).get(stage)
        return int(pid) if pid else None

    def kill_database(self) -> None:
        """The postmaster alone: what it started notices by itself."""
        pid = wait_until(
            lambda: self.state().get("services", {}).get("postgres"), "PostgreSQL runs", deadline_s=60
        )
        os.kill(int(pid), signal.SIGKILL)


class ExternalSite(ChaosSite):
    """`serve`, and a `worker` for each stage."""

    kind = "external"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._server = DebianPostgres(self.folder)
        self._settings["DATABASE__URL"] = self._server.url
        self._services: list[KeptService] = []

    def start_coordinator(self, *, is_ready: bool = True) -> Any:
        """The database, its schema, and one service after the other."""
        self._server.start()
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.data / "database.url").write_text(self._server.url, encoding="utf-8")
        migrate = self._start("migrate", [sys.executable, "-m", "coordinator", "migrate"])
        if migrate.wait(within_s=60) != 0:
            raise CannotMeasure(f"no schema: {migrate.last_words()}")
        for name, words in {
            "serve": ["serve"],
            **{stage: ["worker", "--stage", stage] for stage in STAGES},
        }.items():
            command = [sys.executable, "-m", "coordinator", *words]
            self._services.append(KeptService(name, command, self.environment, self.folder / f"{name}.log"))
        if is_ready:
            self.wait_ready()

    def wait_ready(self, *, deadline_s: float = 60.0) -> None:
        """Wait until every stage has a worker that claims."""
        ready = "select count(distinct stage) as num from workers where state = 'ready'"
        wait_until(lambda: self.sql(ready)[0]["num"] == len(STAGES), "all are ready", deadline_s=deadline_s)

    def worker_pid(self, stage: str) -> int | None:
        """As the loop knows it."""
        return next(service.pid for service in self._services if service.name == stage)

    def kill_database(self) -> None:
        """All of its processes, and a loop starts it again."""
        self._server.kill()
        threading.Thread(target=self._server.start_again, daemon=True).start()

    def close(self) -> None:
        """End the services before what they need."""
        for service in reversed(self._services):
            service.stop()
        if self.agents is not None:
            self.agents.end()
        self._server.stop()
        super().close()

    def logs(self) -> dict[str, str]:
        """The services' too."""
        words = {
            path.name: "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])
            for path in self.folder.glob("*.log")
        }
        return super().logs() | words


class KeptService:
    """A process that a loop starts again, a second after it ended; what it had started is ended first."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.num_starts = 0
        self.pid: int | None = None
        self._command, self._environment, self._log = command, environment, log
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=f"keep-{name}", daemon=True)
        self._thread.start()

    def stop(self, within_s: float = 30.0) -> int | None:
        """SIGTERM, and no new one; returns its exit code. Twice is once."""
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._thread.join(within_s)
        if self._process is not None:
            _kill_group(self._process.pid)
        return self._process.returncode if self._process is not None else None

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._log.open("ab") as out:
                self._process = subprocess.Popen(
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            self.num_starts += 1
            self.pid = self._process.pid
            self._process.wait()
            self.pid = None
            # A unit's control group, or a container, goes with its main process.
            _kill_group(self._process.pid)
            self._stopping.wait(_RESTART_S)


class DebianPostgres:
    """The system's PostgreSQL, as an operator of a fleet has it: its own user, TCP on loopback."""

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            raise CannotMeasure("no PostgreSQL of the system is installed")
        self._programs = found[-1].parent
        self._cluster, self._log = folder / "pg", folder / "postgres.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self._as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._server: subprocess.Popen[bytes] | None = None
        self._is_stopping = False
        self.url = f"postgresql://clippy@127.0.0.1:{self._port}/clippy"

    def start(self) -> None:
        """Make the cluster, start it, and give the product's role its database."""
        self._cluster.mkdir(mode=0o700)
        if self._as_user:
            shutil.chown(self._cluster, self._as_user["user"], self._as_user["group"])
        self._tool("initdb", "-D", str(self._cluster), "--auth=trust", "-U", "postgres", "--encoding=UTF8")
        self._run()
        login = ("-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres")
        wait_until(lambda: self._try("pg_isready", *login), "PostgreSQL is ready", deadline_s=30)
        # As docs/operations.md has it of an administrator.
        for statement in (
            "create role clippy login",
            "create role clippy_reader nologin",
            "grant clippy_reader to clippy",
            "create database clippy owner clippy",
        ):
            self._tool("psql", "-X", *login, "-c", statement, "postgres")

    def kill(self) -> None:
        """kill -9 of the postmaster and of everything that it started."""
        assert self._server is not None
        for pid in process_tree(self._server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait(10)

    def start_again(self) -> None:
        """As a unit's Restart= does."""
        time.sleep(_RESTART_S)
        if not self._is_stopping:
            self._run()

    def stop(self) -> None:
        """A fast shutdown."""
        self._is_stopping = True
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def _run(self) -> None:
        settings = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "log_min_messages": "warning",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._cluster), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._as_user,
            )

    def _try(self, name: str, *arguments: str) -> bool:
        done = subprocess.run(
            [str(self._programs / name), *arguments],
            capture_output=True,
            cwd="/",
            timeout=120,
            check=False,
            **self._as_user,
        )
        self._said = done.stderr.decode(errors="replace")
        return done.returncode == 0

    def _tool(self, name: str, *arguments: str) -> None:
        if not self._try(name, *arguments):
            raise CannotMeasure(f"PostgreSQL's {name} failed: {self._said}")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
