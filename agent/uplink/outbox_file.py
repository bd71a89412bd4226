"""The outbox's SQLite file: schema, opening, and what happens when the file is damaged.

One connection, one lock: any thread may use it, one at a time. WAL with `synchronous=FULL`, so that a committed
transaction survives a power cut.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from agent.errors import DiskFull, EnvironmentProblem

log = structlog.get_logger(__name__)

_BUSY_TIMEOUT_S = 5.0
# A whole check of a bigger file would hold up the start; its damage is found when it is read.
_MAX_CHECKED_BYTES = 64 * 1024 * 1024
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

migrations = Migrations("outbox")


@migrations()
def first(db: Any) -> None:
    """Sessions, lanes, chunks, events and wishes."""
    for statement in (
        """create table sessions (
            session_id text primary key, started_unix_ms integer not null, is_live integer not null)""",
        # next_seq outlives the chunks, so that a number is never given twice.
        """create table lanes (
            session_id text not null, lane integer not null, next_seq integer not null,
            end_ns integer not null, primary key (session_id, lane)) without rowid""",
        # state: waiting; fsynced (on the coordinator's disk); freed (fsynced, its bytes were dropped here).
        """create table chunks (
            chunk_id integer primary key autoincrement, session_id text not null, lane integer not null,
            seq integer not null, start_ns integer not null, end_ns integer not null,
            content_type text not null, sha256 blob not null, size_bytes integer not null,
            drop_rank integer not null, state text not null default 'waiting',
            unique (session_id, lane, seq))""",
        "create index chunks_waiting on chunks (chunk_id) where state = 'waiting'",
        "create table payloads (chunk_id integer primary key, payload blob not null)",
        # kind: ended, pressed, reply, offer, gap, forget. The last five columns belong to gaps; a forget has its id as
        # reason.
        """create table events (
            event_id integer primary key autoincrement, session_id text not null, kind text not null,
            payload blob not null, is_confirmed integer not null default 0,
            lane integer, first integer, last integer, reason text, duration_ns integer)""",
        # state: new, pinned. An answered wish is gone; its answer is an event.
        """create table wishes (
            request_id text primary key, session_id text not null, wish text not null,
            state text not null default 'new', created_unix_ms integer not null)""",
    ):
        db.execute(statement)


@migrations()
def what_the_coordinator_has(db: Any) -> None:
    """The spans of what left this PC and is here no more, so that it can be told to forget them."""
    db.execute(
        """create table stored_chunks (
            session_id text not null, lane integer not null, seq integer not null,
            start_ns integer not null, end_ns integer not null,
            primary key (session_id, lane, seq)) without rowid"""
    )
    db.execute(
        """create table sent_sources (
            request_id text primary key, session_id text not null, start_ns integer not null,
            end_ns integer not null, size_bytes integer not null) without rowid"""
    )


@migrations()
def files_of_wishes(db: Any) -> None:
    """The file that was made for a wish, so that its upload goes on with the same bytes."""
    db.execute("alter table wishes add column file text")


@migrations()
def what_the_coordinator_is_to_forget(db: Any) -> None:
    """Orders to forget, and the coordinator's receipts. `receipt` is null until it came."""
    db.execute(
        """create table forgets (
            forget_id text primary key, session_id text not null, asked_unix_ms integer not null,
            receipt blob) without rowid"""
    )


class OutboxMovedAside(EnvironmentProblem):
    """The file was damaged; it was renamed and a new one begun. What was in it is not uploaded."""

    code = "outbox_moved_aside"
    retryable = True


class OutboxFile:
    """The open file. `transaction` and `rows` may be called from any thread.

    Raises (constructor and methods):
        DiskFull: There is no room to write.
        OutboxMovedAside: The file turned out to be damaged; it was renamed, the next call uses a new one.
        EnvironmentProblem: The file cannot be opened or written for another reason, which it says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._db: Database | None = None
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._opened()
            except sqlite3.DatabaseError as exc:
                if not _is_corrupt(exc):
                    raise
                self._move_aside(exc)
                self._db = self._opened()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Database]:
        """One transaction; committed and durable when the block is left, rolled back when it raises."""
        with self._lock, self._translated():
            db = self._current()
            with db.atomic():
                yield db

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query; several queries that belong together need a `transaction`."""
        with self._lock, self._translated():
            values = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
            return list(self._current().execute(sql, values).fetchall())

    def scrub(self) -> None:
        """Let nothing of what was deleted stay in the write-ahead log either."""
        with self._lock, self._translated():
            connection = self._current().conn
            if not connection.in_transaction:
                connection.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close the file. Twice is once."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _current(self) -> Database:
        if self._db is None:
            raise EnvironmentProblem(f"the outbox {self.path.name} is closed")
        return self._db

    def _opened(self) -> Database:
        connection = sqlite3.connect(str(self.path), timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            db = Database(connection)
            if self.path.stat().st_size <= _MAX_CHECKED_BYTES:
                verdict = connection.execute("pragma quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    damage = sqlite3.DatabaseError(str(verdict))
                    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                    raise damage
            db.enable_wal()
            connection.execute("pragma synchronous=full")
            # What is deleted is overwritten with zeros: forgotten sound must not stay in free pages.
            connection.execute("pragma secure_delete=on")
            connection.execute("pragma wal_autocheckpoint=1000")
            connection.execute("pragma journal_size_limit=16777216")
            migrations.apply(db)
        except BaseException:
            connection.close()
            raise
        return db

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as exc:
            code = getattr(exc, "sqlite_errorcode", None)
            if _is_corrupt(exc):
                self.close()
                aside = self._move_aside(exc)
                self._db = self._opened()
                raise OutboxMovedAside(
                    f"the outbox was damaged ({exc}) and was renamed to {aside.name}; "
                    "what had not been uploaded is lost, new chunks are kept"
                ) from exc
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no room for the outbox {self.path.name}; free some space") from exc
            raise EnvironmentProblem(f"cannot use the outbox {self.path.name}: {exc}") from exc
        except OSError as exc:
            raise EnvironmentProblem(
                f"cannot open the outbox {self.path.name}: {exc.strerror or exc}"
            ) from exc

    def _move_aside(self, exc: Exception) -> Path:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns() // 1_000_000}")
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(aside)
        log.warning("outbox_moved_aside", file=aside.name, problem=str(exc))
        return aside


def _is_corrupt(exc: sqlite3.DatabaseError) -> bool:
    code = getattr(exc, "sqlite_errorcode", None)
    # Extended codes keep the primary one in their low byte.
    return code is not None and (code & 0xFF) in _CORRUPT
