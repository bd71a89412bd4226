"""A judge for one command, without a database: what it counts, only it knows; it keeps no answers.

The fleet's limits and its day's money are not asked. A command asks a handful of questions, pays at most a day's money
of its tier, and leaves a provider alone that asked for it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from coordinator.llm.breaker import Health
from coordinator.llm.chain import Chain
from coordinator.llm.client import Client
from coordinator.llm.judge import ChainJudge
from coordinator.llm.ledger import Decline, Declined, ProviderState, Rest, Taken
from coordinator.llm.presets import Provider, complete
from coordinator.model.llm import JudgedWindow, Judgement
from coordinator.policy.budget import is_covered, settled_micros
from coordinator.settings import Llm


class OwnCounts:
    """What one command used. Owned by one loop."""

    def __init__(self) -> None:
        self._num_calls = 0
        self._spent_micros = 0
        self._reserved: dict[int, int] = {}
        self._rests: dict[str, tuple[float, Rest]] = {}

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
        """As `Ledger.take`, but for limits of a minute and a day."""
        until_s, reason = self._rests.get(provider.name, (0.0, Rest.RATE_LIMITED))
        if (wait_s := until_s - time.monotonic()) > 0:
            why = Decline.REFUSED if reason is Rest.REFUSED else Decline.RESTING
            return Declined(why=why, wait_s=wait_s)
        if not is_covered(
            spent_micros=self._spent_micros,
            reserved_micros=sum(self._reserved.values()),
            wanted_micros=cost_micros,
            limit_micros=limit_micros,
        ):
            return Declined(why=Decline.BUDGET, wait_s=lease_s)
        self._num_calls += 1
        self._reserved[self._num_calls] = cost_micros
        return Taken(
            call_id=self._num_calls,
            provider=provider,
            cost_micros=cost_micros,
            tokens=tokens,
            is_probe=False,
        )

    async def settle(self, taken: Taken, health: Health, *, tokens: int, cost_micros: int) -> None:
        """A call ended, with what it used. The second time changes nothing."""
        reserved = self._reserved.pop(taken.call_id, None)
        if reserved is not None:
            self._spent_micros += settled_micros(reported_micros=cost_micros, reserved_micros=reserved)

    async def rest(self, provider: Provider, *, seconds: float, reason: Rest) -> None:
        """Not asked for so long."""
        self._rests[provider.name] = (time.monotonic() + seconds, reason)

    async def states(self, names: Sequence[str]) -> Mapping[str, ProviderState]:
        """Nothing is known of others."""
        return {}

    async def prune(self) -> None:
        """Nothing is kept."""


class NoAnswers:
    """A cache that is always empty."""

    async def find(self, windows: Sequence[JudgedWindow]) -> Mapping[str, Judgement]:
        """None."""
        return {}

    async def keep(self, judged: Sequence[tuple[JudgedWindow, Judgement]]) -> None:
        """They are the command's alone."""

    async def prune(self) -> None:
        """Nothing is kept."""


@contextlib.asynccontextmanager
async def open_judge_alone(
    settings: Llm, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[ChainJudge]:
    """A judge until the block ends.

    Raises:
        InputUnusable: A provider's settings, or its key's file, cannot be used.
    """
    providers = [complete(provider, environment) for provider in settings.providers]
    counts = OwnCounts()
    async with contextlib.aclosing(Client()) as client:
        yield ChainJudge(Chain(providers, counts, client), counts, NoAnswers(), settings)
