"""How an account's posts look, in the database, on the command line and on the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from alembic import command

from coordinator.cli import main
from coordinator.model.posts import PostSettings, PostWishes
from coordinator.store import migrate as migrating
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.posts import PostgresPosts
from tests.fakes.running_site import RunningSite, running_site
from tests.fakes.seeded_session import SESSION_ID, seed

DEFAULTS = PostSettings(presets=("vertical",))
ALL = PostWishes(
    presets=("tiktok", "x"),
    caption_style="calm",
    layout="blur",
    shape="1:1",
    is_title_shown=True,
    profanity="mask",
)


@pytest.fixture
def posts(pool: asyncpg.Pool) -> PostgresPosts:
    return PostgresPosts(pool, DEFAULTS)


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(pool, tmp_path) as running:
        yield running


@pytest.fixture
async def client(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as opened:
        yield opened


# -- in the database


async def test_what_an_account_sets_holds_for_its_sessions_alone(pool: asyncpg.Pool, posts: PostgresPosts):
    await seed(pool)
    await pool.execute("insert into accounts (user_id, tier) values ('ann', 'free')")

    await posts.save("ann", ALL)
    assert await posts.of_session(SESSION_ID) == DEFAULTS
    await posts.save("owner", PostWishes(layout="fit"))
    await posts.save("owner", ALL)

    assert await posts.of_session(SESSION_ID) == ALL.over(DEFAULTS)
    assert await posts.wishes("owner") == ALL
    assert (await posts.reset("owner"), await posts.reset("owner")) == (True, False)
    assert await posts.of_session(SESSION_ID) == DEFAULTS
    assert await posts.wishes("ann") == ALL


async def test_who_reads_for_an_account_sees_nothing_of_another(pool: asyncpg.Pool, posts: PostgresPosts):
    await pool.execute("insert into accounts (user_id, tier) values ('ann', 'free')")
    await posts.save("ann", ALL)
    await posts.save("owner", ALL)

    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('clippy.user_id', 'ann', true)")
        await connection.execute("set local role clippy_reader")
        seen = await connection.fetch("select user_id from post_settings")

    assert [row["user_id"] for row in seen] == ["ann"]


@pytest.fixture
def older_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database with the schema of the version before, and somebody in it."""

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(postgres.superuser_url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute("create database older owner clippy"))
    url = urlunsplit(urlsplit(postgres.url)._replace(path="/older"))
    with migrating._connected(url) as connection:
        command.upgrade(migrating._config(connection), "0018")
    yield url
    asyncio.run(execute("drop database older with (force)"))


def test_the_version_before_is_migrated_with_what_is_in_it(older_url: str):
    async def fill() -> None:
        connection = await asyncpg.connect(older_url)
        await connection.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
        await connection.execute(
            "insert into sessions (session_id, user_id, agent_id, started_at) values ('s1', 'owner', 'a1', now())"
        )
        await connection.close()

    async def settings() -> PostSettings:
        pool = await asyncpg.create_pool(older_url, min_size=1, max_size=1)
        found = await PostgresPosts(pool, DEFAULTS).of_session("s1")
        await pool.close()
        return found

    asyncio.run(fill())

    assert migrating.migrate(older_url) == ("0018", migrating.newest_revision())
    assert asyncio.run(settings()) == DEFAULTS


# -- on the command line


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


def test_settings_are_shown_set_and_reset(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "database.url").write_text(database_url)
    words = ["--data", str(tmp_path), "posts"]

    assert main([*words, "show", "--json"]) == 0
    configured = told(capsys)
    assert (configured["presets"], configured["set"]) == (["vertical"], [])
    setting = ["--preset", "tiktok", "--preset", "x", "--title", "show", "--caption-style", "calm"]
    assert main([*words, "set", "owner", *setting, "--json"]) == 0
    changed = told(capsys)
    assert (changed["presets"], changed["caption_style"]) == (["tiktok", "x"], "calm")
    assert changed["set"] == ["presets", "caption_style", "is_title_shown"]
    # The rest stays as it was set.
    assert main([*words, "set", "--layout", "blur", "--caption-style", "default"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "posts of owner",
        "  presets    tiktok, x",
        "  captions   pop   (as configured)",
        "  layout     blur",
        "  shape      preset   (as configured)",
        "  title      shown",
        "  profanity  keep   (as configured)",
    ]
    assert main([*words, "reset", "--json"]) == 0
    assert told(capsys) == configured


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("set", "--preset", "myspace"), 2, "input_unusable"),
        (("set", "--layout", "duo"), 2, "input_unusable"),
        (("set",), 2, "input_unusable"),
        (("set", "--title", "maybe"), 2, "usage"),
        (("show", "nobody"), 1, "not_found"),
    ],
)
def test_what_cannot_be_set_is_a_typed_error(
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    exit_code: int,
    code: str,
):
    (tmp_path / "database.url").write_text(database_url)

    assert main(["--data", str(tmp_path), "posts", *arguments, "--json"]) == exit_code
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code


# -- on the page


async def test_the_form_without_a_script_saves_what_was_chosen(
    pool: asyncpg.Pool, client: httpx.AsyncClient, posts: PostgresPosts
):
    await seed(pool)
    form = {"preset": ["tiktok", "shorts"], "caption_style": "karaoke", "layout": "", "title": "show"}

    answer = await client.post(f"/posts?session={SESSION_ID}", data=form)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/posts?session={SESSION_ID}&saved=1")
    assert await posts.wishes("owner") == PostWishes(
        presets=("tiktok", "shorts"), caption_style="karaoke", is_title_shown=True
    )
    page = (await client.get(answer.headers["location"])).text
    assert "Saved. The next posts are made so" in page
    assert page.count(" checked") == 2
    twin = (await client.get("/api/posts")).json()
    assert (twin["presets"], twin["layout"], twin["set"]) == (
        ["tiktok", "shorts"], "preset", ["presets", "caption_style", "is_title_shown"],
    )  # fmt: skip
    await client.post("/posts/reset")
    assert await posts.wishes("owner") == PostWishes()


async def test_a_choice_that_cannot_be_is_said_on_the_form_and_nothing_is_saved(
    client: httpx.AsyncClient, posts: PostgresPosts
):
    await posts.save("owner", ALL)

    answer = await client.post("/posts", data={"preset": ["<b>"], "caption_style": "karaoke"})

    assert answer.status_code == 400
    assert "there is no preset &#39;&lt;b&gt;&#39;" in answer.text
    assert '<option value="karaoke" selected>' in answer.text
    assert await posts.wishes("owner") == ALL


async def test_foreign_pages_and_endless_forms_change_nothing(
    client: httpx.AsyncClient, posts: PostgresPosts
):
    foreign = {"origin": "https://elsewhere.example"}

    for path in ("/posts", "/posts/reset"):
        assert (await client.post(path, data={"layout": "fit"}, headers=foreign)).status_code == 400
    assert (await client.post("/posts", content=b"layout=" + b"x" * 20_000)).status_code == 400
    assert (await client.post("/posts", content=b"&".join([b"a=1"] * 200))).status_code == 400
    assert (await client.post("/posts", content=b"layout=%ff")).status_code == 400
    assert (await client.get("/posts?session=none")).status_code == 404
    assert await posts.wishes("owner") == PostWishes()
