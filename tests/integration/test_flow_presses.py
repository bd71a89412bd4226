"""A press goes first: its words and its post, behind full queues of the same tier, from the link to the post."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from agent.uplink.outbox import Outbox
from coordinator.app.serving import press_effect
from coordinator.ingest.events import FollowUps
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.work import nothing, one_by_one
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.model.posts import PostSettings
from coordinator.model.sessions import SpokenWord, TranscriptRow
from coordinator.pipeline import steps
from coordinator.pipeline.export import Export
from coordinator.pipeline.source import Cutting, Preparation
from coordinator.pipeline.steps import EXPORT_VERSIONS
from coordinator.ports import Effect
from coordinator.posts import framing_of
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from coordinator.store.rows import PostgresRows
from protos.clippy.v1 import link_pb2, media_pb2
from tests.fakes.job_parts import working
from tests.fakes.link_parts import (
    SECOND_NS,
    OneToken,
    Site,
    eventually,
    lane_chunk,
    make_site,
    new_session_id,
)
from tests.fakes.plain_media import PlainMedia

BACKLOG = 150
WORK_S = 0.02
MIC = media_pb2.LANE_MIC
STAGES = (Queue.TRANSCRIPTION, Queue.VIDEO_PROCESSING, Queue.CLIP_GENERATION, Queue.EXPORT)


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    objects = LocalObjects(tmp_path / "objects", base_url="http://127.0.0.1:9", secret=b"s")
    site = await make_site(tmp_path, pool, objects)
    site.identity = OneToken(tier="pro")
    follow_ups = FollowUps(
        after_chunk=steps.jobs_after_chunk,
        after_upload=lambda request_id, is_press, number: [
            steps.preparation(request_id, is_press=is_press, num_attempts=number)
        ],
        after_press=press_effect(pool, is_exported=True),
    )
    server = await site.start(follow_ups=follow_ups, jobs=PgQueuerQueue())
    yield site
    await server.stop()


class Worker:
    """Works all stages, one job of each at a time. The backlog's jobs do nothing, for a while."""

    def __init__(self, site: Site) -> None:
        self.started: dict[Queue, list[str]] = {queue: [] for queue in STAGES}
        self.pressed: set[str] = set()
        self.media = PlainMedia()
        self._rows = PostgresRows(site.pool)
        scratch = site.folder / "scratch"
        scratch.mkdir()
        parts = {"rows": self._rows, "objects": site.objects, "media": self.media, "scratch": scratch}
        posts = PostgresPosts(site.pool, PostSettings())
        layouts = functools.partial(framing_of, data=scratch)
        self._handlers = {
            Queue.TRANSCRIPTION: self._hear,
            Queue.VIDEO_PROCESSING: Preparation(**parts).handle,  # type: ignore[arg-type]
            Queue.CLIP_GENERATION: Cutting(**parts, posts=posts).handle,  # type: ignore[arg-type]
            Queue.EXPORT: Export(**parts, posts=posts, framing_of=layouts, longest_s={}).handle,  # type: ignore[arg-type]
        }

    async def handle(self, job: Job) -> Effect:
        self.started[job.queue].append(job.key)
        if job.is_press:
            self.pressed.add(job.key)
        if "backlog" in job.key:
            await asyncio.sleep(WORK_S)
            return nothing
        return await self._handlers[job.queue](job)

    async def _hear(self, job: Job) -> Effect:
        """One word for each chunk: its number."""
        chunk = await self._rows.chunk(str(job.payload["session_id"]), MIC, int(job.payload["seq"] or 0))
        word = SpokenWord(text=str(chunk.seq), start_ns=chunk.start_ns, end_ns=chunk.end_ns)
        row = TranscriptRow(
            session_id=chunk.session_id, lane=MIC, seq=chunk.seq, start_ns=chunk.start_ns, end_ns=chunk.end_ns,
            language="en", engine="test", model="", words=(word,),
        )  # fmt: skip

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.save_transcript(connection, row)
            return []

        return write


async def fill(pool: asyncpg.Pool) -> None:
    """Another account of the same tier was first, in every queue."""
    jobs = [
        NewJob(queue=queue, key=f"{queue.value}:backlog:{number}", payload={}, tier="pro", account="ben")
        for queue in STAGES
        for number in range(BACKLOG)
    ]
    async with pool.acquire() as connection, connection.transaction():
        await PgQueuerQueue().put(connection, jobs)


@contextlib.asynccontextmanager
async def agent(site: Site, tmp_path: Path) -> AsyncIterator[tuple[Outbox, str]]:
    """An agent's outbox and link, with a session that has sent nine seconds of the microphone and the PC's sound."""
    outbox, session_id = Outbox(tmp_path / "outbox.sqlite", max_bytes=10_000_000), new_session_id()
    outbox.start_session(session_id, 1)
    link = site.client(outbox)
    link.start()
    try:
        for index in range(9):
            outbox.put(session_id, lane_chunk(index))
            outbox.put(session_id, lane_chunk(index, lane="desktop"))
        await num_chunks(site.pool, 18)
        yield outbox, session_id
    finally:
        await asyncio.to_thread(link.stop)
        outbox.close()


async def num_chunks(pool: asyncpg.Pool, count: int) -> None:
    await eventually(lambda: has(pool, "select count(*) from chunks", count), what=f"{count} chunks")


async def has(pool: asyncpg.Pool, query: str, count: int) -> bool:
    return int(await pool.fetchval(query)) == count


async def upload(site: Site, outbox: Outbox, session_id: str) -> None:
    """The agent answers the wish that a press made, with a file in the store."""
    await eventually(
        lambda: has(site.pool, "select count(*) from source_requests where state = 'sent'", 1),
        what="the wish is sent",
    )
    row = await site.pool.fetchrow("select * from source_requests")
    await site.objects.put(row["object_key"], b"mp4")
    reply = link_pb2.SourceReply(
        request_id=row["request_id"],
        state=link_pb2.SourceReply.UPLOADED,
        size_bytes=3,
        sha256=hashlib.sha256(b"mp4").digest(),
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
    )
    outbox.put_event(session_id, "source_reply", link_pb2.AgentMessage(source_reply=reply))


async def test_a_presss_words_and_post_come_before_all_that_waited(site: Site, tmp_path: Path):
    pool = site.pool
    await fill(pool)
    async with agent(site, tmp_path) as (outbox, session_id):
        pressed = link_pb2.Pressed(
            session_id=session_id,
            at_ns=10 * SECOND_NS,
            clip_id="k1",
            start_ns=4 * SECOND_NS,
            end_ns=10 * SECOND_NS,
        )
        outbox.put_event(session_id, "pressed", link_pb2.AgentMessage(pressed=pressed))
        await eventually(lambda: has(pool, "select count(*) from markers", 1), what="the press")
        # The chunk in which the key was pressed comes after the press, and so do some that it does not need.
        for index in range(9, 12):
            outbox.put(session_id, lane_chunk(index))
        await num_chunks(pool, 21)
        await upload(site, outbox, session_id)
        await eventually(
            lambda: has(pool, "select count(*) from source_requests where state = 'uploaded'", 1),
            what="uploaded",
        )
        worker = Worker(site)
        async with working(pool, {Queue.TRANSCRIPTION: one_by_one(worker.handle)}):
            await eventually(lambda: has(pool, "select count(*) from transcripts", 6), what="its words")
        later = {queue: one_by_one(worker.handle, versions=EXPORT_VERSIONS) for queue in STAGES[1:]}
        async with working(pool, later):
            await eventually(
                lambda: has(pool, "select count(*) from exports where state = 'ready'", 1), what="the post"
            )

    heard = {f"stt:{session_id}:{MIC}:{seq}" for seq in range(4, 10)}
    assert set(worker.started[Queue.TRANSCRIPTION][:6]) == heard
    assert worker.started[Queue.VIDEO_PROCESSING][0] in worker.pressed
    # The later stages had begun with what waited there; as soon as the press's job came, it was next.
    for queue in STAGES[1:]:
        num_before = next(at for at, key in enumerate(worker.started[queue]) if key in worker.pressed)
        assert num_before < BACKLOG / 3, queue
    assert len(worker.pressed) == 6 + 3
    [recipe] = worker.media.recipes
    assert [word.text for word in recipe.words] == ["4", "5", "6", "7", "8", "9"]
    waiting = await pool.fetchval(
        "select count(*) from pgqueuer where convert_from(payload, 'UTF8') like '%backlog%'"
    )
    assert waiting > 3 * BACKLOG


async def test_what_no_press_has_saved_keeps_its_place(site: Site, tmp_path: Path):
    await fill(site.pool)
    async with agent(site, tmp_path):
        rows = await site.pool.fetch(
            "select dedupe_key from pgqueuer order by priority desc, id limit $1", 4 * BACKLOG
        )

    assert all("backlog" in row["dedupe_key"] for row in rows)
