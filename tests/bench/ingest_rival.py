"""A plain WebSocket server that does ingest's work: the rival of `bench ingest`, one process of it.

The same messages, TLS, hash, spool file with its CRC, one fdatasync and one transaction (rows, and a job each) for what
came within 10 ms, and the acknowledgement after it. Nothing else: no takeover, no limits, no wishes, one account.

python -m tests.bench.ingest_rival PORT DATA NODE    DATABASE_URL in the environment, the token on standard input
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from coordinator.ingest.group_commit import GroupSettings
from coordinator.ingest.places import SpoolPlace
from coordinator.ingest.records import Record
from coordinator.ingest.spool import Spool
from coordinator.ops.certificates import load_certificates
from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import MAX_MESSAGE_BYTES, PROTOCOL_VERSION, check_chunk

# As ours: equal work.
_GATHER_S = GroupSettings().gather_s
_SESSION = """
with added as (insert into agents (agent_id, user_id) values ($1, 'owner') on conflict do nothing)
insert into sessions (session_id, user_id, agent_id, started_at) values ($2, 'owner', $1, now())
on conflict do nothing
"""
_ROWS = """
insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)
select * from unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bytea[],
                     $8::integer[], $9::text[])
on conflict do nothing
"""
_Waiting = tuple[media_pb2.Chunk, "asyncio.Future[None]"]


class Rival:
    """The application; one loop owns it."""

    def __init__(self, pool: asyncpg.Pool, spool: Spool, token: str) -> None:
        self._pool = pool
        self._spool = spool
        self._token = f"Bearer {token}".encode()
        self._waiting: list[_Waiting] = []
        self._has_some = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One socket, from the upgrade to its end."""
        await receive()
        given = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(given, self._token):
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            answer = await self._answer(link_pb2.AgentMessage.FromString(event["bytes"]))
            await send({"type": "websocket.send", "bytes": answer.SerializeToString()})

    async def _answer(self, message: link_pb2.AgentMessage) -> link_pb2.CoordinatorMessage:
        kind = message.WhichOneof("kind")
        if kind == "heartbeat":
            return link_pb2.CoordinatorMessage(heartbeat=message.heartbeat)
        if kind == "hello":
            async with self._pool.acquire() as connection:
                for session in message.hello.sessions:
                    await connection.execute(_SESSION, message.hello.agent_id, session.session_id)
            welcome = link_pb2.Welcome(protocol_version=PROTOCOL_VERSION)
            return link_pb2.CoordinatorMessage(welcome=welcome)
        chunk = message.chunk
        check_chunk(chunk)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((chunk, done))
        self._has_some.set()
        await done
        span = media_pb2.SeqRange(first=chunk.seq, last=chunk.seq)
        held = media_pb2.LaneRanges(session_id=chunk.session_id, lane=chunk.lane, fsynced=[span])
        return link_pb2.CoordinatorMessage(ack=link_pb2.Ack(held=[held]))

    async def write(self) -> None:
        """Make durable what waits, group after group, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._has_some.wait()
            await asyncio.sleep(_GATHER_S)
            group, self._waiting = self._waiting, []
            self._has_some.clear()
            records = [(_record(chunk), chunk.payload) for chunk, _ in group]
            places = await loop.run_in_executor(self._thread, self._spool.append_group, records)
            async with self._pool.acquire() as connection, connection.transaction():
                await _write_rows(connection, [chunk for chunk, _ in group], places)
            self._spool.release(places)
            for _, done in group:
                if not done.done():
                    done.set_result(None)


async def _write_rows(
    connection: asyncpg.Connection, chunks: Sequence[media_pb2.Chunk], places: Sequence[SpoolPlace]
) -> None:
    await connection.execute(
        _ROWS,
        *([chunk.session_id for chunk in chunks], [chunk.lane for chunk in chunks]),
        *([chunk.seq for chunk in chunks], [chunk.start_ns for chunk in chunks]),
        *([chunk.end_ns for chunk in chunks], [chunk.content_type for chunk in chunks]),
        *([chunk.sha256 for chunk in chunks], [len(chunk.payload) for chunk in chunks]),
        [str(place) for place in places],
    )
    keys: list[str | None] = [f"stt:{chunk.session_id}:{chunk.lane}:{chunk.seq}" for chunk in chunks]
    jobs: list[bytes | None] = [_job(key, chunk) for key, chunk in zip(keys, chunks, strict=True)]
    await Queries(AsyncpgDriver(connection)).enqueue(
        ["transcription"] * len(chunks),
        jobs,
        [10] * len(chunks),
        dedupe_key=keys,
        on_conflict="skip",
    )


def _job(key: str | None, chunk: media_pb2.Chunk) -> bytes:
    data = {"session_id": chunk.session_id, "lane": chunk.lane, "seq": chunk.seq}
    return json.dumps({"key": key, "data": data}).encode()


def _record(chunk: media_pb2.Chunk) -> Record:
    return Record(
        session_id=chunk.session_id,
        lane=chunk.lane,
        seq=chunk.seq,
        start_ns=chunk.start_ns,
        end_ns=chunk.end_ns,
        content_type=chunk.content_type,
        sha256=chunk.sha256,
    )


async def serve(port: int, data: Path, node: str, token: str) -> None:
    """Serve until SIGTERM."""
    certificates = load_certificates(data)
    spool = Spool(data / "rival", node)
    spool.open()
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=5) as pool:
        rival = Rival(pool, spool, token)
        config = uvicorn.Config(
            rival,
            ws="websockets",
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            # The coordinator pings only who is silent, and nobody is.
            ws_ping_interval=None,
            loop="asyncio",
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
            backlog=4096,
            ssl_certfile=certificates.certificate_path,
            ssl_keyfile=certificates.key_path,
        )
        server = uvicorn.Server(config)
        writing = asyncio.create_task(rival.write())
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", port))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            # A writer that fails must be seen: nothing would be acknowledged any more.
            done, _ = await asyncio.wait({writing, serving}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        writing.cancel()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.stdin.readline().strip()))
