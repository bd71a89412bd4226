"""The embedded server: real processes, real kills."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from coordinator.errors import DatabaseUnavailable
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.migrate import current_revision, dump_into, migrate, newest_revision

_SUPERVISOR = """
import sys, time
from pathlib import Path
from coordinator.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print("pid", server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="clippy-test-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def wait_until(is_so: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    deadline = time.monotonic() + deadline_s
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_the_products_role_is_neither_superuser_nor_above_row_security(postgres: EmbeddedPostgres):
    connection = await asyncpg.connect(postgres.url)
    role = await connection.fetchrow(
        "select rolsuper, rolbypassrls from pg_roles where rolname = current_user"
    )
    await connection.close()

    assert tuple(role) == (False, False)


async def test_nobody_gets_in_without_the_password(postgres: EmbeddedPostgres):
    without = postgres.superuser_url.replace(postgres.superuser_url.split(":")[2].split("@")[0], "wrong")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(without)


def test_passwords_are_readable_by_their_owner_alone(postgres: EmbeddedPostgres):
    assert postgres._passwords_file.stat().st_mode & 0o777 == 0o600


def test_a_data_directory_with_a_long_path_works(data: Path):
    server = EmbeddedPostgres(data / ("long" * 30))

    url = server.start()
    server.stop()

    assert len(url.partition("host=")[2].partition("&")[0]) < 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_supervisor_killed_with_nine_leaves_no_server_and_the_next_start_works(data: Path):
    supervisor = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert supervisor.stdout is not None
    pid = next(int(line.split()[1]) for line in supervisor.stdout if line.startswith(b"pid"))
    supervisor.kill()
    supervisor.communicate()

    wait_until(lambda: not is_running(pid), "the orphan stopped by itself")
    server = EmbeddedPostgres(data)
    server.start()

    assert server.is_alive()
    server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_server_that_outlived_its_guard_is_stopped_by_the_next_start(data: Path):
    first = EmbeddedPostgres(data)
    first.start()
    orphan = first.pid
    assert orphan is not None
    second = EmbeddedPostgres(data)

    second.start()

    assert not is_running(orphan)
    assert second.pid != orphan
    second.stop()
    first.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="PDEATHSIG")
def test_a_killed_guard_takes_the_server_with_it_and_restart_brings_it_back_at_the_same_address(data: Path):
    server = EmbeddedPostgres(data)
    url = server.start()
    assert server._guard is not None and server.pid is not None
    pid = server.pid
    os.kill(server._guard.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid), "the server stopped with its guard")
    wait_until(lambda: not server.is_alive(), "the supervisor noticed")

    server.restart()

    assert server.is_alive()
    assert server.url == url
    assert current_revision(url) is None
    server.stop()


def test_a_server_whose_guard_took_the_sockets_folder_away_comes_back_at_the_same_address(data: Path):
    server = EmbeddedPostgres(data)
    url = server.start()
    assert server.pid is not None and server._guard is not None and server._guard.stdin is not None
    # Asked to end while the server dies: the guard thinks that nobody needs the folder any more.
    server._guard.stdin.close()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_alive(), "the guard ended")

    server.restart()

    assert server.url == url
    assert current_revision(url) is None
    server.stop()


def test_a_stale_mark_that_names_a_strangers_process_does_not_stop_the_start(data: Path):
    server = EmbeddedPostgres(data)
    server.start()
    server.stop()
    (data / "postgres" / "postmaster.pid").write_text(
        f"{os.getppid()}\n{data}/postgres\n1\n5432\n\n\n\nready\n"
    )

    server.start()

    assert server.pid != os.getppid()
    server.stop()


def test_lost_passwords_are_told_with_the_file_to_put_back(data: Path):
    server = EmbeddedPostgres(data)
    server.start()
    server.stop()
    (data / "postgres-passwords.json").unlink()

    with pytest.raises(DatabaseUnavailable, match=r"postgres-passwords\.json is missing"):
        server.start()


def test_a_cluster_of_another_version_is_refused(data: Path):
    (data / "postgres").mkdir()
    server = EmbeddedPostgres(data)
    server._prepare_folder()
    server._identity.give(data / "postgres")
    (data / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(DatabaseUnavailable, match="is of PostgreSQL 16, this is 18"):
        server.start()


def test_a_disk_that_is_nearly_full_is_told_before_anything_is_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("coordinator.store.embedded._MIN_FREE_BYTES", 2**60)

    with pytest.raises(DatabaseUnavailable, match="MiB are free"):
        EmbeddedPostgres(data).start()
    assert not (data / "postgres").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_cluster_of_another_user_is_refused(data: Path):
    (data / "postgres").mkdir()
    os.chown(data / "postgres", 12345, 12345)

    with pytest.raises(DatabaseUnavailable, match="belongs to user 12345"):
        EmbeddedPostgres(data).start()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root runs it as somebody else")
def test_as_root_a_folder_that_nobody_else_can_enter_is_told_and_not_opened(data: Path):
    data.chmod(0o700)

    with pytest.raises(DatabaseUnavailable, match="choose a data directory"):
        EmbeddedPostgres(data / "inner").start()
    assert data.stat().st_mode & 0o777 == 0o700


def test_migrating_twice_changes_nothing(database_url: str):
    assert (newest_revision(), newest_revision()) == migrate(database_url)


def test_an_older_schema_is_dumped_before_it_is_migrated(postgres: EmbeddedPostgres, data: Path):
    dumped = dump_into(data, postgres.dump)

    dumped("0001")

    assert [file.name.startswith("before-0001-") for file in data.glob("*.dump")] == [True]
    assert next(data.glob("*.dump")).read_bytes().startswith(b"PGDMP")


async def test_a_database_newer_than_the_program_is_refused(database_url: str, pool: asyncpg.Pool):
    await pool.execute("update alembic_version set version_num = '9999'")

    with pytest.raises(DatabaseUnavailable, match="install a newer clippy"):
        migrate(database_url)


def test_a_database_that_is_not_there_is_told():
    with pytest.raises(DatabaseUnavailable, match="cannot be migrated"):
        migrate("postgresql://clippy:x@127.0.0.1:1/clippy")
