"""Answers kept for six hours, by the hash of what was asked. One account never reads another's.

Only what passed every check is kept. It is no promise: a database that does not answer is an empty cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from coordinator.database import Asking
from coordinator.errors import DatabaseUnavailable
from coordinator.llm.ledger import SQL
from coordinator.llm.question import PROMPT_VERSION, window_data
from coordinator.model.llm import JudgedWindow, Judgement

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

KEPT_S = 6 * 3600.0
# Answers of about 1 KB.
MAX_ROWS = 50_000


class Cache:
    """Judgements by content. Args: models: of the whole chain; another chain has other answers."""

    def __init__(self, pool: asyncpg.Pool, models: Sequence[str]) -> None:
        self._pool = pool
        self._models = list(models)
        self._asking = Asking(SQL, acquire_s=2.0, statement_s=2.0)

    def key(self, window: JudgedWindow) -> bytes:
        """The hash of everything that an answer follows from, and of whose it is."""
        asked = [PROMPT_VERSION, self._models, window.user_id, window_data(window)]
        return hashlib.sha256(msgspec.json.encode(asked)).digest()

    async def find(self, windows: Sequence[JudgedWindow]) -> Mapping[str, Judgement]:
        """What is known, by `window_id`."""
        keys = {window.window_id: self.key(window) for window in windows}
        try:
            rows = await self._asking.fetch(self._pool, "cached", list(keys.values()))
        except DatabaseUnavailable as exc:
            log.info("llm_cache_not_read", reason=str(exc))
            return {}
        answers = {row["key"]: msgspec.json.decode(row["answer"], type=Judgement) for row in rows}
        return {window_id: answers[key] for window_id, key in keys.items() if key in answers}

    async def keep(self, judged: Sequence[tuple[JudgedWindow, Judgement]]) -> None:
        """Keep answers, but none about an account that has had something forgotten within ten minutes."""
        keys = [self.key(window) for window, _ in judged]
        owners = [window.user_id for window, _ in judged]
        answers = [msgspec.json.encode(judgement).decode() for _, judgement in judged]
        # Two equal windows in one statement would conflict with themselves.
        distinct = {key: (owner, answer) for key, owner, answer in zip(keys, owners, answers, strict=True)}
        values = (
            list(distinct),
            [owner for owner, _ in distinct.values()],
            [text for _, text in distinct.values()],
        )
        try:
            async with self._asking.transaction(self._pool) as connection:
                await self._asking.fetch_in(connection, "lock_owners", values[1])
                await self._asking.fetch_in(connection, "keep_answers", *values, KEPT_S)
        except DatabaseUnavailable as exc:
            log.info("llm_cache_not_written", reason=str(exc))

    async def prune(self, *, max_rows: int = MAX_ROWS) -> None:
        """Drop what expired, and the oldest of what is too much."""
        await self._asking.fetch(self._pool, "prune_cache", max_rows)
