"""Several nodes on one database: who is alive, whose chunks count as held, and who drains what was left."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.uplink.link import LinkClient
from agent.uplink.outbox import Outbox
from coordinator.errors import AlreadyRunning
from coordinator.ingest.adoption import Adoption
from coordinator.ingest.chunk_rows import ChunkRows
from coordinator.ingest.nodes import NodeRegistry, NodeSettings
from coordinator.ingest.roll_up import RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.ingest.spool import Spool
from coordinator.ingest.sweeping import SpoolSweeper
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from tests.fakes.link_parts import JobTable, Site, eventually, hear, lane_chunk, new_session_id

QUICK = NodeSettings(beat_s=0.1, dead_s=1.0, stale_s=5.0, claim_s=0.0)
SESSION_MS = 1_700_000_000_000


class Machine:
    """A node with a disk of its own, as `serve` puts it together."""

    def __init__(self, site: Site, node: str) -> None:
        self.site, self.node = site, node
        self.disk = site.folder / f"disk-{node}"
        self.registry = self._registry()
        self.server: LinkServer | None = None
        self.port = 0
        self._beating: asyncio.Task[None] | None = None

    def _registry(self) -> NodeRegistry:
        return NodeRegistry(self.site.pool, spool_folder=self.disk, settings=QUICK)

    async def start(self) -> None:
        """Join, recover, listen, beat."""
        self.registry = self._registry()
        server = self.site.server(node=self.node, spool_folder=self.disk, living_nodes=self.registry.living)
        self.registry.on_gone = server.nodes_gone
        await self.registry.join(self.node)
        self.port = await server.start("127.0.0.1:0")
        self._beating = asyncio.create_task(self.registry.run())
        self.server = server

    async def die(self, *, with_disk: bool = False) -> None:
        """Beat no more, as after a kill; what it held is on its disk, or gone with it."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
            self._beating = None
        if self.server is not None:
            await self.server.stop()
            self.server = None
        if with_disk:
            shutil.rmtree(self.disk)

    @contextlib.asynccontextmanager
    async def client(self, outbox: Outbox) -> AsyncIterator[LinkClient]:
        """An agent that is connected to this node."""
        link = self.site.client(outbox, port=self.port)
        link.start()
        try:
            yield link
        finally:
            await asyncio.to_thread(link.stop)


@pytest.fixture
async def machines(site: Site) -> AsyncIterator[tuple[Machine, Machine]]:
    both = Machine(site, "a"), Machine(site, "b")
    for machine in both:
        await machine.start()
    # Each has seen the other.
    await eventually(lambda: all(machine.registry.living() == {"a", "b"} for machine in both))
    yield both
    for machine in both:
        await machine.die()


@pytest.fixture
def outbox(tmp_path: Path):
    opened = Outbox(tmp_path / "outbox.db")
    yield opened
    opened.close()


async def places(site: Site) -> list[str]:
    rows = await site.pool.fetch("select place from chunks order by seq")
    return [row["place"].partition("/")[0] for row in rows]


async def fill(outbox: Outbox, session_id: str, *indices: int) -> None:
    outbox.start_session(session_id, SESSION_MS)
    for index in indices:
        outbox.put(session_id, lane_chunk(index))


async def is_sent(outbox: Outbox) -> None:
    await eventually(lambda: outbox.num_waiting() == 0, what="everything is durable")


async def test_the_same_chunks_on_two_nodes_at_once_are_one_row_each(
    site: Site, machines: tuple[Machine, Machine], outbox: Outbox, tmp_path: Path
):
    session_id = new_session_id()
    other = Outbox(tmp_path / "copy.db")
    for copy in (outbox, other):
        await fill(copy, session_id, *range(40))

    async with machines[0].client(outbox), machines[1].client(other):
        await is_sent(outbox)
        await is_sent(other)
    other.close()

    rows = await site.pool.fetch("select seq, place from chunks order by seq")
    assert [row["seq"] for row in rows] == list(range(40))
    folders = {f"spool:{machine.node}": machine.disk for machine in machines}
    for row in rows:
        reader = PlacedBytes(
            spools=SpoolFolders(folders[row["place"].partition("/")[0]]), objects=site.objects
        )
        assert await reader.read(row["place"]) == lane_chunk(row["seq"]).payload
    assert await site.pool.fetchval("select count(*) from wanted_jobs") == 40


async def test_a_chunk_of_a_living_node_is_not_sent_twice(
    site: Site, machines: tuple[Machine, Machine], outbox: Outbox
):
    await fill(outbox, new_session_id(), 0, 1)
    async with machines[0].client(outbox):
        await is_sent(outbox)

    async with machines[1].client(outbox) as client:
        assert await asyncio.to_thread(client.wait_for, "connected", timeout_s=10)
        outbox.put(outbox.sessions()[0].session_id, lane_chunk(2))
        await is_sent(outbox)

    assert await places(site) == ["spool:a", "spool:a", "spool:b"]


async def test_what_a_node_held_is_sent_to_another_when_its_disk_is_gone(
    site: Site, machines: tuple[Machine, Machine], outbox: Outbox
):
    await fill(outbox, new_session_id(), 0, 1, 2)
    async with machines[0].client(outbox):
        await is_sent(outbox)
    async with machines[1].client(outbox) as client:
        assert await asyncio.to_thread(client.wait_for, "connected", timeout_s=10)

        # It stays connected to the node that lives, and is told when the other is missed.
        await machines[0].die(with_disk=True)

        await eventually(lambda: all_in(site, "spool:b"), what="the other node has them")
        await is_sent(outbox)
    assert machines[1].registry.living() == {"b"}
    states = {row["node"]: row["state"] for row in await site.pool.fetch("select node, state from nodes")}
    assert states == {"a": "gone", "b": "serving"}


async def test_a_node_that_comes_back_leaves_what_others_took_over(
    site: Site, machines: tuple[Machine, Machine], outbox: Outbox
):
    first, second = machines
    await fill(outbox, new_session_id(), 0, 1)
    async with first.client(outbox):
        await is_sent(outbox)
    await first.die()
    await eventually(lambda: second.registry.living() == {"b"})
    async with second.client(outbox):
        await eventually(lambda: all_in(site, "spool:b"), what="taken over")
        await is_sent(outbox)

    await first.start()

    await eventually(lambda: second.registry.living() == {"a", "b"})
    assert first.server is not None
    assert first.server.recovery is not None
    assert first.server.recovery.num_lost == 0
    assert await places(site) == ["spool:b", "spool:b"]


@pytest.mark.logs("spooled_chunks_lost")
async def test_a_node_that_comes_back_without_its_disk_has_its_chunks_sent_again(
    site: Site, machines: tuple[Machine, Machine], outbox: Outbox
):
    first, second = machines
    await fill(outbox, new_session_id(), 0, 1)
    async with first.client(outbox):
        await is_sent(outbox)
    await first.die()
    # The second never misses it: it is back at once, with an empty disk and a copy of what names the spool.
    spool_id = (first.disk / "a" / "id").read_bytes()
    shutil.rmtree(first.disk)
    (first.disk / "a").mkdir(parents=True)
    (first.disk / "a" / "id").write_bytes(spool_id)

    async with second.client(outbox) as client:
        assert await asyncio.to_thread(client.wait_for, "connected", timeout_s=10)
        await first.start()
        await eventually(lambda: all_in(site, "spool:b"), what="sent again to the node it is connected to")


async def test_a_name_belongs_to_one_spool_until_that_is_gone(site: Site, machines: tuple[Machine, Machine]):
    twin = NodeRegistry(site.pool, spool_folder=site.folder / "disk-twin", settings=QUICK)

    with pytest.raises(AlreadyRunning, match="'a'"):
        await twin.join("a")
    await machines[0].die()
    await eventually(lambda: machines[1].registry.living() == {"b"})
    await twin.join("a")

    assert twin.living() == {"a", "b"}


async def test_a_process_that_stood_still_believes_in_nobody_but_itself(site: Site):
    registry = NodeRegistry(
        site.pool, spool_folder=site.folder, settings=NodeSettings(stale_s=0.2, claim_s=0.0)
    )
    other = NodeRegistry(site.pool, spool_folder=site.folder, settings=QUICK)
    await other.join("b")
    await registry.join("a")
    assert registry.living() == {"a", "b"}

    await eventually(lambda: registry.living() == {"a"})


async def test_the_spool_of_a_process_that_is_no_more_is_drained_and_deleted(
    site: Site, machines: tuple[Machine, Machine], outbox: Outbox
):
    first, second = machines
    await fill(outbox, new_session_id(), 0, 1, 2)
    async with second.client(outbox):
        await is_sent(outbox)
    await second.die()
    # One disk for both, as on one machine: the first adopts what the second left.
    shutil.move(second.disk / "b", first.disk / "b")
    rows = ChunkRows(JobTable(), hear, first.registry.living)
    adoption = Adoption(
        site.pool,
        site.objects,
        rows,
        first.registry,
        spool_folder=first.disk,
        sweeper_of=lambda spool: sweeper_of(site, spool),
        settings=RollUpSettings(max_age_s=0.0, interval_s=0.05, drained_age_s=0.0),
    )

    await adoption.take({"a"})
    assert adoption.nodes == ["b"]
    assert first.registry.living() == {"a", "b"}
    await adoption.run(asyncio.Event())

    assert not (first.disk / "b").exists()
    assert (first.disk / "a").is_dir()
    for row in await site.pool.fetch("select seq, place from chunks"):
        reader = PlacedBytes(spools=SpoolFolders(first.disk), objects=site.objects)
        assert row["place"].startswith("object:")
        assert await reader.read(row["place"]) == lane_chunk(row["seq"]).payload
    assert await site.pool.fetchval("select state from nodes where node = 'b'") == "gone"
    async with first.client(outbox):
        await eventually(lambda: not outbox.waiting_after(0, limit=10) and outbox.num_waiting() == 0)


async def test_a_spool_that_another_process_has_is_left_alone(site: Site, machines: tuple[Machine, Machine]):
    first, second = machines
    assert second.server is not None
    rows = ChunkRows(JobTable(), hear, first.registry.living)
    adoption = Adoption(
        site.pool,
        site.objects,
        rows,
        first.registry,
        spool_folder=second.disk,
        sweeper_of=lambda spool: sweeper_of(site, spool),
    )

    await adoption.take(())

    assert adoption.nodes == []
    assert (second.disk / "b" / "lock").exists()


def sweeper_of(site: Site, spool: Spool) -> SpoolSweeper:
    return SpoolSweeper(site.pool, spool, JobTable(), after_sweep=lambda *_: ())


async def all_in(site: Site, spool: str) -> bool:
    found = await places(site)
    return bool(found) and set(found) == {spool}
