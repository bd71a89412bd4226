"""Refresh tokens: each is used once, and the one before still renews until its successor was used.

So an answer that was lost costs nothing, and a token that was copied is noticed: as soon as thief and owner have both
gone on with it, one of them shows a token that no longer renews, and the device is revoked (RFC 9700, 4.14.2).
Owned by the loop.
"""

from __future__ import annotations

from typing import Literal

import asyncpg
import structlog

from coordinator.errors import DeviceRefused
from coordinator.identity.database import fetch_in, transaction
from coordinator.identity.pairing import Issued
from coordinator.identity.tokens import AccessTokens, family_of, hash_of, new_refresh_token
from coordinator.model.accounts import Principal

log = structlog.get_logger(__name__)

# A device that was not heard of for so long has to be paired again.
IDLE_DAYS = 180
# Successors of one token that may be under way: more answers than this are not lost in a row.
_MAX_SUCCESSORS = 8
REUSED = "an old refresh token was shown again: it may have been copied"

_REFUSED = "this device is not known here, or was revoked; pair it again"


def use_of(generation: int | None, used_generation: int) -> Literal["first", "again", "reused"]:
    """What showing a refresh token of a known family means. Pure.

    Args:
        generation: its own; None when it does not renew any more.
        used_generation: of the newest that was used.
    """
    if generation is None or generation < used_generation:
        return "reused"
    return "again" if generation == used_generation else "first"


class Renewals:
    """Renews and ends what a pairing began.

    Raises (all):
        DatabaseUnavailable: PostgreSQL does not answer.
    """

    def __init__(self, pool: asyncpg.Pool, tokens: AccessTokens) -> None:
        self._pool = pool
        self._tokens = tokens

    async def renew(self, refresh_token: str) -> Issued:
        """New tokens for an old one, with the tier and role of now.

        Raises:
            DeviceRefused: Unknown, revoked, idle for too long, of a closed account, or an old token: pair again.
        """
        family = family_of(refresh_token)
        if family is None:
            raise DeviceRefused(_REFUSED)
        async with transaction(self._pool) as connection:
            row = await _device(connection, family)
            if row is None or row["is_revoked"] or row["is_closed"] or row["is_forgotten"]:
                raise DeviceRefused(_REFUSED)
            successor = await self._rotate(connection, row, family, hash_of(refresh_token))
            if successor is None:
                await fetch_in(connection, "revoke_device", row["device_id"], REUSED)
                await fetch_in(connection, "drop_refresh_tokens", row["device_id"])
        if successor is None:
            log.warning("refresh_token_reused", device_id=row["device_id"], user_id=row["user_id"])
            raise DeviceRefused(f"{REUSED}; the device was revoked, pair it again")
        principal = Principal(
            user_id=row["user_id"], tier=row["tier"], role=row["role"], device_id=row["device_id"]
        )
        return Issued(
            principal=principal,
            user_name=row["name"],
            access_token=self._tokens.mint(principal),
            access_s=self._tokens.lifetime_s,
            refresh_token=successor,
        )

    async def end(self, refresh_token: str) -> None:
        """The device will not come back. Twice is once, and what is unknown is no error."""
        family = family_of(refresh_token)
        if family is None:
            return
        async with transaction(self._pool) as connection:
            row = await _device(connection, family)
            if row is not None and not row["is_revoked"]:
                await fetch_in(connection, "revoke_device", row["device_id"], "unpaired by the agent")
                await fetch_in(connection, "drop_refresh_tokens", row["device_id"])

    async def _rotate(
        self, connection: asyncpg.Connection, device: asyncpg.Record, family: str, token_hash: bytes
    ) -> str | None:
        """The next token, or None when this one is a copy."""
        device_id = device["device_id"]
        rows = await fetch_in(connection, "generation_of", token_hash, device_id)
        generation: int | None = rows[0]["generation"] if rows else None
        use = use_of(generation, device["used_generation"])
        if generation is None or use == "reused":
            return None
        successor = new_refresh_token(family)
        if use == "first":
            await fetch_in(connection, "rotate_first", device_id, generation, token_hash, hash_of(successor))
        else:
            values = (hash_of(successor), _MAX_SUCCESSORS - 1)
            await fetch_in(connection, "rotate_again", device_id, generation, *values)
        return successor


async def _device(connection: asyncpg.Connection, family: str) -> asyncpg.Record | None:
    rows = await fetch_in(connection, "device_of_family", hash_of(family), IDLE_DAYS)
    return rows[0] if rows else None
