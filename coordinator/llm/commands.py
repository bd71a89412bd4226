"""What an operator asks about language models: can each provider be used, and what is to be done if not.

Asks for the list of models alone: it costs nothing, and counts against no limit of ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence

from coordinator.errors import InputUnusable
from coordinator.llm.client import Client
from coordinator.llm.failures import BadAnswer, CallFailed, Overloaded, RateLimited, Refused
from coordinator.llm.ledger import quota
from coordinator.llm.presets import Provider, complete, key_variable
from coordinator.settings import Config, LlmProvider


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCheck:
    """What was found of one provider. Without its key.

    Attributes:
        is_model_known: None: it does not list its models, or nobody could ask it.
        limits: what we use of each limit; 0 is no limit.
        advice: what to do; empty where nothing is to be done.
    """

    name: str
    base_url: str
    model: str
    has_key: bool
    is_reachable: bool
    is_model_known: bool | None
    limits: Mapping[str, int]
    advice: str

    @property
    def is_usable(self) -> bool:
        """Would it be asked?"""
        return self.is_reachable and self.is_model_known is not False


async def check(config: Config, environment: Mapping[str, str] = os.environ) -> Sequence[ProviderCheck]:
    """Look at each provider of the chain, in its order; an empty list: none is configured, and none is needed."""
    checks = []
    async with contextlib.aclosing(Client()) as client:
        for settings in config.llm.providers:
            try:
                provider = complete(settings, environment)
            except InputUnusable as exc:
                checks.append(_unusable(settings, str(exc)))
            else:
                checks.append(await _check_one(client, provider))
    return checks


async def _check_one(client: Client, provider: Provider) -> ProviderCheck:
    is_reachable, is_known, advice = True, None, ""
    try:
        models = await client.models(provider)
    except Refused as exc:
        is_reachable, advice = False, _advice_when_refused(provider, exc)
    except (RateLimited, Overloaded, BadAnswer) as exc:
        # It is there, and says no more than that.
        advice = f"{exc}; ask again later"
    except CallFailed as exc:
        is_reachable = False
        advice = f"{exc}; is {provider.base_url} right, and is the server running?"
    else:
        is_known = provider.model in models
        if not is_known:
            some = ", ".join(sorted(models)[:5]) or "none"
            advice = (
                f"it does not list {provider.model}; set the provider's model to one of its own, e.g. {some}"
            )
    return ProviderCheck(
        name=provider.name,
        base_url=provider.base_url,
        model=provider.model,
        has_key=bool(provider.api_key),
        is_reachable=is_reachable,
        is_model_known=is_known,
        limits={
            name: quota(limit) if limit else 0
            for name, limit in (("rpm", provider.rpm), ("tpm", provider.tpm), ("rpd", provider.rpd))
        },
        advice=advice,
    )


def _advice_when_refused(provider: Provider, refused: Refused) -> str:
    variable = key_variable(provider.name)
    if not provider.api_key:
        return f"{refused}; it wants a key: set {variable}, or api_key_file of this provider"
    return f"{refused}; is the key in {variable} or the configuration still valid, and base_url right?"


def _unusable(settings: LlmProvider, reason: str) -> ProviderCheck:
    return ProviderCheck(
        name=settings.name,
        base_url=settings.base_url,
        model=settings.model,
        has_key=False,
        is_reachable=False,
        is_model_known=None,
        limits={},
        advice=reason,
    )
