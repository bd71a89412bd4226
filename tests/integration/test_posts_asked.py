"""One more post of a clip: asked for on the page or by command, made once, and tried again where it failed."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from coordinator.app.asked_posts import AskedPosts
from coordinator.app.working import give_up_effects
from coordinator.cli import main
from coordinator.errors import InputUnusable, NotFound
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.work import one_by_one
from coordinator.model.jobs import Queue
from coordinator.model.object_keys import export_id_of
from coordinator.pipeline import steps
from coordinator.store.connect import connect
from tests.fakes.job_parts import put, until, until_state, working
from tests.fakes.post_parts import CLIP, SESSION, PostsHere, posts_here
from tests.fakes.running_site import running_site
from tests.fakes.seeded_session import SESSION_ID, seed

KEY = f"exp:{CLIP}:square"
READY = ("ready", "")


@pytest.fixture
async def here(pool: asyncpg.Pool, tmp_path: Path) -> PostsHere:
    return await posts_here(pool, tmp_path)


@pytest.fixture
def asked(pool: asyncpg.Pool) -> AskedPosts:
    return AskedPosts(pool, PgQueuerQueue())


@pytest.fixture
async def client(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_site(pool, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as opened,
    ):
        yield opened


async def queued(pool: asyncpg.Pool) -> list[str]:
    return [row["key"] for row in await pool.fetch("select key from job_keys order by key")]


async def test_a_post_that_is_asked_for_twice_is_made_once(here: PostsHere, asked: AskedPosts):
    first, second = await asyncio.gather(asked.make(CLIP, "square"), asked.make(CLIP, "square"))

    assert sorted([first.is_new, second.is_new]) == [False, True]
    assert {first.export_id, second.export_id} == {export_id_of(CLIP, "square")}
    assert await queued(here.pool) == [KEY]
    await here.run(steps.exporting(CLIP, "square", is_press=True))
    again = await asked.make(CLIP, "square")
    assert (again.state, again.is_new) == ("ready", False)
    assert here.media.together == [["square"]]


async def test_what_the_clips_own_job_makes_already_is_left_to_it(here: PostsHere, asked: AskedPosts):
    await here.want("vertical", "square")
    await put(here.pool, steps.exporting_all(CLIP, is_press=True))

    waiting = await asked.make(CLIP, "square")
    await asked.make(CLIP, "x")

    assert (waiting.state, waiting.is_new) == ("pending", False)
    assert await queued(here.pool) == [f"exp:{CLIP}", f"exp:{CLIP}:x"]
    await here.run(steps.exporting_all(CLIP, is_press=True))
    assert here.media.together == [["square", "vertical"]]


@pytest.mark.logs("job_failed")
async def test_one_that_failed_is_tried_again_however_it_failed(here: PostsHere, asked: AskedPosts):
    async def failed() -> bool:
        return (await here.states())["square"][0] == "failed"

    async def let_go() -> bool:
        return not await here.pool.fetchval("select exists (select from job_keys where key = $1)", KEY)

    work = one_by_one(here.stage.handle, on_failed=give_up_effects(here.pool)[Queue.EXPORT])
    here.media.spoilt["square"] = "not small enough"
    # With the others first.
    await here.want("square", "vertical")
    await here.run(steps.exporting_all(CLIP, is_press=True))
    assert await failed()
    async with working(here.pool, {Queue.EXPORT: work}):
        # Then by itself: the key of its job is one that has failed.
        assert (await asked.make(CLIP, "square")).is_new
        await until_state(here.pool, KEY, "failed")
        assert await failed()
        # Before the worker has let go of it, its rows alone would bring it back, by the reconciler.
        await until(let_go, "the worker let go of the job")
        del here.media.spoilt["square"]
        assert (await asked.make(CLIP, "square")).is_new
        await until_state(here.pool, KEY, "done")

    assert await here.states() == {"square": READY, "vertical": READY}


async def test_a_clip_is_known_by_its_press_and_the_job_is_its_accounts(here: PostsHere, asked: AskedPosts):
    await here.pool.execute("update accounts set tier = 'pro' where user_id = 'owner'")

    made = await asked.make("k1", "tiktok")

    assert (made.clip_id, made.session_id) == (CLIP, SESSION)
    payload = json.loads(await here.pool.fetchval("select convert_from(payload, 'UTF8') from pgqueuer"))
    assert (payload["tier"], payload["account"]) == ("pro", "owner")


async def test_what_cannot_be_asked_for_is_told(here: PostsHere, asked: AskedPosts):
    with pytest.raises(InputUnusable, match="there is no preset 'preview' for posts"):
        await asked.make(CLIP, "preview")
    with pytest.raises(NotFound, match=r"no clip 'none.* here"):
        await asked.make("none\0", "square")
    assert await queued(here.pool) == []


# -- on the page


async def test_a_card_offers_what_is_not_there_and_asks_for_it_without_a_script(
    pool: asyncpg.Pool, client: httpx.AsyncClient
):
    await seed(pool)
    await pool.execute("insert into exports (export_id, clip_id, preset) values ('e-x', 'c-r-m-ready', 'x')")
    form = {"preset": "tiktok", "card": "moment-m-ready"}

    page = (await client.get("/")).text
    card = page.split('id="moment-m-ready"')[1].split("</article>")[0]
    answer = await client.post("/clips/c-r-m-ready/posts", data=form)

    offered = [line.split("<")[0] for line in card.split("<option>")[1:]]
    assert "tiktok" in offered
    assert not {"x", "vertical", "preview"} & set(offered)
    assert 'action="/clips/c-r-m-ready/posts"' in card
    # One that failed may be tried again.
    failed = page.split('id="moment-m-failed"')[1].split("</article>")[0]
    assert "<option>vertical" in failed
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sessions/{SESSION_ID}#moment-m-ready")
    assert await queued(pool) == ["exp:c-r-m-ready:tiktok"]
    shown = (await client.get("/")).text.split('id="moment-m-ready"')[1].split("</article>")[0]
    assert "tiktok is being rendered" in html.unescape(shown)
    said = (await client.get(f"/api/sessions/{SESSION_ID}")).json()
    assert {export["clip_id"] for export in said["moments"][0]["exports"]} == {"c-r-m-ready"}


async def test_what_a_page_cannot_ask_for_is_a_typed_error(pool: asyncpg.Pool, client: httpx.AsyncClient):
    await seed(pool)
    path = "/clips/c-r-m-ready/posts"
    foreign = {"origin": "https://elsewhere.example"}

    answers = [
        await client.post(path, data={"preset": "myspace"}),
        await client.post(path),
        await client.post(path, data={"preset": "x"}, headers=foreign),
        await client.post("/clips/none/posts", data={"preset": "x"}),
    ]

    assert [(each.status_code, each.json()["error"]["code"]) for each in answers] == [
        *[(400, "input_unusable")] * 3,
        (404, "not_found"),
    ]
    assert await queued(pool) == []


# -- on the command line


def test_a_command_asks_for_posts_of_a_moment(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def fill() -> None:
        pool: asyncpg.Pool = await connect(database_url, max_connections=2)
        await seed(pool)
        await pool.close()

    asyncio.run(fill())
    (tmp_path / "database.url").write_text(database_url)
    words = ["--data", str(tmp_path), "posts", "make", "m-ready"]

    assert main([*words, "--preset", "x", "--preset", "vertical", "--json"]) == 0
    posts = json.loads(capsys.readouterr().out)["posts"]
    assert [(one["preset"], one["state"], one["is_new"]) for one in posts] == [
        ("x", "pending", True),
        ("vertical", "ready", False),
    ]
    assert main([*words, "--preset", "x"]) == 0
    assert capsys.readouterr().out == "x: is being made already\n"
    assert main([*words, "--preset", "square"]) == 0
    assert "jobs show exp:c-r-m-ready:square" in capsys.readouterr().out
    assert main([*words, "--preset", "myspace", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "input_unusable"
    assert main([*words[:-1], "none", "--preset", "x", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_found"
