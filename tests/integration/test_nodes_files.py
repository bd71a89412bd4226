"""Signed files and spools for other machines: over TLS, to those who hold the secret, and nothing beside them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from coordinator.app.files import files_server
from coordinator.app.http_server import HttpServer
from coordinator.app.installation import Installation
from coordinator.app.working import chunk_bytes
from coordinator.config import load_config
from coordinator.errors import BytesAway, NotFound
from coordinator.ingest.nodes import NodeRegistry
from coordinator.ingest.records import Record
from coordinator.ingest.spool import Spool
from coordinator.model.jobs import Job, Queue
from coordinator.pipeline.hear import Hearing
from coordinator.ports import ChunkBytes
from coordinator.search.index import PostgresUtterances
from coordinator.store.chats import PostgresChats
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from coordinator.store.looks import PostgresLooks
from coordinator.store.objects import LocalObjects
from coordinator.store.rows import PostgresRows
from coordinator.store.signatures import SpoolRange, sign_spool_read
from protos.clippy.v1 import media_pb2
from tests.fakes.link_parts import eventually, lane_chunk, new_session_id
from tests.fakes.serving import free_ports

SECRET = "a secret that all machines of the test share, and nobody else"


@dataclasses.dataclass(kw_only=True)
class Machine:
    """A node with chunks in its spool that serves files to other machines."""

    installation: Installation
    server: HttpServer
    places: list[str]

    @property
    def data(self) -> Path:
        return self.installation.data

    @property
    def base_url(self) -> str:
        return self.installation.files_url()


@pytest.fixture
async def machine(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Machine]:
    (tmp_path / "secret").write_text(SECRET)
    installation = installed(
        tmp_path / "a", tmp_path / "secret", LISTEN__FILES=f"127.0.0.1:{free_ports(1)[0]}"
    )
    registry = NodeRegistry(pool, spool_folder=installation.spool, files_url=installation.files_url())
    await registry.join("a")
    spool = Spool(installation.spool, "a")
    spool.open()
    places = spool.append_group([(record(index), lane_chunk(index).payload) for index in range(3)])
    server = files_server(installation, process="serve", is_port_shared=True)
    serving, beating = asyncio.create_task(server.run()), asyncio.create_task(registry.run())
    yield Machine(installation=installation, server=server, places=[str(place) for place in places])
    server.stop()
    beating.cancel()
    await asyncio.wait_for(serving, 20)
    await asyncio.gather(beating, return_exceptions=True)
    spool.close()


def record(index: int) -> Record:
    chunk = lane_chunk(index)
    return Record(
        session_id=new_session_id(),
        lane=media_pb2.LANE_MIC,
        seq=index,
        start_ns=chunk.start_ns,
        end_ns=chunk.end_ns,
        content_type=chunk.content_type,
        sha256=hashlib.sha256(chunk.payload).digest(),
    )


def installed(data: Path, secret_file: Path, **settings: str) -> Installation:
    environment = {f"CLIPPY_COORDINATOR_{name}": value for name, value in settings.items()}
    environment["CLIPPY_COORDINATOR_IDENTITY__SECRET_FILE"] = str(secret_file)
    return Installation(data, load_config(data, None, environment))


@contextlib.asynccontextmanager
async def reader_of(data: Path, pool: asyncpg.Pool, secret_file: Path) -> AsyncIterator[ChunkBytes]:
    """What a worker on another machine reads chunks with."""
    async with contextlib.AsyncExitStack() as stack:
        yield chunk_bytes(installed(data, secret_file), pool, stack)


def joined(machine: Machine, folder: Path) -> Path:
    """The data directory of a machine that was given the authority of `machine`."""
    (folder / "tls").mkdir(parents=True)
    for path in (machine.data / "tls").iterdir():
        (folder / "tls" / path.name).write_bytes(path.read_bytes())
    return folder


async def test_a_worker_on_another_machine_hears_a_chunk_before_it_is_rolled_up(
    machine: Machine, tmp_path: Path, pool: asyncpg.Pool
):
    async with reader_of(joined(machine, tmp_path / "b"), pool, tmp_path / "secret") as reader:
        for index, place in enumerate(machine.places):
            assert await reader.read(place) == lane_chunk(index).payload
        with pytest.raises(NotFound):
            await reader.read("spool:a/00000099/0/5")
        with pytest.raises(BytesAway, match="node nobody is gone"):
            await reader.read("spool:nobody/00000001/0/5")

        machine.server.stop()
        await eventually(lambda: is_away(reader, machine.places[0]), what="it does not answer any more")


async def test_a_machine_without_the_secret_or_the_authority_reads_nothing(
    machine: Machine, tmp_path: Path, pool: asyncpg.Pool
):
    (tmp_path / "other").write_text("another secret, as long as the one of the machines")

    async with reader_of(joined(machine, tmp_path / "b"), pool, tmp_path / "other") as reader:
        with pytest.raises(BytesAway, match="refuses our signature"):
            await reader.read(machine.places[0])
    async with reader_of(tmp_path / "stranger", pool, tmp_path / "secret") as reader:
        with pytest.raises(BytesAway, match="does not answer"):
            await reader.read(machine.places[0])


async def is_away(reader: ChunkBytes, place: str) -> bool:
    with contextlib.suppress(BytesAway):
        await reader.read(place)
        return False
    return True


async def test_only_segments_and_only_signed_ranges_are_served(machine: Machine):
    base_url = machine.base_url
    secret, soon = machine.installation.internal_secret(), int(time.time()) + 60
    tls = ssl.create_default_context(cafile=machine.data / "tls" / "ca.pem")

    def signed(node: str, segment: str, *, offset: int = 0, length: int = 4, expires_at_s: int = soon) -> str:
        wanted = SpoolRange(node=node, segment=segment, offset=offset, length=length)
        return sign_spool_read(secret, base_url, wanted, expires_at_s=expires_at_s)

    async with httpx.AsyncClient(verify=tls, trust_env=False) as client:
        good = signed("a", "00000001")
        answers = {
            name: (await client.get(url)).status_code
            for name, url in {
                "signed": good,
                "unsigned": f"{base_url}/spool/a/00000001?offset=0&length=4&expires={soon}",
                "another range": good.replace("length=4", "length=5"),
                "another segment": good.replace("00000001", "00000002"),
                "over": signed("a", "00000001", expires_at_s=int(time.time()) - 5),
                "the lock": signed("a", "lock"),
                "what names the spool": signed("a", "id"),
                "out of the spool": signed("a", "..%2F..%2Fowner.token"),
                "out of the node": signed("..", "owner.token"),
                "too long": signed("a", "00000001", length=1 << 40),
                "pages": f"{base_url}/",
                "an object": f"{base_url}/objects/chunks/x.bin",
            }.items()
        }
        posted = (await client.post(good)).status_code

    assert posted == 405
    refused = {"unsigned", "another range", "another segment", "over", "an object"}
    assert answers.pop("signed") == 200
    assert answers == {name: 403 if name in refused else 404 for name in answers}


async def test_an_upload_from_another_machine_goes_over_tls_to_a_signed_address(machine: Machine):
    objects = machine.installation.objects()
    tls = ssl.create_default_context(cafile=machine.data / "tls" / "ca.pem")
    address = objects.sign_put("sources/one.mp4", expires_in_s=60, max_bytes=100)
    assert address.startswith("https://127.0.0.1:")

    async with httpx.AsyncClient(verify=tls, trust_env=False) as client:
        too_large = await client.put(address, content=b"x" * 101)
        taken = await client.put(address, content=b"pictures")
        played = await client.get(objects.sign_get("sources/one.mp4", expires_in_s=60))

    assert (too_large.status_code, taken.status_code, played.status_code) == (413, 201, 200)
    assert played.content == b"pictures"


class MovingRows(PostgresRows):
    """The rows as a worker finds them that reads one just before a roll-up commits."""

    moves_to = ""

    async def chunk(self, session_id: str, lane: int, seq: int):  # type: ignore[no-untyped-def]
        row = await super().chunk(session_id, lane, seq)
        if self.moves_to:
            await self._pool.execute("update chunks set place = $1", self.moves_to)
        return row


async def test_a_chunk_that_moves_while_it_is_read_is_read_where_it_went(tmp_path: Path, pool: asyncpg.Pool):
    batch = media_pb2.SignalBatch(step_ns=500_000_000)
    data = batch.SerializeToString()
    session_id = new_session_id()
    await pool.execute("insert into agents (agent_id, user_id) values ('agent-1', 'owner')")
    await pool.execute("insert into sessions values ($1, 'owner', 'agent-1', now())", session_id)
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place) "
        "values ($1, 4, 0, 0, 1000000000, 'x', '', 1, 'spool:a/00000001/0/7')",
        session_id,
    )
    objects = LocalObjects(tmp_path / "objects", base_url="http://x", secret=b"x" * 32)
    await objects.put("chunks/one.bin", data)
    rows = MovingRows(pool)
    hearing = Hearing(
        rows=rows,
        looks=PostgresLooks(pool),
        utterances=PostgresUtterances(),
        chats=PostgresChats(pool),
        chunk_bytes=PlacedBytes(spools=SpoolFolders(tmp_path / "spool"), objects=objects),
        media=None,  # type: ignore[arg-type]
        speech=None,  # type: ignore[arg-type]
        extract=lambda _samples, _lane: (),
        is_promising=lambda *_chunk: False,
    )
    job = Job(
        job_id=1,
        queue=Queue.TRANSCRIPTION,
        key="stt",
        payload={"session_id": session_id, "lane": 4, "seq": 0},
        runs=1,
    )
    (tmp_path / "spool" / "a").mkdir(parents=True)

    with pytest.raises(BytesAway):
        await hearing.handle(job)
    rows.moves_to = f"object:chunks/one.bin/0/{len(data)}"
    effect = await hearing.handle(job)

    assert effect is not None
