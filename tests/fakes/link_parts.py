"""Both ends of the link for tests: a CA, a real server on loopback, chunks, and jobs that are rows one can count."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import ipaddress
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.model.media import LaneChunk, LaneName
from agent.uplink.channel import Coordinator
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkHooks, LinkSettings
from agent.uplink.outbox import Outbox
from coordinator.ingest.backlog import Waiting, nothing_waits
from coordinator.ingest.events import FollowUps
from coordinator.ingest.group_commit import GroupSettings
from coordinator.ingest.ingest_settings import IngestSettings
from coordinator.ingest.listener import LinkTls
from coordinator.ingest.roll_up import RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.ingest.stream_settings import StreamSettings
from coordinator.model.accounts import Principal, Tier
from coordinator.model.chunks import ChunkRow
from coordinator.model.jobs import NewJob, Queue
from coordinator.ports import JobQueue, ObjectStore
from coordinator.store.objects import LocalObjects
from coordinator.taste.verdicts import PostgresTastes

SECOND_NS = 1_000_000_000
TOKEN = "a-token-of-the-test"
QUICK = LinkSettings(max_backoff_s=0.3, heartbeat_s=0.3)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """A CA made for one test, and the server's certificate that it issued."""

    ca_path: Path
    tls: LinkTls


def make_certificates(folder: Path) -> Certificates:
    """A CA and a certificate for localhost and 127.0.0.1, valid for an hour."""
    now = datetime.datetime.now(datetime.UTC)

    def build(
        name: str, issuer: str, key: Any, signer: Any, extensions: Sequence[x509.ExtensionType]
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(hours=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(signer, hashes.SHA256())

    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca_name = f"Clippy test CA {uuid.uuid4().hex[:8]}"
    ca = build(ca_name, ca_name, ca_key, ca_key, [x509.BasicConstraints(ca=True, path_length=0)])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = build("localhost", ca_name, key, ca_key, [names])
    ca_path = folder / "ca.pem"
    ca_path.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    tls = LinkTls(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=key_pem)
    return Certificates(ca_path=ca_path, tls=tls)


class JobTable:
    """Port `JobQueue` on a plain table: what is enqueued commits or vanishes with its transaction."""

    async def create(self, pool: asyncpg.Pool) -> None:
        """Make the table."""
        await pool.execute(
            "create table if not exists wanted_jobs (key text primary key, num int default 1, tier text, account text)"
        )

    async def enqueue(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> None:
        """As the port says; counts how often a key was asked for."""
        await connection.executemany(
            "insert into wanted_jobs (key, tier, account) values ($1, $2, $3)"
            " on conflict (key) do update set num = wanted_jobs.num + 1",
            [(job.key, job.tier, job.account) for job in jobs],
        )


def hear(row: ChunkRow) -> Sequence[NewJob]:
    """A job for each chunk of the microphone."""
    if row.lane != 1:
        return ()
    return [NewJob(queue=Queue.TRANSCRIPTION, key=f"stt:{row.session_id}:{row.lane}:{row.seq}", payload={})]


def prepare(request_id: str, is_press: bool, num_attempts: int) -> Sequence[NewJob]:
    """A job for each upload."""
    key = f"prep:{request_id}:{is_press}:{num_attempts}"
    return [NewJob(queue=Queue.VIDEO_PROCESSING, key=key, payload={})]


class OneToken:
    """Port `Authenticator`: one account, one token, until it is revoked."""

    def __init__(
        self, token: str = TOKEN, *, expires_at_s: float | None = None, tier: Tier = "business"
    ) -> None:
        self.is_revoked = False
        self._tier = tier
        self._token = token
        self._expires_at_s = expires_at_s

    async def authenticate(self, token: str, peer: str = "") -> Principal | None:
        """As the port says."""
        if self.is_revoked or token != self._token:
            return None
        return Principal(user_id="owner", tier=self._tier, expires_at_s=self._expires_at_s)

    async def revoked(self, principals: Sequence[Principal]) -> set[Principal]:
        """As the port says."""
        return set(principals) if self.is_revoked else set()


@dataclasses.dataclass(slots=True, kw_only=True)
class Site:
    """A coordinator's folder, database and certificates; servers come and go on it."""

    folder: Path
    pool: asyncpg.Pool
    certificates: Certificates
    objects: ObjectStore
    port: int = 0
    identity: OneToken = dataclasses.field(default_factory=OneToken)

    def settings(self, **changes: Any) -> IngestSettings:
        """Quick ones: chunks are rolled up only when a test says so."""
        values: dict[str, Any] = {
            "node": "n1",
            "spool_folder": self.folder / "spool",
            "poll_s": 0.5,
            "group": GroupSettings(patience_s=1.0),
            "stream": StreamSettings(retry_delay_ms=100),
            "roll_up": RollUpSettings(max_age_s=3600.0, interval_s=3600.0, drained_age_s=0.0),
        }
        return IngestSettings(**(values | changes))

    def server(
        self,
        *,
        follow_ups: FollowUps | None = None,
        living_nodes: Callable[[], Collection[str]] | None = None,
        waiting: Waiting = nothing_waits,
        jobs: JobQueue | None = None,
        **changes: Any,
    ) -> LinkServer:
        """A server that has not started."""
        return LinkServer(
            pool=self.pool,
            store=self.objects,
            jobs=jobs or JobTable(),
            identity=self.identity,
            settings=self.settings(**changes),
            follow_ups=follow_ups or FollowUps(after_chunk=hear, after_upload=prepare),
            living_nodes=living_nodes,
            tls=self.certificates.tls,
            waiting=waiting,
            tastes=PostgresTastes(self.pool),
        )

    async def start(self, **changes: Any) -> LinkServer:
        """A running server; the first one chooses the port of all."""
        server = self.server(**changes)
        self.port = await server.start(f"127.0.0.1:{self.port}")
        return server

    def client(
        self,
        outbox: Outbox,
        *,
        token: str = TOKEN,
        hooks: LinkHooks | None = None,
        port: int | None = None,
        words_after: Callable[[str], int] | None = None,
    ) -> LinkClient:
        """An agent's link that has not started."""
        token_path = self.folder / f"token-{uuid.uuid4().hex}"
        token_path.write_text(token)
        coordinator = Coordinator(
            address=f"localhost:{self.port if port is None else port}",
            ca_path=self.certificates.ca_path,
            token_path=token_path,
        )
        return LinkClient(
            coordinator,
            outbox,
            agent_id="agent-1",
            agent_version="0.1.0",
            hooks=hooks,
            settings=QUICK,
            words_after=words_after,
        )


async def make_site(folder: Path, pool: asyncpg.Pool, objects: ObjectStore | None = None) -> Site:
    """A site in an empty folder; without `objects` its signed addresses lead nowhere."""
    await JobTable().create(pool)
    objects = objects or LocalObjects(folder / "objects", base_url="http://127.0.0.1:9", secret=b"x" * 32)
    return Site(folder=folder, pool=pool, certificates=make_certificates(folder), objects=objects)


def new_session_id() -> str:
    """A session id that nobody has used."""
    return uuid.uuid4().hex


def lane_chunk(index: int, *, lane: LaneName = "mic", num_bytes: int = 2000) -> LaneChunk:
    """The chunk of a lane's second `index`; its payload says which it is."""
    payload = (f"{lane} {index} ".encode() * (num_bytes // 8 + 1))[:num_bytes]
    return LaneChunk(
        lane=lane,
        start_ns=index * SECOND_NS,
        end_ns=(index + 1) * SECOND_NS,
        content_type="audio/ogg",
        payload=payload,
    )


async def eventually(condition: Callable[[], Any], *, deadline_s: float = 15.0, what: str = "") -> None:
    """Poll until the condition (which may be a coroutine function) holds; fail at the deadline."""
    ends = time.monotonic() + deadline_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < ends, f"did not come true within {deadline_s:.0f} s: {what}"
        await asyncio.sleep(0.02)
