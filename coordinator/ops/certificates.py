"""The coordinator's own certificate authority, and a server certificate for loopback and the names it is given.

Made at the first start: `ca.pem` is what an agent trusts. The authority lasts 10 years; the server's certificate
90 days, and is made anew with less than 30 left, or when its names change. Keys are P-256, 0600. What is shown is the
server's certificate and the authority's, so that who pairs can see the authority and compare its fingerprint.

Source: cryptography `x509`; RFC 5280.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import EnvironmentProblem, InputUnusable
from coordinator.ops.lock import brief_lock
from coordinator.ops.private_files import write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_CA_DAYS = 3650
_SERVER_DAYS = 90
_RENEW_DAYS = 30
_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")
_DNS_NAME = re.compile(
    r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What a server needs, PEM; `ca_path` is the file for agents, `ca_sha256` its fingerprint (of the DER)."""

    ca_path: Path
    certificate_path: Path
    key_path: Path
    chain: bytes
    ca_pem: bytes
    ca_sha256: bytes
    key: bytes
    expires_at: datetime.datetime


def load_certificates(
    data: Path, *, names: Sequence[str] = (), now: datetime.datetime | None = None
) -> ServerCertificate:
    """The certificates in `<data>/tls`, made or renewed as needed.

    Args:
        names: DNS names and addresses by which agents reach this machine, beside loopback.
        now: aware; for tests.

    Raises:
        InputUnusable: A name is neither a DNS name nor an address.
        EnvironmentProblem: They cannot be read or written.
    """
    folder = data / "tls"
    now = now or datetime.datetime.now(datetime.UTC)
    wanted = _general_names(names)
    try:
        return _load(folder, wanted, now)
    except OSError as exc:
        raise EnvironmentProblem(f"cannot use the certificates in {folder}: {exc}") from exc
    except (ValueError, TypeError) as exc:
        raise EnvironmentProblem(
            f"the certificates in {folder} are damaged: {exc}; delete the folder and pair the agents again"
        ) from exc


def renewal_due_at(certificate: ServerCertificate) -> datetime.datetime:
    """From when on `load_certificates` makes a new one. Pure."""
    return certificate.expires_at - datetime.timedelta(days=_RENEW_DAYS)


def fingerprint(sha256: bytes) -> str:
    """As people compare it: AB:CD:... Pure."""
    return sha256.hex(":").upper()


def authority_fingerprint(data: Path) -> str:
    """Of the authority in the data directory, as it is on the disk; nothing is made.

    Raises:
        EnvironmentProblem: There is none yet, or it cannot be read.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    path = data / "tls" / "ca.pem"
    try:
        return fingerprint(x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()))
    except (OSError, ValueError) as exc:
        raise EnvironmentProblem(
            f"cannot read the certificate authority {path}: {exc}; the first start of the coordinator makes it"
        ) from exc


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in (*_NAMES, *_ADDRESSES, *names):
        try:
            entry: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
        except ValueError:
            if not _DNS_NAME.match(name) or len(name) > 253:
                raise InputUnusable(
                    f"tls.names holds {name[:80]!r}, which is no DNS name or address; write it without port or https://"
                ) from None
            entry = x509.DNSName(name.lower())
        if entry not in found:
            found.append(entry)
    return found


def _load(folder: Path, names: list[x509.GeneralName], now: datetime.datetime) -> ServerCertificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    ca_path, ca_key_path = folder / "ca.pem", folder / "ca.key"
    server_path, server_key_path = folder / "server.pem", folder / "server.key"
    # One process makes them; the others find them made.
    with brief_lock(folder / "lock"):
        # The certificate is written last: where it is, its key is.
        if not ca_path.exists():
            _make_authority(ca_path, ca_key_path, now)
        authority = x509.load_pem_x509_certificate(ca_path.read_bytes())
        server, key = _good_pair(server_path, server_key_path, authority, names, now) or _make_server(
            server_path, server_key_path, authority, _load_key(ca_key_path), names, now
        )
    ca_pem = _pem(authority)
    return ServerCertificate(
        ca_path=ca_path,
        certificate_path=server_path,
        key_path=server_key_path,
        chain=_pem(server) + ca_pem,
        ca_pem=ca_pem,
        ca_sha256=authority.fingerprint(hashes.SHA256()),
        key=_key_pem(key),
        expires_at=server.not_valid_after_utc,
    )


def _good_pair(
    path: Path,
    key_path: Path,
    authority: x509.Certificate,
    names: list[x509.GeneralName],
    now: datetime.datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Certificate and key as they are on the disk; None where a new pair is to be made."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    if not path.exists() or not key_path.exists():
        return None
    server = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        server.verify_directly_issued_by(authority)
        covered = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return None
    key = _load_key(key_path)
    if key.public_key() != server.public_key() or set(covered) != set(names):
        return None
    days = datetime.timedelta(days=_RENEW_DAYS)
    is_in_time = server.not_valid_before_utc <= now and server.not_valid_after_utc - now > days
    return (server, key) if is_in_time else None


def _make_authority(path: Path, key_path: Path, now: datetime.datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Clippy coordinator's own authority")
    usage = _key_usage(is_authority=True)
    certificate = (
        _builder(name, name, key, now, days=_CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _key_pem(key))
    write_private(path, _pem(certificate))
    # An agent that runs as another user reads it.
    path.chmod(0o644)


def _make_server(
    path: Path,
    key_path: Path,
    authority: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    now: datetime.datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder(_name("localhost"), authority.subject, key, now, days=_SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identifier, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    path.unlink(missing_ok=True)
    write_private(key_path, _key_pem(key))
    write_private(path, _pem(certificate))
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    *,
    days: int,
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour back: clocks differ.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path.name} is not an elliptic curve key")
    return key
