"""Peers that need keep no rule: a stream of any bytes, and what a good agent would have said."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from coordinator.model.accounts import Principal
from protos.clippy.v1 import link_pb2, media_pb2
from tests.fakes.link_parts import SECOND_NS, TOKEN, Site, new_session_id

METHOD = "/clippy.v1.Link/Connect"


def channel(site: Site, **options: Any) -> grpc.aio.Channel:
    """A connection of its own to the site's server."""
    ca = site.certificates.ca_path.read_bytes()
    own = (("grpc.use_local_subchannel_pool", 1),)
    return grpc.aio.secure_channel(
        f"localhost:{site.port}", grpc.ssl_channel_credentials(ca), options=own, **options
    )


class Peer:
    """A stream that sends any bytes; a context manager."""

    def __init__(
        self,
        site: Site,
        token: str = TOKEN,
        compression: Any = None,
        metadata: Sequence[tuple[str, str | bytes]] | None = None,
    ) -> None:
        self._channel = channel(site)
        self.call = self._channel.stream_stream(METHOD)(
            metadata=(("authorization", f"Bearer {token}"),) if metadata is None else tuple(metadata),
            compression=compression,
        )

    async def __aenter__(self) -> Peer:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()
        await self._channel.close()

    async def send(self, message: link_pb2.AgentMessage | bytes) -> None:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        await asyncio.wait_for(self.call.write(data), 5)

    async def hear(self, deadline_s: float = 5.0) -> link_pb2.CoordinatorMessage:
        """The next message; StreamConfig is passed over, as an agent does that does not know it."""
        while (message := await self._read(deadline_s)).HasField("config"):
            continue
        return message

    async def _read(self, deadline_s: float = 5.0) -> link_pb2.CoordinatorMessage:
        data = await asyncio.wait_for(self.call.read(), deadline_s)
        assert isinstance(data, bytes), (
            f"the stream ended: {await self.call.code()} {await self.call.details()}"
        )
        return link_pb2.CoordinatorMessage.FromString(data)

    async def end(self) -> tuple[grpc.StatusCode, str]:
        return await asyncio.wait_for(self.call.code(), 5), str(await self.call.details())

    async def greet(self, *session_ids: str, agent_id: str = "agent-1") -> link_pb2.CoordinatorMessage:
        """Say Hello; returns the Welcome, and has heard its StreamConfig, or what came instead."""
        await self.send(hello(*session_ids, agent_id=agent_id))
        answer = await self._read()
        if answer.HasField("welcome"):
            assert (await self._read()).HasField("config")
        return answer

    async def echo(self, unix_ms: int) -> list[link_pb2.CoordinatorMessage]:
        """Everything that comes down until a heartbeat's echo: what was sent before it has been taken."""
        await self.send(heartbeat(unix_ms))
        heard = [await self.hear()]
        while heard[-1].heartbeat.unix_ms != unix_ms:
            heard.append(await self.hear())
        return heard[:-1]


class Tokens:
    """Port `Authenticator`: any number of accounts, each with its token."""

    def __init__(self, **principals: Principal) -> None:
        self.principals = principals

    async def authenticate(self, token: str, peer: str = "") -> Principal | None:
        """As the port says."""
        return self.principals.get(token)

    async def revoked(self, principals: Sequence[Principal]) -> set[Principal]:
        """As the port says."""
        return set()


def hello(*session_ids: str, agent_id: str = "agent-1") -> link_pb2.AgentMessage:
    sessions = [
        link_pb2.SessionStarted(session_id=session_id, started_unix_ms=1, is_live=True)
        for session_id in session_ids
    ]
    return link_pb2.AgentMessage(
        hello=link_pb2.Hello(agent_id=agent_id, protocol_version=1, sessions=sessions)
    )


def heartbeat(unix_ms: int) -> link_pb2.AgentMessage:
    return link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=unix_ms))


def chunk(session_id: str, /, **changes: Any) -> link_pb2.AgentMessage:
    payload = changes.get("payload", b"sound")
    values: dict[str, Any] = {
        "session_id": session_id,
        "lane": media_pb2.LANE_MIC,
        "seq": 0,
        "start_ns": 0,
        "end_ns": SECOND_NS,
        "content_type": "audio/ogg",
        "payload": payload,
        "sha256": hashlib.sha256(payload).digest(),
    }
    return link_pb2.AgentMessage(chunk=media_pb2.Chunk(**(values | changes)))


async def still_serves(site: Site, token: str = TOKEN, agent_id: str = "agent-1") -> None:
    """A good agent is served."""
    session_id = new_session_id()
    async with Peer(site, token) as peer:
        await peer.greet(session_id, agent_id=agent_id)
        await peer.send(chunk(session_id))
        assert (await peer.hear()).ack.held[0].fsynced[0].last == 0


def files_outside(site: Site) -> set[Path]:
    """Whatever lies in or beside the site's folder and is neither spool, object nor certificate."""
    folder = site.folder
    known = {folder / "spool" / "n1" / "lock", folder / "objects.made", site.certificates.ca_path}
    return {
        path
        for path in folder.parent.rglob("*")
        if path.is_file()
        and path not in known
        and not (path.parent == folder / "spool" / "n1" and path.name.isdecimal())
        and folder / "objects" not in path.parents
        and folder in (path.parent, *path.parents)
    } | {path for path in folder.parent.iterdir() if path != folder and path.name.startswith("evil")}
