"""A clip of which posts are wanted, and a renderer that notes which were made together."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import asyncpg

from coordinator.errors import MediaUnusable, StoreUnavailable
from coordinator.model.exporting import Recipe
from coordinator.model.jobs import Job, NewJob
from coordinator.model.media import ExportResult
from coordinator.model.object_keys import clip_id_of, clip_key, export_id_of
from coordinator.model.posts import PostSettings
from coordinator.pipeline.export import Export
from coordinator.posts import framing_of
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from coordinator.store.rows import PostgresRows
from protos.timebase import SECOND_NS
from tests.fakes.plain_media import plain_result

SESSION = "5e55" * 8
REQUEST = "12" * 16
CLIP = clip_id_of(REQUEST)


class NotedMedia:
    """Writes a file for each order.

    `together`: the presets of each call; `spoilt`: presets that cannot be made, and why.
    """

    def __init__(self) -> None:
        self.together: list[list[str]] = []
        self.recipes: list[Recipe] = []
        self.spoilt: dict[str, str] = {}

    async def export_all(
        self,
        src: Path,
        orders: Sequence[tuple[Path, str]],
        recipe: Recipe,
        *,
        on_progress: Callable[[float], None],
    ) -> list[ExportResult]:
        """As the port says."""
        presets = [preset for _, preset in orders]
        self.together.append(presets)
        self.recipes.append(recipe)
        for preset in presets:
            if preset in self.spoilt:
                raise MediaUnusable(self.spoilt[preset])
        on_progress(0.5)
        for dst, preset in orders:
            await asyncio.to_thread(dst.write_text, preset)
        return [plain_result(dst, preset) for dst, preset in orders]


class FullingStore(LocalObjects):
    """A store that is away from its `num_left`-th next object on; None: never."""

    num_left: int | None = None

    async def put(self, key: str, data: bytes | Path) -> None:
        """As the port says."""
        if self.num_left is not None:
            if self.num_left == 0:
                raise StoreUnavailable("the store is away")
            self.num_left -= 1
        await super().put(key, data)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostsHere:
    """The stage `export` on real rows and objects."""

    pool: asyncpg.Pool
    objects: FullingStore
    media: NotedMedia
    posts: PostgresPosts
    stage: Export

    async def want(self, *presets: str, is_extra: bool = False) -> None:
        """Posts of the clip are wanted."""
        for preset in presets:
            await self.pool.execute(
                "insert into exports (export_id, clip_id, preset, is_extra) values ($1, $2, $3, $4)",
                export_id_of(CLIP, preset), CLIP, preset, is_extra,
            )  # fmt: skip

    async def states(self) -> dict[str, tuple[str, str]]:
        """State and reason of each post, by preset."""
        rows = await self.pool.fetch("select preset, state, reason from exports order by preset")
        return {row["preset"]: (row["state"], row["reason"]) for row in rows}

    async def run(self, job: NewJob) -> None:
        """Work a job to its end. Raises what it raises."""
        running = Job(job_id=1, queue=job.queue, key=job.key, payload=job.payload, runs=1)
        effect = await self.stage.handle(running)
        async with self.pool.acquire() as connection, connection.transaction():
            await effect(connection)


async def posts_here(
    pool: asyncpg.Pool, folder: Path, *, longest_s: Mapping[str, float] | None = None, length_s: int = 60
) -> PostsHere:
    """A session with one clip."""
    scratch = folder / "scratch"
    scratch.mkdir()
    objects = FullingStore(folder / "objects", base_url="http://127.0.0.1", secret=b"s")
    await objects.put(clip_key(SESSION, CLIP), b"a clip")
    await pool.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
        SESSION,
    )
    await pool.execute(
        "insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, object_key, size_bytes,"
        " state, expires_at) values ($1, $2, 'k1', 0, 1000, 'sources/a.mp4', 5, 'uploaded', now() + interval '1 day')",
        REQUEST, SESSION,
    )  # fmt: skip
    await pool.execute(
        "insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)"
        " values ($1, $2, $3, $4, 0, $5, 320, 180)",
        CLIP, SESSION, REQUEST, clip_key(SESSION, CLIP), length_s * SECOND_NS,
    )  # fmt: skip
    media, posts = NotedMedia(), PostgresPosts(pool, PostSettings())
    stage = Export(
        rows=PostgresRows(pool),
        objects=objects,
        media=media,  # type: ignore[arg-type]
        scratch=scratch,
        posts=posts,
        framing_of=functools.partial(framing_of, data=folder),
        longest_s=longest_s or {},
    )
    return PostsHere(pool=pool, objects=objects, media=media, posts=posts, stage=stage)
