"""What jobs need is down for some seconds, under a real worker: nothing is burnt, and it goes on by itself.

PostgreSQL and the speech model: `test_jobs_worker.py`. Ten minutes of each: `bench jobs --part outage`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from coordinator.errors import DatabaseUnavailable
from coordinator.jobs.work import one_by_one
from coordinator.model.jobs import Job, Queue
from coordinator.ports import Effect, ObjectStore
from coordinator.store.connect import connect
from coordinator.store.objects import LocalObjects, S3Objects
from coordinator.store.rows import PostgresRows
from coordinator.store.tombstones import PostgresTombstones
from tests.fakes.s3_server import S3Traffic, s3_server
from tests.fakes.worker_here import RESULTS, export, keys, put, until, until_ended, working, writing

pytestmark = pytest.mark.filterwarnings("error")


class Bucket:
    """A bucket whose server refuses connections while it is down."""

    def __init__(self, _folder: Path) -> None:
        self.traffic = S3Traffic(objects={"clips/a": b"kept"})
        self._servers = contextlib.ExitStack()
        endpoint = self._servers.enter_context(s3_server(self.traffic))
        self._port = int(endpoint.rpartition(":")[2])
        self.store: ObjectStore = S3Objects(
            "clips", endpoint=endpoint, access_key_id="k", secret_access_key="s"
        )

    def down(self) -> None:
        self.traffic.is_down = True
        self._servers.pop_all().close()

    def up(self) -> None:
        self.traffic.is_down = False
        self._servers.enter_context(s3_server(self.traffic, port=self._port))

    def close(self) -> None:
        self._servers.close()


class Folder:
    """A folder of objects that goes away as an unmounted disk does: an empty one is in its place."""

    def __init__(self, folder: Path) -> None:
        self._there, self._away = folder / "objects", folder / "away"
        self.store: ObjectStore = LocalObjects(self._there, base_url="http://x", secret=b"s" * 32)
        (self._there / "a").write_bytes(b"kept")

    def down(self) -> None:
        self._there.rename(self._away)
        self._there.mkdir()

    def up(self) -> None:
        self._there.rmdir()
        self._away.rename(self._there)

    def close(self) -> None:
        pass


@pytest.fixture(params=[Bucket, Folder])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bucket | Folder]:
    made: Bucket | Folder = request.param(tmp_path)
    yield made
    made.close()


@pytest.mark.logs("queue_paused")
async def test_a_store_that_is_down_burns_no_attempt_and_the_queue_empties_by_itself(
    pool: asyncpg.Pool, store: Bucket | Folder
):
    await pool.execute(RESULTS)

    async def handle(job: Job) -> Effect:
        assert await store.store.get("a") == b"kept"
        return writing(job)

    async def is_paused() -> bool:
        return bool(await pool.fetchval("select state = 'paused' from workers"))

    store.down()
    await put(pool, export("a"), export("b"))
    async with working(pool, {Queue.EXPORT: one_by_one(handle)}):
        await until(is_paused, "the worker rests")
        await put(pool, export("meanwhile"))
        store.up()
        await until_ended(pool, 3)

    assert sorted(await keys(pool)) == ["exp:a", "exp:b", "exp:meanwhile"]
    assert await pool.fetchval("select max(attempts) from job_runs") == 1
    assert await pool.fetchval("select count(*) from pgqueuer") == 0


async def test_whoever_waits_for_a_database_is_not_kept_from_stopping():
    stop, began_s = asyncio.Event(), time.monotonic()
    asyncio.get_running_loop().call_later(0.3, stop.set)

    with pytest.raises(DatabaseUnavailable, match="did not answer"):
        await connect("postgresql://nobody@127.0.0.1:1/none", wait_s=60.0, stop=stop)

    # Far from the 60 s that it would have waited, whatever else this machine does.
    assert time.monotonic() - began_s < 30


@pytest.mark.parametrize(
    ("table", "read"),
    [
        ("sessions", lambda pool: PostgresRows(pool).session("none")),
        ("doomed_objects", lambda pool: PostgresTombstones(pool).doomed("none")),
    ],
    ids=["rows", "tombstones"],
)
async def test_a_server_that_shuts_down_in_the_middle_of_a_question_is_down_and_no_fault_of_the_job(
    pool: asyncpg.Pool, table: str, read: Callable[[asyncpg.Pool], Awaitable[object]]
):
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute(f"lock table {table} in access exclusive mode")
        reading = asyncio.ensure_future(read(pool))

        async def is_ended_by_the_server() -> bool:
            # What a fast shutdown does to each connection.
            return bool(
                await pool.fetchval(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                    " where wait_event_type = 'Lock' and datname = current_database()"
                )
            )

        await until(is_ended_by_the_server, "the question was cut off")
        with pytest.raises(DatabaseUnavailable):
            await reading
