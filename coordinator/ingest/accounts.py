"""What each account uses of this process, and how far it may go: streams, connects, small messages, sessions, chunks.

Counts live in this process alone: `serve` with two processes lets an account have twice as much, and a restart begins
anew. Owned by the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from coordinator.ingest.buckets import TokenBucket
from coordinator.ingest.gate import ChunkGate, ParkedBytes
from coordinator.ingest.slices import one_by_one
from coordinator.model.accounts import Principal, WaitingWork
from coordinator.policy.admission import (
    bytes_per_s,
    is_behind,
    max_streams,
    messages_per_s,
    proxy_bps,
    sessions_a_day,
)
from coordinator.settings import Limits
from protos.clippy.v1 import link_pb2
from protos.segment import is_session_id

MAX_TARRY_S = 5.0
_DAY_S = 86_400.0
_MESSAGE_BURST_S = 5.0
_CONNECTS_PER_S = 1.0
_LEAST_CONNECTS = 8
_MAX_TARRYING = 256
_MAX_KNOWN_SESSIONS = 20_000
_LOG_BURST, _LOGS_PER_S = 10, 0.1
_MANY_AGENTS_DELAY_S = 30.0
_LONG_DELAY_S = 600.0
_MAX_UINT32 = 2**32 - 1


class Connected(Protocol):
    """A stream as it is counted here."""

    def replaced(self) -> None:
        """The same agent has connected anew: end."""
        ...


class PutOff(Exception):
    """The agent is asked to come back later; the message says why. Caught within ingest."""

    def __init__(self, reason: str, delay_s: float) -> None:
        super().__init__(reason)
        self.delay_ms = int(delay_s * 1000)


class Account:
    """One account in this process."""

    def __init__(
        self, principal: Principal, limits: Limits, all_parked: ParkedBytes, clock: Callable[[], float]
    ) -> None:
        now_s = clock()
        self._clock = clock
        self.tier = principal.tier
        self.max_streams = max_streams(limits, principal.tier)
        rate_bytes_per_s = bytes_per_s(limits, principal.tier)
        # What each of its agents is told to keep to by itself, so that it is seldom put off.
        self.config = link_pb2.StreamConfig(
            tier=principal.tier,
            max_bytes_per_s=min(rate_bytes_per_s, _MAX_UINT32),
            max_proxy_bps=min(proxy_bps(limits, principal.tier), _MAX_UINT32),
        )
        self.gate = ChunkGate(
            rate_bytes_per_s=rate_bytes_per_s,
            # Whoever may send any number of bytes may do so at any pace.
            chunks_per_s=limits.chunks_per_s if rate_bytes_per_s else 0,
            all_parked=all_parked,
            clock=clock,
        )
        per_s = messages_per_s(self.max_streams)
        self._messages = TokenBucket(rate_per_s=per_s, burst=per_s * _MESSAGE_BURST_S, now_s=now_s)
        connects = max(_LEAST_CONNECTS, 2 * self.max_streams)
        self._connects = TokenBucket(
            rate_per_s=_CONNECTS_PER_S if self.max_streams else 0.0, burst=connects, now_s=now_s
        )
        a_day = sessions_a_day(self.max_streams)
        self._sessions = TokenBucket(rate_per_s=a_day / _DAY_S, burst=a_day, now_s=now_s)
        self._known_sessions: set[str] = set()
        self._log_lines = TokenBucket(rate_per_s=_LOGS_PER_S, burst=_LOG_BURST, now_s=now_s)
        # One at a time: the streams of one account shall not have all connections of the pool.
        self.writing = asyncio.Lock()
        self._nameless: set[Connected] = set()
        self._by_agent: dict[str, Connected] = {}
        self._agent_of: dict[Connected, str] = {}
        self._num_tarrying = 0

    def connect(self, stream: Connected) -> None:
        """Count a new stream, which has not said who it is.

        Raises:
            PutOff: The account connects too often, or too many of its streams have not said Hello yet.
        """
        now_s = self._clock()
        if not self._connects.has(1, now_s):
            raise PutOff("this account connects too often", MAX_TARRY_S)
        self._connects.spend(1, now_s)
        if self.max_streams and len(self._nameless) >= max(_LEAST_CONNECTS, self.max_streams):
            raise PutOff(
                f"{len(self._nameless)} streams of this account have not said Hello yet", MAX_TARRY_S
            )
        self._nameless.add(stream)

    def say_hello(self, stream: Connected, agent_id: str) -> None:
        """The stream is this agent's; an older one of the same agent is ended: it may be half-open.

        Raises:
            PutOff: As many agents of the account are connected as may.
        """
        old = self._by_agent.get(agent_id)
        num_agents = len(self._by_agent)
        if old is None and self.max_streams and num_agents >= self.max_streams:
            raise PutOff(
                f"{num_agents} agents of this account are connected, as many as its tier {self.tier} may",
                _MANY_AGENTS_DELAY_S,
            )
        self._nameless.discard(stream)
        self._by_agent[agent_id] = stream
        self._agent_of[stream] = agent_id
        if old is not None and old is not stream:
            old.replaced()

    def leave(self, stream: Connected) -> None:
        """The stream has ended, or was replaced. Twice is once."""
        self._nameless.discard(stream)
        agent_id = self._agent_of.pop(stream, "")
        if self._by_agent.get(agent_id) is stream:
            del self._by_agent[agent_id]

    def message_wait_s(self, cost: float = 1.0) -> float:
        """Count a small message; how long nothing more should be read of the stream that it came on."""
        return min(MAX_TARRY_S, self._messages.spend(cost, self._clock()))

    def name_sessions(self, session_ids: Collection[str]) -> None:
        """Count the sessions that were not named before.

        Raises:
            PutOff: More are new than a day may bring; none of them is counted.
        """
        new = {name for name in session_ids if is_session_id(name)} - self._known_sessions
        if not new:
            return
        now_s = self._clock()
        if not self._sessions.has(len(new), now_s):
            raise PutOff(
                f"this account has named too many new sessions today, {len(new)} more", _LONG_DELAY_S
            )
        self._sessions.spend(len(new), now_s)
        if len(self._known_sessions) > _MAX_KNOWN_SESSIONS:
            self._known_sessions.clear()
        self._known_sessions |= new

    def may_log(self) -> bool:
        """Is this one of the few faults of the account that are worth a line?"""
        if not self._log_lines.has(1, self._clock()):
            return False
        self._log_lines.spend(1, self._clock())
        return True

    async def tarry(self, sooner: asyncio.Event, seconds: float) -> bool:
        """Keep a connect that is put off waiting; False, at once: too many wait already."""
        if self._num_tarrying >= _MAX_TARRYING:
            return False
        self._num_tarrying += 1
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(sooner.wait(), seconds)
        finally:
            self._num_tarrying -= 1
        return True

    def set_waiting(self, work: WaitingWork | None) -> None:
        """How much of it waits to be heard; None: not much."""
        self.gate.set_behind(
            work is not None
            and is_behind(
                self.tier,
                num_waiting=work.num_waiting,
                num_live=work.num_live_sessions,
                streams=self.max_streams,
            )
        )

    def is_idle(self) -> bool:
        """Is there nothing to remember?"""
        now_s = self._clock()
        return (
            not (self._nameless or self._by_agent or self._num_tarrying)
            and self.gate.is_idle()
            and self._sessions.is_full(now_s)
            and self._messages.is_full(now_s)
            and self._connects.is_full(now_s)
        )


class Accounts:
    """All accounts that are, or lately were, connected here."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._all_parked = ParkedBytes()
        self._accounts: dict[str, Account] = {}
        self._waiting: set[str] = set()

    def of(self, principal: Principal) -> Account:
        """The account of who speaks. One whose tier has changed begins anew, for the streams that come from now on."""
        found = self._accounts.get(principal.user_id)
        if found is None or found.tier != principal.tier:
            found = Account(principal, self._limits, self._all_parked, self._clock)
            self._accounts[principal.user_id] = found
        return found

    def set_waiting(self, waiting: Mapping[str, WaitingWork]) -> None:
        """How much of whose work waits; whoever is not named has little."""
        for user_id in self._waiting | waiting.keys():
            if (account := self._accounts.get(user_id)) is not None:
                account.set_waiting(waiting.get(user_id))
        self._waiting = set(waiting)

    async def forget_idle(self) -> None:
        """Drop what says nothing that a new account would not."""
        async for user_id, account in one_by_one(self._accounts.items()):
            if account.is_idle() and self._accounts.get(user_id) is account:
                del self._accounts[user_id]
