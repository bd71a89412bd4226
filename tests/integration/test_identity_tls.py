"""Certificates as agents meet them: renewed without a restart, shown with their authority, and asked of agents."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from coordinator.app.installation import Installation
from coordinator.app.serving import _link_tls
from coordinator.errors import EnvironmentProblem
from coordinator.ops.shown_certificate import FileCertificate, OwnCertificate, read_client_ca
from coordinator.settings import Config, Tls
from protos.clippy.v1 import identity_pb2, link_pb2
from tests.fakes.identity_parts import OWNER_TOKEN, OpenStream, Who, code_of, make_who
from tests.fakes.link_parts import eventually, make_certificates

Status = grpc.StatusCode


@pytest.fixture
async def who(tmp_path: Path, pool: asyncpg.Pool) -> AsyncIterator[Who]:
    async for made in make_who(tmp_path, pool):
        yield made


def write_pair(folder: Path, *, only: str = "") -> bytes:
    """A certificate and key as an operator's renewal writes them; returns the authority's PEM."""
    folder.mkdir(exist_ok=True)
    made = make_certificates(folder)
    for name, data in (("server.pem", made.tls.certificate), ("server.key", made.tls.key)):
        if only in ("", name):
            unfinished = folder / f".{name}"
            unfinished.write_bytes(data)
            unfinished.replace(folder / name)
    return made.ca_path.read_bytes()


def file_settings(folder: Path) -> Installation:
    tls = Tls(certificate_file=str(folder / "server.pem"), key_file=str(folder / "server.key"))
    return Installation(folder, Config(tls=tls))


async def is_trusted(port: int, ca: bytes) -> bool:
    """Does a connection of its own reach the server under this authority?"""
    options = [("grpc.use_local_subchannel_pool", 1)]
    credentials = grpc.ssl_channel_credentials(ca)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials, options=options) as channel:
        call = channel.unary_unary(
            "/clippy.v1.Identity/Describe",
            request_serializer=identity_pb2.DescribeRequest.SerializeToString,
            response_deserializer=identity_pb2.DescribeReply.FromString,
        )
        return await code_of(call(identity_pb2.DescribeRequest(), timeout=10)) == Status.OK


async def test_a_renewed_certificate_is_taken_up_without_a_restart(who: Who, tmp_path: Path):
    folder = tmp_path / "fleet"
    old = write_pair(folder)
    installation = file_settings(folder)
    await who.start(tls=_link_tls(installation, installation.certificate()))
    before = [await is_trusted(who.port, old)]

    new = write_pair(folder)
    await eventually(lambda: is_trusted(who.port, new))
    after = [await is_trusted(who.port, old)]

    assert (before, after) == ([True], [False])


async def test_streams_outlive_the_certificate_they_began_under(who: Who, tmp_path: Path):
    folder = tmp_path / "fleet"
    old = write_pair(folder)
    installation = file_settings(folder)
    server = await who.start(tls=_link_tls(installation, installation.certificate()))
    credentials = grpc.ssl_channel_credentials(old)
    async with grpc.aio.secure_channel(f"localhost:{who.port}", credentials) as channel:
        stream = OpenStream(channel, OWNER_TOKEN)
        await stream.hello()

        new = write_pair(folder)
        await eventually(lambda: is_trusted(who.port, new))
        await stream.call.write(link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=7)))

        assert await stream.next_kind() == "heartbeat"
        # A stop tells it to come back, as any other.
        stopping = asyncio.create_task(server.stop())
        assert await stream.next_kind() == "retry_later"
        await asyncio.wait_for(stopping, 10)


@pytest.mark.logs("certificate_not_taken_up")
def test_half_a_renewal_changes_nothing_until_it_is_whole(tmp_path: Path):
    write_pair(tmp_path)
    certificate = FileCertificate(tmp_path / "server.pem", tmp_path / "server.key")
    before = certificate.shown

    write_pair(tmp_path, only="server.pem")
    half = certificate.renewed()
    shown = certificate.shown
    write_pair(tmp_path)
    whole = certificate.renewed()

    assert (half, shown) == (None, before)
    assert whole is not None
    assert whole.chain == (tmp_path / "server.pem").read_bytes()
    assert certificate.renewed() is None


@pytest.mark.logs("certificate_not_taken_up")
def test_files_that_vanish_leave_what_was_shown(tmp_path: Path):
    write_pair(tmp_path)
    certificate = FileCertificate(tmp_path / "server.pem", tmp_path / "server.key")
    before = certificate.shown

    (tmp_path / "server.key").unlink()

    assert (certificate.renewed(), certificate.shown) == (None, before)


def test_a_key_of_another_certificate_stops_the_start(tmp_path: Path):
    write_pair(tmp_path)
    write_pair(tmp_path, only="server.key")

    with pytest.raises(EnvironmentProblem, match="is not the key of"):
        FileCertificate(tmp_path / "server.pem", tmp_path / "server.key")


def test_our_own_certificate_is_renewed_while_we_run(tmp_path: Path):
    now = datetime.datetime.now(datetime.UTC)
    clock = [now - datetime.timedelta(days=80)]
    certificate = OwnCertificate(tmp_path, now=lambda: clock[0], look_s=0)
    first = certificate.shown

    early = certificate.renewed()
    clock[0] = now
    late = certificate.renewed()

    assert early is None
    assert late is not None
    assert late.chain != first.chain
    assert late.ca_sha256 == first.ca_sha256
    assert x509.load_pem_x509_certificate(late.chain).not_valid_after_utc > now + datetime.timedelta(days=80)


async def test_who_pairs_sees_the_authority_and_can_compare_its_fingerprint(who: Who, tmp_path: Path):
    installation = Installation(tmp_path / "own", Config())
    certificate = installation.certificate()
    await who.start(tls=_link_tls(installation, certificate))

    leaf, authority = await chain_of(who.port)

    assert authority.fingerprint(hashes.SHA256()) == certificate.shown.ca_sha256
    leaf.verify_directly_issued_by(authority)


async def chain_of(port: int) -> list[x509.Certificate]:
    """What the server shows, taken without trusting it, as an agent does before it is paired."""

    def look() -> list[bytes]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as talking,
        ):
            return [one.public_bytes() for one in talking._sslobj.get_unverified_chain()]

    return [x509.load_pem_x509_certificate(pem.encode()) for pem in await asyncio.to_thread(look)]


async def test_an_agent_must_show_a_certificate_where_one_is_asked_for(who: Who, tmp_path: Path):
    (tmp_path / "clients").mkdir()
    (tmp_path / "strangers").mkdir()
    clients = make_certificates(tmp_path / "clients")
    strangers = make_certificates(tmp_path / "strangers")
    client_ca = read_client_ca(clients.ca_path)
    await who.start(tls=dataclasses.replace(who.certificates.tls, client_ca=client_ca))
    answers = []

    for shown in (None, strangers.tls, clients.tls):
        pair = {} if shown is None else {"key": shown.key, "certificate": shown.certificate}
        async with who.channel(**pair) as channel:
            request = identity_pb2.DescribeRequest()
            answers.append(await code_of(who.caller(channel).Describe(request, timeout=5)))

    assert answers == [Status.UNAVAILABLE, Status.UNAVAILABLE, Status.OK]


def test_a_client_authority_that_is_none_stops_the_start(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("nonsense")

    with pytest.raises(EnvironmentProblem, match="client_ca_file"):
        read_client_ca(tmp_path / "ca.pem")


def test_a_look_at_unchanged_files_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_pair(tmp_path)
    certificate = FileCertificate(tmp_path / "server.pem", tmp_path / "server.key")
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self} was read"))

    assert certificate.renewed() is None
