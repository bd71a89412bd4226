"""Who has something for an agent: PostgreSQL's NOTIFY on `clippy_link`, with a slow poll as the backstop.

Whoever changes moments, exports or source_requests runs `select pg_notify('clippy_link', session_id)` in the same
transaction; the roll-up adds `:stored` to the session's id, and who finds that bytes are gone `:lost`. One task; it
holds one connection of the pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Callable, Collection

import asyncpg
import structlog

from coordinator.database import TRANSIENT
from coordinator.errors import DatabaseUnavailable
from coordinator.ingest.database import ACQUIRE_S, fetch
from coordinator.ingest.roll_up import LOST_SUFFIX, STORED_SUFFIX

log = structlog.get_logger(__name__)

CHANNEL = "clippy_link"
# `updated_at` is when a transaction began; a slow one may commit this much later.
OVERLAP = datetime.timedelta(seconds=60)


class LinkNotices:
    """Calls back on the loop. A lost connection is made anew; then everybody is told to look for themselves."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        connected_sessions: Callable[[], Collection[str]],
        on_news: Callable[[str], None],
        on_stored: Callable[[str], None],
        on_lost: Callable[[str], None],
        on_gap: Callable[[], None],
        poll_s: float = 5.0,
    ) -> None:
        self._pool = pool
        self._connected_sessions = connected_sessions
        self._on_news = on_news
        self._on_stored = on_stored
        self._on_lost = on_lost
        self._on_gap = on_gap
        self._poll_s = poll_s

    async def run(self) -> None:
        """Listen and poll until cancelled."""
        is_first = True
        while True:
            try:
                await self._listen(is_first=is_first)
            except (*TRANSIENT, DatabaseUnavailable) as exc:
                log.warning("notices_interrupted", problem=f"{type(exc).__name__}: {exc}")
            except Exception:
                log.exception("notices_failed")
            is_first = False
            await asyncio.sleep(1.0)

    async def _listen(self, *, is_first: bool) -> None:
        """Return when the connection is lost."""
        lost = asyncio.Event()

        def end(*_: object) -> None:
            lost.set()

        async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
            connection.add_termination_listener(end)
            await connection.add_listener(CHANNEL, self._heard)
            try:
                if not is_first:
                    self._on_gap()
                await self._poll(lost)
            finally:
                # A connection that is gone has been released already, and says so with an InterfaceError.
                with contextlib.suppress(*TRANSIENT):
                    connection.remove_termination_listener(end)
                    await connection.remove_listener(CHANNEL, self._heard)

    async def _poll(self, lost: asyncio.Event) -> None:
        since = (await fetch(self._pool, "database_now"))[0][0]
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), self._poll_s)
                return
            now = (await fetch(self._pool, "database_now"))[0][0]
            connected = self._connected_sessions()
            if connected:
                for row in await fetch(self._pool, "sessions_with_news", since - OVERLAP):
                    if row["session_id"] in connected:
                        self._on_news(row["session_id"])
            since = now

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        session_id, _, rest = str(payload).partition(":")
        if rest == STORED_SUFFIX[1:]:
            self._on_stored(session_id)
        elif rest == LOST_SUFFIX[1:]:
            self._on_lost(session_id)
        else:
            self._on_news(session_id)
