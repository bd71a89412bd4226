"""Pairing over real gRPC and TLS on loopback: whom to trust, what may travel before, and both kinds of code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from agent.errors import CoordinatorUntrusted, LinkProblem, PairingRefused
from agent.uplink.channel import ClientCertificate
from agent.uplink.identity_calls import IdentityCalls
from agent.uplink.pairing import CodeShown, FoundCoordinator, find_coordinator, prove
from agent.uplink.tokens import Unpaired
from agent.uplink.trust import parse_address
from protos.clippy.v1 import identity_pb2
from tests.fakes.coordinator_here import CoordinatorHere
from tests.fakes.link_parts import Certificates, make_certificates

DEVICE = identity_pb2.AgentDevice(agent_id="a" * 32, name="studio", version="1")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def coordinator(certificates: Certificates) -> Iterator[CoordinatorHere]:
    with CoordinatorHere(certificates) as running:
        yield running


def find(coordinator: CoordinatorHere, client: ClientCertificate | None = None) -> FoundCoordinator:
    return find_coordinator(parse_address(coordinator.address), client)


def paired(found: FoundCoordinator, code: str) -> identity_pb2.PairReply:
    (reply,) = prove(found, DEVICE, code, is_wanted=lambda: True)
    assert isinstance(reply, identity_pb2.PairReply)
    return reply


def test_a_coordinator_tells_what_it_is_before_it_is_trusted(coordinator: CoordinatorHere):
    found = find(coordinator)

    assert (found.name, found.fingerprint, found.server_name) == ("Here", coordinator.fingerprint, "")
    assert not found.check("")
    assert found.check(coordinator.fingerprint)
    assert coordinator.calls == ["Describe"]


def test_another_fingerprint_is_refused_and_no_code_travels(coordinator: CoordinatorHere):
    with pytest.raises(CoordinatorUntrusted, match="is another coordinator than expected"):
        find(coordinator).check("0" * 64)

    assert coordinator.calls == ["Describe"]


def test_a_code_counts_once_whatever_its_spelling(coordinator: CoordinatorHere):
    coordinator.codes.append("ABCD-2345")
    found = find(coordinator)

    reply = paired(found, "abcd 2345")

    assert (reply.user_name, reply.tier, coordinator.devices[0].name) == ("Ada", "pro", "studio")
    with pytest.raises(PairingRefused, match="wrong, used or too old"):
        paired(found, "ABCD-2345")


def test_who_shows_an_authority_that_did_not_issue_his_certificate_gets_no_code(
    coordinator: CoordinatorHere, tmp_path: Path
):
    (tmp_path / "real").mkdir()
    real = make_certificates(tmp_path / "real")
    coordinator.shown_ca_pem = real.ca_path.read_text()
    found = find(coordinator)
    assert found.check(coordinator.fingerprint)  # the person saw the real one's

    with pytest.raises(LinkProblem, match="could not prove who it is"):
        paired(found, "ABCD-2345")

    assert coordinator.calls == ["Describe"]


def test_who_claims_a_public_authority_and_has_none_gets_no_code(coordinator: CoordinatorHere):
    coordinator.shown_ca_pem = ""
    found = find(coordinator)
    assert found.check("")
    with pytest.raises(CoordinatorUntrusted, match="public certificate"):
        found.check("0" * 64)

    with pytest.raises(LinkProblem, match="could not prove who it is"):
        paired(found, "ABCD-2345")

    assert coordinator.calls == ["Describe"]


def test_an_authority_that_is_no_certificate_is_told(coordinator: CoordinatorHere):
    coordinator.shown_ca_pem = "trust me"
    coordinator.shown_ca_sha256 = b"x" * 32

    with pytest.raises(CoordinatorUntrusted, match="is no certificate"):
        find(coordinator)


def test_a_fingerprint_that_is_not_its_authoritys_is_told(coordinator: CoordinatorHere):
    coordinator.shown_ca_sha256 = b"x" * 32

    with pytest.raises(CoordinatorUntrusted, match="contradicts itself"):
        find(coordinator)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no loopback address")
def test_a_server_reached_by_a_name_that_it_does_not_have_is_checked_by_one_that_it_has(
    certificates: Certificates,
):
    with CoordinatorHere(certificates, host="127.0.0.2") as elsewhere:
        elsewhere.codes.append("ABCD-2345")
        found = find_coordinator(parse_address(f"127.0.0.2:{elsewhere.port}"))

        assert found.server_name == "localhost"
        assert paired(found, "ABCD-2345").user_name == "Ada"


def test_a_shown_code_is_asked_for_at_the_given_pace_until_it_is_approved(coordinator: CoordinatorHere):
    coordinator.num_refusals = 2
    now_s = [0.0]

    def wait(seconds: float) -> None:
        now_s[0] += seconds

    steps = list(
        prove(
            find(coordinator),
            DEVICE,
            "",
            is_wanted=lambda: True,
            wait=wait,
            monotonic_s=lambda: now_s[0],
        )
    )

    assert [step.user_code for step in steps if isinstance(step, CodeShown)] == ["WXYZ-2345"] * 3
    assert isinstance(steps[-1], identity_pb2.PairReply)
    assert now_s[0] == pytest.approx(3.0)


def test_a_shown_code_ends_with_its_time_and_with_who_gives_up(coordinator: CoordinatorHere):
    coordinator.num_refusals = 1000
    coordinator.expires_in_s = 5
    now_s = [0.0]

    def wait(seconds: float) -> None:
        now_s[0] += seconds

    found = find(coordinator)
    with pytest.raises(PairingRefused, match="nobody approved the code WXYZ-2345 in time"):
        list(prove(found, DEVICE, "", is_wanted=lambda: True, wait=wait, monotonic_s=lambda: now_s[0]))
    with pytest.raises(PairingRefused, match="given up"):
        list(
            prove(found, DEVICE, "", is_wanted=lambda: now_s[0] < 6, wait=wait, monotonic_s=lambda: now_s[0])
        )


def test_tokens_are_renewed_until_the_device_is_unpaired(coordinator: CoordinatorHere):
    coordinator.codes.append("ABCD-2345")
    found = find(coordinator)
    first = paired(found, "ABCD-2345").tokens
    calls = IdentityCalls(found.trusted())

    renewed = calls.refresh(first.refresh_token).tokens
    assert renewed.access_token != first.access_token
    calls.unpair(renewed.refresh_token)
    calls.unpair(renewed.refresh_token)

    with pytest.raises(Unpaired, match="run `clippy pair`"):
        calls.refresh(renewed.refresh_token)


def test_a_coordinator_that_wants_our_certificate_gets_it(tmp_path: Path, certificates: Certificates):
    (tmp_path / "ours").mkdir()
    ours = make_certificates(tmp_path / "ours")
    (tmp_path / "client.pem").write_bytes(ours.tls.certificate)
    (tmp_path / "client.key").write_bytes(ours.tls.key)
    client = ClientCertificate(certificate_path=tmp_path / "client.pem", key_path=tmp_path / "client.key")
    with CoordinatorHere(certificates, client_ca=ours.ca_path.read_bytes()) as strict:
        strict.codes.append("ABCD-2345")

        assert paired(find(strict, client), "ABCD-2345").user_name == "Ada"
        with pytest.raises(LinkProblem):
            find(strict)


def test_what_speaks_no_tls_is_told_and_so_is_nobody():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with pytest.raises(LinkProblem, match="does not speak TLS"):
        find_coordinator(parse_address(f"127.0.0.1:{port}"))
    server.stop(0).wait(5)

    with pytest.raises(LinkProblem, match="nobody answers"):
        find_coordinator(parse_address(f"127.0.0.1:{port}"))
