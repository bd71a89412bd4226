"""Objects by signed address, and an application of them alone for other machines. Runs in the `serve` process's loop.

The pages have the same routes, on loopback. The application speaks TLS and asks for a signature at every request:
agents get theirs with a wish or a post, workers on other machines sign theirs with the secret that they share with us.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from coordinator.errors import NotFound
from coordinator.ports import ObjectStore
from coordinator.web.answers import HANDLERS
from coordinator.web.headers import SafeHeaders
from coordinator.web.uploads import UploadRefused, check_size, receive

log = structlog.get_logger()
_SIGNED_S = 3600
# (method, path below /objects/, query) -> how many bytes a PUT may hold, or None: refused.
Verifier = Callable[[str, str, dict[str, str]], "int | None"]
# (node, segment, query) -> the bytes, or None: refused. Raises NotFound and StoreUnavailable.
SpoolReader = Callable[[str, str, Mapping[str, str]], "Awaitable[bytes | None]"]


class SignedFiles:
    """Handlers of `/objects/...`.

    Args:
        local_path: where an object lies as a file, or None where objects are not files (then: redirect).
        verify: checks the signature of an object URL and returns how many bytes a PUT may hold.
        scratch: where an upload lies until it is whole; on the disk of the objects where they are files.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        local_path: Callable[[str], Path | None],
        verify: Verifier,
        scratch: Path,
    ) -> None:
        self._objects = objects
        self._local_path = local_path
        self._verify = verify
        self._scratch = scratch

    def routes(self) -> list[Route]:
        """For an application."""
        return [
            Route("/objects/{key:path}", self.get_object, methods=["GET"]),
            Route("/objects/{key:path}", self.put_object, methods=["PUT"]),
        ]

    def application(self, read_spool: SpoolReader) -> Starlette:
        """The ASGI application for other machines: objects, and spools of this one."""

        async def get_spooled(request: Request) -> Response:
            path = request.path_params
            data = await read_spool(path["node"], path["segment"], dict(request.query_params))
            if data is None:
                raise _link_invalid()
            return Response(data, media_type="application/octet-stream")

        async def healthz(request: Request) -> Response:
            return PlainTextResponse("ok")

        return Starlette(
            routes=[
                *self.routes(),
                Route("/spool/{node}/{segment}", get_spooled, methods=["GET"]),
                Route("/healthz", healthz),
            ],
            middleware=[Middleware(SafeHeaders)],
            exception_handlers=HANDLERS,
        )

    async def get_object(self, request: Request) -> Response:
        """Play or download; ranges are answered with 206."""
        self._check_signature("GET", request)
        return self.answer(request.path_params["key"])

    async def put_object(self, request: Request) -> Response:
        """Take one upload; whole or not at all."""
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

    def answer(self, key: str) -> Response:
        """An object, to somebody who may have it."""
        path = self._local_path(key)
        if path is None:
            return RedirectResponse(self._objects.sign_get(key, expires_in_s=_SIGNED_S), status_code=307)
        if not path.is_file():
            raise NotFound(f"the object {key} is not there")
        return FileResponse(path, media_type="video/mp4")

    def _check_signature(self, method: str, request: Request) -> int:
        max_bytes = self._verify(method, request.path_params["key"], dict(request.query_params))
        if max_bytes is None:
            raise _link_invalid()
        return max_bytes


def _link_invalid() -> UploadRefused:
    return UploadRefused(403, "link_invalid", "the link is wrong or has expired; ask for a new one")
