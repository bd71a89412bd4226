"""A post waits for the words of its clip that are not heard yet, and not for ever."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from coordinator.errors import WordsLate
from coordinator.jobs.work import one_by_one
from coordinator.model.jobs import Queue
from coordinator.model.sessions import SpokenWord, TranscriptRow, WordsAwaited
from coordinator.pipeline import hear, steps
from coordinator.pipeline.export import check_heard
from coordinator.store.looks import PostgresLooks
from coordinator.store.rows import PostgresRows
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS
from tests.fakes.flow_parts import hearing_job
from tests.fakes.job_parts import put, until, until_state, working
from tests.fakes.post_parts import CLIP, SESSION, PostsHere, posts_here

pytestmark = pytest.mark.filterwarnings("error")

MIC, DESKTOP = media_pb2.LANE_MIC, media_pb2.LANE_DESKTOP
ALL = steps.exporting_all(CLIP, is_press=True)
READY = ("ready", "")
CHUNK_S, LENGTH_S = 10, 25


@pytest.fixture
async def here(pool: asyncpg.Pool, tmp_path: Path) -> PostsHere:
    """A clip of the session's first 25 s, of which one post is wanted."""
    here = await posts_here(pool, tmp_path, length_s=LENGTH_S)
    await here.want("vertical")
    return here


async def receive(pool: asyncpg.Pool, *seqs: int, lane: int = MIC) -> None:
    """Chunks of ten seconds come."""
    for seq in seqs:
        await pool.execute(
            "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
            " values ($1, $2, $3, $4, $5, 'x', ''::bytea, 1, 'object:x/0/1')",
            SESSION, lane, seq, seq * CHUNK_S * SECOND_NS, (seq + 1) * CHUNK_S * SECOND_NS,
        )  # fmt: skip


async def hear_words(pool: asyncpg.Pool, *seqs: int) -> None:
    """One word is heard in each, its number."""
    rows = PostgresRows(pool)
    for seq in seqs:
        start_ns = seq * CHUNK_S * SECOND_NS
        word = SpokenWord(text=str(seq), start_ns=start_ns, end_ns=start_ns + SECOND_NS)
        row = TranscriptRow(
            session_id=SESSION, lane=MIC, seq=seq, start_ns=start_ns, end_ns=start_ns + CHUNK_S * SECOND_NS,
            language="en", engine="test", model="", words=(word,),
        )  # fmt: skip
        async with pool.acquire() as connection:
            await rows.save_transcript(connection, row)


async def age(pool: asyncpg.Pool, seconds: float) -> None:
    """The clip was cut so long ago."""
    await pool.execute("update clips set created_at = now() - make_interval(secs => $1)", seconds)


async def awaited(pool: asyncpg.Pool) -> tuple[int, bool]:
    found = await PostgresRows(pool).words_awaited(CLIP)
    return found.num_unheard, found.is_more_to_come


async def end_session(pool: asyncpg.Pool, num_mic: int) -> None:
    await pool.execute(
        "update sessions set is_live = false, ended_at = now(), lane_counts = $1::jsonb",
        json.dumps({"mic": num_mic}),
    )


# ---- what is awaited


async def test_words_are_there_when_every_chunk_of_the_span_was_heard(here: PostsHere):
    await receive(here.pool, 0, 1, 2, 3)
    await hear_words(here.pool, 0, 1)
    assert await awaited(here.pool) == (1, False)

    await hear_words(here.pool, 2)

    # The one that begins after the clip's end is nobody's business here.
    assert await awaited(here.pool) == (0, False)


async def test_a_chunk_that_is_still_on_its_way_is_awaited(here: PostsHere):
    await receive(here.pool, 0, 1)
    await hear_words(here.pool, 0, 1)
    assert await awaited(here.pool) == (0, True)

    await receive(here.pool, 2)

    assert await awaited(here.pool) == (1, False)


async def test_a_chunk_that_cannot_be_heard_is_not_waited_for(here: PostsHere):
    await receive(here.pool, 0, 1, 2)
    await hear_words(here.pool, 0, 1)
    effect = hear.give_up(PostgresRows(here.pool), PostgresLooks(here.pool))(
        hearing_job(SESSION, MIC, 2), "it is no sound"
    )

    async with here.pool.acquire() as connection, connection.transaction():
        await effect(connection)

    assert await awaited(here.pool) == (0, False)


@pytest.mark.parametrize(
    ("num_mic", "is_more"),
    [
        (2, False),  # the session ended with the clip's last words
        (3, True),  # one more was recorded, and is on its way
    ],
)
async def test_a_session_that_ended_says_whether_more_will_come(here: PostsHere, num_mic: int, is_more: bool):
    await receive(here.pool, 0, 1)
    await hear_words(here.pool, 0, 1)
    await end_session(here.pool, num_mic)

    assert await awaited(here.pool) == (0, is_more)


@pytest.mark.parametrize(
    ("desktop", "is_more"),
    [
        ((), False),  # a session that sends nothing
        ((0, 1), True),  # its first chunks come: the microphone's may, too
        ((0, 1, 2), False),  # past the clip's end, and no microphone
    ],
)
async def test_without_a_microphone_nobody_waits(here: PostsHere, desktop: tuple[int, ...], is_more: bool):
    await receive(here.pool, *desktop, lane=DESKTOP)

    assert await awaited(here.pool) == (0, is_more)


async def test_a_microphone_that_was_taken_away_is_not_waited_for(here: PostsHere):
    await receive(here.pool, 0, 1)
    await hear_words(here.pool, 0, 1)
    await receive(here.pool, *range(9), lane=DESKTOP)

    assert await awaited(here.pool) == (0, False)


# ---- the post


async def test_a_post_whose_last_words_are_late_has_them(here: PostsHere):
    await receive(here.pool, 0, 1)
    await hear_words(here.pool, 0, 1)
    await put(here.pool, ALL)

    async with working(here.pool, {Queue.EXPORT: one_by_one(here.stage.handle, versions=(1, 2))}):
        await until_waiting(here.pool)
        await receive(here.pool, 2)
        await hear_words(here.pool, 2)
        await until_state(here.pool, ALL.key, "done")

    [recipe] = here.media.recipes
    assert [word.text for word in recipe.words] == ["0", "1", "2"]
    assert await here.states() == {"vertical": READY}
    # What it waited for was no fault of its own.
    row = await here.pool.fetchrow("select attempts, runs from job_runs where key = $1", ALL.key)
    assert tuple(row) == (1, 1)


async def until_waiting(pool: asyncpg.Pool) -> None:
    async def is_waiting() -> bool:
        row = await pool.fetchrow("select state, code, reason from job_runs where key = $1", ALL.key)
        return row is not None and tuple(row) == (
            "waiting", "words_late", "its last words are not heard yet",
        )  # fmt: skip

    await until(is_waiting, "the post waits for words")


async def test_a_post_that_waits_for_words_holds_up_no_other(here: PostsHere):
    await receive(here.pool, 0, 1, 2)
    await here.want("x", is_extra=True)
    seen: list[str] = []

    async def handle(job):  # type: ignore[no-untyped-def]
        seen.append(job.key)
        if job.key == ALL.key:
            return await here.stage.handle(job)
        await hear_words(here.pool, 0, 1, 2)
        return await here.stage.handle(job)

    await put(here.pool, ALL, steps.exporting(CLIP, "x", is_press=True))
    async with working(here.pool, {Queue.EXPORT: one_by_one(handle, versions=(1, 2))}):
        await until_state(here.pool, ALL.key, "done")

    # One slot: the second was worked while the first waited, or nobody would have heard its words.
    assert seen == [ALL.key, f"exp:{CLIP}:x", ALL.key]


async def test_a_dead_speech_engine_holds_a_post_for_half_a_minute_and_no_longer(here: PostsHere):
    await receive(here.pool, 0, 1, 2)
    await hear_words(here.pool, 0)
    await age(here.pool, 29.0)
    with pytest.raises(WordsLate):
        await here.run(ALL)
    await put(here.pool, ALL)

    async with working(here.pool, {Queue.EXPORT: one_by_one(here.stage.handle, versions=(1, 2))}):
        await until_state(here.pool, ALL.key, "done")

    [recipe] = here.media.recipes
    assert [word.text for word in recipe.words] == ["0"]
    assert await here.states() == {"vertical": READY}


async def test_a_post_of_a_clip_of_long_ago_waits_for_nothing(here: PostsHere):
    await receive(here.pool, 0, 1, 2)
    await age(here.pool, 3600.0)

    await here.run(ALL)

    assert await here.states() == {"vertical": READY}


@pytest.mark.parametrize(
    ("num_unheard", "is_more", "age_s", "retry_after_s"),
    [(1, False, 0.0, 1.0), (0, True, 20.0, 5.0), (1, False, 31.0, None), (0, False, 0.0, None)],
)
def test_who_waits_says_when_to_look_again(
    num_unheard: int, is_more: bool, age_s: float, retry_after_s: float | None
):
    found = WordsAwaited(age_s=age_s, num_unheard=num_unheard, is_more_to_come=is_more)

    if retry_after_s is None:
        check_heard(found)
        return
    with pytest.raises(WordsLate) as raised:
        check_heard(found)
    assert raised.value.retry_after_s == retry_after_s
