"""A judge, put together from the settings: the one thing that a composition root needs from here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from coordinator.llm.cache import Cache
from coordinator.llm.chain import Chain
from coordinator.llm.client import Client
from coordinator.llm.judge import ChainJudge
from coordinator.llm.ledger import Ledger
from coordinator.llm.presets import complete
from coordinator.settings import Llm

if TYPE_CHECKING:
    import asyncpg


@contextlib.asynccontextmanager
async def open_judge(
    pool: asyncpg.Pool,
    settings: Llm,
    environment: Mapping[str, str] = os.environ,
    *,
    on_pressure: Callable[[float], None] | None = None,
) -> AsyncIterator[ChainJudge]:
    """A judge until the block ends; without a provider it judges nothing, and asks nobody.

    Args:
        pool: at most four connections of it are used at once, for milliseconds; none while a model is waited for.
        on_pressure: told how far the gate is shut, 0 to 3, when that has changed by a tenth.

    Raises:
        InputUnusable: A provider's settings, or its key's file, cannot be used.
    """
    providers = [complete(provider, environment) for provider in settings.providers]
    ledger = Ledger(pool)
    cache = Cache(pool, [f"{provider.name}/{provider.model}" for provider in providers])
    async with contextlib.aclosing(Client()) as client:
        chain = Chain(providers, ledger, client)
        yield ChainJudge(chain, ledger, cache, settings, on_pressure=on_pressure)
