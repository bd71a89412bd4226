"""The stage as its process puts it together: the real detector, a judge from the settings; its page; forgetting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from coordinator.app.installation import Installation
from coordinator.app.working import ai_work
from coordinator.ingest.forgetting import entomb
from coordinator.jobs.worker import Presence
from coordinator.llm.cache import Cache
from coordinator.model.forgetting import ForgetOrder, went_lines
from coordinator.model.jobs import Queue
from coordinator.model.llm import Candidate, JudgedWindow, Judgement
from coordinator.settings import Config, Llm, LlmProvider
from protos.timebase import SECOND_NS
from tests.fakes.judged_stage import Said, add_session, hear_until, judged_by, look, moments, providers
from tests.fakes.llm_server import LlmServer, running_llm_server
from tests.fakes.running_site import running_site
from tests.fakes.worker_here import put, until, until_ended, working

MATCH = (
    Said(start_s=0, text="we are walking around here"),
    Said(start_s=40, text="oh my god what a goal clip that"),
    Said(start_s=60, text="so back to the shop then"),
)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with running_llm_server() as serving:
        yield serving


async def work_off(pool: asyncpg.Pool, folder: Path, llm: Llm, session: str) -> int:
    """Let the stage look at a session of three minutes; returns how many looks it takes in a batch."""
    await hear_until(pool, session, 180)
    await put(pool, look(session, 18))
    async with contextlib.AsyncExitStack() as stack:
        presence = Presence(pool, worker_id="ai-1", stage="ai")
        work = await ai_work(Installation(folder, Config(llm=llm)), pool, stack, presence)
        async with working(pool, work, presence=presence):
            await until_ended(pool, 1)
            if judge_is_open := work[Queue.AI_ANALYSIS].batch > 1:
                told = "select detail ? 'llm_pressure' from workers where worker_id = 'ai-1'"
                await until(lambda: pool.fetchval(told), "the gate's pressure is told")
    return work[Queue.AI_ANALYSIS].batch if judge_is_open else 1


async def test_what_the_detector_finds_is_judged_and_shown_on_the_page(
    pool: asyncpg.Pool, tmp_path: Path, server: LlmServer
):
    session = await add_session(pool, *MATCH)

    num_at_once = await work_off(pool, tmp_path, Llm(providers=providers(server)), session)

    async with (
        running_site(pool, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client,
    ):
        said = (await client.get(f"/api/sessions/{session}")).json()
        page = (await client.get(f"/sessions/{session}")).text
    [found] = await moments(pool, session)
    [question] = server.questions()
    [candidate] = question["windows"][0]["candidates"]
    assert num_at_once == 10
    assert "what a goal" in candidate["said"]
    assert "owner" not in json.dumps(question)
    assert session not in json.dumps(question)
    assert found["moved"] != 0
    [shown] = said["moments"]
    assert shown["title"] == found["title"]
    assert shown["evidence"][-1]["lane"] == "llm"
    assert said["judge"] == {
        "model": "p0/fake-model", "reason": "", "words": "judged by p0/fake-model",
    }  # fmt: skip
    assert "judged by p0/fake-model" in page
    assert "p0/fake-model rated it" in page


async def test_the_page_says_why_nothing_was_judged(pool: asyncpg.Pool, tmp_path: Path, server: LlmServer):
    session = await add_session(pool, *MATCH)
    server.always = "500"

    await work_off(pool, tmp_path, Llm(providers=providers(server)), session)

    async with (
        running_site(pool, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client,
    ):
        page = (await client.get(f"/sessions/{session}")).text
    assert "not judged by a language model: no provider answered" in page


@pytest.mark.logs("no_language_model")
async def test_settings_that_cannot_be_used_cost_no_look(pool: asyncpg.Pool, tmp_path: Path):
    session = await add_session(pool, *MATCH)
    broken = LlmProvider(name="groq", api_key_file=str(tmp_path / "not-there"))

    assert await work_off(pool, tmp_path, Llm(providers=(broken,)), session) == 1

    assert len(await moments(pool, session)) == 1
    assert await judged_by(pool) == {("", "settings")}


# -- forgetting


def window(user: str) -> JudgedWindow:
    candidate = Candidate(index=0, start_s=0.0, end_s=9.0, score=0.7, kind="loud", said="my secret")
    return JudgedWindow(window_id="w", user_id=user, tier="free", language="en", candidates=(candidate,))


ANSWER = Judgement(adjustments={0: 1.0}, titles={0: "My secret"}, model="p0/fake-model")


async def forget(connection: asyncpg.Connection, session: str) -> dict[str, int]:
    order = ForgetOrder(forget_id=uuid.uuid4().hex, session_id=session, start_ns=0, end_ns=SECOND_NS)
    return (await entomb(connection, order, asked_by="coordinator")).counts


async def test_an_order_to_forget_takes_every_answer_about_its_account_and_no_others(pool: asyncpg.Pool):
    session = await add_session(pool, user="u1", tier="free")
    await add_session(pool, user="u2", tier="free")
    cache = Cache(pool, ["fake-model"])
    await cache.keep([(window("u1"), ANSWER), (window("u2"), ANSWER)])
    assert await cache.find([window("u1")]) != {}

    async with pool.acquire() as connection, connection.transaction():
        counts = await forget(connection, session)

    assert await cache.find([window("u1")]) == {}
    assert await cache.find([window("u2")]) == {"w": ANSWER}
    assert counts["answers"] == 1
    assert "1 answer of a language model" in went_lines(counts)


async def test_an_answer_that_comes_while_or_after_words_are_forgotten_is_not_kept(pool: asyncpg.Pool):
    session = await add_session(pool, user="u1", tier="free")
    cache = Cache(pool, ["fake-model"])

    async with pool.acquire() as connection, connection.transaction():
        await forget(connection, session)
        keeping = asyncio.create_task(cache.keep([(window("u1"), ANSWER)]))
        waits = "select exists (select from pg_locks where not granted and locktype = 'advisory')"
        await until(lambda: pool.fetchval(waits), "the answer waits for the order")
    await keeping
    await cache.keep([(window("u1"), ANSWER)])
    soon = await cache.find([window("u1")])
    await pool.execute("update tombstones set asked_at = now() - interval '11 minutes'")
    await cache.keep([(window("u1"), ANSWER)])

    assert soon == {}
    assert await cache.find([window("u1")]) == {"w": ANSWER}
