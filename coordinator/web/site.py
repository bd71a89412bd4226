"""The Starlette application: page, JSON, posts, signed objects, health.

Loopback only until identity exists; a foreign Host header (DNS rebinding) is refused, scripts and styles come from
here alone (CSP `self`), and uploads need a signed URL. Runs in the `serve` process's loop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from coordinator.errors import CoordinatorError, DatabaseUnavailable, NotFound
from coordinator.ports import ObjectStore
from coordinator.web import read

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger()
_FOLDER = Path(__file__).parent
_SIGNED_S = 3600
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# (method, path below /objects/, query) -> the key and how many bytes it may hold, or None: refused.
Verifier = Callable[[str, str, dict[str, str]], "int | None"]


class Site:
    """Handlers of every route.

    Args:
        local_path: where an object lies as a file, or None where objects are not files (then: redirect).
        verify: checks the signature of an object URL and returns how many bytes a PUT may hold.
        check_ready: raises CoordinatorError while the process should get no traffic.
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
    ) -> None:
        self._pool = pool
        self._objects = objects
        self._local_path = local_path
        self._verify = verify
        self._check_ready = check_ready
        self._scratch = scratch
        self._templates = Jinja2Templates(directory=_FOLDER / "templates")
        self._templates.env.filters["clock"] = clock

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
                Route("/objects/{key:path}", self.get_object, methods=["GET"]),
                Route("/objects/{key:path}", self.put_object, methods=["PUT"]),
                Route("/healthz", self.healthz),
                Route("/readyz", self.readyz),
                Mount("/static", StaticFiles(directory=_FOLDER / "static")),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])],
            exception_handlers={NotFound: _not_found, CoordinatorError: _problem, OSError: _unreachable},
        )

    async def page(self, request: Request) -> Response:
        async with self._pool.acquire(timeout=5) as connection:
            sessions = await read.read_sessions(connection)
            chosen = request.path_params.get("session_id") or (
                sessions[0]["session_id"] if sessions else None
            )
            session = await read.read_session(connection, chosen) if chosen else None
        context = {"sessions": sessions, "session": session}
        return self._templates.TemplateResponse(request, "page.html", context, headers=_HEADERS)

    async def cards(self, request: Request) -> Response:
        """The moving part of the page alone, fetched every few seconds."""
        async with self._pool.acquire(timeout=5) as connection:
            session = await read.read_session(connection, request.path_params["session_id"])
        return self._templates.TemplateResponse(request, "cards.html", {"session": session}, headers=_HEADERS)

    async def api_sessions(self, request: Request) -> Response:
        async with self._pool.acquire(timeout=5) as connection:
            return JSONResponse(await read.read_sessions(connection))

    async def api_session(self, request: Request) -> Response:
        async with self._pool.acquire(timeout=5) as connection:
            return JSONResponse(await read.read_session(connection, request.path_params["session_id"]))

    async def api_workers(self, request: Request) -> Response:
        async with self._pool.acquire(timeout=5) as connection:
            return JSONResponse(await read.read_workers(connection))

    async def post(self, request: Request) -> Response:
        """A finished post; ranges are answered with 206."""
        async with self._pool.acquire(timeout=5) as connection:
            key = await read.read_export_key(connection, request.path_params["export_id"])
        return self._object(key)

    async def get_object(self, request: Request) -> Response:
        key = request.path_params["key"]
        if self._verify("GET", key, dict(request.query_params)) is None:
            return PlainTextResponse("the link is wrong or has expired", status_code=403)
        return self._object(key)

    async def put_object(self, request: Request) -> Response:
        """Take one upload by signed URL; whole or not at all."""
        key = request.path_params["key"]
        max_bytes = self._verify("PUT", key, dict(request.query_params))
        if max_bytes is None:
            return PlainTextResponse("the link is wrong or has expired", status_code=403)
        size_bytes = 0
        with tempfile.NamedTemporaryFile(dir=self._scratch, delete=True) as file:
            async for part in request.stream():
                size_bytes += len(part)
                if size_bytes > max_bytes:
                    return PlainTextResponse(f"more than {max_bytes} bytes", status_code=413)
                file.write(part)
            file.flush()
            if size_bytes == 0:
                return PlainTextResponse("an empty upload", status_code=400)
            await self._objects.put(key, Path(file.name))
        log.info("object_uploaded", size_bytes=size_bytes)
        return Response(status_code=201)

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, request: Request) -> Response:
        await self._check_ready()
        return PlainTextResponse("ready")

    def _object(self, key: str) -> Response:
        path = self._local_path(key)
        if path is None:
            return RedirectResponse(self._objects.sign_get(key, expires_in_s=_SIGNED_S), status_code=307)
        if not path.is_file():
            raise NotFound(f"the object {key} is not there")
        return FileResponse(path, media_type="video/mp4", headers=_HEADERS)


def clock(time_s: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    hours, rest = divmod(int(time_s), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _error(exc: CoordinatorError) -> dict[str, Any]:
    return {"error": {"code": exc.code, "message": str(exc), "retryable": exc.retryable}}


async def _not_found(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, NotFound)
    return JSONResponse(_error(exc), status_code=404)


async def _problem(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, CoordinatorError)
    return JSONResponse(_error(exc), status_code=503)


async def _unreachable(request: Request, exc: Exception) -> Response:
    """PostgreSQL refused or timed out below asyncpg."""
    return await _problem(request, DatabaseUnavailable(f"PostgreSQL does not answer: {exc}"))
