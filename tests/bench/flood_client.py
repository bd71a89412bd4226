"""One account that keeps no rule: as many streams as it gets, chunks as fast as they go, faults, events, hellos.

python -m tests.bench.flood_client CA PORT; floods while a line `go` was the last, rests after `stop`, and says what it
did at the end of its input. A real one has a machine of its own: this one has the lowest priority here.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import hashlib
import json
import os
import sys
import uuid
from pathlib import Path

import grpc

from protos.clippy.v1 import link_pb2, media_pb2
from tests.bench.flood_server import FLOOD

NUM_WORKERS = 48
PAYLOAD = os.urandom(40_000)
SHA256 = hashlib.sha256(PAYLOAD).digest()


class Flood:
    """All of its connections. Owned by the loop."""

    def __init__(self, ca: bytes, port: int) -> None:
        self.is_on = asyncio.Event()
        self.done: collections.Counter[str] = collections.Counter()
        self._credentials = grpc.ssl_channel_credentials(ca)
        self._address = f"localhost:{port}"

    async def work(self, number: int) -> None:
        """One connection after the other, for ever."""
        while True:
            await self.is_on.wait()
            try:
                await self._one_stream(number)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as exc:
                code = exc.code().name if isinstance(exc, grpc.aio.AioRpcError) else "ended"
                self.done[f"end {code}"] += 1
            # Not a wait for the server: what the loop needs to see `stop`.
            await asyncio.sleep(0.01)

    async def _one_stream(self, number: int) -> None:
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.secure_channel(self._address, self._credentials, options=options) as channel:
            call = channel.stream_stream("/clippy.v1.Link/Connect")(
                metadata=(("authorization", f"Bearer {FLOOD}"),)
            )
            session_id = uuid.uuid4().hex
            started = link_pb2.SessionStarted(session_id=session_id, started_unix_ms=1, is_live=True)
            hello = link_pb2.Hello(agent_id=f"flood-{number}", protocol_version=1, sessions=[started])
            self.done["connects"] += 1
            await call.write(link_pb2.AgentMessage(hello=hello).SerializeToString())
            reader = asyncio.create_task(self._read(call))
            try:
                seq = 0
                while self.is_on.is_set() and not reader.done():
                    await call.write(_message(session_id, seq).SerializeToString())
                    seq += 1
            finally:
                reader.cancel()
                call.cancel()
                with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                    await reader

    async def _read(self, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        while isinstance(data := await call.read(), bytes):
            message = link_pb2.CoordinatorMessage.FromString(data)
            kind = str(message.WhichOneof("kind"))
            self.done[kind] += 1
            self.done["chunks"] += sum(
                span.last - span.first + 1 for held in message.ack.held for span in held.fsynced
            )
            if kind == "retry_later":
                self.done[f"later: {message.retry_later.reason.lstrip('0123456789 ')[:60]}"] += 1
                return


def _message(session_id: str, seq: int) -> link_pb2.AgentMessage:
    """Of ten messages six chunks, one of them with a wrong hash; the rest presses, gaps, heartbeats, faults."""
    turn = seq % 10
    if turn < 6:
        chunk = media_pb2.Chunk(
            session_id=session_id,
            lane=media_pb2.LANE_MIC,
            seq=seq,
            start_ns=0,
            end_ns=1_000_000_000,
            content_type="audio/ogg",
            sha256=SHA256 if turn else b"x" * 32,
            payload=PAYLOAD,
        )
        return link_pb2.AgentMessage(chunk=chunk)
    if turn == 6:
        press = link_pb2.Pressed(session_id=session_id, clip_id=f"c-{seq}", end_ns=1)
        return link_pb2.AgentMessage(pressed=press)
    if turn == 7:
        gap = media_pb2.Gap(session_id=session_id, lane=1, first=seq, last=seq, reason="flood")
        return link_pb2.AgentMessage(gap=gap)
    if turn == 8:
        return link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=seq))
    return link_pb2.AgentMessage(pressed=link_pb2.Pressed(session_id="../../etc", clip_id="../.."))


async def main(ca: bytes, port: int) -> None:
    """Do as the lines say."""
    flood = Flood(ca, port)
    workers = [asyncio.create_task(flood.work(number)) for number in range(NUM_WORKERS)]
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line == "go":
            flood.is_on.set()
        else:
            flood.is_on.clear()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    sys.stdout.write(json.dumps(flood.done) + "\n")


if __name__ == "__main__":
    os.nice(19)
    asyncio.run(main(Path(sys.argv[1]).read_bytes(), int(sys.argv[2])))
