"""What agents say of sources, true and untrue, against a real database and a bucket's protocol."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from coordinator.errors import ChunkRefused, SourceExpired
from coordinator.ingest.downlink import Downlink
from coordinator.ingest.events import EventRows, FollowUps
from coordinator.ingest.source_uploads import SourceUploads
from coordinator.model.accounts import Owner
from coordinator.store.objects import S3Objects
from protos.clippy.v1 import link_pb2
from tests.fakes.link_parts import SECOND_NS, JobTable, prepare
from tests.fakes.s3_server import S3Traffic, s3_server

OWNER = Owner(user_id="owner", tier="business")

SESSION = "5e" * 16
KEY = "sources/r1.mp4"
DATA = bytes(range(250)) * 2
SHA256 = hashlib.sha256(DATA).digest()
MAX_BYTES = 1000
PART_BYTES = 200
State = link_pb2.SourceReply.State


@pytest.fixture
def traffic() -> S3Traffic:
    return S3Traffic()


@pytest.fixture
def bucket(traffic: S3Traffic) -> Iterator[S3Objects]:
    with s3_server(traffic) as endpoint:
        yield S3Objects("clips", endpoint=endpoint, access_key_id="k", secret_access_key="s")


@pytest.fixture
def sources(bucket: S3Objects) -> SourceUploads:
    return SourceUploads(bucket, max_bytes=MAX_BYTES, part_bytes=PART_BYTES)


@pytest.fixture
async def events(pool: asyncpg.Pool, sources: SourceUploads) -> EventRows:
    jobs = JobTable()
    await jobs.create(pool)
    await pool.execute("insert into accounts (user_id) values ('somebody')")
    await pool.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
        SESSION,
    )
    await pool.execute(
        "insert into source_requests (request_id, session_id, start_ns, end_ns, object_key, expires_at, state)"
        " values ('r1', $1, 0, $2, $3, now() + interval '1 hour', 'pinned')",
        SESSION,
        5 * SECOND_NS,
        KEY,
    )
    return EventRows(pool, jobs, sources, FollowUps(after_upload=prepare))


@pytest.fixture
def downlink(pool: asyncpg.Pool, bucket: S3Objects, sources: SourceUploads) -> Downlink:
    return Downlink(pool, bucket, sources)


def reply(**changes: Any) -> link_pb2.SourceReply:
    values: dict[str, Any] = {
        "request_id": "r1",
        "state": State.UPLOADED,
        "size_bytes": len(DATA),
        "sha256": SHA256,
        "start_ns": 0,
        "end_ns": 5 * SECOND_NS,
    }
    return link_pb2.SourceReply(**(values | changes))


def offer(**changes: Any) -> link_pb2.SourceOffer:
    values: dict[str, Any] = {"request_id": "r1", "size_bytes": len(DATA), "sha256": SHA256}
    return link_pb2.SourceOffer(**(values | changes))


async def requests(downlink: Downlink, *, also_sent: bool) -> list[link_pb2.CoordinatorMessage]:
    now = datetime.datetime.now(datetime.UTC)
    return (await downlink.news([SESSION], since=now, also_sent=also_sent)).requests


async def state_of(pool: asyncpg.Pool) -> tuple[str, int]:
    row = await pool.fetchrow("select state, num_attempts from source_requests")
    return row["state"], row["num_attempts"]


async def test_an_offer_is_answered_with_where_each_missing_part_goes(
    events: EventRows, downlink: Downlink, bucket: S3Objects
):
    await events.source_offer("owner", offer())
    [first] = await requests(downlink, also_sent=False)
    parts = first.source_request.parts
    assert [(part.offset, part.size_bytes, part.is_held) for part in parts] == [
        (0, 200, False),
        (200, 200, False),
        (400, 100, False),
    ]
    assert await requests(downlink, also_sent=False) == []
    key = f"{KEY}.{SHA256.hex()[:16]}.part-"
    await bucket.put(f"{key}0000", DATA[:200])
    # Half of it came: that is none of it.
    await bucket.put(f"{key}0001", DATA[200:300])

    [again] = await requests(downlink, also_sent=True)

    parts = again.source_request.parts
    assert [(part.is_held, bool(part.url)) for part in parts] == [(True, False), (False, True), (False, True)]
    assert again.source_request.offered_sha256 == SHA256


async def test_another_file_begins_anew_and_the_parts_of_the_one_before_are_deleted(
    events: EventRows, downlink: Downlink, bucket: S3Objects, traffic: S3Traffic
):
    await events.source_offer("owner", offer())
    await bucket.put(f"{KEY}.{SHA256.hex()[:16]}.part-0000", DATA[:200])

    await events.source_offer("owner", offer(sha256=b"2" * 32))

    assert traffic.objects == {}
    [told] = await requests(downlink, also_sent=False)
    assert [part.is_held for part in told.source_request.parts] == [False, False, False]


@pytest.mark.parametrize(
    ("user_id", "wrong"),
    [
        ("somebody", offer()),  # of another account
        ("owner", offer(request_id="r2")),  # that nobody asked for
        ("owner", offer(request_id="../r1")),
        ("owner", offer(size_bytes=MAX_BYTES + 1)),
        ("owner", offer(size_bytes=0)),
        ("owner", offer(size_bytes=-1)),
        ("owner", offer(sha256=b"short")),
    ],
)
async def test_an_offer_that_breaks_a_rule_is_refused_and_changes_nothing(
    pool: asyncpg.Pool, events: EventRows, user_id: str, wrong: link_pb2.SourceOffer
):
    with pytest.raises(ChunkRefused):
        await events.source_offer(user_id, wrong)

    assert await pool.fetchval("select count(*) from source_uploads") == 0


async def test_an_offer_for_a_request_that_is_over_gets_no_answer(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink
):
    await pool.execute("update source_requests set state = 'unavailable'")

    await events.source_offer("owner", offer())

    assert await requests(downlink, also_sent=True) == []


async def test_an_agent_that_knows_nothing_of_parts_sends_one_put(
    pool: asyncpg.Pool, events: EventRows, bucket: S3Objects
):
    await bucket.put(KEY, DATA)

    await events.source_reply(OWNER, reply())

    assert await state_of(pool) == ("uploaded", 0)
    owner = await pool.fetchrow("select tier, account from wanted_jobs")
    assert tuple(owner) == ("business", "owner")


async def test_an_agent_that_went_back_to_one_put_after_an_offer_is_taken_at_its_word(
    pool: asyncpg.Pool, events: EventRows, bucket: S3Objects
):
    await events.source_offer("owner", offer())
    await bucket.put(KEY, DATA)

    await events.source_reply(OWNER, reply())

    assert await state_of(pool) == ("uploaded", 0)


async def test_an_object_from_before_does_not_stand_in_the_way_of_parts(
    pool: asyncpg.Pool, events: EventRows, bucket: S3Objects
):
    await bucket.put(KEY, b"of another file")
    await events.source_offer("owner", offer())
    for number in range(3):
        await bucket.put(f"{KEY}.{SHA256.hex()[:16]}.part-{number:04}", DATA[200 * number :][:200])

    await events.source_reply(OWNER, reply())

    assert await state_of(pool) == ("uploaded", 0)


class StuckStore(S3Objects):
    """It signs, but does not say what it holds."""

    async def size(self, key: str) -> int | None:
        await asyncio.sleep(60)
        return None


@pytest.mark.logs("parts_not_addressed")
async def test_a_store_that_hangs_holds_up_a_stream_for_a_moment_only_and_the_offer_stays_open(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink, monkeypatch: pytest.MonkeyPatch
):
    await events.source_offer("owner", offer())
    stuck = StuckStore("clips", endpoint="http://127.0.0.1:9", access_key_id="k", secret_access_key="s")
    slow = Downlink(pool, stuck, SourceUploads(stuck, max_bytes=MAX_BYTES, part_bytes=PART_BYTES))
    monkeypatch.setattr("coordinator.ingest.downlink._LOOK_S", 0.1)

    async with asyncio.timeout(10):
        [told] = await requests(slow, also_sent=False)

    assert told.source_request.upload_url
    assert not told.source_request.parts
    [answered] = await requests(downlink, also_sent=False)
    assert len(answered.source_request.parts) == 3


@pytest.mark.logs("source_upload_refused")
async def test_parts_count_only_when_all_of_them_are_there(
    pool: asyncpg.Pool, events: EventRows, bucket: S3Objects
):
    await events.source_offer("owner", offer())
    await bucket.put(f"{KEY}.{SHA256.hex()[:16]}.part-0000", DATA[:200])

    await events.source_reply(OWNER, reply())

    assert await state_of(pool) == ("wanted", 1)
    assert "part 1 has 0 of 200 bytes" in await pool.fetchval("select reason from source_requests")


@pytest.mark.logs("source_upload_refused")
async def test_an_object_larger_than_allowed_is_deleted_whatever_the_agent_says(
    pool: asyncpg.Pool, events: EventRows, bucket: S3Objects, traffic: S3Traffic
):
    await bucket.put(KEY, bytes(MAX_BYTES + 1))

    await events.source_reply(OWNER, reply(size_bytes=MAX_BYTES + 1))

    assert traffic.objects == {}
    assert await state_of(pool) == ("wanted", 1)


async def test_a_failure_is_asked_for_again_later_and_counts_once_however_often_it_is_told(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink
):
    failed = reply(state=State.FAILED, reason="the disk was full")

    await events.source_reply(OWNER, failed)
    await events.source_reply(OWNER, failed)

    assert await state_of(pool) == ("wanted", 1)
    assert await requests(downlink, also_sent=True) == []
    await pool.execute("update source_requests set retry_at = now()")
    [again] = await requests(downlink, also_sent=False)
    assert again.source_request.reason == "the disk was full"


async def test_an_answer_that_was_quicker_than_the_note_that_its_request_went_down_waits_for_its_retry(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink
):
    await pool.execute("update source_requests set state = 'wanted'")
    await events.source_reply(OWNER, reply(state=link_pb2.SourceReply.FAILED, reason="no room"))

    await downlink.mark_sent(["r1"])

    assert await pool.fetchval("select state from source_requests") == "wanted"


async def test_a_source_fails_for_good_after_three_more_times(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink
):
    waits_s = []
    for _ in range(4):
        await events.source_reply(OWNER, reply(state=State.FAILED, reason="no"))
        waits_s.append(
            await pool.fetchval("select extract(epoch from retry_at - updated_at)::int from source_requests")
        )
        await pool.execute("update source_requests set retry_at = now()")
        await downlink.mark_sent(["r1"])

    assert await state_of(pool) == ("failed", 4)
    assert waits_s[:3] == [30, 120, 480]


async def test_what_is_final_stays_final(pool: asyncpg.Pool, events: EventRows, bucket: S3Objects):
    await bucket.put(KEY, DATA)
    await events.source_reply(OWNER, reply(state=State.UNAVAILABLE, reason="forgotten"))

    await events.source_reply(OWNER, reply())
    await events.source_reply(OWNER, reply(state=State.FAILED))

    assert await state_of(pool) == ("unavailable", 0)


async def ends(downlink: Downlink, since: datetime.datetime) -> list[tuple[str, str, str]]:
    """What the agent is told of wishes that came to nothing."""
    news = await downlink.news([SESSION], since=since, also_sent=False)
    told = [message.export for _, message in news.changed]
    return [(export.export_id, export.state, export.reason) for export in told]


async def test_an_upload_that_comes_after_its_request_expired_is_refused_and_becomes_no_clip(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink, bucket: S3Objects
):
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    await bucket.put(KEY, DATA)
    await pool.execute("update source_requests set state = 'expired', reason = 'too late'")

    for _ in range(2):
        # The agent sends it again at the next connect.
        with pytest.raises(SourceExpired) as refused:
            await events.source_reply(OWNER, reply())

    assert refused.value.code == "source_expired"
    assert await state_of(pool) == ("expired", 0)
    assert await pool.fetchval("select count(*) from wanted_jobs") == 0
    assert await ends(downlink, since) == [
        ("r1", "failed", "expired: too late; the file that came later was not taken")
    ]


async def test_an_agent_is_told_why_a_request_failed(
    pool: asyncpg.Pool, events: EventRows, downlink: Downlink
):
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    assert await ends(downlink, since) == []

    await pool.execute(
        "update source_requests set state = 'failed', reason = 'no picture', updated_at = now()"
    )

    assert await ends(downlink, since) == [("r1", "failed", "no picture")]


@pytest.mark.parametrize("state", ["wanted", "sent", "pinned"])
async def test_an_upload_is_taken_as_long_as_it_is_waited_for(
    pool: asyncpg.Pool, events: EventRows, bucket: S3Objects, state: str
):
    await bucket.put(KEY, DATA)
    await pool.execute(
        "update source_requests set state = $1, expires_at = now() - interval '1 minute'", state
    )

    await events.source_reply(OWNER, reply())

    assert await state_of(pool) == ("uploaded", 0)
