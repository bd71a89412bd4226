"""The Starlette application: page, JSON, posts, signed objects, health.

Loopback only until identity exists; a foreign Host header (DNS rebinding) is refused, scripts and styles come from
here alone (CSP `self`), and uploads need a signed URL. Every error is JSON: {"error": {code, message, retryable}}.
Runs in the `serve` process's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from coordinator.config import post_presets
from coordinator.ports import ObjectStore
from coordinator.posts import PostChoices
from coordinator.web import read
from coordinator.web.answers import HANDLERS
from coordinator.web.brand import BrandPages, BrandsKept
from coordinator.web.headers import SafeHeaders
from coordinator.web.posts import MakePost, PostPages, PostsKept
from coordinator.web.reading import reading, translated
from coordinator.web.search import Find, SearchPages
from coordinator.web.signed_files import SignedFiles, Verifier
from coordinator.web.taste import TasteKept, TastePages

if TYPE_CHECKING:
    import asyncpg

_FOLDER = Path(__file__).parent
_HOSTS = ["127.0.0.1", "localhost", "[::1]"]


class Site:
    """Handlers of every route.

    Args:
        objects, local_path, verify, scratch: as `SignedFiles`.
        check_ready: raises CoordinatorError while the process should get no traffic.
        find: finds what was said.
        tastes: what is known of accounts' tastes.
        posts, post_choices: what accounts set of their posts, and what may be chosen now.
        make_post: asks for one more post of a clip.
        brands: changes accounts' brand kits.
        hours_by_tier: until what nobody kept expires.
        media_sources: origins the browser may play from beside our own: the bucket's, where objects lie in one.
    """

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        objects: ObjectStore,
        local_path: Callable[[str], Path | None],
        verify: Verifier,
        check_ready: Callable[[], Awaitable[None]],
        scratch: Path,
        find: Find,
        tastes: TasteKept,
        posts: PostsKept,
        post_choices: Callable[[], PostChoices],
        make_post: MakePost,
        brands: BrandsKept,
        hours_by_tier: Mapping[str, float],
        media_sources: Sequence[str] = (),
    ) -> None:
        self._pool = pool
        self._files = SignedFiles(objects=objects, local_path=local_path, verify=verify, scratch=scratch)
        self._check_ready = check_ready
        self._media_sources = media_sources
        self._hours_by_tier = hours_by_tier
        self._templates = Jinja2Templates(directory=_FOLDER / "templates")
        self._templates.env.filters["clock"] = clock
        self._search = SearchPages(pool, find, self._templates)
        self._taste = TastePages(pool, tastes, self._templates)
        self._templates.env.globals["post_presets"] = list(post_presets())
        self._posts = PostPages(pool, posts, post_choices, make_post, self._templates)
        self._brands = BrandPages(pool, brands, scratch)

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/sessions/{session_id}", self.page),
                Route("/sessions/{session_id}/cards", self.cards),
                Route("/api/sessions", self.api_sessions),
                Route("/api/sessions/{session_id}", self.api_session),
                Route("/api/workers", self.api_workers),
                Route("/exports/{export_id}.mp4", self.post),
                *self._search.routes(),
                *self._taste.routes(),
                *self._posts.routes(),
                *self._brands.routes(),
                *self._files.routes(),
                Route("/healthz", self.healthz),
                Route("/readyz", self.readyz),
                Mount("/static", StaticFiles(directory=_FOLDER / "static")),
            ],
            middleware=[
                Middleware(SafeHeaders, media_sources=self._media_sources),
                Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
            ],
            exception_handlers=HANDLERS,
        )

    async def page(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            sessions = await read.read_sessions(connection)
            chosen = request.path_params.get("session_id") or (
                sessions[0]["session_id"] if sessions else None
            )
            session = await self._read(connection, chosen, has_words=False) if chosen else None
        return self._templates.TemplateResponse(
            request, "page.html", {"sessions": sessions, "session": session}
        )

    async def _read(
        self, connection: asyncpg.Connection, session_id: str, *, has_words: bool = True
    ) -> dict[str, Any]:
        return await read.read_session(
            connection, session_id, hours_by_tier=self._hours_by_tier, has_words=has_words
        )

    async def cards(self, request: Request) -> Response:
        """The moving part of the page alone, fetched every few seconds."""
        async with reading(self._pool) as connection:
            session = await self._read(connection, request.path_params["session_id"], has_words=False)
        return self._templates.TemplateResponse(request, "cards.html", {"session": session})

    async def api_sessions(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            return JSONResponse(await read.read_sessions(connection))

    async def api_session(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            return JSONResponse(await self._read(connection, request.path_params["session_id"]))

    async def api_workers(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            return JSONResponse(await read.read_workers(connection))

    async def post(self, request: Request) -> Response:
        """A finished post; ranges are answered with 206."""
        async with reading(self._pool) as connection:
            key = await read.read_export_key(connection, request.path_params["export_id"])
        return self._files.answer(key)

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, request: Request) -> Response:
        with translated():
            await self._check_ready()
        return PlainTextResponse("ready")


def clock(time_s: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    hours, rest = divmod(int(time_s), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
