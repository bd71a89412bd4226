"""Accounts' post settings and brand kits in PostgreSQL: port `Posts`. The SQL is in posts.sql.

What is shown to people is read as the role that sees one account's rows alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from coordinator.database import Asking
from coordinator.errors import DatabaseUnavailable
from coordinator.model.posts import BrandPart, BrandPartName, PostSettings, PostWishes
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL: Final = load_statements("coordinator.store", "posts.sql")
_ASKING: Final = Asking(SQL, acquire_s=5.0, statement_s=5.0)


class PostgresPosts:
    """Port `Posts` on an asyncpg pool, and what accounts set."""

    def __init__(self, pool: asyncpg.Pool, defaults: PostSettings) -> None:
        """Args: defaults: what holds where an account has set nothing."""
        self._pool = pool
        self.defaults = defaults

    async def of_session(self, session_id: str) -> PostSettings:
        """As the port says."""
        rows = await _ASKING.fetch(self._pool, "wishes_of_session", session_id)
        return _wishes(rows).over(self.defaults)

    async def wishes(self, user_id: str) -> PostWishes:
        """What an account has set.

        Raises:
            DatabaseUnavailable: Later; or the role that reads is missing.
        """
        return _wishes(await self._read("wishes", user_id))

    async def brand_of_session(self, session_id: str) -> list[BrandPart]:
        """As the port says."""
        rows = await _ASKING.fetch(self._pool, "brand_of_session", session_id)
        return [BrandPart(**dict(row)) for row in rows]

    async def brand(self, user_id: str) -> list[BrandPart]:
        """An account's brand kit. Raises as `wishes`."""
        return [BrandPart(**dict(row)) for row in await self._read("brand", user_id)]

    async def save_brand_part(self, user_id: str, part: BrandPart) -> str | None:
        """Put a part in the place of the one before; returns that one's object. Raises as `save`."""
        rows = await _ASKING.fetch(self._pool, "save_brand_part", user_id, *dataclasses.astuple(part))
        return str(rows[0]["object_key"]) if rows else None

    async def remove_brand_part(self, user_id: str, part: BrandPartName) -> str | None:
        """Take a part away; returns its object, None where there was none. Raises as `save`."""
        rows = await _ASKING.fetch(self._pool, "remove_brand_part", user_id, part)
        return str(rows[0]["object_key"]) if rows else None

    async def save(self, user_id: str, wishes: PostWishes) -> None:
        """Replace what an account has set, for the posts that are made from now on.

        Args:
            wishes: that were checked.

        Raises:
            DatabaseUnavailable: Later.
        """
        values = dataclasses.asdict(wishes)
        presets = None if wishes.presets is None else list(wishes.presets)
        await _ASKING.fetch(self._pool, "save", user_id, *(values | {"presets": presets}).values())

    async def reset(self, user_id: str) -> bool:
        """Forget what an account has set; False: it had set nothing. Raises as `save`."""
        return bool(await _ASKING.fetch(self._pool, "reset", user_id))

    async def _read(self, name: str, user_id: str) -> Sequence[asyncpg.Record]:
        import asyncpg

        try:
            async with _ASKING.transaction(self._pool) as connection:
                await _ASKING.fetch_in(connection, "become_reader", user_id)
                return await _ASKING.fetch_in(connection, name, user_id)
        except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as exc:
            raise DatabaseUnavailable(
                f"post settings need the role clippy_reader: {exc}; see docs/operations.md"
            ) from exc


def _wishes(rows: Sequence[asyncpg.Record]) -> PostWishes:
    if not rows:
        return PostWishes()
    row = dict(rows[0])
    presets = row.pop("presets")
    return PostWishes(presets=None if presets is None else tuple(presets), **row)
