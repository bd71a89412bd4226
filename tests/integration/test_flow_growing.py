"""A press's clip that grows: its post shows the clip as it is in the end, whatever was asked for or made before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coordinator.app.asked_posts import AskedPosts
from coordinator.errors import ChunkRefused, NotFound
from coordinator.ingest import events
from coordinator.ingest.forgetting import entomb
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.forgetting import ForgetOrder
from coordinator.model.object_keys import export_id_of, export_key
from coordinator.model.sessions import MarkerRow
from coordinator.pipeline import steps
from coordinator.pipeline.offered import request_for_press
from coordinator.store.rows import PostgresRows
from coordinator.web.read import read_export_key, read_session
from protos.timebase import SECOND_NS
from tests.fakes.growing_clip import PRESS, SESSION, GrowingClip, growing_clip

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
async def here(pool: asyncpg.Pool, tmp_path: Path) -> GrowingClip:
    return await growing_clip(pool, tmp_path)


async def shown(pool: asyncpg.Pool) -> list[dict[str, Any]]:
    """The posts of the press, as the page has them."""
    async with pool.acquire() as connection:
        [press] = (await read_session(connection, SESSION, hours_by_tier={}))["presses"]
    return list(press["exports"])


async def span_s(pool: asyncpg.Pool) -> tuple[int, int]:
    row = await pool.fetchrow("select start_ns, end_ns from markers")
    return row["start_ns"] // SECOND_NS, row["end_ns"] // SECOND_NS


# ---- what is told


async def test_a_clip_that_grows_is_asked_for_anew_in_the_place_of_what_was_asked_before(here: GrowingClip):
    await here.press(6, 10, version=1)
    await here.press(2, 10, version=2)
    await here.press(2, 14, version=3)

    assert await span_s(here.pool) == (2, 14)
    assert await here.requests() == [("replaced", 6, 10), ("replaced", 2, 10), ("wanted", 2, 14)]


@pytest.mark.parametrize(
    "told",
    [
        [(3, 2, 14), (1, 6, 10), (2, 2, 10)],  # the newest came first
        [(1, 6, 10), (3, 2, 14), (2, 2, 10), (3, 2, 14), (1, 6, 10)],  # and all of it again
        [(1, 6, 10), (2, 2, 10), (3, 2, 14), (3, 2, 14)],
        [(0, 6, 10), (3, 2, 14), (0, 6, 10)],  # an agent that has learnt to tell of it meanwhile
    ],
)
async def test_an_older_span_never_wins_and_what_comes_twice_changes_nothing(
    here: GrowingClip, told: list[tuple[int, int, int]]
):
    for version, start_s, end_s in told:
        await here.press(start_s, end_s, version=version)

    assert await span_s(here.pool) == (2, 14)
    requests = await here.requests()
    assert requests[-1] == ("wanted", 2, 14)
    assert {state for state, *_ in requests[:-1]} <= {"replaced"}


async def test_an_agent_that_tells_of_a_clip_once_is_understood_as_before(here: GrowingClip):
    await here.press(6, 10, version=0)
    await here.press(6, 10, version=0)

    assert await here.requests() == [("wanted", 6, 10)]
    [request_id] = await here.request_ids()
    plain = MarkerRow(clip_id=PRESS, at_ns=0, start_ns=6 * SECOND_NS, end_ns=10 * SECOND_NS)
    assert request_id == request_for_press(SESSION, plain).request_id


async def test_the_same_span_under_a_higher_version_is_not_asked_for_again_and_counts_as_the_newest(
    here: GrowingClip,
):
    await here.press(6, 10, version=1)
    await here.press(6, 10, version=5)
    await here.press(2, 10, version=3)

    assert await here.requests() == [("wanted", 6, 10)]


async def test_a_clip_that_goes_back_to_a_span_it_had_is_asked_for_a_third_time(here: GrowingClip):
    await here.press(6, 10, version=1)
    await here.press(2, 10, version=2)
    await here.press(6, 10, version=3)

    assert await here.requests() == [("replaced", 6, 10), ("replaced", 2, 10), ("wanted", 6, 10)]


async def test_two_streams_that_tell_at_once_leave_one_request(here: GrowingClip):
    await asyncio.gather(*(here.press(10 - number, 10, version=number) for number in range(1, 9)))

    assert await span_s(here.pool) == (2, 10)
    assert [each for each in await here.requests() if each[0] != "replaced"] == [("wanted", 2, 10)]


async def test_a_clip_changes_as_often_as_it_may_and_no_more(
    here: GrowingClip, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events, "MAX_CHANGES", 2)
    for version in (1, 2, 3):
        await here.press(10 - version, 10, version=version)

    with pytest.raises(ChunkRefused, match="has changed 2 times"):
        await here.press(0, 10, version=4)
    await here.press(7, 10, version=3)
    assert await span_s(here.pool) == (7, 10)


async def test_a_clip_does_not_grow_into_what_was_forgotten(here: GrowingClip):
    await here.press(6, 10, version=1)
    await here.pool.execute("update sessions set forgotten = int8multirange(int8range(0, $1))", 3 * SECOND_NS)

    await here.press(2, 10, version=2)

    assert await here.requests() == [("wanted", 6, 10)]


async def test_where_presses_become_no_posts_a_growing_clip_asks_for_nothing(
    pool: asyncpg.Pool, tmp_path: Path
):
    here = await growing_clip(pool, tmp_path, is_exported=False)
    await here.press(6, 10, version=1)
    await here.press(2, 10, version=2)

    assert (await span_s(pool), await here.requests()) == ((2, 10), [])
    # A look that read the press before it grew, and asks for it now that the session had no moment.
    stale = MarkerRow(clip_id=PRESS, at_ns=0, start_ns=6 * SECOND_NS, end_ns=10 * SECOND_NS)
    async with pool.acquire() as connection:
        await PostgresRows(pool).add_request(connection, request_for_press(SESSION, stale), expires_in_s=9)
    assert await here.requests() == []


# ---- what was under way


async def test_what_is_uploaded_for_a_request_that_was_replaced_becomes_nothing(here: GrowingClip):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.press(2, 10, version=2)

    await here.upload(old)

    assert await here.requests() == [("replaced", 6, 10), ("wanted", 2, 10)]
    with pytest.raises(NotFound):
        await here.effect(steps.preparation(old, is_press=True))


async def test_what_was_sent_for_a_request_that_was_replaced_is_swept(here: GrowingClip):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.pool.execute(
        "insert into source_uploads (request_id, object_key, expires_at)"
        " select request_id, object_key, expires_at from source_requests"
    )
    await here.upload(old)
    assert await PostgresRows(here.pool).leftover_uploads() == []

    await here.press(2, 10, version=2)

    [leftover] = await PostgresRows(here.pool).leftover_uploads()
    assert (leftover.request_id, leftover.is_object_kept) == (old, False)


async def test_a_cut_that_ends_when_its_clip_has_grown_is_not_written(here: GrowingClip):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    [cutting] = await here.commit(await here.effect(steps.preparation(old, is_press=True)))
    effect = await here.effect(cutting)

    await here.press(2, 10, version=2)
    [exporting] = await here.commit(effect)

    assert await here.posts() == []
    with pytest.raises(NotFound):
        await here.effect(exporting)


async def test_a_post_that_is_ready_when_its_clip_has_grown_is_thrown_away(
    here: GrowingClip, monkeypatch: pytest.MonkeyPatch
):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    exporting = await here.cut(old)
    render: Callable[..., Any] = here.media.export_all

    async def grow_meanwhile(*args: Any, **named: Any) -> Any:
        await here.press(2, 10, version=2)
        return await render(*args, **named)

    monkeypatch.setattr(here.media, "export_all", grow_meanwhile)
    await here.commit(await here.effect(exporting))

    assert await here.posts() == [("vertical", "replaced", 4)]
    clip_id = str(exporting.payload["clip_id"])
    assert await here.objects.size(export_key(SESSION, export_id_of(clip_id, "vertical"))) is None
    assert await shown(here.pool) == []


async def test_posts_that_wait_or_failed_are_not_made_of_what_the_clip_was(here: GrowingClip):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    exporting = await here.cut(old)
    await here.press(2, 10, version=2)

    await here.commit(await here.effect(exporting))

    assert here.media.recipes == []
    assert await here.posts() == [("vertical", "replaced", 4)]


# ---- what was ready


async def grown_after_its_post(here: GrowingClip) -> str:
    """A post is ready, then the clip grows, and its source has come; returns the new request."""
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    await here.make_posts(old)
    await here.press(2, 10, version=2)
    [_, new] = await here.request_ids()
    await here.upload(new)
    return new


async def test_a_post_that_was_ready_stays_until_that_of_the_grown_clip_is(here: GrowingClip):
    new = await grown_after_its_post(here)
    [before] = await shown(here.pool)
    await here.cut(new)
    waiting = await shown(here.pool)
    await here.make_posts(new)
    [after] = await shown(here.pool)

    assert (before["state"], before["is_earlier"]) == ("ready", True)
    assert [(post["state"], post["is_earlier"]) for post in waiting] == [("pending", False), ("ready", True)]
    assert (after["state"], after["is_earlier"]) == ("ready", False)
    assert (after["start_s"], after["end_s"]) == (2.0, 10.0)
    # Whoever has the old one's address, or is fetching it, still gets it.
    async with here.pool.acquire() as connection:
        assert await here.objects.get(await read_export_key(connection, before["export_id"])) == b"mp4"


async def test_a_grown_clip_that_cannot_be_had_leaves_the_post_that_there_was(here: GrowingClip):
    await grown_after_its_post(here)
    await here.pool.execute(
        "update source_requests set state = 'unavailable', reason = 'no longer in the ring'"
        " where state = 'uploaded'"
    )

    async with here.pool.acquire() as connection:
        [press] = (await read_session(connection, SESSION, hours_by_tier={}))["presses"]

    assert press["source"] == {"state": "unavailable", "reason": "no longer in the ring"}
    assert [(post["state"], post["is_earlier"]) for post in press["exports"]] == [("ready", True)]


async def test_every_post_that_there_was_is_made_of_the_grown_clip_too(here: GrowingClip):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    await here.make_posts(old)
    asked = await AskedPosts(here.pool, PgQueuerQueue()).make(PRESS, "square")
    await here.commit(await here.effect(steps.exporting(asked.clip_id, "square", is_press=True)))
    await here.press(2, 10, version=2)
    [_, new] = await here.request_ids()
    await here.upload(new)

    await here.make_posts(new)

    assert await here.posts() == [
        ("square", "replaced", 4), ("vertical", "replaced", 4), ("square", "ready", 8), ("vertical", "ready", 8),
    ]  # fmt: skip


async def test_one_more_post_is_made_of_the_clip_as_it_is_now_whichever_is_named(here: GrowingClip):
    new = await grown_after_its_post(here)
    [before] = await shown(here.pool)
    await here.make_posts(new)

    asked = AskedPosts(here.pool, PgQueuerQueue())
    named = [(await asked.make(name, "x")).clip_id for name in (PRESS, before["clip_id"])]

    [after] = [post for post in await shown(here.pool) if post["preset"] == "vertical"]
    assert named == [after["clip_id"]] * 2


async def test_the_agent_is_told_to_drop_the_post_of_what_the_clip_was(here: GrowingClip):
    new = await grown_after_its_post(here)
    since = await here.pool.fetchval("select now()")
    await here.make_posts(new)

    rows = await here.pool.fetch(
        "select e.state, r.marker_clip_id from exports e join clips c using (clip_id)"
        " join source_requests r using (request_id) where e.updated_at > $1 order by e.created_at",
        since,
    )
    assert [tuple(row) for row in rows] == [("replaced", PRESS), ("ready", PRESS)]


async def test_forgetting_finds_what_was_made_of_the_clip_before_it_grew(here: GrowingClip, tmp_path: Path):
    new = await grown_after_its_post(here)
    await here.make_posts(new)
    order = ForgetOrder(forget_id="f" * 32, session_id=SESSION, start_ns=0, end_ns=20 * SECOND_NS)

    async with here.pool.acquire() as connection, connection.transaction():
        await entomb(connection, order, asked_by="agent")

    keys = {row["object_key"] for row in await here.pool.fetch("select object_key from doomed_objects")}
    folder = tmp_path / "objects"
    held = {str(path.relative_to(folder)) for path in folder.rglob("*.mp4")}
    assert len([key for key in held if key.startswith("exports/")]) == 2
    assert held <= keys
