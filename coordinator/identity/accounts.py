"""Accounts and their devices as rows, and who speaks: the port `Authenticator`.

A valid access token says all by itself; the database is asked when a token is made, and once for all that are connected
every half minute. Owned by the loop.
"""

from __future__ import annotations

import dataclasses
import re
import time
import uuid
from collections.abc import Sequence

import asyncpg

from coordinator.errors import InputUnusable, NotFound
from coordinator.identity.database import fetch
from coordinator.identity.owner import OwnerOnly
from coordinator.identity.tokens import AccessTokens
from coordinator.model.accounts import ROLES, TIERS, Account, Device, Principal, Role, Tier

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z")
_MAX_REMEMBERED = 100_000


class Accounts:
    """What an operator does with accounts and devices. Names are found whatever their case.

    Raises (all):
        DatabaseUnavailable: PostgreSQL does not answer.
        NotFound: There is no such account or device.
        InputUnusable: A name, tier or role that cannot be.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, name: str, *, tier: str, role: str = "streamer") -> Account:
        """A new account; names are unique."""
        if not _NAME.match(name):
            raise InputUnusable(
                f"{name[:80]!r} is no account's name; give 1 to 64 letters, digits and . _ @ + -"
            )
        values = (uuid.uuid4().hex, name, _known_tier(tier), _known_role(role))
        if not await fetch(self._pool, "add_account", *values):
            raise InputUnusable(f"there is an account {name} already; choose another name")
        return await self.find(name)

    async def list(self) -> list[Account]:
        """All of them, by name."""
        return [_account(row) for row in await fetch(self._pool, "accounts", None)]

    async def find(self, name: str) -> Account:
        """One of them."""
        rows = await fetch(self._pool, "accounts", name)
        if not rows:
            raise NotFound(f"there is no account {name[:80]!r}; see `clippy-coordinator users list`")
        return _account(rows[0])

    async def set_tier(self, name: str, tier: str) -> Account:
        """What it may have; agents that are connected connect anew with it within half a minute."""
        return await self._change(name, _known_tier(tier), None, None)

    async def set_role(self, name: str, role: str) -> Account:
        """What it may do."""
        return await self._change(name, None, _known_role(role), None)

    async def close(self, name: str) -> Account:
        """Nobody may speak for it any more; what it owns stays."""
        return await self._change(name, None, None, True)

    async def open(self, name: str) -> Account:
        """Undo `close`: its devices that were not revoked may speak again."""
        return await self._change(name, None, None, False)

    async def devices(self, name: str) -> Sequence[Device]:
        """What was ever paired with it, the newest first."""
        account = await self.find(name)
        return [Device(**dict(row)) for row in await fetch(self._pool, "devices_of", account.user_id)]

    async def revoke(self, device_id: str, reason: str) -> bool:
        """End a device; False when it was revoked before."""
        if await fetch(self._pool, "revoke_device", device_id, reason):
            return True
        if not await fetch(self._pool, "is_device", device_id):
            raise NotFound(
                f"there is no device {device_id[:80]!r}; see `clippy-coordinator users devices NAME`"
            )
        return False

    async def _change(self, name: str, tier: str | None, role: str | None, is_closed: bool | None) -> Account:
        if not await fetch(self._pool, "change_account", name, tier, role, is_closed):
            raise NotFound(f"there is no account {name[:80]!r}; see `clippy-coordinator users list`")
        return await self.find(name)


class TokenAuthenticator:
    """Port `Authenticator`: access tokens first, then the owner's own token where the machine is its own."""

    def __init__(self, pool: asyncpg.Pool, tokens: AccessTokens, *, owner: OwnerOnly | None = None) -> None:
        """`owner` None: a fleet, where nobody is the owner."""
        self._pool = pool
        self._tokens = tokens
        self._owner = owner
        # Who was found revoked, without its time of expiry: the time up to which tokens like this count for nothing.
        self._refused: dict[Principal, float] = {}

    async def authenticate(self, token: str, peer: str = "") -> Principal | None:
        """As the port says."""
        principal = self._tokens.principal_of(token)
        if principal is not None:
            return None if self._is_refused(principal) else principal
        if self._owner is None:
            return None
        owner = await self._owner.authenticate(token, peer)
        if owner is None:
            return None
        rows = await fetch(self._pool, "account", owner.user_id)
        if not rows or rows[0]["is_closed"]:
            return None
        return dataclasses.replace(owner, tier=rows[0]["tier"], role=rows[0]["role"])

    async def revoked(self, principals: Sequence[Principal]) -> set[Principal]:
        """As the port says. A revoked device is remembered for as long as its token would count."""
        known = list(dict.fromkeys(principals))
        if not known:
            return set()
        columns = [[getattr(one, name) for one in known] for name in ("user_id", "device_id", "tier", "role")]
        rows = await fetch(self._pool, "revoked", *columns)
        found = {known[row["number"] - 1] for row in rows}
        self._remember(found)
        return found

    def _remember(self, found: set[Principal]) -> None:
        now_s = time.time()
        self._refused = {one: until_s for one, until_s in self._refused.items() if until_s > now_s}
        for one in found:
            if one.device_id and len(self._refused) < _MAX_REMEMBERED:
                # What was issued up to now has run out by then; what is issued later is good.
                self._refused[_anytime(one)] = now_s + self._tokens.lifetime_s

    def _is_refused(self, principal: Principal) -> bool:
        until_s = self._refused.get(_anytime(principal))
        return until_s is not None and (principal.expires_at_s or 0) <= until_s


def _anytime(principal: Principal) -> Principal:
    return dataclasses.replace(principal, expires_at_s=None)


def _account(row: asyncpg.Record) -> Account:
    return Account(**dict(row))


def _known_tier(tier: str) -> Tier:
    for known in TIERS:
        if tier == known:
            return known
    raise InputUnusable(f"{tier[:40]!r} is no tier; there are {', '.join(TIERS)}")


def _known_role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise InputUnusable(f"{role[:40]!r} is no role; there are {', '.join(ROLES)}")
