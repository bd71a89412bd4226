"""What an operator is told of the use of language models: today by tier and provider, and this minute's limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from coordinator.llm.ledger import Ledger, ProviderState, Used
from coordinator.policy.budget import day_micros
from coordinator.settings import Config

if TYPE_CHECKING:
    import asyncpg

_TIERS = ("free", "pro", "business")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used, and what is left.

    Attributes:
        today: since midnight UTC.
        limit_micros: what each tier may cost today, in millionths of a dollar.
        states: how each configured provider stands; calls and tokens are those of the last minute.
        pressures: how far each worker's gate is shut: from 0 on free windows wait, from 1 pro's, from 2 business's.
    """

    today: Sequence[Used]
    limit_micros: Mapping[str, int]
    states: Mapping[str, ProviderState]
    pressures: Mapping[str, float]


async def usage(pool: asyncpg.Pool, config: Config) -> Usage:
    """Look it up.

    Raises:
        DatabaseUnavailable: Nobody knows.
    """
    ledger = Ledger(pool)
    names = [provider.name for provider in config.llm.providers]
    known = await ledger.states(names)
    return Usage(
        today=await ledger.used_today(),
        limit_micros={tier: day_micros(config.llm, tier) for tier in _TIERS},
        states={name: known.get(name, ProviderState()) for name in names},
        pressures=await ledger.pressures(),
    )
