"""When things expire, as the page and the command line say it, and how a moment is kept there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from coordinator.cli import main
from coordinator.ingest.server import LinkServer
from tests.fakes.aged_stream import PRESSED, Rounds, aged_stream, make_older, there
from tests.fakes.link_parts import Site
from tests.fakes.running_site import running_site


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Of pages that know: free 12 h, pro never."""
    async with (
        running_site(site.pool, site.folder) as running,
        httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=20) as opened,
    ):
        yield opened


async def said(client: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    """The JSON of a session: its own expiry, and its moments' by their beginning."""
    answer: dict[str, Any] = (await client.get(f"/api/sessions/{session_id}")).json()
    return {"session": answer["expiry"]} | {
        moment["start_s"]: moment["expiry"] for moment in answer["moments"]
    }


async def test_a_card_says_when_its_moment_expires_and_keep_keeps_it(
    site: Site, server: LinkServer, client: httpx.AsyncClient
):
    stream = await aged_stream(site, server, hours=0.5)

    words = (await said(client, stream.session_id))[45.0]["words"]
    page = (await client.get(f"/sessions/{stream.session_id}")).text
    assert words == "expires in 11 h, unless you keep it" and words in page
    assert "What is not kept expires in 11 h." in page
    kept = await client.post(
        f"/moments/{stream.mark('moment-45')}/keep", headers={"Origin": str(client.base_url).rstrip("/")}
    )
    assert kept.status_code < 400
    assert (await said(client, stream.session_id))[45.0] == {
        "in_s": None,
        "words": "kept: it does not expire",
    }
    await make_older(site.pool, stream.session_id, 12)
    await Rounds(site=site).once()

    after = await said(client, stream.session_id)
    assert set(after) == {"session", 45.0}
    assert after["session"]["words"] == "What was not kept has expired."
    page = (await client.get(f"/sessions/{stream.session_id}")).text
    assert "never came" not in page and "<video" in page
    posts = [part.split('"')[0] for part in page.split('src="/exports/')[1:]]
    assert len(posts) == 2
    for post in posts:
        assert (await client.get(f"/exports/{post}")).status_code == 200


async def test_a_post_that_was_made_later_says_so_and_a_live_session_has_its_hours_before_it(
    site: Site, server: LinkServer, client: httpx.AsyncClient
):
    stream = await aged_stream(site, server, hours=6.5)
    await site.pool.execute(
        "update clips set created_at = now() where moment_id = $1", stream.mark("moment-45")
    )

    found = await said(client, stream.session_id)
    assert found["session"]["words"] == "What is not kept expires in 5 h."
    assert found[5.0]["words"].startswith("expires in 5 h")
    assert found[45.0]["words"].startswith("expires in 11 h")
    await site.pool.execute("update sessions set is_live = true, is_over = false, ended_at = null")
    found = await said(client, stream.session_id)

    assert found["session"] == {
        "in_s": None,
        "words": "What is not kept expires 12 h after the session's end.",
    }
    assert found[5.0]["words"] == ""


@pytest.mark.parametrize(("user_id", "tier"), [("owner", "free"), ("u1", "pro")])
async def test_where_nothing_expires_nothing_is_said_of_it(
    site: Site, server: LinkServer, client: httpx.AsyncClient, user_id: str, tier: str
):
    stream = await aged_stream(site, server, user_id=user_id, tier=tier)

    found = await said(client, stream.session_id)

    assert {value["words"] for value in found.values()} == {""}


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What a command prints with --json."""
    assert main([*words, "--json"]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


async def test_a_dry_run_says_what_a_round_then_deletes_and_deletes_nothing(
    site: Site,
    server: LinkServer,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
):
    streams = [await aged_stream(site, server, hours=hours) for hours in (20, 13, 1)]
    own = await aged_stream(site, server, user_id="owner")
    (site.folder / "database.url").write_text(database_url)
    verb = ["--data", str(site.folder), "retention"]
    await site.pool.execute("update source_requests set size_bytes = 1000000")

    kept = await asyncio.to_thread(answer, capsys, *verb, "--keep", streams[0].mark("moment-45"))
    dry = await asyncio.to_thread(answer, capsys, *verb, "--dry-run")
    before = await asyncio.to_thread(answer, capsys, *verb)
    assert kept["is_kept"] and kept["session_id"] == streams[0].session_id
    assert [one["session_id"] for one in dry["sessions"]] == [one.session_id for one in streams[:2]]
    assert dry["is_all"] and dry["total"]["num_bytes"] > 5_000_000
    assert before["hours"] == {"free": 12, "pro": 48, "business": 168}
    assert before["sessions"]["num_overdue"] == 2 and before["sessions"]["oldest_s"] > 7 * 3600
    assert "moment-5" in await there(streams[0])
    await Rounds(site=site).once()
    after = await asyncio.to_thread(answer, capsys, *verb)

    assert after["sessions"]["num_overdue"] == after["objects"]["num"] == 0
    [day] = after["days"]
    names = ("num_chunks", "num_moments", "num_clips", "num_posts")
    assert {name: day[name] for name in names} == {name: dry["total"][name] for name in names}
    assert day["num_sessions"] == 2
    assert await there(streams[1]) == set(PRESSED)
    assert {"moment-5"} <= await there(own)
    for options in ([], ["--dry-run"], ["--let-go", streams[0].mark("moment-45")], ["--dry-run"]):
        assert await asyncio.to_thread(main, [*verb, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("what nobody kept expires after: free 12 h, pro 48 h, business 168 h")
    assert "nothing would go now" in lines and lines[-1].startswith(
        "1 sessions would go: 2 chunks, 1 moments"
    )
