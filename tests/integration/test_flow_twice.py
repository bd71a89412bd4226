"""Each stage's effect run twice is written once; what fails or comes too late says so in its row."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator.jobs.claims import Claim
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.ledger import Ledger, Started
from coordinator.model.exporting import CaptionWish
from coordinator.model.framing import Framing
from coordinator.model.jobs import Job, Queue
from coordinator.model.object_keys import clip_id_of, export_id_of
from coordinator.model.posts import PostSettings, PostWishes
from coordinator.model.sessions import SpokenWord, TranscriptRow
from coordinator.pipeline.export import Export
from coordinator.pipeline.export import give_up as give_up_export
from coordinator.pipeline.source import Cutting, Preparation, give_up
from coordinator.ports import Effect
from coordinator.posts import framing_of
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from coordinator.store.rows import PostgresRows
from protos.timebase import SECOND_NS
from tests.fakes.flow_parts import MIC, SESSION, Flow, flow_on
from tests.fakes.plain_media import PlainMedia

pytestmark = pytest.mark.filterwarnings("error")

CLIP, POST = clip_id_of("r1"), export_id_of(clip_id_of("r1"), "vertical")


@pytest.fixture
async def flow(pool: asyncpg.Pool) -> Flow:
    flow = flow_on(pool)
    await flow.begin()
    return flow


@pytest.fixture
async def parts(pool: asyncpg.Pool, tmp_path: Path) -> dict[str, Any]:
    """What the media stages are made of; an upload lies in the store."""
    objects = LocalObjects(tmp_path / "objects", base_url="http://127.0.0.1", secret=b"s")
    await objects.put("sources/r1.mp4", b"mp4")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return {
        "rows": PostgresRows(pool),
        "objects": objects,
        "media": PlainMedia(),
        "scratch": scratch,
        "posts": PostgresPosts(pool, PostSettings()),
    }


def before_cutting(parts: dict[str, Any]) -> dict[str, Any]:
    """What a stage is made of that makes no posts."""
    return {name: part for name, part in parts.items() if name != "posts"}


def rendering(parts: dict[str, Any]) -> Export:
    """The stage `export`; no layouts are kept."""
    return Export(**parts, framing_of=functools.partial(framing_of, data=parts["scratch"]), longest_s={})


async def ask(pool: asyncpg.Pool, state: str, *, moment_id: str | None = None, age: str = "0 s") -> None:
    """A source was asked for so long ago."""
    if moment_id is not None:
        await pool.execute(
            "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, evidence)"
            " values ($1, $2, 0, $3, 0, 0.9, 'goal', '[]')",
            moment_id, SESSION, 10 * SECOND_NS,
        )  # fmt: skip
    await pool.execute(
        "insert into source_requests (request_id, session_id, moment_id, start_ns, end_ns, state, object_key,"
        " requested_at, expires_at) values ('r1', $1, $2, 0, $3, $4, 'sources/r1.mp4',"
        " now() - $5::text::interval, now() - $5::text::interval + interval '1 day')",
        SESSION, moment_id, 10 * SECOND_NS, state, age,
    )  # fmt: skip


def job(queue: Queue, key: str, **payload: str | float) -> Job:
    return Job(job_id=1, queue=queue, key=key, payload=dict(payload), runs=1)


async def twice(flow: Flow, handle: Callable[[Job], Awaitable[Effect]], of: Job) -> list[list[str]]:
    """The job runs in two workers at once, and both write."""
    effects = [await handle(of) for _ in range(2)]
    return [await flow.commit(effect) for effect in effects]


async def num(pool: asyncpg.Pool, table: str) -> int:
    return int(await pool.fetchval(f"select count(*) from {table}"))


async def test_an_upload_is_prepared_cut_and_rendered_twice_and_written_once(
    flow: Flow, parts: dict[str, Any]
):
    pool = flow.pool
    await ask(pool, "uploaded", moment_id="m1")

    first = await twice(
        flow, Preparation(**before_cutting(parts)).handle, job(Queue.VIDEO_PROCESSING, "p", request_id="r1")
    )
    assert first == [["clip:r1"]] * 2
    cut = Cutting(**parts)
    second = await twice(flow, cut.handle, job(Queue.CLIP_GENERATION, "c", request_id="r1"))
    assert second == [[f"exp:{CLIP}"]] * 2
    render = job(Queue.EXPORT, "e", clip_id=CLIP)
    await twice(flow, rendering(parts).handle, render)

    assert (await num(pool, "clips"), await num(pool, "exports")) == (1, 1)
    assert tuple(await pool.fetchrow("select export_id, state from exports")) == (POST, "ready")
    assert len([key for key in await flow.queued() if key.startswith("exp:")]) == 1
    assert list(parts["scratch"].iterdir()) == []


async def test_a_post_looks_as_its_account_wishes(flow: Flow, parts: dict[str, Any]):
    await ask(flow.pool, "uploaded", moment_id="m1")
    await flow.pool.execute("update moments set title = 'What a goal'")
    cut = Cutting(**parts)
    await flow.commit(await cut.handle(job(Queue.CLIP_GENERATION, "c", request_id="r1")))
    await PostgresPosts(flow.pool, PostSettings()).save(
        "owner", PostWishes(caption_style="calm", shape="1:1", is_title_shown=True, profanity="mask")
    )

    await rendering(parts).handle(job(Queue.EXPORT, "e", clip_id=CLIP))

    [recipe] = parts["media"].recipes
    assert recipe.captions == CaptionWish(style="calm", profanity="mask", files=())
    assert recipe.framing == Framing(shape="1:1")
    assert (recipe.title, recipe.is_title_shown) == ("What a goal", True)


async def test_a_second_run_that_fails_spoils_nothing_that_a_first_has_made(
    flow: Flow, parts: dict[str, Any]
):
    await ask(flow.pool, "uploaded", moment_id="m1")
    cut = Cutting(**parts)
    await flow.commit(await cut.handle(job(Queue.CLIP_GENERATION, "c", request_id="r1")))
    render = job(Queue.EXPORT, "e", clip_id=CLIP)
    await flow.commit(await rendering(parts).handle(render))

    await flow.commit(give_up(parts["rows"])(job(Queue.CLIP_GENERATION, "c", request_id="r1"), "no picture"))
    await flow.commit(give_up_export(parts["rows"])(render, "it took too long"))

    assert await flow.pool.fetchval("select state from source_requests") == "uploaded"
    assert await flow.pool.fetchval("select state from exports") == "ready"


async def test_each_failure_stands_with_its_reason_where_the_page_looks(flow: Flow, parts: dict[str, Any]):
    await ask(flow.pool, "uploaded", moment_id="m1")
    await flow.commit(give_up(parts["rows"])(job(Queue.VIDEO_PROCESSING, "p", request_id="r1"), "no picture"))
    assert tuple(await flow.pool.fetchrow("select state, reason from source_requests")) == (
        "failed",
        "no picture",
    )

    await flow.pool.execute("update source_requests set state = 'uploaded'")
    cut = Cutting(**parts)
    await flow.commit(await cut.handle(job(Queue.CLIP_GENERATION, "c", request_id="r1")))
    render = job(Queue.EXPORT, "e", clip_id=CLIP)
    await flow.commit(give_up_export(parts["rows"])(render, "it took too long"))

    assert tuple(await flow.pool.fetchrow("select state, reason from exports")) == (
        "failed",
        "it took too long",
    )


async def test_a_transcript_that_comes_twice_is_the_first(flow: Flow):
    await flow.receive(0, lane=MIC)
    rows = PostgresRows(flow.pool)
    for word in ("goal", "coal"):
        said = SpokenWord(text=word, start_ns=0, end_ns=SECOND_NS)
        row = TranscriptRow(
            session_id=SESSION, lane=MIC, seq=0, start_ns=0, end_ns=SECOND_NS, language="en", engine="e",
            model="m", words=(said,),
        )  # fmt: skip
        async with flow.pool.acquire() as connection:
            await rows.save_transcript(connection, row)

    assert await flow.pool.fetchval("select words ->> 0 from transcripts") == '["goal", 0, 1000000000]'


async def expired(flow: Flow) -> tuple[str, str]:
    async with flow.pool.acquire() as connection, connection.transaction():
        await PostgresRows(flow.pool).expire_requests(connection)
    row = await flow.pool.fetchrow("select state, reason from source_requests")
    return row["state"], row["reason"]


async def test_a_moment_that_no_agent_made_safe_in_an_hour_has_expired_and_says_since_when(flow: Flow):
    await ask(flow.pool, "sent", moment_id="m1", age="61 minutes")
    await flow.pool.execute("update agents set last_seen_at = '2026-03-12 20:01:45+00'")

    assert await expired(flow) == (
        "expired",
        "the recording was gone before it could be fetched: nothing was heard of the agent since 2026-03-12 20:01 UTC",
    )


@pytest.mark.parametrize(
    ("state", "moment_id", "age", "becomes"),
    [
        ("sent", "m1", "59 minutes", "sent"),
        ("pinned", "m1", "23 hours", "pinned"),  # the agent has made it safe
        ("sent", None, "23 hours", "sent"),  # a press: its file is on the agent's disk
        ("sent", None, "25 hours", "expired"),
        ("pinned", "m1", "25 hours", "expired"),
        ("uploaded", "m1", "25 hours", "uploaded"),
    ],
)
async def test_what_may_still_come_is_waited_for(
    flow: Flow, state: str, moment_id: str | None, age: str, becomes: str
):
    await ask(flow.pool, state, moment_id=moment_id, age=age)

    assert (await expired(flow))[0] == becomes


async def test_an_agent_that_is_there_and_does_not_send_is_named_so(flow: Flow):
    await ask(flow.pool, "wanted", moment_id="m1", age="2 hours")

    assert "did not send it in time" in (await expired(flow))[1]


async def test_a_completion_that_comes_second_writes_nothing(flow: Flow, parts: dict[str, Any]):
    await ask(flow.pool, "uploaded", moment_id="m1")
    claimed = job(Queue.VIDEO_PROCESSING, "prep:r1", request_id="r1")
    await flow.pool.execute("insert into job_runs (key, queue) values ('prep:r1', 'video-processing')")
    ledger = Ledger(flow.pool, PgQueuerQueue())
    effects = [await Preparation(**before_cutting(parts)).handle(claimed) for _ in range(2)]

    claim = Claim(job_id=claimed.job_id, queue=claimed.queue, key=claimed.key, payload=claimed.payload)
    started = Started(job=claimed, attempts=1, claim=claim)

    assert [await ledger.complete(started, effect) for effect in effects] == [True, False]


async def test_each_stage_of_a_clip_says_how_far_it_is(flow: Flow, parts: dict[str, Any]):
    told: list[tuple[float, str]] = []
    await ask(flow.pool, "uploaded", moment_id="m1")

    def telling(queue: Queue, **payload: str) -> Job:
        told.clear()
        return Job(
            job_id=1,
            queue=queue,
            key="k",
            payload=dict(payload),
            runs=1,
            progress=lambda share, words: told.append((round(share, 3), words)),
        )

    await Preparation(**before_cutting(parts)).handle(telling(Queue.VIDEO_PROCESSING, request_id="r1"))
    assert told == [(0.0, "fetching the upload"), (0.5, "looking at the upload")]

    cut = Cutting(**parts)
    await flow.commit(await cut.handle(telling(Queue.CLIP_GENERATION, request_id="r1")))
    assert told == [
        *((0.0, "fetching the source"), (0.1, "cutting"), (0.525, "cutting")),
        (0.95, "storing the clip"),
    ]

    await rendering(parts).handle(telling(Queue.EXPORT, clip_id=CLIP))
    assert told == [
        *((0.0, "fetching the clip"), (0.1, "rendering"), (0.525, "rendering")),
        (0.95, "storing the post"),
    ]
