"""The page and the JSON of how an account's posts look, the form that changes it, and one more post of a clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from coordinator.errors import InputUnusable
from coordinator.model.posts import BRAND_PARTS, AskedPost, BrandPart, PostSettings, PostWishes
from coordinator.posts import PostChoices, check_wishes
from coordinator.web.forms import check_origin, read_form, whose
from coordinator.web.reading import reading, translated
from coordinator.web.search import account_meant

if TYPE_CHECKING:
    import asyncpg

_TITLES = {"show": True, "hide": False}


class PostsKept(Protocol):
    """What accounts set of their posts. Raises DatabaseUnavailable."""

    defaults: PostSettings

    async def wishes(self, user_id: str) -> PostWishes:
        """What an account has set."""
        ...

    async def save(self, user_id: str, wishes: PostWishes) -> None:
        """Set all of it anew."""
        ...

    async def reset(self, user_id: str) -> bool:
        """Set nothing."""
        ...

    async def brand(self, user_id: str) -> Sequence[BrandPart]:
        """An account's brand kit."""
        ...


class MakePost(Protocol):
    """Asks for a post: (clip, preset). Raises InputUnusable, NotFound, DatabaseUnavailable."""

    def __call__(self, clip: str, preset: str) -> Awaitable[AskedPost]:
        """Ask."""
        ...


class PostPages:
    """Handlers of their routes."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        posts: PostsKept,
        choices: Callable[[], PostChoices],
        make: MakePost,
        templates: Jinja2Templates,
    ) -> None:
        """Args: choices: what may be chosen now; make: asks for one more post."""
        self._pool = pool
        self._posts = posts
        self._choices = choices
        self._make = make
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """Where they are."""
        return [
            Route("/posts", self.page),
            Route("/api/posts", self.api),
            Route("/posts", self.save, methods=["POST"]),
            Route("/posts/reset", self.reset, methods=["POST"]),
            Route("/clips/{clip_id}/posts", self.make, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """The form, with what holds now."""
        return await self._form(request)

    async def api(self, request: Request) -> Response:
        """The same as JSON, of `user` or of whose `session` it is; `set` names what was set."""
        user_id = await self._account(request)
        wishes, brand = await self._wishes(user_id), await self._brand(user_id)
        holding = dataclasses.asdict(wishes.over(self._posts.defaults))
        parts = {name: dataclasses.asdict(part) for name, part in brand.items()}
        return JSONResponse({**holding, "set": list(wishes.names), "brand": parts})

    async def save(self, request: Request) -> Response:
        """Take what was chosen; what cannot be is said on the form, with the choice still there."""
        check_origin(request)
        chosen = chosen_in(await read_form(request))
        user_id = await self._account(request)
        try:
            wishes = check_wishes(chosen, self._choices())
        except InputUnusable as exc:
            return await self._form(request, chosen=chosen, problem=str(exc))
        with translated():
            await self._posts.save(user_id, wishes)
        return _back(request)

    async def reset(self, request: Request) -> Response:
        """Everything as the coordinator is configured."""
        check_origin(request)
        user_id = await self._account(request)
        with translated():
            await self._posts.reset(user_id)
        return _back(request)

    async def make(self, request: Request) -> Response:
        """One more post of a clip, by the form's preset; then back to where it is shown."""
        check_origin(request)
        form = await read_form(request)
        asked = await self._make(request.path_params["clip_id"][:128], form.get("preset", [""])[-1])
        card = quote(form.get("card", [""])[-1][:128])
        return RedirectResponse(f"/sessions/{asked.session_id}#{card}", status_code=303)

    async def _form(
        self, request: Request, *, chosen: PostWishes | None = None, problem: str = ""
    ) -> Response:
        user_id = await self._account(request)
        value: dict[str, Any] = {
            "wishes": chosen if chosen is not None else await self._wishes(user_id),
            "defaults": self._posts.defaults,
            "choices": self._choices(),
            "brand": await self._brand(user_id),
            "brand_parts": BRAND_PARTS,
            "problem": problem,
            "is_saved": "saved" in request.query_params,
            "query": whose(request),
            "session_id": request.query_params.get("session", ""),
        }
        status = 400 if problem else 200
        return self._templates.TemplateResponse(request, "posts.html", value, status_code=status)

    async def _wishes(self, user_id: str) -> PostWishes:
        with translated():
            return await self._posts.wishes(user_id)

    async def _brand(self, user_id: str) -> dict[str, BrandPart]:
        with translated():
            return {part.part: part for part in await self._posts.brand(user_id)}

    async def _account(self, request: Request) -> str:
        async with reading(self._pool) as connection:
            return await account_meant(connection, request)


def chosen_in(form: dict[str, list[str]]) -> PostWishes:
    """Read what was chosen on the form; an empty choice is none. Pure."""

    def one(name: str) -> str | None:
        return form.get(name, [""])[-1] or None

    title = one("title")
    if title is not None and title not in _TITLES:
        raise InputUnusable(f"a title is shown or not: {', '.join(_TITLES)}")
    return PostWishes(
        presets=tuple(form["preset"]) if "preset" in form else None,
        caption_style=one("caption_style"),
        layout=one("layout"),
        # Whether these are of the choices is asked next.
        shape=cast(Any, one("shape")),
        is_title_shown=None if title is None else _TITLES[title],
        profanity=cast(Any, one("profanity")),
    )


def _back(request: Request) -> Response:
    query = whose(request)
    return RedirectResponse(f"/posts?{query}{'&' if query else ''}saved=1", status_code=303)
