"""The embedded PostgreSQL: one server in the data directory, a child of the supervisor, no service and no open port.

Its files are in `<data>/postgres`, its socket in a short folder made for each start (the path of a socket holds 100
bytes, a data directory may be longer). Everybody needs a password (scram), ourselves included; the product's role
`clippy` owns the database `clippy` and is neither superuser nor BYPASSRLS. A server left by a killed supervisor is
stopped before ours starts. Used by one thread, under the lock of the data directory.

Source: PostgreSQL's `initdb`, `pg_ctl`, `pg_dump`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.store.postgres_files import load_passwords, make_runtime_folder, write_private
from coordinator.store.postgres_programs import (
    MAJOR_VERSION,
    SYSTEM_USER,
    ServerIdentity,
    can_enter,
    find_identity,
    find_programs,
)
from coordinator.store.postmaster import FILE_NAME, is_server_of, read_pid, read_postmaster

log = structlog.get_logger(__name__)

ROLE = "clippy"
# Searches are made as this one, which owns nothing: see migration 0014.
READER = "clippy_reader"
DATABASE = "clippy"
_SUPERUSER = "postgres"
_SOCKET_PORT = 5432
_MIN_FREE_BYTES = 256 * 1024**2
_STILL_ENDING_S = 20.0
_MAX_LOG_BYTES = 10 * 1024**2
_COMMAND_TIMEOUT_S = 120.0
_ORPHAN_TIMEOUT_S = 30
_GUARD = Path(__file__).with_name("postgres_guard.py")
_PROVISION = Path(__file__).with_name("provision.sql")

# 100 connections suffice for one machine; a small cache, because the data is small and the agent may be beside us.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


class EmbeddedPostgres:
    """A PostgreSQL server in a data directory.

    Raises (every method):
        DatabaseUnavailable: It does not start; the message says why and what to do.
    """

    name = "postgres"

    def __init__(self, data: Path) -> None:
        """Args: data: the coordinator's data directory; made if it is not there."""
        self._data = data.absolute()
        self._cluster = self._data / "postgres"
        self._log = self._data / "postgres.log"
        self._passwords_file = self._data / "postgres-passwords.json"
        self._identity = ServerIdentity()
        self._programs = Path()
        self._runtime: Path | None = None
        self._port = _SOCKET_PORT
        self._guard: subprocess.Popen[bytes] | None = None
        self._passwords: dict[str, str] = {}

    @property
    def url(self) -> str:
        """For the product's role; valid while the server runs. Holds the password."""
        return self._url(ROLE, self._passwords["product"], DATABASE)

    @property
    def superuser_url(self) -> str:
        """For maintenance and tests only."""
        return self._url(_SUPERUSER, self._passwords["superuser"], "postgres")

    @property
    def pid(self) -> int | None:
        """The server's process."""
        found = read_postmaster(self._cluster)
        return found.pid if found else None

    def start(self, *, timeout_s: float = 60.0) -> str:
        """Start, making the cluster the first time (3-5 s), and return `url`."""
        began = time.monotonic()
        self._prepare_folder()
        self._programs = find_programs(self._data, self._identity)
        self._refuse_what_cannot_work()
        self._stop_orphan()
        self._passwords = load_passwords(self._passwords_file, has_cluster=self._cluster.exists())
        self._runtime = make_runtime_folder(self._identity)
        try:
            if not self._cluster.exists():
                self._make_cluster()
            self._run_server(began + timeout_s)
            self._provision()
        except BaseException:
            self.stop()
            raise
        log.info("postgres_started", pid=self.pid, elapsed_ms=round(1000 * (time.monotonic() - began)))
        return self.url

    def is_alive(self) -> bool:
        """Does the server's process run?"""
        return self._guard is not None and self._guard.poll() is None

    def restart(self) -> None:
        """Start a server that died again, at the same address."""
        if self._guard is not None:
            self._end_guard(timeout_s=25.0)
        self._stop_orphan()
        ends_s = time.monotonic() + _STILL_ENDING_S
        while True:
            self._make_runtime_again()
            try:
                self._run_server(time.monotonic() + 60.0)
                return
            except DatabaseUnavailable as exc:
                # Processes of a server that was killed hold its memory until they have noticed.
                if "shared memory block" not in str(exc) or time.monotonic() > ends_s:
                    raise
            self._end_guard(timeout_s=5.0)
            time.sleep(0.2)

    def _make_runtime_again(self) -> None:
        """A guard takes it away when it is asked to end while the server dies, or starts for too long."""
        if self._runtime is None or self._runtime.is_dir():
            return
        try:
            self._runtime.mkdir(mode=0o700)
            self._identity.give(self._runtime)
        except OSError as exc:
            raise DatabaseUnavailable(f"cannot make the folder of PostgreSQL's socket again: {exc}") from exc

    def stop(self, *, timeout_s: float = 25.0) -> None:
        """Stop with a fast shutdown; twice is once."""
        if self._guard is not None:
            self._end_guard(timeout_s=timeout_s)
            log.info("postgres_stopped")
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None

    def dump(self, path: Path) -> None:
        """Write the product's database to `path` with pg_dump (custom format), whole or not at all."""
        unfinished = path.with_name(path.name + ".new")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._tool("pg_dump", "--format=custom", "--file", str(unfinished), login=(ROLE, "product", DATABASE))
        unfinished.chmod(0o600)
        unfinished.rename(path)

    # Before the server runs.

    def _prepare_folder(self) -> None:
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._identity = find_identity()
            if self._identity.uid is not None:
                # The server's user passes through to its own folder; what is ours beside it is 0600.
                self._data.chmod(self._data.stat().st_mode | 0o111)
        except OSError as exc:
            raise DatabaseUnavailable(
                f"cannot use the data directory {self._data}: {exc}; set --data"
            ) from exc

    def _refuse_what_cannot_work(self) -> None:
        if (blocked := can_enter(self._data, self._identity)) is not None:
            raise DatabaseUnavailable(
                f"PostgreSQL's user {SYSTEM_USER} cannot enter {blocked}; as root, choose a data directory "
                f"everybody can reach, e.g. --data /var/lib/clippy"
            )
        free_bytes = shutil.disk_usage(self._data).free
        if free_bytes < _MIN_FREE_BYTES:
            raise DatabaseUnavailable(
                f"only {free_bytes // 1024**2} MiB are free in {self._data}; PostgreSQL needs "
                f"{_MIN_FREE_BYTES // 1024**2} MiB: make room or set --data"
            )
        if not self._cluster.exists():
            return
        owner = self._cluster.stat().st_uid
        expected = self._identity.expected_uid
        if expected is not None and owner != expected:
            raise DatabaseUnavailable(
                f"{self._cluster} belongs to user {owner}, but PostgreSQL would run as user {expected}; "
                f"start the coordinator as the user who made it, or set --data"
            )
        version = self._read_version()
        if version != str(MAJOR_VERSION):
            raise DatabaseUnavailable(
                f"{self._cluster} is of PostgreSQL {version or '(unknown)'}, this is {MAJOR_VERSION}; "
                f"restore a dump into a fresh data directory"
            )

    def _read_version(self) -> str:
        with contextlib.suppress(OSError):
            return (self._cluster / "PG_VERSION").read_text().strip()
        return ""

    def _stop_orphan(self) -> None:
        """Stop what a killed supervisor left, and drop its mark if the number belongs to somebody else now."""
        pid = read_pid(self._cluster)
        if pid is None:
            return
        if not is_server_of(pid, self._cluster):
            # PostgreSQL would take any living process of its user with this number for a server of its own.
            (self._cluster / FILE_NAME).unlink(missing_ok=True)
            return
        log.info("orphan_postgres_found", pid=pid)
        for mode in ("fast", "immediate"):
            with contextlib.suppress(DatabaseUnavailable):
                self._server_tool(
                    "pg_ctl", "stop", "-D", str(self._cluster), "-m", mode, "-w", "-t", str(_ORPHAN_TIMEOUT_S)
                )
            if not is_server_of(pid, self._cluster):
                return
        raise DatabaseUnavailable(
            f"another PostgreSQL (process {pid}) runs on {self._cluster} and does not stop; end it"
        )

    def _make_cluster(self) -> None:
        """Make a cluster beside its place and move it there, so that a kill leaves none or a whole one."""
        unfinished = self._data / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._identity.give(unfinished)
        password_file = (self._runtime or self._data) / "initdb-password"
        write_private(password_file, self._passwords["superuser"])
        self._identity.give(password_file)
        try:
            self._server_tool(
                "initdb",
                *("-D", str(unfinished), "-U", _SUPERUSER, "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            )
        finally:
            password_file.unlink(missing_ok=True)
        unfinished.rename(self._cluster)

    # The server.

    def _run_server(self, deadline: float) -> None:
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > _MAX_LOG_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))
        settings = dict(_SETTINGS)
        if self._runtime is not None:
            settings["unix_socket_directories"] = str(self._runtime)
        else:
            self._port = _free_port()
            settings["listen_addresses"] = "127.0.0.1"
        argv = [
            str(self._programs / _executable("postgres")),
            "-D",
            str(self._cluster),
            "-p",
            str(self._port),
        ]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        order = {
            "argv": argv,
            "uid": self._identity.uid,
            "gid": self._identity.gid,
            "log": str(self._log),
            "runtime": str(self._runtime or ""),
        }
        log_start = self._log.stat().st_size if self._log.exists() else 0
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=os.name == "posix",
        )
        while (found := read_postmaster(self._cluster)) is None or not found.is_ready:
            if self._guard.poll() is not None:
                raise DatabaseUnavailable(f"PostgreSQL did not start: {self._last_words(log_start)}")
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"PostgreSQL was not ready in time ({self._last_words(log_start)}); see {self._log}"
                )
            time.sleep(0.02)

    def _last_words(self, since_bytes: int) -> str:
        with contextlib.suppress(OSError), self._log.open("rb") as file:
            file.seek(since_bytes)
            lines = file.read(20_000).decode(errors="replace").strip().splitlines()
            telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "could not" in line]
            if telling or lines:
                return (telling or lines)[-1].strip()
        return f"it said nothing; see {self._log}"

    def _end_guard(self, *, timeout_s: float) -> None:
        guard = self._guard
        self._guard = None
        if guard is None:
            return
        with contextlib.suppress(OSError):
            if guard.stdin is not None:
                guard.stdin.close()
        try:
            guard.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # Its server then gets the parent's death signal.
            guard.kill()
            guard.wait(5)

    def _provision(self) -> None:
        script = _PROVISION.read_text(encoding="utf-8").format(
            role=ROLE, reader=READER, database=DATABASE, password=self._passwords["product"]
        )
        login = (_SUPERUSER, "superuser", "postgres")
        self._tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", login=login, script=script)

    # Its tools.

    def _tool(self, name: str, *arguments: str, login: tuple[str, str, str], script: str = "") -> None:
        """Run a client program as ourselves, logged in as (role, password's name, database)."""
        role, password, database = login
        # In the environment, which others cannot read; everybody reads command lines.
        environment = {
            "PGHOST": str(self._runtime or "127.0.0.1"),
            "PGPORT": str(self._port),
            "PGUSER": role,
            "PGPASSWORD": self._passwords[password],
            "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": "10",
        }
        argv = [str(self._programs / _executable(name)), *arguments]
        self._execute(argv, ServerIdentity(), environment, script)

    def _server_tool(self, name: str, *arguments: str) -> None:
        """Run a program that touches the server's files, as the server's user."""
        self._execute([str(self._programs / _executable(name)), *arguments], self._identity, {}, "")

    def _execute(
        self, argv: Sequence[str], identity: ServerIdentity, environment: Mapping[str, str], script: str
    ) -> None:
        program = Path(argv[0]).name
        try:
            done = subprocess.run(
                argv,
                input=script.encode(),
                capture_output=True,
                timeout=_COMMAND_TIMEOUT_S,
                cwd="/" if os.name == "posix" else None,
                user=identity.uid,
                group=identity.gid,
                extra_groups=[] if identity.uid is not None else None,
                env={**os.environ, "LC_ALL": "C", **environment},
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as exc:
            raise DatabaseUnavailable(f"PostgreSQL's {program} did not run: {exc}") from exc
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise DatabaseUnavailable(
                f"PostgreSQL's {program} failed ({done.returncode}): {said[-1] if said else 'it said nothing'}"
            )

    def _url(self, role: str, password: str, database: str) -> str:
        if self._runtime is not None:
            return f"postgresql://{role}:{password}@/{database}?host={self._runtime}&port={self._port}"
        return f"postgresql://{role}:{password}@127.0.0.1:{self._port}/{database}"


def _executable(name: str) -> str:
    return f"{name}.exe" if sys.platform == "win32" else name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
