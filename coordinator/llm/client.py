"""One call to one OpenAI-compatible provider: bounded in time and bytes, its failures in our words.

Source: the OpenAI API reference, `POST /chat/completions`, and Groq's deviations from it (498: over capacity).
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from coordinator.llm.failures import (
    BadAnswer,
    CallFailed,
    Overloaded,
    ProviderFailed,
    RateLimited,
    Refused,
    TooLong,
)
from coordinator.llm.presets import Provider
from coordinator.llm.question import ANSWER_SCHEMA, Question
from coordinator.llm.retry_after import rest_s

MAX_ANSWER_BYTES = 1024**2
# Once it has begun to answer it may finish within so much of its time more.
_TOTAL_SHARE = 2.0
_LONG_WORDS = (
    "context",
    "too long",
    "too large",
    "max_tokens",
    "maximum",
    "token limit",
    "reduce the length",
)
_CAPACITY_EXCEEDED = 498


class _Message(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Listed(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Listed]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What came back. Tokens are the provider's count; None where it told none."""

    text: str
    is_cut: bool
    tokens_in: int | None
    tokens_out: int | None


def lease_s(provider: Provider) -> float:
    """After so long a call is over, whatever happened."""
    return _TOTAL_SHARE * provider.timeout_s + 5.0


class Client:
    """Calls providers over one pool of connections. Owned by one loop."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=8)
        # A proxy of the environment is for what is outside.
        direct = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"), None)
        # No redirect: a key goes to the address that was configured, and nowhere else.
        self._http = httpx.AsyncClient(limits=limits, follow_redirects=False, mounts=direct)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def complete(self, provider: Provider, question: Question) -> Completion:
        """Ask once.

        Raises:
            CallFailed: One of its kinds.
        """
        body = _body(provider, question)
        raw = await self._send(provider, "POST", "/chat/completions", body)
        try:
            completion = msgspec.json.decode(raw, type=_Completion)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
            raise BadAnswer(f"{provider.name}: not a completion: {exc}") from exc
        if not completion.choices or completion.choices[0].message.content is None:
            raise BadAnswer(f"{provider.name}: a completion without text")
        choice, usage = completion.choices[0], completion.usage
        return Completion(
            text=choice.message.content or "",
            is_cut=choice.finish_reason == "length",
            tokens_in=usage.prompt_tokens if usage else None,
            tokens_out=usage.completion_tokens if usage else None,
        )

    async def models(self, provider: Provider) -> list[str]:
        """The models that a provider lists for this key.

        Raises:
            CallFailed: One of its kinds.
        """
        raw = await self._send(provider, "GET", "/models", None)
        try:
            return [listed.id for listed in msgspec.json.decode(raw, type=_Models).data]
        except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
            raise BadAnswer(f"{provider.name}: not a list of models: {exc}") from exc

    async def _send(self, provider: Provider, method: str, path: str, body: object) -> bytes:
        name = provider.name
        # Not compressed: a small answer must not become a large one in our memory.
        headers = {"Accept-Encoding": "identity"}
        if provider.api_key:
            headers["Authorization"] = f"Bearer {provider.api_key}"
        request = self._http.build_request(
            method,
            f"{provider.base_url.rstrip('/')}{path}",
            headers=headers,
            json=body,
            timeout=httpx.Timeout(provider.timeout_s),
        )
        try:
            async with asyncio.timeout(_TOTAL_SHARE * provider.timeout_s):
                async with asyncio.timeout(provider.timeout_s):
                    response = await self._http.send(request, stream=True)
                try:
                    content = await _read(response, name)
                finally:
                    await response.aclose()
        except TimeoutError as exc:
            raise ProviderFailed(
                f"{name}: no answer within {provider.timeout_s:g} s", is_quick=False
            ) from exc
        except httpx.TimeoutException as exc:
            raise ProviderFailed(f"{name}: {type(exc).__name__}", is_quick=False) from exc
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            # A text that quotes a header would quote the key.
            detail = f": {exc}" if isinstance(exc, httpx.ConnectError) else ""
            raise ProviderFailed(f"{name}: {type(exc).__name__}{detail}", is_quick=True) from exc
        if response.status_code != httpx.codes.OK:
            raise _failure(name, response.status_code, response.headers, content)
        return content


async def _read(response: httpx.Response, name: str) -> bytes:
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise BadAnswer(f"{name}: an answer of more than {MAX_ANSWER_BYTES} bytes")
    return bytes(content)


def _body(provider: Provider, question: Question) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": provider.model,
        "messages": list(question.messages),
        "temperature": 0.2,
        "max_tokens": question.max_tokens_out,
    }
    if provider.schema_mode == "json_schema":
        schema = {"name": "judgement", "strict": True, "schema": ANSWER_SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif provider.schema_mode == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def _failure(name: str, status: int, headers: Mapping[str, str], content: bytes) -> CallFailed:
    retry_after = headers.get("retry-after")
    told = f"{name}: HTTP {status}"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimited(told, retry_after_s=rest_s(retry_after, now=datetime.datetime.now(datetime.UTC)))
    if status == _CAPACITY_EXCEEDED:
        return Overloaded(told)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ProviderFailed(told, is_quick=True)
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE):
        said = content[:4096].decode("utf-8", "replace").lower()
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE or any(word in said for word in _LONG_WORDS):
            return TooLong(told)
        # A provider that checks the schema itself answers 400 where its model broke it.
        if "json_validate_failed" in said or "failed_generation" in said:
            return BadAnswer(told)
    if 300 <= status < 400:
        return Refused(f"{told}: redirects are not followed; correct base_url")
    return Refused(told)
