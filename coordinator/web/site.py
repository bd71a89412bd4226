"""The Starlette application: page, JSON, posts, signed objects, health.

Loopback only until identity exists; a foreign Host header (DNS rebinding) is refused, scripts and styles come from
here alone (CSP `self`), and uploads need a signed URL. Every error is JSON: {"error": {code, message, retryable}}.
Runs in the `serve` process's loop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from coordinator.errors import CoordinatorError, DiskFull, EnvironmentProblem, InputUnusable, NotFound
from coordinator.ports import ObjectStore
from coordinator.web import read
from coordinator.web.headers import SafeHeaders
from coordinator.web.reading import reading, translated
from coordinator.web.uploads import UploadRefused, check_size, receive

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger()
_FOLDER = Path(__file__).parent
_SIGNED_S = 3600
_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
# The first that fits.
_STATUSES: list[tuple[type[CoordinatorError], int]] = [
    (NotFound, 404),
    (InputUnusable, 400),
    (DiskFull, 507),
    (EnvironmentProblem, 503),
]
# (method, path below /objects/, query) -> how many bytes a PUT may hold, or None: refused.
Verifier = Callable[[str, str, dict[str, str]], "int | None"]


class Site:
    """Handlers of every route.

    Args:
        local_path: where an object lies as a file, or None where objects are not files (then: redirect).
        verify: checks the signature of an object URL and returns how many bytes a PUT may hold.
        check_ready: raises CoordinatorError while the process should get no traffic.
        scratch: where an upload lies until it is whole; on the disk of the objects where they are files.
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
        media_sources: Sequence[str] = (),
    ) -> None:
        self._pool = pool
        self._objects = objects
        self._local_path = local_path
        self._verify = verify
        self._check_ready = check_ready
        self._scratch = scratch
        self._media_sources = media_sources
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
            middleware=[
                Middleware(SafeHeaders, media_sources=self._media_sources),
                Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
            ],
            exception_handlers={CoordinatorError: _problem, UploadRefused: _refused},
        )

    async def page(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            sessions = await read.read_sessions(connection)
            chosen = request.path_params.get("session_id") or (
                sessions[0]["session_id"] if sessions else None
            )
            session = await read.read_session(connection, chosen, has_words=False) if chosen else None
        return self._templates.TemplateResponse(
            request, "page.html", {"sessions": sessions, "session": session}
        )

    async def cards(self, request: Request) -> Response:
        """The moving part of the page alone, fetched every few seconds."""
        async with reading(self._pool) as connection:
            session = await read.read_session(connection, request.path_params["session_id"], has_words=False)
        return self._templates.TemplateResponse(request, "cards.html", {"session": session})

    async def api_sessions(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            return JSONResponse(await read.read_sessions(connection))

    async def api_session(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            return JSONResponse(await read.read_session(connection, request.path_params["session_id"]))

    async def api_workers(self, request: Request) -> Response:
        async with reading(self._pool) as connection:
            return JSONResponse(await read.read_workers(connection))

    async def post(self, request: Request) -> Response:
        """A finished post; ranges are answered with 206."""
        async with reading(self._pool) as connection:
            key = await read.read_export_key(connection, request.path_params["export_id"])
        return self._object(key)

    async def get_object(self, request: Request) -> Response:
        key = request.path_params["key"]
        self._check_signature("GET", request)
        return self._object(key)

    async def put_object(self, request: Request) -> Response:
        """Take one upload by signed URL; whole or not at all."""
        key = request.path_params["key"]
        max_bytes = self._check_signature("PUT", request)
        declared = request.headers.get("content-length", "")
        check_size(int(declared) if declared.isdecimal() else None, max_bytes=max_bytes, folder=self._scratch)
        try:
            with tempfile.NamedTemporaryFile(dir=self._scratch, prefix="upload-") as file:
                size_bytes = await receive(request.stream(), file, max_bytes=max_bytes)
                await self._objects.put(key, Path(file.name))
        except ClientDisconnect:
            log.info("upload_broken_off")
            return Response(status_code=400)
        log.info("object_uploaded", size_bytes=size_bytes)
        return Response(status_code=201)

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, request: Request) -> Response:
        with translated():
            await self._check_ready()
        return PlainTextResponse("ready")

    def _check_signature(self, method: str, request: Request) -> int:
        max_bytes = self._verify(method, request.path_params["key"], dict(request.query_params))
        if max_bytes is None:
            raise UploadRefused(403, "link_invalid", "the link is wrong or has expired; ask for a new one")
        return max_bytes

    def _object(self, key: str) -> Response:
        path = self._local_path(key)
        if path is None:
            return RedirectResponse(self._objects.sign_get(key, expires_in_s=_SIGNED_S), status_code=307)
        if not path.is_file():
            raise NotFound(f"the object {key} is not there")
        return FileResponse(path, media_type="video/mp4")


def clock(time_s: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    hours, rest = divmod(int(time_s), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _error(status: int, code: str, message: str, *, is_retryable: bool) -> Response:
    return JSONResponse(
        {"error": {"code": code, "message": message, "retryable": is_retryable}}, status_code=status
    )


async def _problem(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, CoordinatorError)
    status = next((status for kind, status in _STATUSES if isinstance(exc, kind)), 500)
    if status >= 500:
        log.warning("request_failed", code=exc.code, problem=str(exc), status=status)
    return _error(status, exc.code, str(exc), is_retryable=exc.retryable)


async def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, UploadRefused)
    return _error(exc.status, exc.code, str(exc), is_retryable=exc.status >= 500)
