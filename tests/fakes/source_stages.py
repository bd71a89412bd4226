"""What the coordinator does around a source in tests: asks for it, looks at it, cleans up; all of it the product's."""

from __future__ import annotations

import asyncpg

from coordinator.media.child import LimitedMedia
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.pipeline.cleanup import Cleanup
from coordinator.pipeline.expire import Expiring
from coordinator.pipeline.forget import Forgetting
from coordinator.pipeline.source import Preparation
from coordinator.store.retention import PostgresExpiry
from coordinator.store.rows import PostgresRows
from coordinator.store.tombstones import PostgresTombstones
from tests.fakes.link_parts import SECOND_NS, Site, eventually

KEY = "sources/r1.mp4"
LENGTH_S = 3


async def wish(pool: asyncpg.Pool, session_id: str, *, lasting: str = "1 hour") -> None:
    """A press's clip is asked for, as soon as the agent has said hello."""
    await eventually(lambda: pool.fetchval("select count(*) from sessions"), deadline_s=30)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, object_key,"
            " expires_at) values ('r1', $1, 'k1', 0, $2, $3, now() + $4::text::interval)",
            session_id,
            LENGTH_S * SECOND_NS,
            KEY,
            lasting,
        )
        await connection.execute("select pg_notify('clippy_link', $1)", session_id)


async def is_in(pool: asyncpg.Pool, state: str) -> None:
    await eventually(
        lambda: pool.fetchval("select state = $1 from source_requests", state),
        what=f"the request is {state}",
        deadline_s=30,
    )


async def hurry(pool: asyncpg.Pool) -> None:
    """What is asked for again later is asked for now."""
    await pool.execute("update source_requests set retry_at = now() where state = 'wanted'")


async def prepare(site: Site) -> list[NewJob]:
    """The media stage's job, and its effect in one transaction."""
    scratch = site.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    async with LimitedMedia() as media:
        stage = Preparation(rows=PostgresRows(site.pool), objects=site.objects, media=media, scratch=scratch)
        job = Job(job_id=1, queue=Queue.VIDEO_PROCESSING, key="prep:r1", payload={"request_id": "r1"}, runs=1)
        effect = await stage.handle(job)
    assert list(scratch.iterdir()) == []
    async with site.pool.acquire() as connection, connection.transaction():
        return list(await effect(connection))


async def clean_up(site: Site) -> None:
    """The scheduled round."""

    async def tidy(_connection: asyncpg.Connection) -> None:
        pass

    tombstones = PostgresTombstones(site.pool)
    stage = Cleanup(
        rows=PostgresRows(site.pool),
        tombstones=tombstones,
        objects=site.objects,
        forgetting=Forgetting(tombstones=tombstones, objects=site.objects, find_backups=list),
        expiring=Expiring(expiry=PostgresExpiry(site.pool, {}), tombstones=tombstones, objects=site.objects),
        tidy=tidy,
    )
    effect = await stage.handle(Job(job_id=1, queue=Queue.CLEANUP, key="expire", payload={}, runs=1))
    async with site.pool.acquire() as connection, connection.transaction():
        await effect(connection)
