"""Databases of the releases before, with rows in them, become what this one reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from alembic import command

from coordinator.store import migrate as migrating
from coordinator.store.embedded import EmbeddedPostgres
from coordinator.store.retention import PostgresExpiry

# A session that ended long ago: moments that were kept, skipped, extended and said nothing of, and a press, with a
# post each.
ROWS = """
insert into accounts (user_id, tier) values ('u1', 'free');
insert into agents (agent_id, user_id) values ('a1', 'u1');
insert into sessions (session_id, user_id, agent_id, started_at, is_live, ended_at, is_over)
values ('s1', 'u1', 'a1', now() - interval '3 days', false, now() - interval '2 days', true);
insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, evidence)
select name, 's1', no * 10, no * 10 + 5, no * 10, 0.5, 'goal', '[]'
from unnest('{kept,skipped,extended,plain}'::text[]) with ordinality as n (name, no);
insert into verdicts (user_id, verdict_id, session_id, moment_id, start_ns, end_ns, kind, moment_kind, score, lanes,
                      at_unix_ms, made_by)
select 'u1', no::text, 's1', name, 0, 5, kind, 'goal', 0.5, '{}', no, 'page'
from unnest('{kept,kept,skipped,skipped,extended}'::text[], '{skip,keep,keep,skip,extend}'::text[]) with ordinality
     as n (name, kind, no);
insert into markers (session_id, clip_id, at_ns, start_ns, end_ns) values ('s1', 'k1', 105, 100, 105);
insert into source_requests (request_id, session_id, moment_id, marker_clip_id, start_ns, end_ns, state, object_key,
                             expires_at)
select 'r-' || name, 's1', nullif(name, 'k1'), case when name = 'k1' then 'k1' end, 0, 5, 'uploaded',
       'sources/' || name, now() - interval '2 days'
from unnest('{kept,skipped,extended,plain,k1}'::text[]) as n (name);
insert into clips (clip_id, session_id, moment_id, request_id, object_key, start_ns, end_ns, width, height, created_at)
select 'c-' || request_id, 's1', moment_id, request_id, 'clips/' || request_id, 0, 5, 1, 1, now() - interval '2 days'
from source_requests;
insert into exports (export_id, clip_id, preset, state, object_key, created_at, ready_at)
select 'e-' || clip_id, clip_id, 'vertical', 'ready', 'exports/' || clip_id, created_at, created_at from clips;
"""
# The press's clip has grown since, twice: the post of what it was last is still shown.
GROWN = """
update source_requests set state = 'replaced', updated_at = now() - interval '2 days' where request_id = 'r-k1';
update exports set state = 'replaced', updated_at = now() - interval '2 days' where export_id = 'e-c-r-k1';
insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, state, object_key, expires_at,
                             updated_at)
select 'r-k1-' || no, 's1', 'k1', 0, 9, case no when 1 then 'replaced' else 'unavailable' end, 'sources/k1' || no,
       now() - interval '1 day', now() - interval '1 day' from generate_series(1, 2) as no;
insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)
values ('c-k1-1', 's1', 'r-k1-1', 'clips/k1-1', 0, 9, 1, 1);
insert into exports (export_id, clip_id, preset, state, object_key)
values ('e-k1-1', 'c-k1-1', 'vertical', 'ready', 'x');
"""


@pytest.fixture
def older(postgres: EmbeddedPostgres) -> Iterator[Callable[[str, str], str]]:
    """Makes a database of a revision with rows in it; returns its address."""

    async def execute(url: str, statement: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    url = urlunsplit(urlsplit(postgres.url)._replace(path="/before"))

    def make(revision: str, rows: str) -> str:
        asyncio.run(execute(postgres.superuser_url, "create database before owner clippy"))
        with migrating._connected(url) as connection:
            command.upgrade(migrating._config(connection), revision)
        asyncio.run(execute(url, rows))
        return url

    yield make
    asyncio.run(execute(postgres.superuser_url, "drop database before with (force)"))


def left_after_expiry(url: str) -> tuple[set[str], set[str]]:
    """Moments and posts that are left when all has expired that is old enough."""

    async def expire() -> tuple[set[str], set[str]]:
        pool = await asyncpg.create_pool(url, min_size=1, max_size=2)
        try:
            assert (await PostgresExpiry(pool, {"free": 12.0}).expire("s1")) is not None
            moments = await pool.fetch("select moment_id from moments")
            return {row[0] for row in moments}, {
                row[0] for row in await pool.fetch("select export_id from exports")
            }
        finally:
            await pool.close()

    return asyncio.run(expire())


@pytest.mark.parametrize("revision", ["0019", "0020", "0021"])
def test_what_was_kept_and_pressed_before_an_upgrade_stays_after_it(
    older: Callable[[str, str], str], revision: str
):
    keeps = "update moments set is_kept = moment_id in ('kept', 'extended');" if revision > "0019" else ""
    url = older(revision, ROWS + keeps)

    assert migrating.migrate(url) == (revision, migrating.newest_revision())

    moments, posts = left_after_expiry(url)
    assert moments == {"kept", "extended"}
    assert posts == {"e-c-r-kept", "e-c-r-extended", "e-c-r-k1"}


def test_what_had_grown_before_an_upgrade_expires_after_it(older: Callable[[str, str], str]):
    url = older("0021", ROWS + GROWN)

    migrating.migrate(url)

    _, posts = left_after_expiry(url)
    assert posts == {"e-k1-1"}
