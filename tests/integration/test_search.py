"""What was said is found by its words, by its owner alone, until it is forgotten. On a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from coordinator.errors import InputUnusable, NotFound
from coordinator.ingest.forgetting import entomb
from coordinator.model.forgetting import ForgetOrder
from coordinator.model.sessions import Said
from coordinator.search.find import find
from coordinator.search.index import PostgresUtterances
from protos.timebase import SECOND_NS
from tests.fakes.running_site import running_site

MIC = 1


async def begin(pool: asyncpg.Pool, user_id: str, session_id: str) -> None:
    await pool.execute("insert into accounts (user_id, name) values ($1, $1) on conflict do nothing", user_id)
    await pool.execute(
        "insert into agents (agent_id, user_id) values ($1, $2) on conflict do nothing",
        f"pc-{user_id}",
        user_id,
    )
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, $2, $3, now())",
        session_id,
        user_id,
        f"pc-{user_id}",
    )


async def say(pool: asyncpg.Pool, session_id: str, *texts: str, seq: int = 0) -> None:
    """A chunk of 10 s with these utterances."""
    start_ns = seq * 10 * SECOND_NS
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place) "
            "values ($1, $2, $3, $4, $5, 'x', '', 1, 'spool:a/00000001/0/7') on conflict do nothing",
            session_id, MIC, seq, start_ns, start_ns + 10 * SECOND_NS,
        )  # fmt: skip
        said = [
            Said(start_ns=start_ns + at * SECOND_NS, end_ns=start_ns + (at + 1) * SECOND_NS, text=text)
            for at, text in enumerate(texts)
        ]
        await PostgresUtterances().add(connection, session_id, MIC, seq, said)


async def texts(pool: asyncpg.Pool, user_id: str, query: str, **how: int) -> list[str]:
    return [hit.said for hit in (await find(pool, user_id, query, **how)).hits]


@pytest.fixture
async def page(stream: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_site(stream, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client,
    ):
        yield client


@pytest.fixture
async def stream(pool: asyncpg.Pool) -> asyncpg.Pool:
    await begin(pool, "ann", "s1")
    await say(pool, "s1", "Messi scores again", "what a goal by Messi, what a goal", "the café was closed")
    await say(pool, "s1", "we go again", "ゴールだ", seq=1)
    return pool


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("closed", ["the café was closed"]),
        ("CAFE", ["the café was closed"]),
        ("mess", ["Messi scores again", "what a goal by Messi, what a goal"]),
        ("messi again", ["Messi scores again"]),
        ('"a goal"', ["what a goal by Messi, what a goal"]),
        ('"goal a"', []),
        ("ゴール", ["ゴールだ"]),
        ("goa", ["what a goal by Messi, what a goal"]),
        ("zzzz", []),
    ],
)
async def test_words_beginnings_and_phrases_are_found(stream, query, found):
    assert sorted(await texts(stream, "ann", query)) == sorted(found)


async def test_a_hit_says_when_and_where_it_was_said(stream):
    (hit,) = (await find(stream, "ann", "closed")).hits

    assert (hit.session_id, hit.start_ns, hit.end_ns) == ("s1", 2 * SECOND_NS, 3 * SECOND_NS)
    assert hit.moment_id is hit.export_id is hit.title is None


async def test_a_hit_names_its_moment_and_its_post(stream):
    await stream.execute(
        "insert into moments values ('m1', 's1', 0, 5000000000, 1, 0.9, 'score', 'Goal', '[]')"
    )
    await stream.execute(
        "insert into source_requests (request_id, session_id, moment_id, start_ns, end_ns, object_key, expires_at) "
        "values ('r1', 's1', 'm1', 0, 5000000000, 'k', now())"
    )
    await stream.execute("insert into clips values ('c1', 's1', 'm1', 'r1', 'k', 0, 5000000000, 1, 1)")
    await stream.execute(
        "insert into exports (export_id, clip_id, preset, state, ready_at) "
        "values ('e1', 'c1', 'vertical', 'ready', now())"
    )

    (hit,) = (await find(stream, "ann", "closed")).hits

    assert (hit.moment_id, hit.title, hit.export_id) == ("m1", "Goal", "e1")


@pytest.mark.parametrize(("query", "meant"), [("mesi", "messi"), ("gaol", "goal"), ("scoers", "scores")])
async def test_a_slip_is_understood_and_said(stream, query, meant):
    found = await find(stream, "ann", query)

    assert meant in found.meant[query]
    assert all(meant in hit.said.lower() for hit in found.hits)
    assert found.hits


async def test_where_nothing_has_all_words_some_do(stream):
    found = await find(stream, "ann", "closed goal")

    assert found.is_any
    assert {hit.said for hit in found.hits} == {"the café was closed", "what a goal by Messi, what a goal"}


async def test_whole_words_come_before_beginnings(stream):
    await say(stream, "s1", "the messiness of it", "messi", seq=2)

    assert (await texts(stream, "ann", "messi"))[-1] == "the messiness of it"


async def test_another_accounts_words_never_appear(stream):
    await begin(stream, "bob", "s2")
    await say(stream, "s2", "bob has a secret")

    assert await texts(stream, "ann", "secret") == []
    assert await texts(stream, "ann", "secrte") == []
    assert "secret" not in str((await find(stream, "ann", "secrte")).meant)
    assert await texts(stream, "bob", "secret") == ["bob has a secret"]
    assert await texts(stream, "bob", "messi") == []


async def test_the_database_itself_shows_a_search_no_other_account(stream):
    await begin(stream, "bob", "s2")
    await say(stream, "s2", "bob has a secret")

    async with stream.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('clippy.user_id', 'ann', true)")
        await connection.execute("set local role clippy_reader")
        said = [row["said"] for row in await connection.fetch("select said from utterances")]
        assert len(said) == 5
        assert "bob has a secret" not in said
        await connection.execute("select set_config('clippy.user_id', '', true)")
        assert await connection.fetch("select said from utterances") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from utterance_index")


async def test_a_connection_that_searched_is_itself_again(stream):
    async with stream.acquire() as connection:
        await connection.execute("select 1")
    await find(stream, "ann", "closed")

    # Of a pool of few, the same connection comes again.
    assert await stream.fetchval("select current_user") == await stream.fetchval("select session_user")
    assert await stream.fetchval("select count(*) from utterance_index") == 5


async def test_what_was_heard_twice_is_found_once(stream):
    await say(stream, "s1", "we go again", "ゴールだ", seq=1)

    assert await texts(stream, "ann", "we") == ["we go again"]


async def test_a_common_word_is_found_among_the_newest(stream):
    for seq in range(2, 30):
        await say(stream, "s1", *(f"again and again {seq} {number}" for number in range(8)), seq=seq)

    assert len(await texts(stream, "ann", "again", limit=50)) == 50
    assert await texts(stream, "ann", '"we go again"') == ["we go again"]


async def test_what_is_forgotten_is_found_no_more_and_its_words_are_not_offered(stream):
    async with stream.acquire() as connection, connection.transaction():
        await entomb(
            connection,
            ForgetOrder(forget_id="f" * 32, session_id="s1", start_ns=0, end_ns=9 * SECOND_NS),
            asked_by="coordinator",
        )

    assert await texts(stream, "ann", "messi") == []
    assert (await find(stream, "ann", "mesi")).meant == {}
    assert await texts(stream, "ann", "again") == ["we go again"]
    words = {row["word"] for row in await stream.fetch("select word from search_words")}
    assert words == {"again"}


@pytest.mark.parametrize("query", ["", "'); drop table utterances; --", "\x00", "a" * 201])
async def test_what_is_no_question_is_refused(stream, query):
    if query.startswith("'"):
        await find(stream, "ann", query)
        assert await texts(stream, "ann", "closed")
        return
    with pytest.raises(InputUnusable):
        await find(stream, "ann", query)


async def test_an_account_that_is_not_there_is_said(stream):
    with pytest.raises(NotFound):
        await find(stream, "carl", "goal")


# -- the page and its JSON


async def test_the_page_shows_hits_of_the_session_it_came_from(page: httpx.AsyncClient):
    shown = await page.get("/search", params={"q": "closed", "session": "s1"})

    assert shown.status_code == 200
    assert "the café was closed" in shown.text
    assert 'href="/sessions/s1"' in shown.text


async def test_what_was_said_and_asked_cannot_become_a_script(stream, page: httpx.AsyncClient):
    await say(stream, "s1", "<script>alert(1)</script> closed", seq=3)

    shown = await page.get("/search", params={"q": 'closed "<script>', "session": "s1"})

    assert "<script>alert" not in shown.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; closed" in shown.text
    assert 'value="closed &#34;&lt;script&gt;"' in shown.text


async def test_the_json_names_the_account_and_refuses_what_it_cannot_read(page: httpx.AsyncClient):
    found = (await page.get("/api/search", params={"q": "mesi", "user": "ANN"})).json()

    assert found["meant"] == {"mesi": ["messi"]}
    assert {hit["said"] for hit in found["hits"]} == {
        "Messi scores again",
        "what a goal by Messi, what a goal",
    }
    assert (await page.get("/api/search", params={"q": "mesi"})).json()[
        "hits"
    ] == []  # the owner said nothing
    for bad in (
        {"q": ""},
        {"q": "a", "limit": "x"},
        {"q": "a", "user": "nobody"},
        {"q": "a", "session": "\x00"},
    ):
        answer = await page.get("/api/search", params=bad)
        assert answer.status_code in (400, 404, 422), bad
        assert answer.json()["error"]["message"]


async def test_the_page_says_what_cannot_be_looked_for(page: httpx.AsyncClient):
    assert "say a word to look for" in (await page.get("/search", params={"q": "!!"})).text
    assert "Nobody said that." in (await page.get("/search", params={"q": "zebra", "session": "s1"})).text
