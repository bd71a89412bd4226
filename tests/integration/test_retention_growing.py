"""What a press's clip was before it changed expires, although the press is kept: never what is still shown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import httpx
import pytest

from coordinator.app.asked_posts import AskedPosts
from coordinator.cli import main
from coordinator.ingest.forgetting import entomb
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.forgetting import ForgetOrder
from coordinator.model.object_keys import clip_id_of, clip_key
from coordinator.pipeline import steps
from coordinator.store.retention import PostgresExpiry
from protos.timebase import SECOND_NS
from tests.fakes.aged_stream import HOURS, Rounds, make_older, named_objects
from tests.fakes.growing_clip import PRESS, SESSION, GrowingClip, growing_clip
from tests.fakes.link_parts import make_site
from tests.fakes.running_site import running_site


@pytest.fixture
async def here(pool: asyncpg.Pool, tmp_path: Path) -> GrowingClip:
    return await growing_clip(pool, tmp_path)


@pytest.fixture
async def rounds(pool: asyncpg.Pool, tmp_path: Path) -> Rounds:
    return Rounds(site=await make_site(tmp_path, pool))


async def make_post(here: GrowingClip, start_s: float, *, version: int) -> str:
    """The clip shows this span, its source comes, and its posts are made; returns the request."""
    await here.press(start_s, 10, version=version)
    request_id = (await here.request_ids())[-1]
    await here.upload(request_id)
    await here.make_posts(request_id)
    return request_id


async def grow(here: GrowingClip) -> str:
    """As `make_post`, but the post is not made yet."""
    await here.press(2, 10, version=9)
    request_id = (await here.request_ids())[-1]
    await here.upload(request_id)
    await here.cut(request_id)
    return request_id


async def end(pool: asyncpg.Pool, *, hours: float) -> None:
    """The session is over, so long ago, and its wishes with it; it is an account's whose things expire."""
    await pool.execute("insert into accounts (user_id, tier) values ('u1', 'free') on conflict do nothing")
    await pool.execute(
        "update sessions set user_id = 'u1', is_over = true, is_live = false, ended_at = coalesce(ended_at, now())"
    )
    await pool.execute("update source_requests set expires_at = least(expires_at, now())")
    await make_older(pool, SESSION, hours)


def objects_in(folder: Path) -> set[str]:
    """Cuts, sources and posts that are in the store."""
    root = folder / "objects"
    return {str(path.relative_to(root)) for path in root.rglob("*.mp4")}


async def test_what_a_clip_was_before_it_grew_goes_and_what_it_is_stays(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    await make_post(here, 6, version=1)
    await make_post(here, 4, version=2)
    await make_post(here, 2, version=3)
    assert len([key for key in objects_in(tmp_path) if key.startswith("exports/")]) == 3
    await end(here.pool, hours=13)
    preview = await PostgresExpiry(here.pool, HOURS).preview(10)

    await rounds.once()

    assert await here.requests() == [("uploaded", 2, 10)]
    assert await here.posts() == [("vertical", "ready", 8)]
    assert objects_in(tmp_path) == await named_objects(here.pool, SESSION)
    assert [(one.num_moments, one.num_clips, one.num_posts) for one in preview] == [(0, 2, 2)]
    day = await here.pool.fetchrow("select num_moments, num_clips, num_posts from expired_days")
    assert tuple(day) == (0, 2, 2)
    assert await here.pool.fetchval("select is_expired from sessions") is True
    [span] = await here.pool.fetch("select held_spans($1, '12 hours')::text", SESSION)
    assert span[0] == "{[2000000000,10000000000)}"


async def test_words_that_only_the_clip_of_before_held_go_with_it(here: GrowingClip, rounds: Rounds):
    await here.press(0, 4, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    await here.make_posts(old)
    await make_post(here, 6, version=2)
    await here.pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " select $1, 1, no, no * 5000000000, (no + 1) * 5000000000, 'audio/ogg', '', 1, 'spool:n/1'"
        " from generate_series(0, 1) as no",
        SESSION,
    )
    await end(here.pool, hours=13)

    await rounds.once()

    assert [row["seq"] for row in await here.pool.fetch("select seq from chunks")] == [1]


async def test_a_post_that_was_replaced_has_its_hours_from_then(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    await make_post(here, 6, version=1)
    await end(here.pool, hours=13)
    await rounds.once()
    assert await here.pool.fetchval("select is_expired from sessions") is True
    await here.pool.execute("update sessions set user_id = 'owner', forgotten = '{}'")
    await make_post(here, 2, version=2)
    await end(here.pool, hours=1)

    await rounds.once()
    assert [state for _, state, _ in await here.posts()] == ["replaced", "ready"]
    await end(here.pool, hours=12)
    await rounds.once()

    assert await here.posts() == [("vertical", "ready", 8)]
    assert objects_in(tmp_path) == await named_objects(here.pool, SESSION)


@pytest.mark.parametrize("still", ["made", "unavailable"])
async def test_a_post_that_is_still_shown_stays_with_its_cut_and_is_shown_without_a_word_of_expiry(
    here: GrowingClip, rounds: Rounds, tmp_path: Path, still: str
):
    await make_post(here, 6, version=1)
    if still == "made":
        await grow(here)
    else:
        await here.press(2, 10, version=2)
        await here.pool.execute("update source_requests set state = 'unavailable' where state = 'wanted'")
    await end(here.pool, hours=99)

    await rounds.once()

    assert ("vertical", "ready", 4) in await here.posts()
    assert await here.pool.fetchval("select is_expired from sessions") is False
    async with (
        running_site(here.pool, tmp_path) as running,
        httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=20) as client,
    ):
        page = (await client.get(f"/sessions/{SESSION}")).text
        card = page.partition(f'id="press-{PRESS}"')[2].partition("</article>")[0]
        address = card.partition('src="')[2].partition('"')[0]
        assert (await client.get(address)).status_code == 200
    assert "before the clip changed" in card
    assert "expire" not in card and "/keep" not in card


async def test_of_a_cut_whose_one_post_is_shown_the_others_that_were_replaced_go(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    old = await make_post(here, 6, version=1)
    asked = await AskedPosts(here.pool, PgQueuerQueue()).make(PRESS, "square")
    await here.commit(await here.effect(steps.exporting(asked.clip_id, "square", is_press=True)))
    await grow(here)
    new = clip_id_of((await here.request_ids())[-1])
    await here.commit(await here.effect(steps.exporting_all(new, is_press=True)))
    # One of the new posts failed, and so the one of before is shown.
    await here.pool.execute(
        "update exports set state = 'ready' where clip_id = $1 and preset = 'square'", clip_id_of(old)
    )
    await here.pool.execute(
        "update exports set state = 'failed' where clip_id = $1 and preset = 'square'", new
    )
    await end(here.pool, hours=13)

    await rounds.once()

    assert await here.posts() == [("square", "ready", 4), ("square", "failed", 8), ("vertical", "ready", 8)]
    held = {key for key in await named_objects(here.pool, SESSION) if key is not None}
    assert {key for key in objects_in(tmp_path) if key.startswith("exports/")} <= held


async def test_posts_of_a_clip_that_waits_for_its_new_span_are_made_of_it_whatever_its_age(
    here: GrowingClip, rounds: Rounds
):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    await here.cut(old)
    await here.pool.execute(
        "insert into exports (export_id, clip_id, preset, is_extra) select 'e2', clip_id, 'x', true from clips"
    )
    await here.press(2, 10, version=2)
    [_, new] = await here.request_ids()
    await end(here.pool, hours=99)

    await rounds.once()
    await here.pool.execute("update sessions set user_id = 'owner'")
    await here.upload(new)
    await here.cut(new)

    assert [post for post in await here.posts() if post[2] == 8] == [
        ("vertical", "pending", 8),
        ("x", "pending", 8),
    ]


async def test_a_cut_that_ends_when_its_clip_has_grown_leaves_no_object(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    [cutting] = await here.commit(await here.effect(steps.preparation(old, is_press=True)))
    effect = await here.effect(cutting)
    key = clip_key(SESSION, clip_id_of(old))
    assert key in objects_in(tmp_path)
    await here.press(2, 10, version=2)
    await here.commit(effect)

    await rounds.once()

    assert key not in objects_in(tmp_path)
    # Of an owner nothing expires, and what is shown of another clip is left alone.
    assert await here.requests() == [("replaced", 6, 10), ("wanted", 2, 10)]


async def test_a_cut_that_is_made_twice_before_its_clip_grows_keeps_its_object(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    await here.press(6, 10, version=1)
    [old] = await here.request_ids()
    await here.upload(old)
    [cutting] = await here.commit(await here.effect(steps.preparation(old, is_press=True)))
    again = await here.effect(cutting)
    await here.commit(await here.effect(cutting))
    await here.press(2, 10, version=2)
    await here.commit(again)

    await rounds.once()

    assert clip_key(SESSION, clip_id_of(old)) in objects_in(tmp_path)


async def test_an_order_to_forget_finds_what_was_replaced_and_waits_for_what_had_expired(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    await make_post(here, 6, version=1)
    await make_post(here, 2, version=2)
    await end(here.pool, hours=13)
    # The rows go, and the objects wait.
    assert await rounds.expiry.expire(SESSION) is not None
    order = ForgetOrder(forget_id="f" * 32, session_id=SESSION, start_ns=0, end_ns=20 * SECOND_NS)
    async with here.pool.acquire() as connection, connection.transaction():
        await entomb(connection, order, asked_by="agent")

    doomed = {row[0] for row in await here.pool.fetch("select object_key from doomed_objects")}
    expired = {row[0] for row in await here.pool.fetch("select object_key from expired_objects")}
    assert objects_in(tmp_path) <= doomed | expired
    assert len([key for key in expired if key.startswith("exports/")]) == 1
    await rounds.once()

    assert objects_in(tmp_path) <= doomed


async def test_what_a_clip_was_goes_when_its_press_is_forgotten(
    here: GrowingClip, rounds: Rounds, tmp_path: Path
):
    await make_post(here, 6, version=1)
    await here.press(12, 16, version=2)
    order = ForgetOrder(
        forget_id="f" * 32, session_id=SESSION, start_ns=12 * SECOND_NS, end_ns=16 * SECOND_NS
    )
    async with here.pool.acquire() as connection, connection.transaction():
        await entomb(connection, order, asked_by="agent")
    await end(here.pool, hours=13)

    await rounds.once()

    assert await here.pool.fetchval("select count(*) from clips") == 0
    assert [key for key in objects_in(tmp_path) if not key.startswith("sources/")] == []


async def test_a_dry_run_names_what_was_replaced(
    here: GrowingClip, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    await make_post(here, 6, version=1)
    await make_post(here, 2, version=2)
    await end(here.pool, hours=13)
    (tmp_path / "database.url").write_text(database_url)

    assert await asyncio.to_thread(main, ["--data", str(tmp_path), "retention", "--dry-run", "--json"]) == 0

    total = json.loads(capsys.readouterr().out)["total"]
    assert (total["num_moments"], total["num_clips"], total["num_posts"]) == (0, 1, 1)
