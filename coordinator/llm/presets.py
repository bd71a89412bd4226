"""Providers as they are asked: what the operator wrote, completed by a preset of that name.

Quotas and prices of the presets are a start; they drift, and no account is asked for its own: an operator sets them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from coordinator.errors import InputUnusable
from coordinator.settings import LlmProvider

# A first answer within 3 s lets the next provider begin in time; one that writes slower than groq needs longer.
PRESETS: Mapping[str, LlmProvider] = {
    "groq": LlmProvider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        model="openai/gpt-oss-20b",
        rpm=30,
        tpm=8_000,
        rpd=1_000,
        usd_per_million_in=0.10,
        usd_per_million_out=0.50,
        schema_mode="json_schema",
        timeout_s=2.5,
        max_context_tokens=32_000,
    ),
    "openai": LlmProvider(
        name="openai",
        base_url="https://api.openai.com/v1",
        model="gpt-4o-mini",
        rpm=500,
        tpm=200_000,
        rpd=10_000,
        usd_per_million_in=0.15,
        usd_per_million_out=0.60,
        schema_mode="json_schema",
        timeout_s=10.0,
        max_context_tokens=64_000,
    ),
    "local": LlmProvider(
        name="local",
        base_url="http://127.0.0.1:8080/v1",
        model="local",
        rpm=0,
        tpm=0,
        rpd=0,
        usd_per_million_in=0.0,
        usd_per_million_out=0.0,
        schema_mode="json_object",
        timeout_s=30.0,
        max_context_tokens=8_000,
    ),
}
# For a provider that has no preset.
_PLAIN = PRESETS["local"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider, complete. Its key is in no text made of it."""

    name: str
    base_url: str
    api_key: str = dataclasses.field(repr=False)
    model: str
    rpm: int
    tpm: int
    rpd: int
    usd_per_million_in: float
    usd_per_million_out: float
    schema_mode: str
    timeout_s: float
    max_context_tokens: int


def complete(settings: LlmProvider, environment: Mapping[str, str] = os.environ) -> Provider:
    """Fill what was left out, and find the key.

    Raises:
        InputUnusable: An address or a file that cannot be used, or a value that makes no sense.
    """
    preset = msgspec.structs.asdict(PRESETS.get(settings.name, _PLAIN))
    values = {
        name: preset[name] if value in ("", -1) else value
        for name, value in msgspec.structs.asdict(settings).items()
        if name not in ("api_key", "api_key_file")
    }
    values["name"] = settings.name
    provider = Provider(**values, api_key=_key(settings, environment))
    _check(provider, is_known=settings.name in PRESETS, is_addressed=bool(settings.base_url))
    return provider


def key_variable(name: str) -> str:
    """The environment variable that holds a provider's key."""
    return f"CLIPPY_LLM_{''.join(sign if sign.isalnum() else '_' for sign in name).upper()}_KEY"


def _key(settings: LlmProvider, environment: Mapping[str, str]) -> str:
    if settings.api_key:
        return settings.api_key.strip()
    if key := environment.get(key_variable(settings.name), ""):
        return key.strip()
    if not settings.api_key_file:
        return ""
    try:
        return Path(settings.api_key_file).read_text(encoding="utf-8").strip().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputUnusable(
            f"llm provider {settings.name}: cannot read api_key_file {settings.api_key_file}: {exc}"
        ) from exc


def _check(provider: Provider, *, is_known: bool, is_addressed: bool) -> None:
    told = f"llm provider {provider.name}"
    if not provider.name or len(provider.name) > 40:
        raise InputUnusable(f"{told}: a name has 1 to 40 characters")
    if not is_known and not is_addressed:
        raise InputUnusable(f"{told}: not one of {', '.join(PRESETS)}; set its base_url and model")
    if urlsplit(provider.base_url).scheme not in ("http", "https") or not urlsplit(provider.base_url).netloc:
        raise InputUnusable(f"{told}: base_url = {provider.base_url!r} is not http(s)://host/v1")
    if not all(sign.isprintable() and sign.isascii() for sign in provider.api_key):
        raise InputUnusable(f"{told}: its key holds characters that no header may; copy it again")
    limits = (provider.rpm, provider.tpm, provider.rpd)
    prices = (provider.usd_per_million_in, provider.usd_per_million_out)
    if min(*limits, *prices) < 0:
        raise InputUnusable(f"{told}: limits and prices are at least 0, not {limits}, {prices}")
    if not 0.05 <= provider.timeout_s <= 120 or provider.max_context_tokens < 1_000:
        raise InputUnusable(
            f"{told}: timeout_s = {provider.timeout_s} is 0.05..120, "
            f"max_context_tokens = {provider.max_context_tokens} at least 1000"
        )
