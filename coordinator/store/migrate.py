"""Bring a database to the newest schema: Alembic under an advisory lock, all or nothing.

The embedded database migrates at start, after a dump when there is something to lose; a fleet runs `migrate` as a
step of its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from coordinator.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

log = structlog.get_logger(__name__)

# Any constant of ours; the same in every version.
_LOCK_KEY = 0x636C69707079
_LOCK_TIMEOUT = "120s"
_NUM_DUMPS_KEPT = 3


def migrate(url: str, *, before: Callable[[str], None] | None = None) -> tuple[str | None, str]:
    """Upgrade the database at `url`. Blocks; call it in a thread from a loop.

    Args:
        before: called with the present revision when tables exist and will be changed, e.g. `dump_into(...)`; what
            it raises stops the migration.

    Returns:
        The revision before (None: an empty database) and after.

    Raises:
        DatabaseUnavailable: No connection, another migration holds the lock for 2 minutes, a statement fails, or
            the database is newer than this program.
    """
    from alembic import command
    from alembic.util.exc import CommandError

    with _connected(url) as connection:
        config = _config(connection)
        present, newest = _present(connection), newest_revision()
        if present == newest:
            return present, newest
        _refuse_unknown(config, present)
        if present is not None and before is not None:
            before(present)
        began = time.monotonic()
        try:
            command.upgrade(config, "head")
        except CommandError as exc:
            raise DatabaseUnavailable(f"the database cannot be migrated from {present}: {exc}") from exc
        log.info("database_migrated", since=present, revision=newest, elapsed_s=time.monotonic() - began)
        return present, newest


def current_revision(url: str) -> str | None:
    """The schema's revision; None for an empty database.

    Raises:
        DatabaseUnavailable: No connection.
    """
    with _connected(url, is_locked=False) as connection:
        return _present(connection)


def newest_revision() -> str:
    """The revision this program needs."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    assert head is not None, "the wheel has no migrations"
    return head


def dump_into(folder: Path, dump: Callable[[Path], None]) -> Callable[[str], None]:
    """For `migrate(before=...)`: write `before-<revision>-<time>.dump`, and keep the last three.

    Args:
        dump: writes the database to a path, e.g. `EmbeddedPostgres.dump`.
    """

    def before(revision: str) -> None:
        path = folder / f"before-{revision}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.dump"
        dump(path)
        log.info("database_dumped", size_bytes=path.stat().st_size)
        for old in sorted(folder.glob("before-*.dump"), key=lambda file: file.stat().st_mtime)[
            :-_NUM_DUMPS_KEPT
        ]:
            old.unlink(missing_ok=True)

    return before


def _config(connection: Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _present(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _refuse_unknown(config: Config, present: str | None) -> None:
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    if present is None:
        return
    try:
        ScriptDirectory.from_config(config).get_revision(present)
    except CommandError as exc:
        raise DatabaseUnavailable(
            f"the database is at revision {present}, which this version does not know; install a newer clippy"
        ) from exc


@contextlib.contextmanager
def _connected(url: str, *, is_locked: bool = True) -> Iterator[Connection]:
    """One transaction on psycopg, committed at the end, under the lock."""
    import psycopg
    import sqlalchemy

    def open_driver() -> Any:
        return psycopg.connect(url, connect_timeout=10, application_name="clippy-migrate")

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=open_driver, poolclass=sqlalchemy.pool.NullPool
    )
    try:
        with engine.begin() as connection:
            if is_locked:
                # Of the transaction, so that a killed migration cannot leave it behind.
                connection.exec_driver_sql(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
                connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK_KEY})")
            yield connection
    except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
        raise DatabaseUnavailable(f"the database cannot be migrated: {reason}") from exc
    finally:
        engine.dispose()
