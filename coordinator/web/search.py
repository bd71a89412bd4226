"""The page and the JSON of a search: what was said, by its words, of one account.

Whoever reads the pages is the operator, and chooses whose words: those of the session that is shown, or by name.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from coordinator.errors import InputUnusable, NotFound
from coordinator.model.search import Found, Hit
from coordinator.web.read import SQL
from coordinator.web.reading import reading
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg

_OWNER = "owner"


class Find(Protocol):
    """Finds utterances of an account: (user_id, query, limit). Raises InputUnusable, NotFound, DatabaseUnavailable."""

    def __call__(self, user_id: str, query: str, *, limit: int) -> Awaitable[Found]:
        """Find."""
        ...


class SearchPages:
    """Handlers of the two routes."""

    def __init__(self, pool: asyncpg.Pool, find: Find, templates: Jinja2Templates) -> None:
        self._pool = pool
        self._find = find
        self._templates = templates

    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route("/search", self.page), Route("/api/search", self.api)]

    async def page(self, request: Request) -> Response:
        """Hits in words, each with its session, moment and post; what cannot be looked for is said in their place."""
        query = request.query_params.get("q", "").strip()
        value: dict[str, Any] = {
            "query": query,
            "session_id": request.query_params.get("session", ""),
            "problem": "",
        }
        value |= {"hits": [], "meant": {}, "is_any": False}
        if query:
            try:
                value |= as_json(await self._found(request, query))
            except InputUnusable as exc:
                value["problem"] = str(exc)
        return self._templates.TemplateResponse(request, "search.html", value)

    async def api(self, request: Request) -> Response:
        """The same as JSON: `q`, `limit` (20), and `user` or `session`."""
        return JSONResponse(as_json(await self._found(request, request.query_params.get("q", ""))))

    async def _found(self, request: Request, query: str) -> Found:
        limit = request.query_params.get("limit", "20")
        if not limit.isascii() or not limit.isdigit() or len(limit) > 4:
            raise InputUnusable("limit is a number")
        async with reading(self._pool) as connection:
            user_id = await account_meant(connection, request)
        return await self._find(user_id, query, limit=int(limit))


async def account_meant(connection: asyncpg.Connection, request: Request) -> str:
    """Whose it is that a page shows: by name, by session, or the owner's. Raises NotFound."""
    name = request.query_params.get("user", "")[:128]
    session_id = request.query_params.get("session", "")[:128]
    if name:
        statement, value, what = SQL["account_by_name"], name, "account"
    elif session_id:
        statement, value, what = SQL["account_of_session"], session_id, "session"
    else:
        return _OWNER
    # PostgreSQL itself refuses a text with a NUL in it.
    user_id: str | None = await connection.fetchval(statement, value.replace("\0", ""))
    if user_id is None:
        raise NotFound(f"no {what} {value[:64]!r}")
    return user_id


def as_json(found: Found) -> dict[str, Any]:
    """What a search found as plain values, times in seconds on the session's line. Pure."""
    return {
        "hits": [_hit(hit) for hit in found.hits],
        "meant": {word: list(words) for word, words in found.meant.items()},
        "is_any": found.is_any,
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "session_id": hit.session_id,
        "start_s": hit.start_ns / SECOND_NS,
        "end_s": hit.end_ns / SECOND_NS,
        "said_at": hit.said_at.isoformat(),
        "said": hit.said,
        "rank": round(hit.rank, 4),
        "moment_id": hit.moment_id,
        "title": hit.title,
        "post": None if hit.export_id is None else f"/exports/{hit.export_id}.mp4",
    }
