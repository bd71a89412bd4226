"""The coordinator under load: the real `serve` with the real PostgreSQL, on a disk, in a folder of its own.

Nothing else of the coordinator runs: no worker takes the jobs. Used by one thread; Linux only.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from coordinator.app.installation import Installation
from coordinator.config import load_config
from coordinator.errors import CoordinatorError
from coordinator.model.accounts import Principal
from coordinator.ops.certificates import ServerCertificate, load_certificates
from coordinator.store.embedded import DATABASE, ROLE, EmbeddedPostgres
from coordinator.store.migrate import migrate
from tests.bench.measure import CannotMeasure, cpu_s, last_words, process_tree, rss_mib, running, wait_until

_LISTENING = "0A"
# Not the folder for temporary files: that may be memory, and a spool's fdatasync is a large part of the cost.
_FOLDER = "/var/tmp"
_SPARE_FILES = 512
# Processes of one server start together; this long after one listens the others do.
_SETTLED_S = 4.0
_SEED = """
with numbered as (select 'bench-' || number as id from generate_series(0, $1::integer - 1) as number),
     added as (insert into accounts (user_id, tier) select id, 'business' from numbered
               on conflict do nothing returning user_id)
insert into devices (device_id, user_id, agent_id, family_hash) select id, id, id, sha256(id::bytea) from numbered
on conflict do nothing
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a site has used up to an instant: CPU seconds of all processes, and resident memory of the server's."""

    server_cpu_s: float
    postgres_cpu_s: float
    server_rss_mib: float


class Server:
    """A server's process, with its children."""

    def __init__(self, child: subprocess.Popen[str], port: int, log: Path) -> None:
        self.pid = child.pid
        self.child = child
        self.port = port
        self.log = log

    def wait_ready(self, timeout_s: float = 60.0) -> float:
        """Wait until the port answers; returns when it did (monotonic seconds).

        Raises:
            CannotMeasure: It ended, or is not there in time.
        """

        def answers() -> bool:
            if self.child.poll() is not None:
                raise CannotMeasure(f"the server ended ({self.child.returncode}): {last_words(self.log)}")
            return is_answering(self.port)

        wait_until(answers, timeout_s=timeout_s, what="the server's port answers")
        return time.monotonic()

    def num_processes(self) -> int:
        """How many of its processes listen on the port."""
        inodes = _listening_inodes(self.port)
        return sum(bool(inodes & _socket_inodes(pid)) for pid in process_tree(self.pid))

    def wait_settled(self, timeout_s: float = 60.0) -> int:
        """Wait until no more of its processes begin to listen; returns how many do."""
        deadline_s = time.monotonic() + timeout_s
        num, since_s = 0, time.monotonic()
        while (now_s := time.monotonic()) - since_s < _SETTLED_S and now_s < deadline_s:
            if (found := self.num_processes()) != num:
                num, since_s = found, now_s
            time.sleep(0.2)
        return num

    def kill(self) -> None:
        """SIGKILL to all of its processes at once; returns when they have let go of the port."""
        for pid in process_tree(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait(30)
        wait_until(lambda: not _listening_inodes(self.port), timeout_s=30, what="the port is let go of")

    def terminate(self, timeout_s: float = 60.0) -> int:
        """SIGTERM; returns the exit code.

        Raises:
            CannotMeasure: It does not end.
        """
        self.child.terminate()
        try:
            return self.child.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise CannotMeasure(f"the server did not end within {timeout_s:.0f} s of SIGTERM") from exc


class Site:
    """A data directory with its database."""

    def __init__(self, data: Path, postgres: EmbeddedPostgres) -> None:
        self.data = data
        self.postgres = postgres
        self.certificates: ServerCertificate = load_certificates(data)
        self.port, self.rival_port, self._web_port = free_port(), free_port(), free_port()
        self.rival_token = secrets.token_urlsafe(32)

    @property
    def spool(self) -> Path:
        """Where `serve` spools."""
        return self.data / "spool"

    def tokens_for(self, num: int) -> list[str]:
        """An access token for each of `num` agents, each of a paired device and an account of its own.

        The one place that knows how an agent proves who it is.
        """
        installation = Installation(self.data, load_config(self.data, environment={}))
        self.fetch(_SEED, num)
        tokens = installation.access_tokens()
        return [
            tokens.mint(Principal(user_id=f"bench-{index}", tier="business", device_id=f"bench-{index}"))
            for index in range(num)
        ]

    @contextlib.contextmanager
    def serving(self, name: str = "serve") -> Iterator[Server]:
        """`clippy-coordinator serve` of this directory; ended with the block, if it still runs."""
        self._write_config()
        log = self.data / f"{name}.log"
        command = [sys.executable, "-m", "coordinator", "--data", str(self.data), "serve"]
        with running(command, environment=_environment(), log=log) as child:
            yield Server(child, self.port, log)

    def load(self, server: Server) -> Load:
        """What the server and PostgreSQL have used so far."""
        pid = self.postgres.pid
        if pid is None:
            raise CannotMeasure("PostgreSQL is gone")
        return Load(
            server_cpu_s=cpu_s(server.pid), postgres_cpu_s=cpu_s(pid), server_rss_mib=rss_mib(server.pid)
        )

    def fetch(self, statement: str, *values: object, database: str = DATABASE) -> list[Any]:
        """Ask or tell the database, as its superuser."""
        return asyncio.run(_fetch(on_database(self.postgres.superuser_url, database), statement, values))

    def new_database(self, name: str) -> str:
        """A second database with the same tables, for the rival; returns its address."""
        self.fetch(f"create database {name} owner {ROLE}", database="postgres")
        url = on_database(self.postgres.url, name)
        migrate(url)
        return url

    def _write_config(self) -> None:
        lines = (
            *("[listen]", f'grpc = "127.0.0.1:{self.port}"', f'web = "127.0.0.1:{self._web_port}"'),
            # Ten thousand agents of one account would be more than one account may have.
            *("[limits]", "business_streams = 0", "business_bytes_per_s = 0", "pending_bytes = 268435456"),
        )
        (self.data / "coordinator.toml").write_text("\n".join((*lines, "")), encoding="utf-8")


@contextlib.contextmanager
def open_site(*, needed_bytes: int) -> Iterator[Site]:
    """A fresh site; all of it is deleted with the block.

    Raises:
        CannotMeasure: The disk has too little room, or PostgreSQL does not start.
    """
    free_bytes = shutil.disk_usage(_FOLDER).free
    if free_bytes < needed_bytes + 2**30:
        raise CannotMeasure(
            f"{_FOLDER} has {free_bytes / 2**30:.1f} GiB free, and the spool needs "
            f"{needed_bytes / 2**30:.1f}; make room, or measure elsewhere"
        )
    data = Path(tempfile.mkdtemp(prefix="clippy-bench-", dir=_FOLDER))
    # As root PostgreSQL runs as a user of its own, who must be able to enter.
    data.chmod(0o711)
    postgres = EmbeddedPostgres(data)
    try:
        url = postgres.start()
        migrate(url)
        (data / "database.url").write_text(url, encoding="utf-8")
        yield Site(data, postgres)
    except CoordinatorError as exc:
        raise CannotMeasure(str(exc)) from exc
    finally:
        postgres.stop()
        shutil.rmtree(data, ignore_errors=True)


def raise_open_files(num_streams: int) -> None:
    """Allow this process, and those it starts, a descriptor for each stream.

    Raises:
        CannotMeasure: The machine does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = num_streams + _SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CannotMeasure(
            f"{hard} open files are allowed, {num_streams} streams need {needed}; raise ulimit -Hn"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < hard else soft, hard))


def is_answering(port: int) -> bool:
    """Does somebody accept connections there? Takes 0.1 s at most."""
    with socket.socket() as probe:
        probe.settimeout(0.1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_database(url: str, name: str) -> str:
    """The same server's address, for another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _fetch(url: str, statement: str, values: Sequence[object]) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement, *values, timeout=120))
    finally:
        await connection.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CLIPPY_COORDINATOR_")}


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(str(entry.stat().st_ino))
    return found
