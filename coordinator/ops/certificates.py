"""The coordinator's own certificate authority, and a server certificate for this machine's loopback names.

Made at the first start: `ca.pem` is what an agent trusts. The authority lasts 10 years; the server's certificate
90 days, and is made anew at a start with less than 30 left. Keys are P-256, 0600.

Source: cryptography `x509`; RFC 5280.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import EnvironmentProblem
from coordinator.ops.private_files import write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_CA_DAYS = 3650
_SERVER_DAYS = 90
_RENEW_DAYS = 30
_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What a server needs, PEM; `ca_path` is the file for agents."""

    ca_path: Path
    certificate_path: Path
    key_path: Path
    chain: bytes
    key: bytes
    expires_at: datetime.datetime


def load_certificates(data: Path, *, now: datetime.datetime | None = None) -> ServerCertificate:
    """The certificates in `<data>/tls`, made or renewed as needed. `now` is aware; for tests.

    Raises:
        EnvironmentProblem: They cannot be read or written.
    """
    folder = data / "tls"
    now = now or datetime.datetime.now(datetime.UTC)
    try:
        return _load(folder, now)
    except OSError as exc:
        raise EnvironmentProblem(f"cannot use the certificates in {folder}: {exc}") from exc
    except (ValueError, TypeError) as exc:
        raise EnvironmentProblem(
            f"the certificates in {folder} are damaged: {exc}; delete the folder and pair the agents again"
        ) from exc


def _load(folder: Path, now: datetime.datetime) -> ServerCertificate:
    from cryptography import x509

    ca_path, ca_key_path = folder / "ca.pem", folder / "ca.key"
    server_path, server_key_path = folder / "server.pem", folder / "server.key"
    # The certificate is written last: where it is, its key is.
    if not ca_path.exists():
        _make_authority(ca_path, ca_key_path, now)
    authority = x509.load_pem_x509_certificate(ca_path.read_bytes())
    if not _is_good(server_path, server_key_path, authority, now):
        _make_server(server_path, server_key_path, authority, _load_key(ca_key_path), now)
    server = x509.load_pem_x509_certificate(server_path.read_bytes())
    return ServerCertificate(
        ca_path=ca_path,
        certificate_path=server_path,
        key_path=server_key_path,
        chain=server_path.read_bytes(),
        key=server_key_path.read_bytes(),
        expires_at=server.not_valid_after_utc,
    )


def _is_good(path: Path, key_path: Path, authority: x509.Certificate, now: datetime.datetime) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    if not path.exists() or not key_path.exists():
        return False
    server = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        server.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    if _load_key(key_path).public_key() != server.public_key():
        return False
    days = datetime.timedelta(days=_RENEW_DAYS)
    return server.not_valid_before_utc <= now and server.not_valid_after_utc - now > days


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
    now: datetime.datetime,
) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
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
