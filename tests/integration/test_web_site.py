"""The pages over HTTP, with a real server, a real database and objects on a real disk."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from coordinator.store.connect import connect
from tests.fakes.running_site import RunningSite, running_site
from tests.fakes.seeded_session import HOSTILE, POST_KEY, SESSION_ID, finish_export, seed


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(pool, tmp_path) as running:
        yield running


@pytest.fixture
async def client(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as opened:
        yield opened


@pytest.fixture
async def seeded(pool: asyncpg.Pool) -> None:
    await seed(pool)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# -- what the page says


@pytest.mark.usefixtures("seeded")
async def test_the_json_twin_says_everything(client: httpx.AsyncClient):
    said = (await client.get(f"/api/sessions/{SESSION_ID}")).json()

    assert [moment["moment_id"] for moment in said["moments"]] == [
        "m-ready", "m-failed", "m-pending", "m-gone", "m-quiet",
    ]  # fmt: skip
    states = {
        moment["moment_id"]: (moment["source"]["state"], [export["state"] for export in moment["exports"]])
        for moment in said["moments"]
    }
    assert states == {
        "m-ready": ("uploaded", ["ready"]),
        "m-failed": ("uploaded", ["failed"]),
        "m-pending": ("uploaded", ["pending"]),
        "m-gone": ("unavailable", []),
        "m-quiet": (None, []),
    }
    [ready] = said["moments"][0]["exports"]
    assert (ready["width"], ready["height"], ready["lufs"], ready["captions"]) == (1080, 1920, -14.02, 7)
    # It ended 1:15 into the session and was ready 1:45 into it.
    assert (ready["url"], ready["moment_to_post_s"]) == ("/exports/e-m-ready.mp4", 30.0)
    assert said["presses"][0]["exports"][0]["export_id"] == "e-press"
    assert said["jobs"]["done"] == 2
    assert said["jobs"]["failures"][0]["stage"] == "export"
    assert said["chunks"]["mic"] == {"num": 2, "num_stored": 1, "size_bytes": 2000, "num_missing": 1}
    assert said["gaps"] == [{"lane": "mic", "first": 1, "last": 1, "reason": "the outbox was full"}]


@pytest.mark.usefixtures("seeded")
async def test_the_json_twin_has_the_words_and_who_heard_them(client: httpx.AsyncClient):
    heard = (await client.get(f"/api/sessions/{SESSION_ID}")).json()["transcript"]

    assert [word["text"] for word in heard["words"]] == ["what", HOSTILE, "goal"]
    assert heard["num_words"] == 3
    assert (heard["engine"], heard["reason"]) == ("pocketsphinx", "no Whisper model is at hand")


@pytest.mark.usefixtures("seeded")
async def test_sessions_and_workers_are_listed(client: httpx.AsyncClient):
    sessions = (await client.get("/api/sessions")).json()
    workers = (await client.get("/api/workers")).json()

    assert [(one["session_id"], one["num_moments"]) for one in sessions] == [(SESSION_ID, 5)]
    assert [(one["stage"], one["state"]) for one in workers] == [("transcribe", "ready")]


@pytest.mark.usefixtures("seeded")
async def test_the_page_says_the_same_as_its_twin(client: httpx.AsyncClient):
    twin = (await client.get(f"/api/sessions/{SESSION_ID}")).json()
    page = html.unescape(re.sub(r"\s+", " ", (await client.get("/")).text))

    for moment in twin["moments"]:
        assert f'id="moment-{moment["moment_id"]}"' in page
        assert f"score {moment['score']:.2f}" in page
        for item in moment["evidence"]:
            assert item["note"] in page
    for expected in (
        'src="/exports/e-m-ready.mp4"',
        "1080×1920 · 3.0 s · 7 words · -14.0 LUFS",
        "vertical failed: the upload is cut off after 3 MB",
        "vertical is being rendered…",
        "Full quality: unavailable: the ring had moved on",
        "Your press at 0:40",
        "mic: chunks 1–1 never came (the outbox was full)",
        "3 words heard by pocketsphinx",
        '2 jobs done, <span class="problem">1 failed</span>',
    ):
        assert expected in page


@pytest.mark.usefixtures("seeded")
async def test_a_post_of_what_a_clip_was_before_says_so_beside_what_the_clip_waits_for(
    client: httpx.AsyncClient, pool: asyncpg.Pool
):
    await finish_export(pool, "e-press")
    await pool.execute("update source_requests set state = 'replaced' where request_id = 'r-press'")
    await pool.execute(
        "insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, state, object_key,"
        " expires_at) values ('r-grown', $1, 'k1', 0, 1, 'pinned', 'source', now())",
        SESSION_ID,
    )

    [press] = (await client.get(f"/api/sessions/{SESSION_ID}")).json()["presses"]
    page = html.unescape(re.sub(r"\s+", " ", (await client.get("/")).text))
    card = page[page.index('id="press-k1"') :].split("</article>")[0]

    assert (press["source"]["state"], [post["is_earlier"] for post in press["exports"]]) == ("pinned", [True])
    assert "before the clip changed · vertical · 1080×1920" in card
    assert "Full quality: pinned" in card


@pytest.mark.usefixtures("seeded")
async def test_hostile_titles_are_shown_and_not_run(client: httpx.AsyncClient):
    for path in ("/", f"/sessions/{SESSION_ID}/cards"):
        page = (await client.get(path)).text

        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


async def test_before_the_first_session_the_page_says_what_to_do(client: httpx.AsyncClient):
    page = (await client.get("/")).text

    assert "Nothing has been streamed here yet" in page


async def test_a_loudness_of_minus_infinity_is_unknown(client: httpx.AsyncClient, pool: asyncpg.Pool):
    await seed(pool)
    await pool.execute("update exports set lufs = '-Infinity' where export_id = 'e-m-ready'")

    said = (await client.get(f"/api/sessions/{SESSION_ID}")).json()

    assert said["moments"][0]["exports"][0]["lufs"] is None
    assert (await client.get("/")).status_code == 200


# -- what it refuses


async def test_only_this_machines_own_names_are_served(client: httpx.AsyncClient):
    hosts = {
        "127.0.0.1": 200,
        "127.0.0.1:7844": 200,
        "localhost:7844": 200,
        "[::1]:7844": 200,
        "evil.example": 400,
        "127.0.0.1.evil.example": 400,
        "localhost.evil.example:7844": 400,
    }

    answers = {host: (await client.get("/healthz", headers={"Host": host})).status_code for host in hosts}

    assert answers == hosts


async def test_every_answer_forbids_foreign_scripts_and_frames(client: httpx.AsyncClient):
    for path in ("/", "/api/sessions", "/static/page.js", "/sessions/none", "/nowhere"):
        headers = (await client.get(path)).headers

        assert headers["content-security-policy"].startswith("default-src 'self';"), path
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_what_is_not_there_is_a_typed_404(client: httpx.AsyncClient):
    for path in (
        "/sessions/none",
        "/sessions/none/cards",
        "/api/sessions/none",
        "/exports/none.mp4",
        # PostgreSQL takes no NUL, and no page should take any of these.
        "/api/sessions/%00",
        "/exports/%ff%00.mp4",
        "/api/sessions/" + "x" * 2_000,
        "/api/sessions/%27%3B%20drop%20table%20moments",
    ):
        answer = await client.get(path)

        assert error_of(answer) == (404, "not_found"), path
        assert set(answer.json()["error"]) == {"code", "message", "retryable"}


@pytest.mark.usefixtures("seeded")
async def test_a_post_that_is_not_ready_is_not_there(client: httpx.AsyncClient):
    assert error_of(await client.get("/exports/e-m-pending.mp4")) == (404, "not_found")


@pytest.mark.usefixtures("seeded")
async def test_a_post_whose_file_is_gone_is_not_there(client: httpx.AsyncClient):
    assert error_of(await client.get("/exports/e-m-ready.mp4")) == (404, "not_found")


@pytest.mark.logs("request_failed")
async def test_a_database_that_is_down_is_a_typed_503(database_url: str, tmp_path: Path):
    pool = await connect(database_url)
    await pool.close()
    async with (
        running_site(pool, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False) as client,
    ):
        for path in ("/", "/api/sessions", f"/sessions/{SESSION_ID}/cards", "/exports/e.mp4"):
            answer = await client.get(path)

            assert error_of(answer) == (503, "database_unavailable")
            assert answer.json()["error"]["retryable"] is True
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.logs("request_failed")
async def test_a_database_that_refuses_connections_is_a_typed_503(tmp_path: Path):
    # min_size 0: made without a server; nobody listens on the socket's folder.
    pool = asyncpg.create_pool(host=str(tmp_path), user="clippy", database="none", min_size=0, timeout=2)
    await pool
    async with (
        running_site(pool, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, trust_env=False) as client,
    ):
        assert error_of(await client.get("/")) == (503, "database_unavailable")
    await pool.close()


@pytest.mark.logs("request_failed")
async def test_readiness_is_what_the_composition_root_says(client: httpx.AsyncClient, site: RunningSite):
    assert (await client.get("/readyz")).status_code == 200

    site.is_ready = False

    assert error_of(await client.get("/readyz")) == (503, "database_unavailable")


# -- objects out


@pytest.mark.usefixtures("seeded")
async def test_a_part_of_a_post_is_answered_as_a_part(client: httpx.AsyncClient, site: RunningSite):
    content = bytes(range(256)) * 100
    await site.objects.put(POST_KEY, content)

    answer = await client.get("/exports/e-m-ready.mp4", headers={"Range": "bytes=1000-1999"})

    assert (answer.status_code, answer.content) == (206, content[1000:2000])
    assert answer.headers["content-range"] == f"bytes 1000-1999/{len(content)}"
    assert answer.headers["content-type"] == "video/mp4"


async def test_an_object_is_had_by_its_signed_address(client: httpx.AsyncClient, site: RunningSite):
    await site.objects.put("a/b.mp4", b"film")

    assert (await client.get(site.objects.sign_get("a/b.mp4", expires_in_s=60))).content == b"film"
    assert error_of(await client.get("/objects/a/b.mp4")) == (403, "link_invalid")


async def test_an_address_that_signs_another_object_is_refused(client: httpx.AsyncClient, site: RunningSite):
    await site.objects.put("a/c.mp4", b"film")
    query = site.objects.sign_get("a/b.mp4", expires_in_s=60).split("?")[1]

    for path in ("a/c.mp4", "../objects.secret", "%2e%2e/x", "a/%00"):
        assert (await client.get(f"/objects/{path}?{query}")).status_code in (403, 404)


async def test_health_does_not_need_the_database(client: httpx.AsyncClient):
    answers = await asyncio.gather(*(client.get("/healthz") for _ in range(20)))

    assert {answer.text for answer in answers} == {"ok"}
