"""What expires while processes are killed, get in each other's way, or the object store is slow or away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from coordinator.errors import StoreUnavailable
from coordinator.ingest.server import LinkServer
from coordinator.model.forgetting import DoomedObject
from coordinator.pipeline.moving import moved_key
from coordinator.ports import ObjectStore
from coordinator.store import retention
from coordinator.store.objects import LocalObjects, S3Objects
from tests.fakes.aged_stream import (
    PRESSED,
    Rounds,
    aged_stream,
    check_agree,
    named_objects,
    objects_of,
    there,
)
from tests.fakes.forgettable_stream import ForgettableStream, close_ingest, open_ingest
from tests.fakes.job_parts import until
from tests.fakes.link_parts import Site, make_site
from tests.fakes.s3_server import s3_server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNKS_AT_ONCE", 3)


async def make_due(pool: asyncpg.Pool) -> None:
    """What was put off is tried at the next round, as if its time had come."""
    await pool.execute("update expired_objects set due_at = now(), again_until = null where not is_gone")


async def check_nothing_is_lost_sight_of(stream: ForgettableStream) -> None:
    """Every row's object is there, and every object without a row is known to have to go."""
    objects, named = await objects_of(stream), await named_objects(stream.pool, stream.session_id)
    doomed = {row["object_key"] for row in await stream.pool.fetch("select object_key from expired_objects")}
    # Killed between the object that others are moved to and its rows, the next round puts the same one again.
    moved = {
        moved_key(DoomedObject(key=key, session_id=stream.session_id, holds_others=True), "expire")
        for key in doomed
    }
    assert named <= objects
    assert objects - named <= doomed | moved


class Stuck(LocalObjects):
    """A folder that fails, or does not answer at all, as long as a test says so."""

    fault = ""

    async def delete(self, keys: Sequence[str]) -> None:
        if self.fault == "fails":
            raise StoreUnavailable(f"the object store does not answer for {keys[0]}: it is away")
        if self.fault == "hangs":
            await asyncio.Event().wait()
        await super().delete(keys)


@pytest.fixture
def stuck(site: Site) -> Stuck:
    return Stuck(site.folder / "objects", base_url="http://127.0.0.1:9", secret=b"x" * 32)


async def test_a_kill_at_any_point_loses_sight_of_nothing_and_the_next_round_goes_on(
    site: Site, server: LinkServer, database_url: str
):
    stream = await aged_stream(site, server)

    # In the step's transaction, after its commit, at the first and at later deletions, as they are written down.
    for number in (1, 2, 3, 4, 9, 20):
        command = [sys.executable, "-m", "tests.fakes.expiry_process", database_url, str(site.folder)]
        done = await asyncio.to_thread(
            subprocess.run, [*command, str(number)], cwd=ROOT, check=False, timeout=60
        )
        assert done.returncode == -9
        await check_nothing_is_lost_sight_of(stream)
        # What the killed one had is anybody's two minutes later.
        await stream.pool.execute("update expired_objects set due_at = now()")
    await Rounds(site=site).once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)


@pytest.mark.usefixtures("small_steps")
async def test_a_kill_between_the_steps_of_a_session_leaves_the_rest_for_the_next_round(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site)

    step = await rounds.expiry.expire(stream.session_id)
    assert (step.num_chunks, step.is_finished) == (3, False)
    await check_nothing_is_lost_sight_of(stream)
    await rounds.once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)
    gaps = await pool.fetch("select first, last from gaps order by first")
    assert [tuple(row) for row in gaps] == [(0, 5), (7, 11)]


@pytest.mark.usefixtures("small_steps")
async def test_rounds_are_bounded_in_time_and_follow_one_another(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    streams = [await aged_stream(site, server) for _ in range(4)]
    times_s = iter(range(0, 10_000, 2))
    rounds = Rounds(site=site, clock_s=lambda: float(next(times_s)))

    jobs, keys = await rounds.once(), []
    while jobs:
        keys += [job.key for job in jobs]
        jobs = await rounds.once(part=len(keys))
    # A minute has so many; the next one goes on.
    assert keys == [f"cleanup:retention:7+{part}" for part in (1, 2, 3, 4)]
    assert any([await there(stream) != set(PRESSED) for stream in streams])
    for _ in range(12):
        await rounds.once()

    for stream in streams:
        assert await there(stream) == set(PRESSED)


@pytest.mark.usefixtures("small_steps")
async def test_several_processes_share_the_work_and_nothing_is_counted_twice(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    streams = [await aged_stream(site, server, user_id=f"u{number}") for number in range(4)]

    await asyncio.gather(*(Rounds(site=site).once() for _ in range(3)))
    await Rounds(site=site).once()

    for stream in streams:
        assert await there(stream) == set(PRESSED)
        assert await objects_of(stream) == await named_objects(pool, stream.session_id)
    [day] = await pool.fetch("select * from expired_days")
    assert (day["num_sessions"], day["num_chunks"], day["num_posts"]) == (4, 44, 12)


async def test_a_session_that_somebody_else_has_is_left_to_them(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream = await aged_stream(site, server)

    async with pool.acquire() as other, other.transaction():
        await other.execute("select from sessions for update")
        assert await Rounds(site=site).once() == []
    assert "moment-5" in await there(stream)
    await Rounds(site=site).once()

    assert await there(stream) == set(PRESSED)


@pytest.mark.logs("expired_objects_not_deleted")
@pytest.mark.parametrize("fault", ["fails", "hangs"])
async def test_rows_go_while_the_store_is_away_and_objects_when_it_is_back(
    site: Site, server: LinkServer, pool: asyncpg.Pool, stuck: Stuck, fault: str
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site, objects=stuck, store_s=0.5)
    stuck.fault = fault

    assert await rounds.once() == []
    found = await stream.all_found(["moment-5"])
    assert all(place.startswith("objects/") for place in found["moment-5"])
    assert await pool.fetchval("select count(*) from expired_objects where problem <> ''") > 0
    state = await rounds.expiry.state(7)
    assert state["objects"]["num"] > 0 and state["objects"]["problem"]
    stuck.fault = ""
    await make_due(pool)
    await rounds.once()

    assert await there(stream) == set(PRESSED)
    await check_agree(stream)


@pytest.mark.logs("expired_objects_not_deleted")
async def test_a_receipt_for_what_is_forgotten_waits_for_objects_that_had_expired(
    site: Site, server: LinkServer, pool: asyncpg.Pool, stuck: Stuck
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site, objects=stuck)
    await pool.execute("update sessions set user_id = 'owner'")
    order = stream.order(0, 200)
    await pool.execute("update sessions set user_id = 'u1'")
    stuck.fault = "fails"
    await rounds.once()
    await pool.execute("update sessions set user_id = 'owner'")

    await stream.give(order)
    await server.forgetting.turn()
    assert await stream.work_off(order) == []
    stuck.fault = ""
    await make_due(pool)
    await rounds.once()

    assert await stream.work_off(order) != []
    assert await objects_of(stream) == set()


async def test_what_a_stage_puts_after_its_rows_went_is_deleted_once_more(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    stream, rounds = await aged_stream(site, server), Rounds(site=site)
    [late] = [
        row[0]
        for row in await pool.fetch(
            "select object_key from clips where moment_id = $1", stream.mark("moment-5")
        )
    ]
    await rounds.once()
    await site.objects.put(late, b"a cut that took long")

    await pool.execute("update expired_objects set due_at = now(), again_until = now()")
    await rounds.once()

    await check_agree(stream)
    assert await pool.fetchval("select count(*) from expired_objects") == 0


@pytest.mark.logs("session_not_expired")
async def test_a_session_that_cannot_go_does_not_keep_the_others(
    site: Site, server: LinkServer, pool: asyncpg.Pool
):
    broken, other = await aged_stream(site, server), await aged_stream(site, server)
    await pool.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'broken'; end $$"
    )
    await pool.execute(
        f"create trigger refuse before delete on moments for each row"
        f" when (old.session_id = '{broken.session_id}') execute function refuse()"
    )

    await Rounds(site=site).once()

    assert await there(other) == set(PRESSED)
    assert "moment-5" in await there(broken)


@pytest.fixture
def bucket() -> Iterator[ObjectStore]:
    with s3_server() as endpoint:
        yield S3Objects("clips", endpoint=endpoint, access_key_id="k", secret_access_key="s")


async def test_objects_go_from_a_bucket_as_from_a_folder(
    tmp_path: Path, pool: asyncpg.Pool, bucket: ObjectStore
):
    site = await make_site(tmp_path, pool, bucket)
    server = await open_ingest(site)
    stream = await aged_stream(site, server)
    before = await named_objects(pool, stream.session_id)
    await Rounds(site=site).once()
    after = await named_objects(pool, stream.session_id)
    await close_ingest(server)

    assert len(before) == 12 + 2 and len(after) == 3 + 1
    assert {key for key in before | after if await bucket.size(key) is not None} == after
    assert await stream.held() == [6]


def start_worker(data: Path) -> subprocess.Popen[bytes]:
    """A worker of the stage that cleans up, as an operator starts it."""
    command = [sys.executable, "-m", "coordinator", "--data", str(data), "worker", "--stage", "maintenance"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, stdin=quiet, stdout=quiet, stderr=quiet)


@pytest.mark.timeout(240)
async def test_two_worker_processes_let_it_expire_by_themselves_and_one_is_killed(
    site: Site, server: LinkServer, pool: asyncpg.Pool, database_url: str
):
    streams = [await aged_stream(site, server, user_id=f"u{number}") for number in range(3)]
    own = await aged_stream(site, server, user_id="owner", hours=9999)
    (site.folder / "database.url").write_text(database_url)
    (site.folder / "coordinator.toml").write_text("[workers]\ncleanup_s = 5\n")
    workers = [start_worker(site.folder) for _ in range(2)]
    try:
        await until(lambda: pool.fetchval("select count(*) = 2 from workers"), "both are there", 60)
        workers[0].kill()
        await until(
            lambda: pool.fetchval("select count(*) = 3 from sessions where is_expired"), "all went", 80
        )
        gone = "select count(*) = 0 from expired_objects where not is_gone"
        await until(lambda: pool.fetchval(gone), "objects, too", 80)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    for stream in streams:
        assert await there(stream) == set(PRESSED)
    assert "moment-5" in await there(own)
