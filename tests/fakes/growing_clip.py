"""A session at a coordinator, whose press's clip grows: presses and answers come in as the link takes them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Any

import asyncpg

from coordinator.app.serving import press_effect
from coordinator.ingest.events import EventRows, FollowUps
from coordinator.ingest.source_uploads import SourceUploads
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.accounts import Owner
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.model.posts import PostSettings
from coordinator.pipeline import steps
from coordinator.pipeline.export import Export
from coordinator.pipeline.source import Cutting, Preparation
from coordinator.ports import Effect
from coordinator.posts import framing_of
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from coordinator.store.rows import PostgresRows
from protos.clippy.v1 import link_pb2
from protos.timebase import SECOND_NS
from tests.fakes.plain_media import PlainMedia

SESSION, PRESS = "5e55" * 8, "k1"
OWNER = Owner(user_id="owner", tier="business")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GrowingClip:
    """What comes in, and the stages that make posts of it, one job at a time."""

    pool: asyncpg.Pool
    objects: LocalObjects
    events: EventRows
    media: PlainMedia
    stages: dict[Queue, Any]

    async def press(self, start_s: float, end_s: float, *, version: int, clip_id: str = PRESS) -> None:
        """A press's clip shows this span, says its agent."""
        message = link_pb2.Pressed(
            session_id=SESSION, at_ns=10 * SECOND_NS, clip_id=clip_id, version=version,
            start_ns=round(start_s * SECOND_NS), end_ns=round(end_s * SECOND_NS),
        )  # fmt: skip
        await self.events.pressed(message, OWNER)

    async def requests(self) -> list[tuple[str, int, int]]:
        """State, start and end in seconds of each, in the order in which they were asked for."""
        rows = await self.pool.fetch("select * from source_requests order by requested_at")
        return [(row["state"], row["start_ns"] // SECOND_NS, row["end_ns"] // SECOND_NS) for row in rows]

    async def request_ids(self) -> list[str]:
        """In the same order."""
        rows = await self.pool.fetch("select request_id from source_requests order by requested_at")
        return [row["request_id"] for row in rows]

    async def upload(self, request_id: str) -> None:
        """The agent has sent the file of a wish."""
        row = await self.pool.fetchrow("select * from source_requests where request_id = $1", request_id)
        await self.objects.put(row["object_key"], b"mp4")
        reply = link_pb2.SourceReply(
            request_id=request_id, state=link_pb2.SourceReply.UPLOADED, size_bytes=3,
            sha256=hashlib.sha256(b"mp4").digest(), start_ns=row["start_ns"], end_ns=row["end_ns"],
        )  # fmt: skip
        await self.events.source_reply(OWNER, reply)

    async def effect(self, job: NewJob) -> Effect:
        """Work a job; nothing is written yet but what its stage writes at once."""
        running = Job(job_id=1, queue=job.queue, key=job.key, payload=job.payload, runs=1)
        effect: Effect = await self.stages[job.queue](running)
        return effect

    async def commit(self, effect: Effect) -> list[NewJob]:
        """Write it; returns what follows."""
        async with self.pool.acquire() as connection, connection.transaction():
            return list(await effect(connection))

    async def make_posts(self, request_id: str) -> None:
        """From the upload to the posts."""
        jobs = [steps.preparation(request_id, is_press=True)]
        while jobs:
            jobs += await self.commit(await self.effect(jobs.pop()))

    async def cut(self, request_id: str) -> NewJob:
        """From the upload to the cut; returns the job of its posts."""
        [cutting] = await self.commit(await self.effect(steps.preparation(request_id, is_press=True)))
        [exporting] = await self.commit(await self.effect(cutting))
        return exporting

    async def posts(self) -> list[tuple[str, str, int]]:
        """Preset, state and length in seconds of each post's clip, in the order in which they were wanted."""
        rows = await self.pool.fetch(
            "select e.preset, e.state, (c.end_ns - c.start_ns) / 1000000000 as length_s"
            " from exports e join clips c using (clip_id) order by c.created_at, e.preset"
        )
        return [(row["preset"], row["state"], row["length_s"]) for row in rows]


async def growing_clip(pool: asyncpg.Pool, folder: Path, *, is_exported: bool = True) -> GrowingClip:
    """A session that runs; nothing was pressed yet."""
    await pool.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
        SESSION,
    )
    scratch = folder / "scratch"
    scratch.mkdir()
    objects = LocalObjects(folder / "objects", base_url="http://127.0.0.1:9", secret=b"s")
    rows, media, posts = PostgresRows(pool), PlainMedia(), PostgresPosts(pool, PostSettings())
    parts: dict[str, Any] = {"rows": rows, "objects": objects, "media": media, "scratch": scratch}
    layouts = functools.partial(framing_of, data=folder)
    return GrowingClip(
        pool=pool,
        objects=objects,
        events=EventRows(
            pool,
            PgQueuerQueue(),
            SourceUploads(objects),
            FollowUps(after_press=press_effect(pool, is_exported=is_exported)),
        ),
        media=media,
        stages={
            Queue.VIDEO_PROCESSING: Preparation(**parts).handle,
            Queue.CLIP_GENERATION: Cutting(**parts, posts=posts).handle,
            Queue.EXPORT: Export(**parts, posts=posts, framing_of=layouts, longest_s={}).handle,
        },
    )
