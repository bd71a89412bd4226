"""Counts calls of language models for the whole fleet before they are made: limits, rest, breaker, money.

One short transaction before a call, one after it, under the lock of the provider's row. A call counts from its begin
until a window after its *end*: whenever it reached the provider, it was inside, so the provider's own sliding window
never sees more than we counted. A call whose process died frees its money and its place by itself.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from coordinator.database import Asking
from coordinator.llm.breaker import COUNT_FOR_S, OPEN_S, Health, Move, Passage, move, passage
from coordinator.llm.presets import Provider
from coordinator.policy.budget import is_covered, settled_micros
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.llm", "llm.sql")
MINUTE_S = 60.0
# We stay below a quota: others may use the same key, and estimates of tokens are estimates.
QUOTA_SHARE = 0.95


class Decline(enum.Enum):
    """Why a call may not be made now."""

    RESTING = enum.auto()  # the provider asked for it
    REFUSED = enum.auto()  # it refused us, and will until somebody mends it
    OPEN = enum.auto()  # it fails
    LIMIT = enum.auto()  # a limit of a minute
    DAY_LIMIT = enum.auto()
    BUDGET = enum.auto()


class Rest(enum.StrEnum):
    """Why a provider is left alone, as its row says it."""

    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A call that is counted; end it with `settle`."""

    call_id: int
    provider: Provider
    cost_micros: int
    tokens: int
    is_probe: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """No call now; `wait_s`: asking earlier is of no use."""

    why: Decline
    wait_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """How a provider stands, for people and for the gate."""

    num_calls: int = 0
    num_tokens: int = 0
    rest_s: float = 0.0
    rest_reason: str = ""
    is_open: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a tier has used of a provider on one day; `cost_micros` is in millionths of a dollar."""

    tier: str
    provider: str
    num_calls: int
    num_tokens: int
    cost_micros: int


def quota(limit: int) -> int:
    """What we use of a limit; at least one, or nothing could ever be asked."""
    return max(1, math.floor(limit * QUOTA_SHARE))


class Ledger:
    """What the fleet counts together.

    Args:
        window_s: the providers' minute; shorter in tests only.
        open_s: how long a breaker stays open.
    """

    def __init__(self, pool: asyncpg.Pool, *, window_s: float = MINUTE_S, open_s: float = OPEN_S) -> None:
        self._pool = pool
        self._window_s = window_s
        self._open_s = open_s
        self._asking = Asking(SQL, acquire_s=5.0, statement_s=5.0)
        self._known: set[str] = set()

    async def take(
        self,
        provider: Provider,
        *,
        tier: str,
        tokens: int,
        cost_micros: int,
        limit_micros: int,
        lease_s: float,
    ) -> Taken | Declined:
        """Count a call that is about to be made, if it may be.

        Args:
            tokens: an estimate of all of them.
            cost_micros: the worst price; the day's money has to cover it.
            lease_s: the call is over by then, or its process is dead.

        Raises:
            DatabaseUnavailable: Nothing is counted, so nothing may be asked.
        """
        if provider.name not in self._known:
            await self._asking.fetch(self._pool, "know", provider.name)
            self._known.add(provider.name)
        async with self._asking.transaction(self._pool) as connection:
            state = await self._one(connection, "lock", provider.name)
            way = passage(open_s=state["open_s"], probe_s=state["probe_s"])
            declined = _state_declines(state, way) or await self._limits_decline(connection, provider, tokens)
            if declined is not None:
                return declined
            spent = await self._one(connection, "lock_spend", state["day"], tier)
            reserved = await self._one(connection, "reserved", state["day"], tier)
            if not is_covered(
                spent_micros=spent["spent_micros"],
                reserved_micros=reserved["reserved_micros"],
                wanted_micros=cost_micros,
                limit_micros=limit_micros,
            ):
                return Declined(why=Decline.BUDGET, wait_s=MINUTE_S)
            if way is Passage.PROBE:
                await self._asking.fetch_in(connection, "take_probe", provider.name, lease_s)
            values = (provider.name, tier, state["day"], tokens, cost_micros, lease_s, self._window_s)
            row = await self._one(connection, "begin_call", *values)
            return Taken(
                call_id=row["call_id"],
                provider=provider,
                cost_micros=cost_micros,
                tokens=tokens,
                is_probe=way is Passage.PROBE,
            )

    async def settle(self, taken: Taken, health: Health, *, tokens: int, cost_micros: int) -> None:
        """A call ended, with what it used. The second time changes nothing.

        Raises:
            DatabaseUnavailable: It is settled by its expiry instead.
        """
        cost = settled_micros(reported_micros=cost_micros, reserved_micros=taken.cost_micros)
        name = taken.provider.name
        async with self._asking.transaction(self._pool) as connection:
            state = await self._one(connection, "lock", name)
            ended = await self._asking.fetch_in(
                connection, "end_call", taken.call_id, tokens, cost, self._window_s
            )
            if not ended:
                return
            booked = (ended[0]["day"], ended[0]["tier"], cost, name, tokens)
            await self._asking.fetch_in(connection, "spend", *booked)
            await self._count(connection, state, taken, health)

    async def rest(self, provider: Provider, *, seconds: float, reason: Rest) -> None:
        """Nobody in the fleet asks this provider for so long.

        Raises:
            DatabaseUnavailable: Others will hear the same answer themselves.
        """
        await self._asking.fetch(self._pool, "rest", provider.name, seconds, reason.value)

    async def states(self, names: Sequence[str]) -> Mapping[str, ProviderState]:
        """How these providers stand; one that was never asked stands well."""
        rows = await self._asking.fetch(self._pool, "states", list(names))
        return {
            row["provider"]: ProviderState(
                num_calls=row["num_calls"],
                num_tokens=row["num_tokens"],
                rest_s=row["rest_s"],
                rest_reason=row["rest_reason"],
                is_open=row["is_open"],
            )
            for row in rows
        }

    async def used_today(self) -> Sequence[Used]:
        """What was used today (UTC), by tier and provider.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """
        return [Used(**dict(row)) for row in await self._asking.fetch(self._pool, "used_today")]

    async def pressures(self) -> Mapping[str, float]:
        """How far the gate of each worker is shut, 0 to 3, as they said it within the last minute.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """
        rows = await self._asking.fetch(self._pool, "pressures")
        return {row["worker_id"]: row["pressure"] for row in rows}

    async def prune(self) -> None:
        """Drop what counts no more. Any process may, at any time."""
        for name in ("prune_calls", "prune_hours", "prune_spend"):
            await self._asking.fetch(self._pool, name)

    async def _limits_decline(
        self, connection: asyncpg.Connection, provider: Provider, tokens: int
    ) -> Declined | None:
        used = await self._one(connection, "used", provider.name, provider.rpd > 0)
        if provider.rpd > 0 and used["num_today"] >= quota(provider.rpd):
            return Declined(why=Decline.DAY_LIMIT, wait_s=MINUTE_S)
        is_full = provider.rpm > 0 and used["num_calls"] >= quota(provider.rpm)
        # A question larger than a whole minute's tokens may go alone, or it could never go.
        if provider.tpm > 0 and used["num_calls"] > 0:
            is_full = is_full or used["num_tokens"] + tokens > quota(provider.tpm)
        return Declined(why=Decline.LIMIT, wait_s=max(used["free_s"], 0.0)) if is_full else None

    async def _count(
        self, connection: asyncpg.Connection, state: asyncpg.Record, taken: Taken, health: Health
    ) -> None:
        is_old = state["counted_s"] > COUNT_FOR_S
        num_calls = 1 if is_old else state["num_calls"] + 1
        num_failures = (0 if is_old else state["num_failures"]) + (health is Health.ILL)
        following = move(
            health,
            is_probe=taken.is_probe,
            is_closed=state["open_s"] is None,
            num_calls=num_calls,
            num_failures=num_failures,
        )
        name = taken.provider.name
        if following is Move.OPEN:
            await self._asking.fetch_in(connection, "open", name, self._open_s)
        elif following is Move.CLOSE:
            await self._asking.fetch_in(connection, "close", name)
        elif following is Move.FREE_PROBE:
            await self._asking.fetch_in(connection, "free_probe", name)
        elif following is Move.COUNT:
            is_failure = int(health is Health.ILL)
            await self._asking.fetch_in(connection, "count_outcome", name, is_old, 1, is_failure)

    async def _one(self, connection: asyncpg.Connection, name: str, *values: object) -> asyncpg.Record:
        [row] = await self._asking.fetch_in(connection, name, *values)
        return row


def _state_declines(state: asyncpg.Record, way: Passage) -> Declined | None:
    if state["rest_s"] > 0:
        why = Decline.REFUSED if state["rest_reason"] == Rest.REFUSED else Decline.RESTING
        return Declined(why=why, wait_s=state["rest_s"])
    if way is Passage.SHUT:
        return Declined(why=Decline.OPEN, wait_s=max(state["open_s"], state["probe_s"], 0.0))
    return None
