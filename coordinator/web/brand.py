"""What takes the files of an account's brand kit, and takes them away again."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coordinator.model.posts import BrandPart
from coordinator.web.forms import check_origin, whose
from coordinator.web.reading import reading, translated
from coordinator.web.search import account_meant
from coordinator.web.uploads import check_size, receive

if TYPE_CHECKING:
    import asyncpg


class BrandsKept(Protocol):
    """Changes brand kits. Raises InputUnusable, and what is worth another try."""

    def max_bytes(self, part: str) -> int:
        """How large a file of this part may be."""
        ...

    async def take(self, user_id: str, part: str, path: Path) -> BrandPart:
        """Put a file in the place of the part before."""
        ...

    async def remove(self, user_id: str, part: str) -> bool:
        """Take a part away."""
        ...


class BrandPages:
    """Handlers of their routes."""

    def __init__(self, pool: asyncpg.Pool, brands: BrandsKept, scratch: Path) -> None:
        self._pool = pool
        self._brands = brands
        self._scratch = scratch

    def routes(self) -> Sequence[Route]:
        """Where they are."""
        return [
            Route("/brand/{part}", self.take, methods=["PUT"]),
            Route("/brand/{part}/remove", self.remove, methods=["POST"]),
        ]

    async def take(self, request: Request) -> Response:
        """Take one file, whole or not at all, and say what was made of it."""
        check_origin(request)
        part = request.path_params["part"]
        max_bytes = self._brands.max_bytes(part)
        user_id = await self._account(request)
        declared = request.headers.get("content-length", "")
        check_size(int(declared) if declared.isdecimal() else None, max_bytes=max_bytes, folder=self._scratch)
        try:
            with tempfile.NamedTemporaryFile(dir=self._scratch, prefix=f"{part}-") as file:
                await receive(request.stream(), file, max_bytes=max_bytes)
                kept = await self._brands.take(user_id, part, Path(file.name))
        except ClientDisconnect:
            return Response(status_code=400)
        return JSONResponse(dataclasses.asdict(kept), status_code=201)

    async def remove(self, request: Request) -> Response:
        """Take a part away, and go back to the form."""
        check_origin(request)
        user_id = await self._account(request)
        with translated():
            await self._brands.remove(user_id, request.path_params["part"])
        query = whose(request)
        return RedirectResponse(f"/posts{'?' if query else ''}{query}", status_code=303)

    async def _account(self, request: Request) -> str:
        async with reading(self._pool) as connection:
            return await account_meant(connection, request)
