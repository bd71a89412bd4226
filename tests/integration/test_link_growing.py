"""A clip that grows, from the agent's outbox over the link to its posts and back into the agent's library."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from agent.library.library import Library
from agent.model.clips import ClipFile, SavedClip, SourceWish
from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from agent.uplink.press_telling import tell_change, tell_press
from agent.uplink.source_fulfiller import SourceFulfiller, SourceHooks
from agent.uplink.wishes import WishBook
from coordinator.app.serving import press_effect
from coordinator.ingest.events import FollowUps
from coordinator.store.rows import PostgresRows
from protos.clippy.v1 import clips_pb2
from protos.timebase import SECOND_NS
from tests.fakes.link_parts import Site, eventually, make_site, new_session_id
from tests.fakes.plain_media import plain_result

CLIP = SavedClip(
    clip_id="k1", session_id="", path="/clips/a.mp4", start_ns=6 * SECOND_NS, end_ns=10 * SECOND_NS,
    latency_ms=90, trigger="key", size_bytes=1, created_unix_ms=1,
)  # fmt: skip


class Agent:
    """Its outbox, its link, what it was asked for, and its library. Files are made at once, and go nowhere."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.session_id = new_session_id()
        self.outbox = Outbox(folder / "outbox.db")
        self.outbox.start_session(self.session_id, 1)
        self.library = Library(folder / "library.db")
        self.clip = dataclasses.replace(CLIP, session_id=self.session_id)
        self.wishes: dict[str, SourceWish] = {}
        self.pinned: list[str] = []
        self.released: list[str] = []
        hooks = SourceHooks(
            pin=lambda wish: self.pinned.append(wish.request_id),
            make_exact=self._make,
            release=lambda wish, _clip: self.released.append(wish.request_id),
            wait_reason=lambda _wish: "on a metered line",
        )
        self.fulfiller = SourceFulfiller(WishBook(self.outbox), hooks)
        self.link = site.client(
            self.outbox,
            hooks=LinkHooks(on_source_request=self._take, on_export=self.library.upsert_export),
        )

    def _take(self, wish: SourceWish) -> None:
        self.wishes[wish.request_id] = wish
        self.fulfiller.submit(wish)

    def _make(self, wish: SourceWish) -> ClipFile:
        raise AssertionError(f"{wish.request_id} waits")

    def start(self) -> None:
        self.fulfiller.start()
        self.link.start()

    async def stop(self) -> None:
        await asyncio.to_thread(self.fulfiller.stop)
        await asyncio.to_thread(self.link.stop)
        self.outbox.close()
        self.library.close()

    def grow(self, start_s: int) -> None:
        """The clip was pressed again, and was written longer."""
        self.clip = dataclasses.replace(self.clip, start_ns=start_s * SECOND_NS)
        tell_change(self.outbox, self.session_id, read=lambda: self.clip)

    def posts(self) -> list[clips_pb2.Export]:
        return list(self.library.exports_of_clip("k1"))


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    site = await make_site(tmp_path, pool)
    server = await site.start(follow_ups=FollowUps(after_press=press_effect(pool, is_exported=True)))
    yield site
    await server.stop()


@pytest.fixture
async def agent(site: Site, tmp_path: Path) -> AsyncIterator[Agent]:
    agent = Agent(site, tmp_path)
    agent.start()
    yield agent
    await agent.stop()


async def seed_post(pool: asyncpg.Pool, request_id: str, *, name: str, state: str) -> None:
    """A post of what was asked for, as its stages write it."""
    await pool.execute(
        "insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)"
        " select $2, session_id, request_id, $2, start_ns, end_ns, 1, 1 from source_requests where request_id = $1",
        request_id, f"c-{name}",
    )  # fmt: skip
    await pool.execute(
        "insert into exports (export_id, clip_id, preset, state, object_key) values ($1, $2, 'vertical', $3, $1)",
        f"e-{name}", f"c-{name}", state,
    )  # fmt: skip


async def test_what_is_asked_for_follows_the_clip_and_ends_what_was_asked_before(site: Site, agent: Agent):
    tell_press(agent.outbox, agent.session_id, agent.clip, 10 * SECOND_NS)
    await eventually(lambda: len(agent.pinned) == 1, what="the first span is pinned")

    agent.grow(2)
    await eventually(lambda: len(agent.pinned) == 2, what="the second span is pinned")

    old, new = agent.pinned
    assert (agent.wishes[new].start_ns, agent.wishes[new].replaces) == (2 * SECOND_NS, (old,))
    await eventually(lambda: agent.released == [old], what="the first is let go")
    assert [item.wish.request_id for item in WishBook(agent.outbox).open()] == [new]
    await eventually(lambda: not agent.outbox.file.rows("select 1 from events where kind = 'reply'"))
    states = await site.pool.fetch("select request_id, state from source_requests")
    assert {tuple(row) for row in states} == {(old, "replaced"), (new, "pinned")}


async def test_a_clip_that_grew_while_the_coordinator_was_away_is_asked_for_once(site: Site, tmp_path: Path):
    agent = Agent(site, tmp_path)
    tell_press(agent.outbox, agent.session_id, agent.clip, 10 * SECOND_NS)
    agent.grow(4)
    agent.grow(2)

    agent.start()
    await eventually(lambda: len(agent.pinned) == 1)
    await agent.stop()

    rows = await site.pool.fetch("select start_ns, state from source_requests")
    assert [row["start_ns"] for row in rows] == [2 * SECOND_NS]


async def test_the_app_has_the_post_of_the_clip_as_it_is_and_until_then_the_one_before(
    site: Site, agent: Agent
):
    pool = site.pool
    tell_press(agent.outbox, agent.session_id, agent.clip, 10 * SECOND_NS)
    await eventually(lambda: len(agent.pinned) == 1)
    await pool.execute("update source_requests set state = 'uploaded'")
    await seed_post(pool, agent.pinned[0], name="old", state="ready")
    await eventually(lambda: [post.state for post in agent.posts()] == ["ready"], what="the first post")

    agent.grow(2)
    await eventually(lambda: len(agent.pinned) == 2)
    await seed_post(pool, agent.pinned[1], name="new", state="pending")
    await eventually(
        lambda: (
            {(post.export_id, post.state) for post in agent.posts()}
            == {("e-old", "ready"), ("e-new", "pending")}
        )
    )
    await PostgresRows(pool).finish_export("e-new", "e-new", plain_result(Path("x"), "vertical"))

    await eventually(
        lambda: [(post.export_id, post.state) for post in agent.posts()] == [("e-new", "ready")],
        what="the newer one alone",
    )
