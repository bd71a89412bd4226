"""The real web application behind the real server, on a free port of this process's loop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import uvicorn

from coordinator.app.asked_posts import AskedPosts
from coordinator.app.brand_kits import BrandKits
from coordinator.errors import DatabaseUnavailable, InputUnusable
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.posts import PostSettings
from coordinator.posts import post_choices
from coordinator.search.find import find
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from coordinator.store.signatures import verify
from coordinator.taste.verdicts import PostgresTastes
from coordinator.web.site import Site

SECRET = b"s" * 32


@dataclasses.dataclass(kw_only=True)
class RunningSite:
    """Where it is, and what a test may look at or change."""

    url: str
    port: int
    objects: LocalObjects
    scratch: Path
    is_ready: bool = True


@contextlib.asynccontextmanager
async def running_site(
    pool: asyncpg.Pool | None, folder: Path, scratch: Path | None = None
) -> AsyncIterator[RunningSite]:
    """Serve until the block is left. Without a pool it has no pages, but objects and uploads."""
    scratch = scratch or folder / "scratch"
    scratch.mkdir(exist_ok=True)

    def granted(method: str, key: str, query: dict[str, str]) -> int | None:
        try:
            return verify(SECRET, method=method, key=key, query=query, now_s=time.time()).max_bytes
        except InputUnusable:
            return None

    async def check_ready() -> None:
        if not site.is_ready:
            raise DatabaseUnavailable("workers are still starting")

    config = uvicorn.Config(lambda scope: None, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    listener = config.bind_socket()
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    objects = LocalObjects(folder / "objects", base_url=url, secret=SECRET)
    site = RunningSite(url=url, port=port, objects=objects, scratch=scratch)
    posts = PostgresPosts(pool, PostSettings())
    application = Site(
        pool=pool,
        objects=objects,
        local_path=objects.path_of,
        verify=granted,
        check_ready=check_ready,
        scratch=scratch,
        find=functools.partial(find, pool),
        tastes=PostgresTastes(pool),
        posts=posts,
        post_choices=functools.partial(post_choices, folder),
        make_post=AskedPosts(pool, PgQueuerQueue()).make,
        brands=BrandKits(posts, objects, scratch),
        hours_by_tier={"free": 12.0, "pro": 0.0, "business": 168.0},
    ).application()
    server = uvicorn.Server(
        uvicorn.Config(application, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 - uvicorn announces it by this alone
                await asyncio.sleep(0.01)
        yield site
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
        listener.close()
