"""A client that sends every chunk twice and out of order, and then other bytes under a number that is taken.

It speaks the protocol by hand, in the bench's own loop, and keeps a chunk until it is STORED, as agents must. The
server answers each chunk once, so what answers a forgery is known: it is sent only while no other copy is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import grpc

from protos.clippy.v1 import link_pb2, link_pb2_grpc, media_pb2
from protos.segment import LANES_BY_NAME, PROTOCOL_VERSION
from tests.bench.ingest_faults_chunks import TOKEN, made_chunk
from tests.bench.ingest_faults_site import Promises

_LANES = ("mic", "proxy")
_TURN_S = 0.5
_ANSWER_S = 60.0
_Seq = tuple[str, int]


class Twins:
    """The client. `run` is a task of the bench's loop; `finish` asks it to send what is left and to end."""

    def __init__(self, folder: Path, port: Callable[[], int], promises: Promises, *, seed: int) -> None:
        self.refused_wrong_hash = 0
        self.accepted_wrong_hash = 0
        self.refused_right = 0
        self.num_sent_twice = 0
        self._folder = folder
        self._port = port
        self._promises = promises
        self._dice = random.Random(seed)
        self._session_id = uuid.uuid4().hex
        self._next = Counter[str]()
        self._kept: set[_Seq] = set()
        self._held: set[_Seq] = set()
        self._under_way = Counter[_Seq]()
        self._forged: _Seq | None = None
        self._forged_at_s = 0.0
        self._finishing = False

    def finish(self) -> None:
        """Begin nothing new."""
        self._finishing = True

    @property
    def num_kept(self) -> int:
        """Chunks that are not in the object store yet."""
        return len(self._kept)

    async def run(self) -> None:
        """Connect again and again; returns once all is stored after `finish`."""
        while not (self._finishing and not self._kept):
            with contextlib.suppress(grpc.RpcError, OSError, asyncio.IncompleteReadError):
                await self._connect_once()
            await asyncio.sleep(self._dice.uniform(0.2, 1.0))

    async def _connect_once(self) -> None:
        credentials = grpc.ssl_channel_credentials((self._folder / "ca.pem").read_bytes())
        options = [
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.http2.ping_timeout_ms", 5_000),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        address = f"127.0.0.1:{self._port()}"
        async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
            call = link_pb2_grpc.LinkStub(channel).Connect(metadata=(("authorization", f"Bearer {TOKEN}"),))
            hello = link_pb2.Hello(
                agent_id="twins",
                agent_version="0",
                protocol_version=PROTOCOL_VERSION,
                sessions=[
                    link_pb2.SessionStarted(session_id=self._session_id, started_unix_ms=1_700_000_000_000)
                ],
            )
            await call.write(link_pb2.AgentMessage(hello=hello))
            welcome = await asyncio.wait_for(call.read(), 15.0)
            if not isinstance(welcome, link_pb2.CoordinatorMessage) or not welcome.HasField("welcome"):
                return
            self._under_way.clear()
            self._held.clear()
            self._take_held(welcome.welcome.held)
            talking = [asyncio.create_task(self._listen(call)), asyncio.create_task(self._send(call))]
            try:
                await asyncio.wait(talking, return_when=asyncio.FIRST_COMPLETED)
            finally:
                call.cancel()
                for task in talking:
                    task.cancel()
                await asyncio.gather(*talking, return_exceptions=True)
                self._forged = None

    async def _listen(self, call: grpc.aio.StreamStreamCall) -> None:
        while True:
            message = await asyncio.wait_for(call.read(), 20.0)
            if not isinstance(message, link_pb2.CoordinatorMessage) or message.HasField("retry_later"):
                return
            if message.HasField("ack"):
                self._take_held(message.ack.held)
                self._take_refused(message.ack.refused)

    def _take_held(self, held: Iterable[media_pb2.LaneRanges]) -> None:
        for item in held:
            lane = next((name for name in _LANES if LANES_BY_NAME[name] == item.lane), "")
            for ranges, is_stored in ((item.fsynced, False), (item.stored, True)):
                for span in ranges:
                    for seq in range(span.first, span.last + 1):
                        self._acknowledge((lane, seq), is_stored=is_stored)

    def _acknowledge(self, key: _Seq, *, is_stored: bool) -> None:
        self._under_way[key] = max(0, self._under_way[key] - 1)
        self._held.add(key)
        self._promises.note("stored" if is_stored else "ack", self._session_id, *key)
        if is_stored:
            self._kept.discard(key)

    def _take_refused(self, refused: Iterable[media_pb2.Gap]) -> None:
        for gap in refused:
            lane = next((name for name in _LANES if LANES_BY_NAME[name] == gap.lane), "")
            if (lane, gap.first) == self._forged:
                self.refused_wrong_hash += 1
                self._forged = None
            else:
                self.refused_right += 1

    async def _send(self, call: grpc.aio.StreamStreamCall) -> None:
        turn = 0
        while True:
            lost = [key for key in self._kept if key not in self._held and not self._under_way[key]]
            for key in lost[:8]:
                await self._write(call, key, self._chunk(key))
            if not self._finishing:
                await self._send_twins(call)
                turn += 1
                if turn % 6 == 0:
                    await self._forge(call)
            elif not self._kept:
                return
            await call.write(link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=turn)))
            await asyncio.sleep(_TURN_S)

    async def _send_twins(self, call: grpc.aio.StreamStreamCall) -> None:
        fresh: list[_Seq] = []
        for lane in _LANES:
            for _ in range(2):
                fresh.append((lane, self._next[lane]))
                self._next[lane] += 1
        self._kept |= set(fresh)
        twins = [*fresh, *fresh]
        self._dice.shuffle(twins)
        for key in twins:
            await self._write(call, key, self._chunk(key))
        self.num_sent_twice += len(fresh)

    async def _forge(self, call: grpc.aio.StreamStreamCall) -> None:
        now_s = time.monotonic()
        if self._forged is not None:
            # On a stream that lives every chunk is answered; whoever lost the connection does not come here.
            if now_s - self._forged_at_s > _ANSWER_S:
                self.accepted_wrong_hash += 1
                self._forged = None
            return
        settled = [key for key in self._held if not self._under_way[key]]
        if not settled:
            return
        key = self._dice.choice(settled)
        chunk = self._chunk(key)
        chunk.payload = self._dice.randbytes(500)
        chunk.sha256 = hashlib.sha256(chunk.payload).digest()
        self._forged, self._forged_at_s = key, now_s
        await call.write(link_pb2.AgentMessage(chunk=chunk))

    async def _write(self, call: grpc.aio.StreamStreamCall, key: _Seq, chunk: media_pb2.Chunk) -> None:
        self._under_way[key] += 1
        await call.write(link_pb2.AgentMessage(chunk=chunk))

    def _chunk(self, key: _Seq) -> media_pb2.Chunk:
        lane, seq = key
        made = made_chunk(self._session_id, lane, seq)  # type: ignore[arg-type]
        return media_pb2.Chunk(
            session_id=self._session_id,
            lane=LANES_BY_NAME[lane],
            seq=seq,
            start_ns=made.start_ns,
            end_ns=made.end_ns,
            content_type=made.content_type,
            sha256=hashlib.sha256(made.payload).digest(),
            payload=made.payload,
        )
