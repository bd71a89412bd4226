"""Certificates, token, lock, ports and limits."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from coordinator.errors import AlreadyRunning, DiskFull, EnvironmentProblem, InputUnusable, PortBusy
from coordinator.ops.certificates import (
    ServerCertificate,
    authority_fingerprint,
    fingerprint,
    load_certificates,
)
from coordinator.ops.limits import check_limits, require_free
from coordinator.ops.lock import DataLock
from coordinator.ops.ports import check_port
from coordinator.ops.tokens import load_token

NOW = datetime.datetime.now(datetime.UTC)


def handshake(certificate: ServerCertificate, name: str) -> str:
    """A real TLS handshake over loopback; returns the protocol."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate.certificate_path, certificate.key_path)
    client_side = ssl.create_default_context(cafile=certificate.ca_path)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()

    def serve() -> None:
        with left, server_side.wrap_socket(left, server_side=True) as served:
            served.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with right, client_side.wrap_socket(right, server_hostname=name) as talking:
            version = talking.version()
            talking.send(b"x")
    finally:
        thread.join(10)
    return str(version)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_our_authority_is_satisfied(tmp_path: Path, name: str):
    assert handshake(load_certificates(tmp_path), name) == "TLSv1.3"


def test_keys_are_private_and_the_authority_is_not(tmp_path: Path):
    found = load_certificates(tmp_path)

    assert found.key_path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tls" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert found.ca_path.stat().st_mode & 0o777 == 0o644


def test_a_second_start_uses_the_same_certificate(tmp_path: Path):
    assert load_certificates(tmp_path, now=NOW).chain == load_certificates(tmp_path, now=NOW).chain


def test_a_certificate_with_less_than_30_days_is_renewed_under_the_same_authority(tmp_path: Path):
    first = load_certificates(tmp_path, now=NOW - datetime.timedelta(days=61))
    authority = first.ca_path.read_bytes()

    second = load_certificates(tmp_path, now=NOW)

    assert second.chain != first.chain
    assert second.expires_at - NOW > datetime.timedelta(days=80)
    assert second.ca_path.read_bytes() == authority
    assert handshake(second, "localhost") == "TLSv1.3"


def test_names_are_covered_and_a_change_of_them_makes_a_new_certificate(tmp_path: Path):
    first = load_certificates(tmp_path, names=["Clips.Example.org", "192.0.2.7"], now=NOW)
    same = load_certificates(tmp_path, names=["192.0.2.7", "clips.example.org"], now=NOW)
    authority = first.ca_sha256

    assert same.chain == first.chain
    assert handshake(first, "clips.example.org") == "TLSv1.3"
    assert handshake(first, "192.0.2.7") == "TLSv1.3"
    assert handshake(first, "localhost") == "TLSv1.3"

    second = load_certificates(tmp_path, names=["other.example.org"], now=NOW)

    assert second.ca_sha256 == authority
    assert handshake(second, "other.example.org") == "TLSv1.3"
    covered = x509.load_pem_x509_certificate(second.chain).extensions
    names = covered.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "other.example.org"]


@pytest.mark.parametrize(
    "name", ["", "https://clips.example.org", "clips.example.org:7843", "a b", "-a", "a" * 254]
)
def test_a_name_that_is_none_is_told(tmp_path: Path, name: str):
    with pytest.raises(InputUnusable, match=r"tls\.names"):
        load_certificates(tmp_path, names=[name])


def test_the_fingerprint_is_of_the_authority_that_is_shown(tmp_path: Path):
    found = load_certificates(tmp_path)

    assert authority_fingerprint(tmp_path) == fingerprint(found.ca_sha256)
    assert found.chain.endswith(found.ca_path.read_bytes())
    assert fingerprint(bytes([0xAB, 0x01])) == "AB:01"


def test_there_is_no_fingerprint_before_the_first_start(tmp_path: Path):
    with pytest.raises(EnvironmentProblem, match="first start"):
        authority_fingerprint(tmp_path)


def test_a_kill_between_key_and_certificate_is_mended(tmp_path: Path):
    first = load_certificates(tmp_path)
    first.certificate_path.unlink()

    assert handshake(load_certificates(tmp_path), "localhost") == "TLSv1.3"


def test_a_key_of_another_certificate_is_noticed(tmp_path: Path):
    load_certificates(tmp_path / "a")
    other = load_certificates(tmp_path / "b")
    (tmp_path / "a" / "tls" / "server.key").write_bytes(other.key)

    assert handshake(load_certificates(tmp_path / "a"), "localhost") == "TLSv1.3"


def test_damaged_certificates_are_told_with_what_to_do(tmp_path: Path):
    load_certificates(tmp_path).ca_path.write_text("nonsense")

    with pytest.raises(EnvironmentProblem, match="delete the folder"):
        load_certificates(tmp_path)


def test_the_token_is_made_once_is_private_and_hides_itself(tmp_path: Path):
    token = load_token(tmp_path)

    assert load_token(tmp_path).text == token.text
    assert token.path.stat().st_mode & 0o777 == 0o600
    assert token.text not in repr(token)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Bearer {}", True),
        ("bearer  {}", True),
        ("{}", True),
        ("Bearer {}x", False),
        ("", False),
        ("Bearer ä", False),
    ],
)
def test_only_the_token_is_taken(tmp_path: Path, given: str, expected: bool):
    token = load_token(tmp_path)

    assert token.is_valid(given.format(token.text)) is expected


def test_a_token_that_others_may_read_is_refused(tmp_path: Path):
    load_token(tmp_path).path.chmod(0o644)

    with pytest.raises(EnvironmentProblem, match="others may read"):
        load_token(tmp_path)


def test_the_lock_admits_one_and_is_free_again_after_release(tmp_path: Path):
    first, second = DataLock(tmp_path), DataLock(tmp_path)
    with first, pytest.raises(AlreadyRunning, match="already uses"):
        second.acquire()

    with second:
        assert (tmp_path / "coordinator.lock").exists()


def test_a_busy_port_is_told_with_who_has_it_and_what_to_set():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(PortBusy) as caught:
            check_port("127.0.0.1", port, setting="listen.web")

    assert f"127.0.0.1:{port} is in use" in str(caught.value)
    assert "set listen.web" in str(caught.value)
    if Path("/proc/net/tcp").exists():
        assert "(process " in str(caught.value)


def test_a_free_port_passes_and_any_port_too():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    check_port("127.0.0.1", port, setting="listen.web")
    check_port("127.0.0.1", 0, setting="listen.web")


def test_a_port_that_is_just_being_given_up_is_waited_for():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    release = threading.Timer(0.2, taken.close)
    release.start()

    check_port("127.0.0.1", taken.getsockname()[1], setting="listen.web", wait_s=10.0)

    release.join()


def test_an_address_of_another_machine_is_told():
    with pytest.raises(EnvironmentProblem, match=r"cannot listen on 192\.0\.2\.1"):
        check_port("192.0.2.1", 0, setting="listen.web")


def test_limits_are_told_even_for_a_folder_that_is_not_there_yet(tmp_path: Path):
    checks = {check.name: check for check in check_limits(tmp_path / "not" / "yet")}

    assert set(checks) == {"disk", "open files"}
    assert all(check.is_ok or check.advice for check in checks.values())


def test_too_little_room_is_a_full_disk(tmp_path: Path):
    require_free(tmp_path, needed_bytes=1)
    with pytest.raises(DiskFull, match="MiB are free"):
        require_free(tmp_path, needed_bytes=2**60)
