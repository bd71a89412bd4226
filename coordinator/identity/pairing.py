"""Pairing: a code that a person carries once, and the device and tokens that come of it.

Two ways. A code is made for an account and typed into the agent; or the agent shows a code, and somebody who may
approves it (the device grant, RFC 8628). Each code counts once, for minutes; only hashes are kept. Owned by the loop.
"""

from __future__ import annotations

import dataclasses
import secrets
import uuid
from collections.abc import Awaitable, Callable

import asyncpg

from coordinator.errors import (
    AgentTaken,
    CoordinatorError,
    InputUnusable,
    NotFound,
    PairingPending,
    TooManyTries,
)
from coordinator.identity.codes import hash_of_code, new_code, normal_code
from coordinator.identity.database import fetch, fetch_in, transaction
from coordinator.identity.tokens import AccessTokens, derived_key, hash_of, new_family, new_refresh_token
from coordinator.model.accounts import Account, AgentSelf, Principal, WaitingAgent

# An agent that waits asks again every POLL_S.
POLL_S = 5
MAX_WAITING = 1000
MAX_WAITING_OF_AGENT = 5
# Times that a right code may be shown and nothing come of it: a code that was typed, and one that an agent asks with.
_MAX_TRIES, _MAX_POLLS = 5, 1500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What an agent gets: two tokens, and what they say of it."""

    principal: Principal
    user_name: str
    access_token: str
    access_s: float
    refresh_token: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """A code that lives from now on. `device_code` empty: it was made for an account."""

    user_code: str
    expires_in_s: float
    device_code: str = ""


class Pairings:
    """Makes codes and turns them into devices.

    Raises (all):
        DatabaseUnavailable: PostgreSQL does not answer.
    """

    def __init__(
        self, pool: asyncpg.Pool, secret: bytes, tokens: AccessTokens, *, lifetime_s: float = 600.0
    ) -> None:
        """`secret` is the installation's; every process that shares the database needs the same."""
        self._pool = pool
        self._code_key = derived_key(secret, "pairing code")
        self._tokens = tokens
        self._lifetime_s = lifetime_s

    async def new_code(self, account: Account) -> NewCode:
        """A code to be typed into an agent that shall speak for `account`.

        Raises:
            InputUnusable: The account is closed.
        """
        if account.is_closed:
            raise InputUnusable(f"the account {account.name} is closed; `users open {account.name}` opens it")
        await fetch(self._pool, "forget_pairings")

        async def add(code: str) -> bool:
            values = (hash_of_code(self._code_key, code), account.user_id, self._lifetime_s)
            return bool(await fetch(self._pool, "add_code", *values))

        return NewCode(user_code=await _unused_code(add), expires_in_s=self._lifetime_s)

    async def start(self, agent: AgentSelf) -> NewCode:
        """A code for an agent to show, and one that it keeps to itself.

        Raises:
            TooManyTries: Too many wait.
        """
        await fetch(self._pool, "forget_pairings")
        waiting = (await fetch(self._pool, "num_waiting", agent.agent_id))[0]
        if waiting["in_all"] >= MAX_WAITING or waiting["of_agent"] >= MAX_WAITING_OF_AGENT:
            raise TooManyTries("too many agents wait to be approved; try again in some minutes")
        device_code = secrets.token_urlsafe(32)

        async def add(code: str) -> bool:
            hashes = (hash_of_code(self._code_key, code), hash_of(device_code))
            values = (agent.agent_id, agent.name, agent.version, self._lifetime_s)
            return bool(await fetch(self._pool, "add_waiting", *hashes, *values))

        code = await _unused_code(add)
        return NewCode(user_code=code, expires_in_s=self._lifetime_s, device_code=device_code)

    async def approve(self, user_code: str, account: Account) -> AgentSelf:
        """The agent that shows this code shall speak for `account`; returns what it says of itself.

        Raises:
            NotFound: No agent that waits shows it.
            InputUnusable: The account is closed.
        """
        if account.is_closed:
            raise InputUnusable(f"the account {account.name} is closed; `users open {account.name}` opens it")
        code_hash = hash_of_code(self._code_key, user_code)
        rows = await fetch(self._pool, "approve", code_hash, account.user_id)
        if not rows:
            raise NotFound(
                f"no agent waits with the code {user_code[:20]!r}: it is wrong, approved or too old"
            )
        row = rows[0]
        return AgentSelf(agent_id=row["agent_id"], name=row["device_name"], version=row["device_version"])

    async def waiting(self) -> list[WaitingAgent]:
        """Agents that wait to be approved. Their codes are known to them alone."""
        return [
            WaitingAgent(
                agent_id=row["agent_id"],
                name=row["device_name"],
                version=row["device_version"],
                made_at=row["made_at"],
                expires_at=row["expires_at"],
            )
            for row in await fetch(self._pool, "waiting")
        ]

    async def redeem_user_code(self, user_code: str, agent: AgentSelf) -> Issued:
        """Pair with a code that was made for an account.

        Raises:
            NotFound: It is wrong, used, too old, or its account is closed.
            AgentTaken: The agent belongs to another account; the code still counts.
        """
        # A text that cannot be a code is looked for like any other.
        key = hash_of_code(self._code_key, normal_code(user_code))
        return await self._redeem("pairing_of_user_code", key, agent, max_tries=_MAX_TRIES)

    async def redeem_device_code(self, device_code: str, agent: AgentSelf) -> Issued:
        """Pair with the agent's own code, once it is approved.

        Raises:
            NotFound, AgentTaken: As `redeem_user_code`.
            PairingPending: Nobody has approved it yet.
        """
        return await self._redeem("pairing_of_device_code", hash_of(device_code), agent, max_tries=_MAX_POLLS)

    async def _redeem(self, statement: str, key: bytes, agent: AgentSelf, *, max_tries: int) -> Issued:
        async with transaction(self._pool) as connection:
            rows = await fetch_in(connection, statement, key)
            if not rows or rows[0]["is_closed"] or rows[0]["tries"] >= max_tries:
                raise NotFound("the code is wrong, used or too old; ask for a new one")
            problem = await self._problem(connection, rows[0], agent)
            if problem is None:
                await fetch_in(connection, "use_pairing", rows[0]["user_code_hash"])
                return await self._add_device(connection, rows[0], agent)
            await fetch_in(connection, "count_try", rows[0]["user_code_hash"])
        raise problem

    async def _problem(
        self, connection: asyncpg.Connection, row: asyncpg.Record, agent: AgentSelf
    ) -> CoordinatorError | None:
        if row["agent_id"] not in ("", agent.agent_id):
            return NotFound("the code is another agent's; ask for a new one")
        if row["user_id"] is None:
            return PairingPending(f"nobody has approved this agent yet; ask again in {POLL_S} s")
        if await fetch_in(connection, "agent_owner", agent.agent_id, row["user_id"]):
            return AgentTaken(
                "this agent belongs to another account here; give the PC a new agent id, or pair it with that account"
            )
        return None

    async def _add_device(
        self, connection: asyncpg.Connection, row: asyncpg.Record, agent: AgentSelf
    ) -> Issued:
        device_id, family, user_id = uuid.uuid4().hex, new_family(), row["user_id"]
        refresh_token = new_refresh_token(family)
        await fetch_in(connection, "replace_devices", agent.agent_id, user_id)
        values = (device_id, user_id, agent.agent_id, agent.name, agent.version, hash_of(family))
        await fetch_in(connection, "add_device", *values)
        await fetch_in(connection, "add_refresh_token", hash_of(refresh_token), device_id, 1)
        principal = Principal(user_id=user_id, tier=row["tier"], role=row["role"], device_id=device_id)
        return Issued(
            principal=principal,
            user_name=row["name"],
            access_token=self._tokens.mint(principal),
            access_s=self._tokens.lifetime_s,
            refresh_token=refresh_token,
        )


async def _unused_code(add: Callable[[str], Awaitable[bool]]) -> str:
    # Two of a thousand living codes are the same once in a million times; the second finds another.
    while True:
        code = new_code()
        if await add(code):
            return code
