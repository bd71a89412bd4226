"""A server that ends idle connections, and whoever is handed one of them in the moment between goodbye and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from coordinator.errors import DatabaseUnavailable
from coordinator.ingest.database import fetch, transaction
from coordinator.ingest.notices import LinkNotices
from coordinator.store.connect import connect
from tests.fakes.link_parts import eventually
from tests.fakes.postgres_proxy import PostgresProxy, postgres_proxy


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(database_url) as proxy:
        yield proxy


@pytest.fixture
async def pool(proxy: PostgresProxy) -> AsyncIterator[asyncpg.Pool]:
    """Of two connections at most, by way of the proxy."""
    opened = await connect(proxy.url, max_connections=2)
    try:
        yield opened
    finally:
        opened.terminate()


async def after_goodbye(proxy: PostgresProxy) -> None:
    """Every connection has read it, and none knows an end."""
    proxy.say_goodbye()
    await asyncio.sleep(0.05)


async def test_what_asyncpg_makes_of_a_connection_that_was_said_goodbye_to(
    proxy: PostgresProxy, pool: asyncpg.Pool
):
    await after_goodbye(proxy)

    with pytest.raises(asyncpg.InternalClientError, match="another operation"):
        await pool.fetchval("select 1")


async def test_a_statement_and_a_transaction_are_begun_anew_elsewhere(
    proxy: PostgresProxy, pool: asyncpg.Pool
):
    await after_goodbye(proxy)
    assert len(await fetch(pool, "database_now")) == 1
    await after_goodbye(proxy)
    async with transaction(pool) as connection:
        assert await connection.fetchval("select 1") == 1
    # Both connections came back whole.
    async with transaction(pool) as first, transaction(pool) as second:
        assert await first.fetchval("select 1") == await second.fetchval("select 1") == 1


async def test_a_transaction_that_fails_in_the_middle_is_not_begun_anew(
    proxy: PostgresProxy, pool: asyncpg.Pool
):
    entered = 0
    with pytest.raises(DatabaseUnavailable, match="of the caller's own"):
        async with transaction(pool) as connection:
            entered += 1
            await connection.execute("create temporary table t ()")
            raise asyncpg.InternalClientError("of the caller's own")

    assert entered == 1


async def test_notices_go_on_where_their_poll_meets_such_a_connection(
    proxy: PostgresProxy, pool: asyncpg.Pool, database_url: str
):
    """No `notices_interrupted`, which would be a warning that nobody announced."""
    news: list[str] = []
    notices = LinkNotices(
        pool,
        connected_sessions=lambda: {"s"},
        on_news=news.append,
        on_stored=lambda _session: None,
        on_lost=lambda _session: None,
        on_gap=lambda: news.append("gap"),
        poll_s=1.0,
    )
    task = asyncio.create_task(notices.run())
    try:
        await eventually(
            lambda: (pool.get_size(), pool.get_idle_size()) == (2, 1), what="listening, one idle"
        )
        proxy.say_goodbye(newest=True)
        await asyncio.sleep(1.3)  # a poll
        other = await asyncpg.connect(database_url)
        await other.execute("select pg_notify('clippy_link', 's')")
        await other.close()
        await eventually(lambda: "s" in news, what="the news")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert "gap" not in news
