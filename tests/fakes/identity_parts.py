"""A coordinator's identity for tests: accounts in a real database, its service beside a real link, and who calls it."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc

from coordinator.identity.accounts import Accounts, TokenAuthenticator
from coordinator.identity.owner import OwnerOnly
from coordinator.identity.pairing import Pairings
from coordinator.identity.renewal import Renewals
from coordinator.identity.service import Description, IdentityService
from coordinator.identity.tokens import AccessTokens
from coordinator.identity.tries import Tries
from coordinator.ingest.ingest_settings import IngestSettings
from coordinator.ingest.listener import LinkTls
from coordinator.ingest.server import LinkServer
from coordinator.ingest.stream_settings import StreamSettings
from coordinator.store.objects import LocalObjects
from protos.clippy.v1 import identity_pb2, identity_pb2_grpc, link_pb2, link_pb2_grpc
from protos.segment import PROTOCOL_VERSION
from tests.fakes.link_parts import Certificates, JobTable, make_certificates

SECRET = b"a secret of the test, 32 bytes.."
OWNER_TOKEN = "clippy_the-owners-own-token"
DEVICE = identity_pb2.AgentDevice(agent_id="agent-1", name="Desk", version="0.1.0")


@dataclasses.dataclass(slots=True, kw_only=True)
class Who:
    """Everything of identity on one database, and a server that is not started."""

    folder: Path
    pool: asyncpg.Pool
    certificates: Certificates
    accounts: Accounts
    pairings: Pairings
    renewals: Renewals
    tokens: AccessTokens
    authenticator: TokenAuthenticator
    port: int = 0
    servers: list[LinkServer] = dataclasses.field(default_factory=list)

    async def start(self, *, tls: LinkTls | None = None, **limits: Tries) -> LinkServer:
        """A running link with the Identity service; rechecks who is connected all the time."""
        service = IdentityService(
            description=Description(name="Test", ca_pem=self.ca.decode(), ca_sha256=self.ca_sha256),
            pairings=self.pairings,
            renewals=self.renewals,
            **limits,
        )
        server = LinkServer(
            pool=self.pool,
            store=LocalObjects(self.folder / "objects", base_url="http://127.0.0.1:9", secret=b"x" * 32),
            jobs=JobTable(),
            identity=self.authenticator,
            settings=IngestSettings(
                node="n1",
                spool_folder=self.folder / f"spool-{uuid.uuid4().hex}",
                recheck_s=0.1,
                stream=StreamSettings(retry_delay_ms=100),
            ),
            tls=tls or self.certificates.tls,
            more_services=[service.register],
        )
        self.port = await server.start("127.0.0.1:0")
        self.servers.append(server)
        return server

    @property
    def ca_sha256(self) -> bytes:
        """Of the authority's certificate, DER."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.ca.decode())).digest()

    @property
    def ca(self) -> bytes:
        return self.certificates.ca_path.read_bytes()

    def channel(self, *, key: bytes | None = None, certificate: bytes | None = None) -> grpc.aio.Channel:
        """To the server that was started last, over a connection of its own."""
        credentials = grpc.ssl_channel_credentials(self.ca, key, certificate)
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(f"localhost:{self.port}", credentials, options=options)

    def caller(self, channel: grpc.aio.Channel) -> Any:
        """The Identity service's stub; the generated one is typed for calls that block."""
        return identity_pb2_grpc.IdentityStub(channel)

    async def pair(self, channel: grpc.aio.Channel, account: str = "owner", **device: str) -> Any:
        """A device of an account, paired by a code."""
        code = await self.pairings.new_code(await self.accounts.find(account))
        agent = identity_pb2.AgentDevice(**({"agent_id": "agent-1", "name": "Desk", "version": "1"} | device))
        request = identity_pb2.PairRequest(user_code=code.user_code, device=agent)
        return await self.caller(channel).Pair(request, timeout=10)


async def make_who(folder: Path, pool: asyncpg.Pool) -> AsyncIterator[Who]:
    """All of it; servers that were started are stopped at the end."""
    await JobTable().create(pool)
    tokens = AccessTokens(SECRET)
    who = Who(
        folder=folder,
        pool=pool,
        certificates=make_certificates(folder),
        accounts=Accounts(pool),
        pairings=Pairings(pool, SECRET, tokens),
        renewals=Renewals(pool, tokens),
        tokens=tokens,
        authenticator=TokenAuthenticator(pool, tokens, owner=OwnerOnly(OWNER_TOKEN.__eq__)),
    )
    yield who
    for server in who.servers:
        await server.stop()


class OpenStream:
    """A link's stream that said Hello and waits."""

    def __init__(self, channel: grpc.aio.Channel, token: str, *, agent_id: str = "agent-1") -> None:
        self._agent_id = agent_id
        stub: Any = link_pb2_grpc.LinkStub(channel)
        self.call = stub.Connect(metadata=(("authorization", f"Bearer {token}"),), timeout=20)

    async def hello(self) -> str:
        """Say it; returns the kind of the answer, a Welcome with its StreamConfig. Raises grpc.aio.AioRpcError."""
        hello = link_pb2.Hello(agent_id=self._agent_id, agent_version="1", protocol_version=PROTOCOL_VERSION)
        await self.call.write(link_pb2.AgentMessage(hello=hello))
        kind = await self.next_kind()
        if kind == "welcome":
            assert await self.next_kind() == "config"
        return kind

    async def next_kind(self) -> str:
        """The kind of the next message down; empty at the end. Raises grpc.aio.AioRpcError."""
        message = await self.call.read()
        return "" if message is grpc.aio.EOF else str(message.WhichOneof("kind"))

    async def ended_with(self) -> grpc.StatusCode:
        """How it ends, which it does by itself."""
        while True:
            try:
                if not await self.next_kind():
                    return await self.call.code()
            except grpc.aio.AioRpcError as exc:
                return exc.code()


async def code_of(call: Any) -> grpc.StatusCode:
    """The status that a call ends with."""
    try:
        await call
    except grpc.aio.AioRpcError as exc:
        return exc.code()
    return grpc.StatusCode.OK
