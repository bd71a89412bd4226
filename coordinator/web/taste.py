"""The page and the JSON of an account's taste, and what changes it: keep or skip a moment, begin anew.

What changes something is a POST of this very page: a foreign page that sends one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from coordinator.errors import InputUnusable
from coordinator.web.forms import check_origin
from coordinator.web.reading import reading, translated
from coordinator.web.search import account_meant
from protos.taste import Subject, Verdict, VerdictKind
from protos.taste_model import Taste
from protos.taste_words import shown

if TYPE_CHECKING:
    import asyncpg

_KINDS: dict[str, VerdictKind] = {"keep": "keep", "skip": "skip", "undo": "undo"}


class TasteKept(Protocol):
    """What is known of an account's taste. Raises DatabaseUnavailable, and NotFound of what is not there."""

    async def of_account(self, user_id: str) -> Taste:
        """What was learnt."""
        ...

    async def verdicts(self, user_id: str) -> list[Verdict]:
        """From what, newest first."""
        ...

    async def moments(self, user_id: str) -> list[Subject]:
        """The newest moments."""
        ...

    async def judge(self, moment_id: str, kind: VerdictKind) -> str:
        """Somebody keeps or skips a moment; returns its session."""
        ...

    async def reset(self, user_id: str) -> int:
        """Forget it all; returns how many verdicts there were."""
        ...


class TastePages:
    """Handlers of their routes."""

    def __init__(self, pool: asyncpg.Pool, tastes: TasteKept, templates: Jinja2Templates) -> None:
        self._pool = pool
        self._tastes = tastes
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """Where they are."""
        return [
            Route("/taste", self.page),
            Route("/api/taste", self.api),
            Route("/taste/reset", self.reset, methods=["POST"]),
            Route("/moments/{moment_id}/{verdict}", self.judge, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """What was learnt, in words."""
        value = await self._shown(request)
        value["session_id"] = request.query_params.get("session", "")
        return self._templates.TemplateResponse(request, "taste.html", value)

    async def api(self, request: Request) -> Response:
        """The same as JSON, of `user` or of whose `session` it is."""
        return JSONResponse(await self._shown(request))

    async def reset(self, request: Request) -> Response:
        """Forget every verdict of the account."""
        check_origin(request)
        user_id = await self._account(request)
        with translated():
            await self._tastes.reset(user_id)
        return RedirectResponse(f"/taste?{request.url.query}", status_code=303)

    async def judge(self, request: Request) -> Response:
        """Keep or skip a moment, or take that back."""
        check_origin(request)
        kind = _KINDS.get(request.path_params["verdict"])
        if kind is None:
            raise InputUnusable(f"a moment is judged by {', '.join(_KINDS)}")
        with translated():
            session_id = await self._tastes.judge(request.path_params["moment_id"].replace("\0", ""), kind)
        return RedirectResponse(f"/sessions/{session_id}", status_code=303)

    async def _account(self, request: Request) -> str:
        async with reading(self._pool) as connection:
            return await account_meant(connection, request)

    async def _shown(self, request: Request) -> dict[str, Any]:
        user_id = await self._account(request)
        with translated():
            taste = await self._tastes.of_account(user_id)
            verdicts, moments = await self._tastes.verdicts(user_id), await self._tastes.moments(user_id)
        return shown(taste, verdicts, moments)
