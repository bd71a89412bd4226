"""One SQLite file, one connection a thread; a broken file is put aside, never in the way."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from sqlite_utils import Database, Migrations

from agent.errors import DiskFull, EnvironmentProblem

log = structlog.get_logger()

BUSY_TIMEOUT_S = 5.0


class ThreadedDatabase:
    """Hands each thread its own `Database`: WAL, synchronous NORMAL, waits 5 s for another writer."""

    def __init__(self, path: Path, migrations: Migrations) -> None:
        """Open and migrate; a file that is no database is renamed to `<name>.corrupt-<unix s>` first.

        Attributes:
            moved_aside: where a corrupt file went, or None.

        Raises:
            EnvironmentProblem: The folder cannot be written.
        """
        self.path = path
        self.moved_aside: Path | None = None
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._is_closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise EnvironmentProblem(f"cannot make {path.parent}: {exc}; mend its rights") from exc
        try:
            self._check_and_migrate(migrations)
        except sqlite3.OperationalError as exc:
            raise _translated(path, exc) from exc
        except sqlite3.DatabaseError as exc:
            self._put_aside(exc)
            try:
                self._check_and_migrate(migrations)
            except sqlite3.Error as again:
                raise _translated(path, again) from again

    def _check_and_migrate(self, migrations: Migrations) -> None:
        database = self._connect()
        (verdict,) = database.execute("pragma quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        with _transaction(database):
            migrations.apply(database)

    def _put_aside(self, reason: Exception) -> None:
        self.close()
        self._is_closed = False
        self._local = threading.local()
        self.moved_aside = self.path.with_name(f"{self.path.name}.corrupt-{int(time.time())}")
        self.path.replace(self.moved_aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        log.warning("database_moved_aside", database=self.path.name, reason=str(reason))

    def _connect(self) -> Any:
        # Closed by `close`, from whichever thread: hence check_same_thread; used by its own thread alone.
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        with self._lock:
            if self._is_closed:
                connection.close()
                raise EnvironmentProblem(f"{self.path.name} is closed")
            self._connections.append(connection)
        database = Database(connection, execute_plugins=False)
        database.execute("pragma journal_mode=wal")
        database.execute("pragma synchronous=normal")
        # What is deleted is overwritten: a forgotten title must not stay in free pages.
        database.execute("pragma secure_delete=on")
        self._local.database = database
        return database

    @contextlib.contextmanager
    def read(self) -> Iterator[Any]:
        """This thread's `Database`, to read from.

        Raises:
            EnvironmentProblem: As SQLite said it.
        """
        try:
            yield self._of_this_thread()
        except sqlite3.Error as exc:
            raise _translated(self.path, exc) from exc

    @contextlib.contextmanager
    def write(self) -> Iterator[Any]:
        """This thread's `Database`, in one transaction.

        Raises:
            DiskFull, EnvironmentProblem: As SQLite said it.
        """
        try:
            with _transaction(self._of_this_thread()) as database:
                yield database
        except sqlite3.Error as exc:
            raise _translated(self.path, exc) from exc

    def _of_this_thread(self) -> Any:
        return getattr(self._local, "database", None) or self._connect()

    def close(self) -> None:
        """Close every thread's connection. Twice is once."""
        with self._lock:
            self._is_closed = True
            for connection in self._connections:
                connection.close()
            self._connections.clear()


@contextlib.contextmanager
def _transaction(database: Any) -> Iterator[Any]:
    # Immediate: a transaction that reads first and then writes is refused at once, not after the wait.
    database.conn.execute("begin immediate")
    try:
        yield database
    except BaseException:
        database.conn.rollback()
        raise
    database.conn.commit()


def _translated(path: Path, exc: sqlite3.Error) -> EnvironmentProblem:
    code = getattr(exc, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"no room for {path}: {exc}; make room on that disk")
    return EnvironmentProblem(f"cannot use {path}: {exc}; check its rights and its disk")
