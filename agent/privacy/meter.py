"""The meter: how many bytes left this PC, by day, kind and lane. Survives a kill but for the last seconds.

`add` costs a dictionary entry; a thread of its own writes what came, every few seconds while something
comes. Days are the user's own. Any thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import structlog

from agent.errors import EnvironmentProblem

log = structlog.get_logger()

SentKind = Literal["chunk", "signal", "source", "other"]
FLUSH_S = 3.0

_SCHEMA = """
create table if not exists sent (
    day text not null, kind text not null, lane text not null,
    num_bytes integer not null, num_items integer not null,
    primary key (day, kind, lane)
) without rowid
"""
_ADD = """
insert into sent (day, kind, lane, num_bytes, num_items) values (?, ?, ?, ?, ?)
on conflict (day, kind, lane) do update
set num_bytes = num_bytes + excluded.num_bytes, num_items = num_items + excluded.num_items
"""


def local_day() -> str:
    """Today where the user is, e.g. 2026-03-31."""
    return time.strftime("%Y-%m-%d")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What left on one day, of one kind and lane."""

    day: str
    kind: SentKind
    lane: str
    num_bytes: int
    num_items: int


class Meter:
    """Counts what left this PC."""

    def __init__(self, path: Path, *, day: Callable[[], str] = local_day, flush_s: float = FLUSH_S) -> None:
        """Open the counter's file and start its thread. A file that is no database is put aside.

        Raises:
            EnvironmentProblem: The file cannot be opened.
        """
        self._path = path
        self._day = day
        self._flush_s = flush_s
        self._changed = threading.Condition()
        self._pending: Counter[tuple[str, SentKind, str]] = Counter()
        self._num_pending: Counter[tuple[str, SentKind, str]] = Counter()
        self._is_stopping = False
        self._disk = threading.Lock()  # guards the connection; taken before `_changed`, never within it
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = self._open()
        except (OSError, sqlite3.Error) as exc:
            raise EnvironmentProblem(f"cannot use {path}: {exc}; check its rights and its disk") from exc
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as exc:
            self._path.replace(self._path.with_name(f"{self._path.name}.corrupt-{int(time.time())}"))
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            log.warning("meter_moved_aside", reason=str(exc))
            return _connect(self._path)

    def add(self, kind: SentKind, num_bytes: int, *, lane: str = "") -> None:
        """Count bytes that left. Never blocks on the disk."""
        key = (self._day(), kind, lane)
        with self._changed:
            if not self._num_pending:
                self._changed.notify()
            self._pending[key] += num_bytes
            self._num_pending[key] += 1

    def today(self) -> int:
        """Bytes that left this PC today, those not yet written included."""
        return sum(sent.num_bytes for sent in self.sent(self._day()))

    def sent(self, day: str) -> list[Sent]:
        """What left on one day, largest first.

        Raises:
            EnvironmentProblem: The counter cannot be read.
        """
        self.flush()
        with self._disk:
            try:
                rows = self._connection.execute(
                    "select day, kind, lane, num_bytes, num_items from sent where day = ?", (day,)
                ).fetchall()
            except sqlite3.Error as exc:
                raise EnvironmentProblem(f"cannot read {self._path}: {exc}") from exc
        counts = {(row[0], row[1], row[2]): [row[3], row[4]] for row in rows}
        with self._changed:  # what came meanwhile, or stayed when the disk took nothing
            for key, num_items in self._num_pending.items():
                if key[0] == day:
                    entry = counts.setdefault(key, [0, 0])
                    entry[0] += self._pending[key]
                    entry[1] += num_items
        found = [
            Sent(day=key[0], kind=key[1], lane=key[2], num_bytes=value[0], num_items=value[1])
            for key, value in counts.items()
        ]
        return sorted(found, key=lambda sent: sent.num_bytes, reverse=True)

    def flush(self) -> None:
        """Write what came; what cannot be written is kept and tried again."""
        with self._disk:
            with self._changed:
                pending, self._pending = self._pending, Counter()
                num_pending, self._num_pending = self._num_pending, Counter()
            if not num_pending:
                return
            try:
                with self._connection:
                    self._connection.executemany(
                        _ADD, [(*key, pending[key], num_items) for key, num_items in num_pending.items()]
                    )
            except sqlite3.Error as exc:
                log.warning("meter_not_written", error=str(exc))
                with self._changed:
                    self._pending.update(pending)
                    self._num_pending.update(num_pending)

    def close(self) -> None:
        """Write what came and close. Twice is once."""
        with self._changed:
            if self._is_stopping:
                return
            self._is_stopping = True
            self._changed.notify()
        self._thread.join(5.0)
        self.flush()
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._num_pending or self._is_stopping)
                    # Let more come: one write for all of it.
                    self._changed.wait_for(lambda: self._is_stopping, self._flush_s)
                    if self._is_stopping:
                        return
                self.flush()
        except Exception:
            log.exception("meter_thread_died")


def _connect(path: Path) -> sqlite3.Connection:
    # Every use is under the meter's lock, so threads may share it.
    connection = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")
        connection.execute(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
