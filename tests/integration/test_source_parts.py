"""A source in parts, over the real link into a real bucket's protocol: each part once, whatever dies in between."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from coordinator.ingest.server import LinkServer
from coordinator.store.objects import S3Objects
from tests.fakes.flash_clip import write_clip
from tests.fakes.link_parts import SECOND_NS, Site, eventually, make_site, new_session_id
from tests.fakes.s3_server import S3Traffic, s3_server
from tests.fakes.source_agent import SourceAgent
from tests.fakes.source_stages import KEY, LENGTH_S, clean_up, hurry, is_in, prepare, wish

ROOT = Path(__file__).parents[2]
PART_BYTES = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Video:
    """What the agent gives away."""

    path: Path
    data: bytes


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    path = tmp_path_factory.mktemp("video") / "exact.mp4"
    write_clip(path, duration_s=LENGTH_S, size=(320, 180), is_restless=True)
    assert path.stat().st_size > 6 * PART_BYTES
    return Video(path, path.read_bytes())


@pytest.fixture
def traffic() -> S3Traffic:
    return S3Traffic()


@pytest.fixture
def bucket(traffic: S3Traffic) -> Iterator[S3Objects]:
    with s3_server(traffic) as endpoint:
        yield S3Objects("clips", endpoint=endpoint, access_key_id="k", secret_access_key="s")


@pytest.fixture
async def site(tmp_path: Path, pool: asyncpg.Pool, bucket: S3Objects) -> Site:
    return await make_site(tmp_path, pool, bucket)


@pytest.fixture
async def server(site: Site) -> AsyncIterator[LinkServer]:
    running = await site.start(source_part_bytes=PART_BYTES)
    yield running
    await running.stop()


@pytest.fixture
def start_agent(tmp_path: Path, site: Site, video: Video) -> Iterator[Callable[..., SourceAgent]]:
    agents: list[SourceAgent] = []

    def start(session_id: str) -> SourceAgent:
        agents.append(SourceAgent(tmp_path, session_id, site.port, video.path))
        agents[-1].start()
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


@pytest.fixture
def start_process(
    tmp_path: Path, site: Site, video: Video
) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(session_id: str) -> subprocess.Popen[bytes]:
        arguments = [str(tmp_path), session_id, str(site.port), str(video.path)]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.source_agent", *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def part_keys(traffic: S3Traffic) -> list[str]:
    return sorted(key for key in traffic.objects if ".part-" in key)


def assert_each_part_came_once(traffic: S3Traffic, video: Video) -> None:
    size_bytes = len(video.data)
    assert len(traffic.whole) == len(set(traffic.whole)) == -(-size_bytes // PART_BYTES)
    assert sum(len(traffic.objects[key]) for key in traffic.whole) == size_bytes


async def assert_joined(site: Site, video: Video) -> None:
    jobs = await prepare(site)
    assert [job.key for job in jobs] == ["clip:r1"]
    assert await site.objects.get(KEY) == video.data


@pytest.mark.usefixtures("server")
async def test_a_large_file_goes_in_parts_and_becomes_one_object(
    site: Site, traffic: S3Traffic, video: Video, start_agent: Callable[..., SourceAgent]
):
    agent = start_agent(session_id := new_session_id())

    await wish(site.pool, session_id)
    await is_in(site.pool, "uploaded")

    assert_each_part_came_once(traffic, video)
    assert agent.num_bytes == len(video.data)
    assert KEY not in traffic.objects
    await assert_joined(site, video)
    assert part_keys(traffic) == []
    assert list(agent.uploads.iterdir()) == []


@pytest.mark.usefixtures("server")
async def test_a_killed_agent_sends_again_only_the_part_that_was_under_way(
    site: Site,
    traffic: S3Traffic,
    video: Video,
    start_process: Callable[[str], subprocess.Popen[bytes]],
):
    traffic.hold_after = 3
    session_id = new_session_id()
    process = start_process(session_id)
    await wish(site.pool, session_id)
    await eventually(traffic.held.is_set, deadline_s=30)

    process.kill()
    process.wait()
    traffic.hold_after = None
    start_process(session_id)
    await is_in(site.pool, "uploaded")

    assert_each_part_came_once(traffic, video)
    assert sum(traffic.received.values()) <= len(video.data) + PART_BYTES
    await assert_joined(site, video)


@pytest.mark.logs("Resetting connection with an active transaction")
async def test_a_coordinator_that_restarts_in_the_middle_costs_no_part(
    site: Site, traffic: S3Traffic, video: Video, start_agent: Callable[..., SourceAgent]
):
    traffic.hold_after = 3
    first = await site.start(source_part_bytes=PART_BYTES)
    agent = start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await eventually(traffic.held.is_set)

    await first.stop()
    # Another size of parts from now on: an upload that has begun goes on with its own.
    second = await site.start(source_part_bytes=PART_BYTES // 2)
    await eventually(lambda: agent.link.state == "connected")
    traffic.hold_after = None
    await is_in(site.pool, "uploaded")
    await second.stop()

    assert_each_part_came_once(traffic, video)
    assert agent.num_bytes == len(video.data)
    await assert_joined(site, video)


@pytest.mark.usefixtures("server")
async def test_urls_that_count_no_more_are_replaced_and_cost_one_part(
    site: Site, traffic: S3Traffic, video: Video, start_agent: Callable[..., SourceAgent]
):
    traffic.hold_after = 2
    agent = start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await eventually(traffic.held.is_set)
    # Signatures tell whole seconds.
    now = datetime.datetime.now(datetime.UTC)
    traffic.signed_after = now
    await eventually(lambda: datetime.datetime.now(datetime.UTC) - now > datetime.timedelta(seconds=1))

    traffic.hold_after = None
    await is_in(site.pool, "uploaded")

    assert traffic.num_refused == 1
    assert_each_part_came_once(traffic, video)
    assert agent.num_bytes <= len(video.data) + PART_BYTES


@pytest.mark.usefixtures("server")
@pytest.mark.logs("upload_damaged")
async def test_a_part_with_other_bytes_is_found_by_its_hash_and_the_file_is_asked_for_again(
    site: Site, traffic: S3Traffic, video: Video, start_agent: Callable[..., SourceAgent]
):
    agent = start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await is_in(site.pool, "uploaded")
    damaged = part_keys(traffic)[1]
    traffic.objects[damaged] = bytes(len(traffic.objects[damaged]))

    assert await prepare(site) == []
    row = await site.pool.fetchrow("select state, num_attempts, reason from source_requests")
    assert (row["state"], row["num_attempts"]) == ("wanted", 1)
    assert "sha256 differs" in row["reason"]
    assert part_keys(traffic) == []

    await hurry(site.pool)
    await is_in(site.pool, "uploaded")
    assert agent.num_made == 2
    await assert_joined(site, video)
    keys = await site.pool.fetch("select key from wanted_jobs where key like 'prep:%' order by key")
    assert [row["key"] for row in keys] == ["prep:r1:True:0", "prep:r1:True:1"]


@pytest.mark.usefixtures("server")
@pytest.mark.logs("upload_damaged")
async def test_a_file_that_never_arrives_as_it_was_sent_has_failed_for_good_after_three_more_times(
    site: Site, traffic: S3Traffic, start_agent: Callable[..., SourceAgent]
):
    start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)

    await is_in(site.pool, "uploaded")
    await site.pool.execute("update source_requests set num_attempts = 3")
    traffic.objects[part_keys(traffic)[0]] = b"x" * PART_BYTES
    await prepare(site)

    assert await site.pool.fetchval("select state from source_requests") == "failed"
    assert traffic.objects == {}


@pytest.mark.usefixtures("server")
async def test_a_kill_of_the_worker_between_joining_and_saying_so_is_made_good(
    site: Site, traffic: S3Traffic, video: Video, start_agent: Callable[..., SourceAgent]
):
    start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await is_in(site.pool, "uploaded")
    parts = dict(traffic.objects)
    await assert_joined(site, video)

    # As if the effect had not been committed: once with its parts gone, once with some of them left.
    await assert_joined(site, video)
    first = min(parts)
    traffic.objects[first] = parts[first]
    await assert_joined(site, video)

    assert part_keys(traffic) == []


@pytest.mark.usefixtures("server")
async def test_forgetting_ends_an_upload_and_what_had_arrived_is_deleted(
    site: Site, traffic: S3Traffic, start_agent: Callable[..., SourceAgent]
):
    traffic.hold_after = 2
    agent = start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await eventually(traffic.held.is_set)
    forgetting = asyncio.create_task(
        asyncio.to_thread(agent.fulfiller.forget, session_id, 0, SECOND_NS, timeout_s=10.0)
    )
    await is_in(site.pool, "unavailable")
    traffic.hold_after = None

    assert await forgetting == 1
    assert agent.book.open() == []
    assert list(agent.uploads.iterdir()) == []
    assert len(part_keys(traffic)) >= 2
    await clean_up(site)
    assert traffic.objects == {}


@pytest.mark.usefixtures("server")
async def test_what_lies_in_the_store_for_a_request_that_is_over_goes_and_a_joined_object_stays(
    site: Site, traffic: S3Traffic, start_agent: Callable[..., SourceAgent]
):
    start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await is_in(site.pool, "uploaded")
    parts = dict(traffic.objects)
    await clean_up(site)
    assert traffic.objects == parts

    await prepare(site)
    await clean_up(site)
    assert set(traffic.objects) == {f"clips/{KEY}"}

    # Late: the agent's addresses still counted when this came; then they do not any more.
    traffic.objects |= parts
    await site.pool.execute("update source_uploads set expires_at = now() - interval '2 hours'")
    await clean_up(site)
    assert set(traffic.objects) == {f"clips/{KEY}"}
    assert await site.pool.fetchval("select count(*) from source_uploads") == 0


@pytest.mark.usefixtures("server")
async def test_a_request_that_was_forgotten_takes_its_objects_with_it(
    site: Site, traffic: S3Traffic, start_agent: Callable[..., SourceAgent]
):
    start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await is_in(site.pool, "uploaded")
    await site.pool.execute("delete from source_requests")

    await clean_up(site)

    assert traffic.objects == {}


@pytest.mark.usefixtures("server")
async def test_the_status_tells_how_far_an_upload_is(
    site: Site, traffic: S3Traffic, video: Video, start_agent: Callable[..., SourceAgent]
):
    traffic.hold_after = 3
    agent = start_agent(session_id := new_session_id())
    await wish(site.pool, session_id)
    await eventually(traffic.held.is_set)

    progress = agent.fulfiller.progress()
    traffic.hold_after = None
    await is_in(site.pool, "uploaded")

    assert progress is not None
    assert (progress.request_id, progress.size_bytes) == ("r1", len(video.data))
    assert 3 * PART_BYTES <= progress.bytes_there <= 4 * PART_BYTES
    await eventually(lambda: agent.fulfiller.progress() is None)
