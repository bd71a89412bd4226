"""The page in a real browser: it plays, it moves with what happens, and it leaves alone what somebody watches."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from PIL import Image

from coordinator.model.sessions import Said
from coordinator.search.index import PostgresUtterances
from protos.timebase import SECOND_NS
from tests.fakes.flash_clip import write_clip
from tests.fakes.running_site import RunningSite, running_site
from tests.fakes.seeded_session import POST_KEY, SESSION_ID, finish_export, seed

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WITHIN_MS = 20_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="not installed: playwright"),
    pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium"),
]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of a vertical post."""
    path = tmp_path_factory.mktemp("film") / "post.mp4"
    return write_clip(path, duration_s=10, size=(1080, 1920), fps=10).read_bytes()


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path, film: bytes) -> AsyncIterator[RunningSite]:
    async with running_site(pool, tmp_path) as running:
        await running.objects.put(POST_KEY, film)
        yield running


@pytest.fixture
async def page(site: RunningSite) -> AsyncIterator[Any]:
    """A tab; what the browser itself complains of (CSP, scripts) fails the test."""
    from playwright.async_api import async_playwright

    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        tab.set_default_timeout(WITHIN_MS)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on(
            "console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None
        )
        yield tab
        await browser.close()
    assert complaints == []


async def play(page: Any, card: str) -> None:
    """Play the post of a card, without sound: browsers let nobody but the user start sound."""
    await page.evaluate(
        """(id) => {
            window.watched = document.querySelector(`#${id} video`);
            window.watched.muted = true;
            return window.watched.play();
        }""",
        card,
    )
    await until(page, "window.watched.currentTime > 0.3")


async def until(page: Any, condition: str) -> None:
    """Poll from here: the page's own policy forbids the browser to evaluate strings."""
    async with asyncio.timeout(WITHIN_MS / 1000):
        while not await page.evaluate(condition):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)


async def test_a_post_plays_on_the_page(page: Any, pool: asyncpg.Pool, site: RunningSite):
    await seed(pool)
    await page.goto(site.url)

    await play(page, "moment-m-ready")

    assert await page.evaluate("[window.watched.videoWidth, window.watched.videoHeight]") == [1080, 1920]


async def test_the_page_moves_and_a_playing_post_is_left_alone(
    page: Any, pool: asyncpg.Pool, site: RunningSite
):
    await seed(pool)
    await page.goto(site.url)
    await play(page, "moment-m-ready")

    await finish_export(pool, "e-m-pending")
    await pool.execute("update moments set score = 0.99 where moment_id = 'm-ready'")
    await pool.execute("update job_runs set state = 'done' where state = 'running'")
    await page.wait_for_selector("#moment-m-pending video", state="attached")

    await page.wait_for_selector("#summary:has-text('3 jobs done')")
    assert await page.evaluate("document.querySelector('#moment-m-ready video') === window.watched")
    assert await page.evaluate("!window.watched.paused && window.watched.isConnected")


async def test_a_moment_that_is_withdrawn_leaves_the_page(page: Any, pool: asyncpg.Pool, site: RunningSite):
    await seed(pool)
    await page.goto(site.url)
    await page.wait_for_selector("#moment-m-quiet")

    await pool.execute("delete from moments where moment_id = 'm-quiet'")

    await page.wait_for_selector("#moment-m-quiet", state="detached")
    assert await page.locator("#moment-m-gone").count() == 1


async def test_the_first_session_appears_by_itself(page: Any, pool: asyncpg.Pool, site: RunningSite):
    await page.goto(site.url)
    await page.wait_for_selector("#waiting")

    await seed(pool)

    await page.wait_for_selector("#moment-m-ready")


async def test_a_coordinator_that_does_not_answer_is_said_and_forgotten(
    page: Any, pool: asyncpg.Pool, site: RunningSite
):
    await seed(pool)
    await page.goto(site.url)

    await page.context.set_offline(True)
    await page.wait_for_selector("#trouble:has-text('does not answer')")
    await page.context.set_offline(False)
    await page.wait_for_selector("#trouble", state="hidden")


async def test_nothing_is_cut_off_on_a_phone(page: Any, pool: asyncpg.Pool, site: RunningSite):
    await seed(pool)
    await page.set_viewport_size({"width": 360, "height": 740})

    await page.goto(site.url)

    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_what_was_said_is_found_from_the_page_and_leads_back_to_its_session(
    pool: asyncpg.Pool, site: RunningSite, page: Any
):
    await seed(pool)
    async with pool.acquire() as connection, connection.transaction():
        said = [
            Said(start_ns=60 * SECOND_NS, end_ns=62 * SECOND_NS, text="what a goal by number nine"),
            Said(start_ns=70 * SECOND_NS, end_ns=71 * SECOND_NS, text="<b>goal</b> kick"),
        ]
        await PostgresUtterances().add(connection, SESSION_ID, 1, 0, said)
    await page.goto(f"{site.url}/sessions/{SESSION_ID}")

    await page.get_by_role("searchbox").fill("gaol")
    await page.keyboard.press("Enter")

    hits = page.locator(".hits li")
    await hits.first.wait_for()
    assert await hits.count() == 2
    assert await page.get_by_text("<b>goal</b> kick").count() == 1
    assert await page.get_by_text("Nobody said gaol; looked for goal.").count() == 1
    await hits.first.get_by_role("link").first.click()
    await page.wait_for_url(f"**/sessions/{SESSION_ID}")


async def test_how_posts_look_is_chosen_by_keyboard_and_holds(
    pool: asyncpg.Pool, site: RunningSite, page: Any
):
    await seed(pool)
    await page.goto(f"{site.url}/sessions/{SESSION_ID}")
    await page.get_by_role("link", name="how posts look").click()

    await page.get_by_role("checkbox", name="tiktok").press("Space")
    await page.get_by_role("checkbox", name="discord Discord without").press("Space")
    await page.get_by_label("Captions").select_option("karaoke")
    await page.get_by_label("The moment's title").select_option("show")
    await page.get_by_role("button", name="Save").press("Enter")

    await page.get_by_role("status").filter(has_text="Saved.").wait_for()
    row = await pool.fetchrow(
        "select user_id, presets, caption_style, layout, is_title_shown from post_settings"
    )
    assert tuple(row) == ("owner", ["discord", "tiktok"], "karaoke", None, True)
    assert await page.get_by_role("checkbox", name="tiktok").is_checked()
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.get_by_role("button", name="Everything as configured").click()
    await until(page, "document.querySelectorAll(':checked[type=checkbox]').length === 0")


async def test_a_moment_is_kept_and_skipped_from_its_card(pool: asyncpg.Pool, site: RunningSite, page: Any):
    await seed(pool)
    await page.goto(f"{site.url}/sessions/{SESSION_ID}")

    await page.locator("#moment-m-ready").get_by_role("button", name="Skip").click()

    await page.wait_for_selector("#moment-m-ready button[aria-pressed=true]:has-text('Skip')")
    assert await pool.fetchval("select kind from verdicts") == "skip"


async def test_one_more_post_is_asked_for_on_its_card(pool: asyncpg.Pool, site: RunningSite, page: Any):
    await seed(pool)
    await page.goto(f"{site.url}/sessions/{SESSION_ID}")
    card = page.locator("#moment-m-ready")

    await card.get_by_role("combobox", name="One more post").select_option("square")
    # A choice stands while somebody makes it, whatever changes meanwhile.
    await card.get_by_role("combobox").focus()
    await pool.execute("update job_runs set state = 'done' where state = 'running'")
    await page.wait_for_selector("#summary:has-text('3 jobs done')")
    assert await card.get_by_role("combobox").input_value() == "square"
    await card.get_by_role("button", name="Make it").click()

    await page.wait_for_selector("#moment-m-ready:has-text('square is being rendered')")
    assert await pool.fetchval("select state from exports where preset = 'square'") == "pending"
    assert page.url.endswith("#moment-m-ready")


async def test_a_watermark_is_given_on_the_page_and_a_bad_one_is_told(
    pool: asyncpg.Pool, site: RunningSite, page: Any, tmp_path: Path
):
    Image.new("RGB", (200, 100), (255, 0, 0)).save(tmp_path / "mark.png")
    await page.goto(f"{site.url}/posts")
    section = page.get_by_role("region", name="Watermark")

    await section.get_by_label("A file for it").set_input_files(
        {"name": "mark.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    await section.get_by_role("button", name="Use it").click()
    await page.get_by_text("it is no PNG, WebP or JPEG").wait_for()
    await section.get_by_label("A file for it").set_input_files(tmp_path / "mark.png")
    await section.get_by_role("button", name="Use it").click()

    await section.get_by_text("200×100").wait_for()
    await section.get_by_role("button", name="Remove").click()
    await section.get_by_text("None.").wait_for()
    assert await pool.fetch("select * from brand_parts") == []
