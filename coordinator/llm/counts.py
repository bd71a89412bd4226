"""What a judge needs of whoever counts its calls and keeps its answers: the fleet's rows, or one command's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from coordinator.llm.breaker import Health
from coordinator.llm.ledger import Declined, ProviderState, Rest, Taken
from coordinator.llm.presets import Provider
from coordinator.model.llm import JudgedWindow, Judgement


class Counts(Protocol):
    """Counts calls before they are made. Each method may raise DatabaseUnavailable."""

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
        """Count a call that is about to be made, if it may be; `Ledger.take` says what the values are."""
        ...

    async def settle(self, taken: Taken, health: Health, *, tokens: int, cost_micros: int) -> None:
        """A call ended, with what it used. The second time changes nothing."""
        ...

    async def rest(self, provider: Provider, *, seconds: float, reason: Rest) -> None:
        """Nobody asks this provider for so long."""
        ...

    async def states(self, names: Sequence[str]) -> Mapping[str, ProviderState]:
        """How these providers stand; one that is not in the answer stands well."""
        ...

    async def prune(self) -> None:
        """Drop what counts no more."""
        ...


class Answers(Protocol):
    """Judgements that were made before. It is no promise: it may always be empty."""

    async def find(self, windows: Sequence[JudgedWindow]) -> Mapping[str, Judgement]:
        """What is known, by `window_id`."""
        ...

    async def keep(self, judged: Sequence[tuple[JudgedWindow, Judgement]]) -> None:
        """Keep these."""
        ...

    async def prune(self) -> None:
        """Drop what is too old or too much. May raise DatabaseUnavailable."""
        ...
