"""What was not kept expires by its age, and nothing else does: rows, objects, words, of one account and of several."""

from __future__ import annotations

import asyncpg
import pytest

from coordinator.ingest.chunk_rows import FORGOTTEN
from coordinator.ingest.database import SQL as LINK_SQL
from coordinator.ingest.server import LinkServer
from coordinator.taste.verdicts import PostgresTastes
from tests.fakes.aged_stream import (
    EVERYTHING,
    PRESSED,
    Rounds,
    aged_stream,
    check_agree,
    make_older,
    named_objects,
    objects_of,
    say,
    there,
)
from tests.fakes.link_parts import Site


async def test_what_nobody_kept_goes_and_what_was_pressed_stays_with_its_words(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream = await aged_stream(site, server)
    await say(stream, 3, "nobody keeps this zebra")
    await say(stream, 6, "this penguin is kept")
    assert await there(stream) == set(EVERYTHING)

    await Rounds(site=site).once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)
    words = {row["word"] for row in await pool.fetch("select word from search_words")}
    assert "penguin" in words and "zebra" not in words
    assert await pool.fetchval("select count(*) from utterances") == 1
    gaps = await pool.fetch("select first, last, reason from gaps order by first")
    assert [tuple(row) for row in gaps] == [(0, 5, "expired"), (7, 11, "expired")]
    session = await pool.fetchrow("select is_expired, moments_reason from sessions")
    assert tuple(session) == (True, "what was not kept has expired")
    [day] = await pool.fetch("select * from expired_days")
    assert (day["num_sessions"], day["num_chunks"], day["num_moments"], day["num_posts"]) == (1, 11, 3, 3)
    assert day["num_objects"] == 9 + 2 and day["num_bytes"] > 0


@pytest.mark.parametrize(
    ("tier", "hours", "is_gone"),
    [
        ("free", 11.9, False),
        ("free", 12.1, True),
        ("pro", 47.0, False),
        ("pro", 49.0, True),
        ("business", 167.0, False),
        ("business", 169.0, True),
    ],
)
async def test_each_tier_has_its_hours(
    site: Site, server: LinkServer, tier: str, hours: float, is_gone: bool
):
    stream = await aged_stream(site, server, tier=tier, hours=hours)

    await Rounds(site=site).once()

    assert await there(stream) == set(PRESSED if is_gone else EVERYTHING)


async def test_the_tier_counts_that_the_account_has_when_it_comes_to_it(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server, tier="free", hours=20), Rounds(site=site)

    await pool.execute("update accounts set tier = 'pro' where user_id = 'u1'")
    await rounds.once()
    assert await there(stream) == set(EVERYTHING)
    await pool.execute("update accounts set tier = 'free' where user_id = 'u1'")
    await rounds.once()

    assert await there(stream) == set(PRESSED)


async def test_nothing_of_the_owner_expires_nor_of_a_tier_that_is_set_to_never(
    site: Site, server: LinkServer
):
    own = await aged_stream(site, server, user_id="owner", tier="free", hours=9999)
    paid = await aged_stream(site, server, user_id="u2", tier="pro", hours=9999)

    await Rounds(site=site, hours={"free": 12, "pro": 0, "business": 168}).once()

    assert await there(own) == await there(paid) == set(EVERYTHING)


@pytest.mark.parametrize(
    "still", ["is_live = true, is_over = false, ended_at = null", "is_over = false"], ids=["live", "heard"]
)
async def test_nothing_goes_of_a_session_that_is_live_or_still_worked_on(
    site: Site, server: LinkServer, pool: asyncpg.Pool, still: str
):
    stream = await aged_stream(site, server, hours=9999)
    await pool.execute(f"update sessions set {still}")

    await Rounds(site=site).once()

    assert await there(stream) == set(EVERYTHING)


async def test_a_session_that_never_ended_ages_from_what_came_last(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server, hours=11), Rounds(site=site)
    # Its agent vanished; nothing is waited for any more.
    await pool.execute("update sessions set is_live = true, ended_at = null")

    await rounds.once()
    assert await there(stream) == set(EVERYTHING)
    await make_older(pool, stream.session_id, 2)
    await pool.execute("update sessions set ended_at = null")
    await rounds.once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)


async def test_only_what_is_old_enough_goes_of_other_accounts_nothing(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    old = await aged_stream(site, server, user_id="u1", hours=13)
    young = await aged_stream(site, server, user_id="u1", hours=1)
    theirs = await aged_stream(site, server, user_id="u2", tier="business", hours=13)
    await say(young, 3, "a zebra of mine")
    await say(theirs, 3, "a zebra of theirs")
    await say(old, 3, "a zebra that goes")

    await Rounds(site=site).once()

    assert await there(old) == set(PRESSED)
    assert await there(young) == await there(theirs) == set(EVERYTHING)
    assert await pool.fetchval("select count(*) from search_words where word = 'zebra'") == 2
    for stream in (old, young, theirs):
        assert await objects_of(stream) == await named_objects(pool, stream.session_id)


async def test_a_second_round_deletes_nothing_more(site: Site, server: LinkServer, pool: asyncpg.Pool):
    stream, rounds = await aged_stream(site, server), Rounds(site=site)

    assert await rounds.once() == []
    before = (await there(stream), await pool.fetch("select * from expired_days"))
    assert await rounds.once() == []

    assert (await there(stream), await pool.fetch("select * from expired_days")) == before


async def test_what_its_streamer_keeps_stays_whole_and_goes_when_that_is_taken_back(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds, tastes = await aged_stream(site, server), Rounds(site=site), PostgresTastes(pool)
    await tastes.judge(stream.mark("moment-45"), "keep")
    kept = {"moment-45", *(f"{kind}-{seq}" for kind in ("chunk", "word", "track") for seq in (4, 5))}

    await rounds.once()
    assert await there(stream) == {*PRESSED, *kept}
    await check_agree(stream)
    # What the taste is learnt from may go; what is kept is kept.
    await tastes.reset("u1")
    await rounds.once()
    assert await there(stream) == {*PRESSED, *kept}
    await tastes.judge(stream.mark("moment-45"), "undo")
    await rounds.once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)


async def test_a_keep_that_comes_last_counts_whatever_was_said_before(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, tastes = await aged_stream(site, server), PostgresTastes(pool)
    for kind in ("keep", "skip", "keep"):
        await tastes.judge(stream.mark("moment-5"), kind)  # type: ignore[arg-type]
        await tastes.judge(stream.mark("moment-95"), "keep" if kind == "skip" else "skip")

    await Rounds(site=site).once()

    assert {"moment-5", "moment-95"} & await there(stream) == {"moment-5"}


async def test_a_post_that_was_made_a_moment_ago_has_its_hours_from_then(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site)
    await pool.execute(
        "update exports set ready_at = now() from clips c"
        " where c.clip_id = exports.clip_id and c.moment_id = $1", stream.mark("moment-45"),
    )  # fmt: skip

    await rounds.once()
    assert {"moment-45", "word-4", "word-5"} <= await there(stream)
    assert "moment-5" not in await there(stream)
    await check_agree(stream)
    await make_older(pool, stream.session_id, 13)
    await rounds.once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)


async def test_a_wish_that_may_still_be_answered_stays_as_a_shell_until_it_cannot(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site)
    await pool.execute(
        "update source_requests set state = 'pinned', expires_at = now() + interval '1 hour' where moment_id = $1",
        stream.mark("moment-5"),
    )

    await rounds.once()
    shells = await pool.fetch(
        "select state, reason, moment_id from source_requests where marker_clip_id is null"
    )
    assert [tuple(row) for row in shells] == [("forgotten", "expired", None)]
    assert await pool.fetchval("select is_expired from sessions") is False
    await make_older(pool, stream.session_id, 3)
    await rounds.once()

    assert await pool.fetchval("select count(*) from source_requests where marker_clip_id is null") == 0
    assert await pool.fetchval("select is_expired from sessions") is True


async def test_a_kept_moment_whose_full_quality_is_on_its_way_can_still_be_cut(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream = await aged_stream(site, server)
    moment_id = stream.mark("moment-45")
    await PostgresTastes(pool).judge(moment_id, "keep")
    await pool.execute("delete from clips where moment_id = $1", moment_id)

    await Rounds(site=site).once()

    is_shut_out = (
        "select forgotten && int8range({}::bigint * 1000000000, {}::bigint * 1000000000) from sessions"
    )
    assert await pool.fetchval(is_shut_out.format(45, 55)) is False
    assert await pool.fetchval(is_shut_out.format(20, 30)) is True


async def test_a_chunk_that_is_sent_again_after_it_expired_is_refused_and_a_new_one_has_its_own_hours(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site)
    await rounds.once()

    assert await stream.send(server, [3]) == [FORGOTTEN]
    # Its agent names the session at the connect before it sends what never came here.
    named = ([stream.session_id], ["u1"], ["agent-of-owner"], [0.0], [False])
    assert await pool.fetch(LINK_SQL["upsert_sessions"], *named)
    outcomes = await stream.send(server, [14])
    await rounds.once()

    assert outcomes[0].kind == "fsynced"
    assert await pool.fetchval("select count(*) from chunks where seq = 14") == 1
    await make_older(pool, stream.session_id, 13)
    await rounds.once()
    assert await pool.fetchval("select count(*) from chunks where seq = 14") == 0


async def test_a_search_sees_nothing_of_another_account_and_nobody_reads_what_expires(pool: asyncpg.Pool):
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role clippy_reader")
        for table in ("expired_objects", "expired_days"):
            assert not await connection.fetchval("select has_table_privilege($1, 'select')", table)
