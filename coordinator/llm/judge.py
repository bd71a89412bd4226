"""Port `Judge`: which windows are asked about, in which questions, and what becomes of a bad answer.

gate -> cache -> groups -> chain -> checked answer; a bad answer halves its group, down to one window.
What any step does not answer is None with its reason; nothing here fails a job or burns its attempts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import structlog

from coordinator.errors import DatabaseUnavailable, LlmUnavailable
from coordinator.llm.answer import read_answer
from coordinator.llm.chain import Answered, Chain
from coordinator.llm.counts import Answers, Counts
from coordinator.llm.failures import BadAnswer, TooLong
from coordinator.llm.ledger import ProviderState, quota
from coordinator.llm.presets import Provider
from coordinator.llm.question import ask_about, is_suspicious
from coordinator.model.llm import JudgedWindow, Judgement, Unjudged
from coordinator.policy.budget import day_micros
from coordinator.policy.gate import Gate
from coordinator.settings import Llm

log = structlog.get_logger(__name__)

# Judging is over by then, whatever is left: a job holds its lease for it.
DEADLINE_S = 45.0
_CALLS_AT_ONCE = 4
_LOOK_EVERY_S = 5.0
_PRUNE_EVERY_S = 60.0
_RETRY_S = 30.0

_Outcome: TypeAlias = "Judgement | Unjudged"
_Outcomes: TypeAlias = "dict[str, _Outcome]"


class ChainJudge:
    """Asks a chain of providers. Owned by one loop."""

    def __init__(
        self,
        chain: Chain,
        ledger: Counts,
        cache: Answers,
        settings: Llm,
        *,
        deadline_s: float = DEADLINE_S,
        on_pressure: Callable[[float], None] | None = None,
    ) -> None:
        """Args: on_pressure: told the gate's pressure, 0 to 3, when it has changed by a tenth."""
        self._chain = chain
        self._ledger = ledger
        self._cache = cache
        self._settings = settings
        self._deadline_s = deadline_s
        self._gate = Gate(min_score=settings.gate_min_score)
        self._on_pressure = on_pressure
        self._looked_at = self._pruned_at = time.monotonic()
        self._calls = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def judge(
        self,
        windows: Sequence[JudgedWindow],
        *,
        on_unjudged: Callable[[JudgedWindow, Unjudged], None] | None = None,
        is_insisting: bool = False,
    ) -> Sequence[Judgement | None]:
        """As the port says."""
        retries: list[float] = []
        try:
            outcomes = await self._outcomes(windows, retries)
        except DatabaseUnavailable as exc:
            log.info("llm_not_counted", reason=str(exc))
            outcomes = {window.window_id: Unjudged.UNAVAILABLE for window in windows}
        found = [outcomes[window.window_id] for window in windows]
        if is_insisting and found and not any(isinstance(outcome, Judgement) for outcome in found):
            self._insist(found, retries)
        if on_unjudged is not None:
            for window, outcome in zip(windows, found, strict=True):
                if not isinstance(outcome, Judgement):
                    on_unjudged(window, outcome)
        return [outcome if isinstance(outcome, Judgement) else None for outcome in found]

    async def _outcomes(self, windows: Sequence[JudgedWindow], retries: list[float]) -> _Outcomes:
        outcomes: _Outcomes = {}
        if not self._chain.providers:
            return {window.window_id: Unjudged.NO_PROVIDER for window in windows}
        await self._look()
        outcomes |= await self._cache.find(windows)
        asked = []
        for window in windows:
            if window.window_id in outcomes:
                continue
            if reason := self._reason_not_to_ask(window):
                outcomes[window.window_id] = reason
            else:
                asked.append(window)
        until = time.monotonic() + self._deadline_s
        groups = _groups(
            asked,
            size=self._settings.windows_per_call,
            max_tokens=self._max_tokens(),
            is_shared=self._settings.share_calls,
        )
        answered = await asyncio.gather(*(self._ask_safely(group, until, retries) for group in groups))
        for part in answered:
            outcomes |= part
        judged = [(window, outcomes[window.window_id]) for window in asked]
        fresh = [(window, outcome) for window, outcome in judged if isinstance(outcome, Judgement)]
        if fresh:
            await self._cache.keep(fresh)
        return outcomes

    def _reason_not_to_ask(self, window: JudgedWindow) -> Unjudged | None:
        if not window.candidates:
            return Unjudged.NO_CANDIDATES
        best = max(candidate.score for candidate in window.candidates)
        return None if self._gate.is_open(window.tier, best) else Unjudged.GATE

    async def _ask_safely(
        self, group: Sequence[JudgedWindow], until: float, retries: list[float]
    ) -> _Outcomes:
        """What cannot be counted is not asked, and what others were answered stays."""
        try:
            return await self._ask(group, until, retries)
        except DatabaseUnavailable as exc:
            log.info("llm_not_counted", reason=str(exc))
            return dict.fromkeys((window.window_id for window in group), Unjudged.UNAVAILABLE)

    async def _ask(
        self, group: Sequence[JudgedWindow], until: float, retries: list[float], *, is_once: bool = False
    ) -> _Outcomes:
        """One question; the halves of it where it cannot be answered as a whole, down to one ballot of one window."""
        if time.monotonic() > until:
            return dict.fromkeys((window.window_id for window in group), Unjudged.UNAVAILABLE)
        question = ask_about(group, is_once=is_once)
        tier = group[0].tier
        try:
            async with self._calls:
                answered = await self._chain.ask(
                    question, tier=tier, limit_micros=day_micros(self._settings, tier)
                )
            if not isinstance(answered, Answered):
                retries.append(answered.retry_after_s)
                return dict.fromkeys((window.window_id for window in group), answered.why)
            if answered.completion.is_cut:
                raise BadAnswer("the answer was cut at its longest")
            given = read_answer(answered.completion.text, question, model=answered.model)
        except (BadAnswer, TooLong) as exc:
            # Once for a window, not for each half.
            log.info(
                "llm_answer_unusable", num_windows=len(group), kind=type(exc).__name__, reason=_short(exc)
            )
            if len(group) == 1 and isinstance(exc, TooLong) and len(question.ballots) > 1:
                return await self._ask(group, until, retries, is_once=True)
            if len(group) == 1:
                why = Unjudged.TOO_LONG if isinstance(exc, TooLong) else Unjudged.BAD_ANSWER
                return {group[0].window_id: why}
            middle = len(group) // 2
            first = await self._ask(group[:middle], until, retries)
            return first | await self._ask(group[middle:], until, retries)
        is_shared = len({window.user_id for window in group}) > 1
        return {
            window_id: _numbers_of(one) if is_shared and isinstance(one, Judgement) else one
            for window_id, one in given.items()
        }

    async def _look(self) -> None:
        """Move the gate by what the fleet used, now and then, and tidy up."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_EVERY_S:
            elapsed_s, self._looked_at = now - self._looked_at, now
            states = await self._ledger.states([provider.name for provider in self._chain.providers])
            used = used_share(self._chain.providers, states)
            before, self._gate = self._gate, self._gate.stepped(used_share=used, elapsed_s=elapsed_s)
            pressure = round(self._gate.pressure, 1)
            if self._on_pressure is not None and pressure != round(before.pressure, 1):
                self._on_pressure(pressure)
        if now - self._pruned_at >= _PRUNE_EVERY_S:
            self._pruned_at = now
            await self._ledger.prune()
            await self._cache.prune()

    def _max_tokens(self) -> int:
        return max(provider.max_context_tokens for provider in self._chain.providers)

    def _insist(self, found: Sequence[_Outcome], retries: Sequence[float]) -> None:
        whys = {outcome for outcome in found if isinstance(outcome, Unjudged)}
        passing = {Unjudged.LIMITS, Unjudged.UNAVAILABLE, Unjudged.BUDGET, Unjudged.NO_PROVIDER}
        if whys <= passing:
            raise LlmUnavailable(
                f"no language model can be asked now ({', '.join(sorted(whys))}); see the providers in [llm]",
                retry_after_s=min(retries, default=_RETRY_S),
            )


def used_share(providers: Sequence[Provider], states: Mapping[str, ProviderState]) -> float:
    """How much of the first limited provider's minute is used: later ones are what it falls back on."""
    for provider in providers:
        state = states.get(provider.name, ProviderState())
        shares = [
            used / quota(limit)
            for used, limit in ((state.num_calls, provider.rpm), (state.num_tokens, provider.tpm))
            if limit > 0
        ]
        if shares:
            return max(shares)
    return 0.0


def _groups(
    windows: Sequence[JudgedWindow], *, size: int, max_tokens: int, is_shared: bool
) -> list[list[JudgedWindow]]:
    """Windows of one account and tier that fit a question; one that seems to give orders goes alone.

    Args:
        is_shared: accounts of one tier may share a question.
    """
    groups: list[list[JudgedWindow]] = []
    open_groups: dict[tuple[str, str], list[JudgedWindow]] = {}
    for window in windows:
        # Tiers never share: each pays for itself.
        owner = ("" if is_shared else window.user_id, window.tier)
        group = open_groups.get(owner)
        if is_suspicious(window):
            groups.append([window])
        elif group is not None and len(group) < size and _fits([*group, window], max_tokens):
            group.append(window)
        else:
            open_groups[owner] = [window]
            groups.append(open_groups[owner])
    return groups


def _numbers_of(judgement: Judgement) -> Judgement:
    """What counts of an answer about several accounts: a text of one could be shown by another."""
    return dataclasses.replace(judgement, titles={}, hashtags=())


def _fits(windows: Sequence[JudgedWindow], max_tokens: int) -> bool:
    question = ask_about(windows)
    return question.tokens_in + question.max_tokens_out <= max_tokens


def _short(error: Exception) -> str:
    # A parser's message may quote the answer, and so what somebody said.
    return str(error).partition(":")[0][:120]
