"""Ask the first provider that may be asked and answers: limits, then breaker, then the call, then the next.

A full minute is waited for as long as there is patience; everything else goes to the next provider at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence

import stamina
import structlog

from coordinator.errors import DatabaseUnavailable
from coordinator.llm.breaker import Health
from coordinator.llm.client import Client, Completion, lease_s
from coordinator.llm.counts import Counts
from coordinator.llm.failures import (
    BadAnswer,
    CallFailed,
    Overloaded,
    ProviderFailed,
    RateLimited,
    Refused,
    TooLong,
)
from coordinator.llm.ledger import Decline, Declined, Rest, Taken
from coordinator.llm.presets import Provider
from coordinator.llm.question import Question
from coordinator.model.llm import Unjudged
from coordinator.policy.budget import cost_micros

log = structlog.get_logger(__name__)

# A wrong key stays wrong until somebody mends it; it is tried again from time to time.
REFUSED_REST_S = 300.0
PATIENCE_S = 2.0
_LEAST_WAIT_S = 0.02


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Who answered, and what."""

    provider: Provider
    completion: Completion

    @property
    def model(self) -> str:
        """As it is shown and cached."""
        return f"{self.provider.name}/{self.provider.model}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Nobody may be asked now, or nobody answered."""

    why: Unjudged
    retry_after_s: float


class Chain:
    """Providers in their order.

    Args:
        patience_s: how long a question waits for room in a provider's minute before it goes to the next.
    """

    def __init__(
        self, providers: Sequence[Provider], ledger: Counts, client: Client, *, patience_s: float = PATIENCE_S
    ) -> None:
        self.providers = tuple(providers)
        self._ledger = ledger
        self._client = client
        self._patience_s = patience_s
        # We say ourselves what failed; its own hook would call the first of two tries a warning.
        stamina.instrumentation.set_on_retry_hooks(())

    async def ask(self, question: Question, *, tier: str, limit_micros: int) -> Answered | Unanswered:
        """Ask until one answers.

        Args:
            limit_micros: what the tier may spend today.

        Raises:
            BadAnswer: It answered, and not what was asked for; half of the question may do.
            TooLong: A provider that could have answered does not take so much.
            DatabaseUnavailable: Nothing can be counted.
        """
        reasons: list[Declined] = []
        num_long = 0
        until = time.monotonic() + self._patience_s
        for provider in self.providers:
            if question.tokens_in + question.max_tokens_out > provider.max_context_tokens:
                num_long += 1
                continue
            try:
                outcome = await self._ask_one(provider, question, tier, limit_micros, until)
            except TooLong:
                num_long += 1
                continue
            if isinstance(outcome, Answered):
                return outcome
            reasons.append(outcome)
        # Halved, it may also fit one that is free.
        if num_long:
            raise TooLong(f"{question.tokens_in} tokens are more than any provider takes")
        return _why(reasons)

    async def _ask_one(
        self, provider: Provider, question: Question, tier: str, limit_micros: int, until: float
    ) -> Answered | Declined:
        """One provider, with one more try where it failed at once. Each try is counted."""
        try:
            async for attempt in stamina.retry_context(
                on=_is_worth_another,
                attempts=2,
                timeout=1.5,
                wait_initial=0.05,
                wait_max=0.2,
                wait_jitter=0.1,
            ):
                with attempt:
                    taken = await self._take(provider, question, tier, limit_micros, until)
                    if isinstance(taken, Declined):
                        return taken
                    return Answered(provider=provider, completion=await self._call(taken, question))
        except RateLimited as exc:
            await self._ledger.rest(provider, seconds=exc.retry_after_s, reason=Rest.RATE_LIMITED)
            log.info("llm_rate_limited", provider=provider.name, retry_after_s=exc.retry_after_s)
            return Declined(why=Decline.RESTING, wait_s=exc.retry_after_s)
        except Refused as exc:
            await self._ledger.rest(provider, seconds=REFUSED_REST_S, reason=Rest.REFUSED)
            log.warning("llm_refused", provider=provider.name, reason=str(exc))
            return Declined(why=Decline.REFUSED, wait_s=REFUSED_REST_S)
        except (Overloaded, ProviderFailed) as exc:
            log.info("llm_failed", provider=provider.name, reason=str(exc))
        return Declined(why=Decline.OPEN, wait_s=1.0)

    async def _take(
        self, provider: Provider, question: Question, tier: str, limit_micros: int, until: float
    ) -> Taken | Declined:
        worst = _cost(provider, question.most_tokens_in, question.max_tokens_out)
        while True:
            taken = await self._ledger.take(
                provider,
                tier=tier,
                tokens=question.tokens_in + question.max_tokens_out,
                cost_micros=worst,
                limit_micros=limit_micros,
                lease_s=lease_s(provider),
            )
            if isinstance(taken, Taken) or taken.why is not Decline.LIMIT:
                return taken
            wait_s = max(taken.wait_s, _LEAST_WAIT_S)
            if time.monotonic() + wait_s > until:
                return taken
            await asyncio.sleep(wait_s)

    async def _call(self, taken: Taken, question: Question) -> Completion:
        """Make a call that is counted, and settle it. One that is cancelled is settled by its expiry."""
        provider = taken.provider
        health, tokens, cost = Health.WELL, taken.tokens, 0
        try:
            completion = await self._client.complete(provider, question)
            tokens_in = question.tokens_in if completion.tokens_in is None else completion.tokens_in
            # One that tells nothing is booked with the bound.
            tokens_out = question.max_tokens_out if completion.tokens_out is None else completion.tokens_out
            tokens = min(max(tokens_in + tokens_out, 0), question.most_tokens_in + question.max_tokens_out)
            cost = _cost(provider, tokens_in, tokens_out)
            return completion
        except BadAnswer:
            # It was worked on, so it is paid for; nobody knows how much.
            cost = _cost(provider, question.tokens_in, question.max_tokens_out)
            raise
        except ProviderFailed as exc:
            health = Health.ILL
            # What hung may have been worked on, and billed.
            cost = 0 if exc.is_quick else _cost(provider, question.tokens_in, question.max_tokens_out)
            raise
        except CallFailed:
            health, tokens = Health.NOTHING, 0
            raise
        finally:
            if not _is_cancelled():
                await self._settle(taken, health, tokens=tokens, cost_micros=cost)

    async def _settle(self, taken: Taken, health: Health, *, tokens: int, cost_micros: int) -> None:
        try:
            await asyncio.shield(self._ledger.settle(taken, health, tokens=tokens, cost_micros=cost_micros))
        except DatabaseUnavailable as exc:
            log.info("llm_call_not_settled", provider=taken.provider.name, reason=str(exc))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_worth_another(error: Exception) -> bool:
    return isinstance(error, ProviderFailed) and error.is_quick


def _cost(provider: Provider, tokens_in: int, tokens_out: int) -> int:
    return cost_micros(
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd_per_million_in=provider.usd_per_million_in,
        usd_per_million_out=provider.usd_per_million_out,
    )


def _why(reasons: Sequence[Declined]) -> Unanswered:
    """One reason for all: money first, because waiting does not mend it today; then limits, then failures."""
    if not reasons:
        return Unanswered(why=Unjudged.NO_PROVIDER, retry_after_s=60.0)
    whys = {declined.why for declined in reasons}
    retry_after_s = min(declined.wait_s for declined in reasons)
    if Decline.BUDGET in whys:
        return Unanswered(why=Unjudged.BUDGET, retry_after_s=retry_after_s)
    if whys & {Decline.LIMIT, Decline.DAY_LIMIT, Decline.RESTING}:
        return Unanswered(why=Unjudged.LIMITS, retry_after_s=retry_after_s)
    return Unanswered(why=Unjudged.UNAVAILABLE, retry_after_s=retry_after_s)
