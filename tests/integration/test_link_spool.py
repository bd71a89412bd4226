"""Recovery and roll-up against real rows: what a kill between any two steps leaves is made whole."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from agent.uplink.outbox import Outbox
from coordinator.errors import DiskFull, StoreUnavailable
from coordinator.ingest.chunk_rows import Outcome
from coordinator.ingest.database import SQL
from coordinator.ingest.records import Record, pack
from coordinator.ingest.roll_up import RollUp, RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from protos.clippy.v1 import media_pb2
from tests.fakes.link_parts import SECOND_NS, Site, eventually, lane_chunk, new_session_id


async def add_session(pool: asyncpg.Pool, *, ended: bool = False) -> str:
    session_id = new_session_id()
    await pool.execute("insert into agents (agent_id, user_id) values ('a', 'owner') on conflict do nothing")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at, ended_at)"
        " values ($1, 'owner', 'a', now(), case when $2 then now() end)",
        session_id,
        ended,
    )
    return session_id


async def submit(
    server: LinkServer, session_id: str, seqs: Sequence[int], mark: bytes = b""
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for seq in seqs:
        payload = f"chunk {seq}".encode() + mark
        chunk = media_pb2.Chunk(
            session_id=session_id,
            lane=media_pb2.LANE_MIC,
            seq=seq,
            start_ns=seq * SECOND_NS,
            end_ns=(seq + 1) * SECOND_NS,
            content_type="audio/ogg",
            payload=payload,
            sha256=hashlib.sha256(payload).digest(),
        )
        server.commits.submit(chunk, outcomes.append)
    await eventually(lambda: len(outcomes) == len(seqs))
    return outcomes


async def payloads(site: Site) -> list[bytes]:
    reader = PlacedBytes(spools=SpoolFolders(site.folder / "spool"), objects=site.objects)
    return [
        await reader.read(row["place"]) for row in await site.pool.fetch("select * from chunks order by seq")
    ]


def roll_up(site: Site, server: LinkServer, store: object = None) -> RollUp:
    settings = RollUpSettings(max_age_s=0.0, drained_age_s=0.0)
    return RollUp(site.pool, server.spool, store or site.objects, settings=settings)  # type: ignore[arg-type]


async def test_lost_rows_are_rebuilt_from_the_spool_with_their_jobs(site: Site):
    session_id = await add_session(site.pool)
    first = await site.start()
    await submit(first, session_id, range(4))
    await first.stop()
    await site.pool.execute("delete from chunks where seq >= 2")
    await site.pool.execute("delete from wanted_jobs")

    second = await site.start()
    await second.stop()

    assert second.recovery is not None
    assert second.recovery.num_readded == 2
    assert await payloads(site) == [f"chunk {seq}".encode() for seq in range(4)]
    assert await site.pool.fetchval("select count(*) from wanted_jobs") == 2


async def test_a_torn_tail_is_cut_off_and_whole_records_before_it_kept(site: Site):
    session_id = await add_session(site.pool)
    first = await site.start()
    await submit(first, session_id, range(2))
    await first.stop()
    path = first.spool.path(1)
    size_bytes = path.stat().st_size
    unindexed = b"".join(
        pack(
            Record(
                session_id=session_id,
                lane=1,
                seq=2,
                start_ns=0,
                end_ns=1,
                content_type="audio/ogg",
                sha256=hashlib.sha256(b"third").digest(),
            ),
            b"third",
        )
    )
    with path.open("ab") as file:
        file.write(unindexed + unindexed[:-3])

    second = await site.start()
    await second.stop()

    assert second.recovery is not None
    assert (second.recovery.num_readded, second.recovery.num_torn_bytes) == (1, len(unindexed) - 3)
    assert path.stat().st_size == size_bytes + len(unindexed)
    assert (await payloads(site))[2] == b"third"


@pytest.mark.logs("spooled_chunks_lost")
async def test_chunks_whose_segment_is_gone_are_no_longer_held_and_a_resend_takes_over(site: Site):
    session_id = await add_session(site.pool)
    first = await site.start()
    await submit(first, session_id, range(3))
    await first.stop()
    first.spool.path(1).unlink()

    second = await site.start()
    outcomes = await submit(second, session_id, range(3))
    await second.stop()

    assert second.recovery is not None
    assert second.recovery.num_lost == 3
    assert {outcome.kind for outcome in outcomes} == {"fsynced"}
    assert await payloads(site) == [f"chunk {seq}".encode() for seq in range(3)]


async def test_a_chunk_in_the_spool_of_a_dead_node_is_taken_over_and_its_job_asked_for_by_the_same_key(
    site: Site,
):
    session_id = await add_session(site.pool)
    first = await site.start()
    await submit(first, session_id, [0])
    await first.stop()

    second = await site.start(node="n2")
    outcomes = await submit(second, session_id, [0])
    await second.stop()

    assert outcomes[0].kind == "fsynced"
    assert (await site.pool.fetchval("select place from chunks")).startswith("spool:n2/")
    assert await site.pool.fetchval("select count(*) from wanted_jobs") == 1


async def test_two_copies_in_one_group_become_one_row(site: Site):
    session_id = await add_session(site.pool)
    server = await site.start()
    outcomes = await submit(server, session_id, [0, 0, 0])
    await server.stop()

    assert {outcome.kind for outcome in outcomes} == {"fsynced"}
    assert server.commits.counters.num_bytes == len(b"chunk 0")


async def test_a_session_that_is_gone_spoils_nobody_elses_group(site: Site):
    session_id = await add_session(site.pool)
    server = await site.start()
    outcomes = await asyncio.gather(
        submit(server, new_session_id(), [0]),
        submit(server, session_id, [0]),
        submit(server, session_id, [1]),
    )
    await server.stop()

    assert [outcome[0].kind for outcome in outcomes] == ["refused", "fsynced", "fsynced"]


async def test_a_roll_up_moves_chunks_into_one_object_and_deletes_drained_segments(site: Site):
    session_id = await add_session(site.pool, ended=True)
    server = await site.start(max_segment_bytes=300)
    await submit(server, session_id, range(8))

    num_moved = await roll_up(site, server).run_once()
    places = {row["place"].rsplit("/", 2)[0] for row in await site.pool.fetch("select place from chunks")}
    segments = server.spool.segments()
    again = await submit(server, session_id, [3])
    await server.stop()

    assert num_moved == 8
    assert len(places) == 1
    assert await payloads(site) == [f"chunk {seq}".encode() for seq in range(8)]
    assert len(segments) <= 1
    assert again == [Outcome(kind="stored")]


async def test_only_old_or_ended_sessions_are_rolled_up(site: Site):
    session_id = await add_session(site.pool)
    server = await site.start()
    await submit(server, session_id, range(2))
    early = await server.roll_up.run_once()

    await site.pool.execute("update chunks set received_at = now() - interval '2 hours'")
    late = await server.roll_up.run_once()
    await server.stop()

    assert (early, late) == (0, 2)


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


class DyingStore:
    """The object store of a process that dies before or after the PUT."""

    def __init__(self, site: Site, *, after: bool) -> None:
        self._objects = site.objects
        self._after = after

    async def put(self, key: str, data: bytes) -> None:
        if self._after:
            await self._objects.put(key, data)
        raise Killed


@pytest.mark.parametrize("after", [False, True])
async def test_a_roll_up_killed_around_its_put_is_done_once_by_the_next(site: Site, after: bool):
    session_id = await add_session(site.pool, ended=True)
    server = await site.start()
    await submit(server, session_id, range(3))
    with pytest.raises(Killed):
        await roll_up(site, server, DyingStore(site, after=after)).run_once()

    num_moved = await roll_up(site, server).run_once()
    await server.stop()

    objects = list((site.folder / "objects").rglob("*.bin"))
    assert (num_moved, len(objects)) == (3, 1)
    assert await payloads(site) == [f"chunk {seq}".encode() for seq in range(3)]


async def test_a_roll_up_killed_after_its_commit_keeps_the_object(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    session_id = await add_session(site.pool, ended=True)
    server = await site.start()
    await submit(server, session_id, range(3))

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("pathlib.Path.unlink", die)
        await roll_up(site, server).run_once()
    num_moved = await roll_up(site, server).run_once()
    await server.stop()

    assert num_moved == 0
    assert await payloads(site) == [f"chunk {seq}".encode() for seq in range(3)]


async def test_an_object_is_kept_while_the_commit_that_uses_it_is_still_under_way(site: Site):
    session_id = await add_session(site.pool, ended=True)
    server = await site.start()
    await submit(server, session_id, range(1))
    place = await site.pool.fetchval("select place from chunks")
    (data,) = await payloads(site)
    key = f"chunks/{session_id}/begun.bin"
    await site.objects.put(key, data)
    intents = server.spool.folder / "intents"
    intents.mkdir()
    (intents / "begun.json").write_text(json.dumps({"session_id": session_id, "key": key}))

    async with site.pool.acquire() as killed, killed.transaction():
        await killed.fetch(SQL["move_chunks"], session_id, [1], [0], [place], [f"object:{key}/0/{len(data)}"])
        settling = asyncio.create_task(roll_up(site, server).run_once())
        await eventually(lambda: is_anybody_waiting(site.pool), what="the next process waits for the commit")
    await settling
    await server.stop()

    assert await payloads(site) == [data]
    assert list(intents.iterdir()) == []


async def is_anybody_waiting(pool: asyncpg.Pool) -> bool:
    return bool(
        await pool.fetchval(
            "select exists (select from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock')"
        )
    )


async def test_a_full_disk_delays_the_roll_up_loses_nothing_and_still_gives_drained_segments_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    session_id = await add_session(site.pool, ended=True)
    server = await site.start()
    server.spool.path(drained := 1).write_bytes(b"nothing that a row knows")
    server.spool._segment = drained
    await submit(server, session_id, range(3))
    with monkeypatch.context() as patch, pytest.raises(DiskFull, match="free some space"):
        patch.setattr("coordinator.ingest.roll_up.os.fsync", full)
        await roll_up(site, server).run_once()
    segments = server.spool.segments()
    num_moved = await roll_up(site, server).run_once()
    await server.stop()

    assert drained not in segments
    assert num_moved == 3
    assert await payloads(site) == [f"chunk {seq}".encode() for seq in range(3)]


async def test_a_store_that_is_down_delays_the_roll_up_and_loses_nothing(site: Site):
    class DownStore(DyingStore):
        async def put(self, key: str, data: bytes) -> None:
            raise StoreUnavailable("the store does not answer")

    session_id = await add_session(site.pool, ended=True)
    server = await site.start()
    await submit(server, session_id, range(3))
    with pytest.raises(StoreUnavailable):
        await roll_up(site, server, DownStore(site, after=False)).run_once()
    before = await payloads(site)
    num_moved = await roll_up(site, server).run_once()
    await server.stop()

    assert len(before) == num_moved == 3


@pytest.mark.logs("spooled_chunks_lost")
async def test_a_session_with_an_unreadable_chunk_rolls_up_the_rest_and_asks_for_that_one_again(
    site: Site, tmp_path: Path
):
    server = await site.start()
    outbox = Outbox(tmp_path / "outbox.db")
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1)
    for index in range(3):
        outbox.put(session_id, lane_chunk(index, num_bytes=100))
    client.start()
    await eventually(lambda: client.counters.chunks_fsynced == 3)
    path = server.spool.path(1)
    data = bytearray(path.read_bytes())
    data[data.index(b"mic 1 ")] ^= 1
    path.write_bytes(data)

    num_moved = await roll_up(site, server).run_once()
    await asyncio.to_thread(client.stop)
    again = site.client(outbox)
    again.start()
    await eventually(lambda: again.counters.chunks_fsynced == 1)
    await asyncio.to_thread(again.stop)
    outbox.close()
    await server.stop()

    assert num_moved == 2
    assert await payloads(site) == [lane_chunk(index, num_bytes=100).payload for index in range(3)]
