"""Finding out what a coordinator is before it is trusted.

Its certificate is fetched unverified, only to learn what it is; the first question goes over a channel that trusts
exactly that certificate. Nothing secret is sent until a person has confirmed the authority's fingerprint, and then only
over a new channel that trusts that authority alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import re
import socket
import ssl
from typing import cast

from agent.errors import CoordinatorUntrusted, InputUnusable, LinkProblem
from agent.uplink.channel import ClientCertificate

DEFAULT_PORT = 7843
_CONNECT_S = 10.0
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?/?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a coordinator listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """What a server showed. `names`: those it is for, DNS names first."""

    pem: bytes
    names: tuple[str, ...]

    def server_name(self, host: str) -> str:
        """The name to expect where the certificate is not for `host`; empty: it is."""
        if any(_is_for(name, host) for name in self.names):
            return ""
        return self.names[0] if self.names else ""


def parse_address(text: str) -> Address:
    """`host`, `host:port` or `https://host:port`; without a port, the coordinator's own.

    Raises:
        InputUnusable: None of these.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme.lower() != "https":
        raise InputUnusable(f"{text!r}: a coordinator is reached by https://, or without a scheme")
    found = _ADDRESS.fullmatch(rest)
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    if not found or not 0 < port < 65_536:
        raise InputUnusable(
            f"{text!r} is no address; write host:port, e.g. clippy.example.org:{DEFAULT_PORT}"
        )
    return Address(host=found["v6"] or found["host"], port=port)


def parse_fingerprint(text: str) -> str:
    """A SHA-256 as 64 lower-case hexadecimal digits, whatever separates them; empty stays empty.

    Raises:
        InputUnusable: It is none.
    """
    digits = re.sub(r"[\s:.-]", "", text.lower().removeprefix("sha256:"))
    if digits and not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise InputUnusable(
            f"the fingerprint {text[:80]!r} is not 64 hexadecimal digits; copy all of it from the coordinator"
        )
    return digits


def shown_fingerprint(digits: str) -> str:
    """As people compare it: `3F:A2:...`."""
    return ":".join(digits[index : index + 2] for index in range(0, len(digits), 2)).upper()


def ca_fingerprint(ca_pem: str) -> str:
    """The SHA-256 of the one certificate in `ca_pem`, as `parse_fingerprint` writes it.

    Raises:
        CoordinatorUntrusted: It is not one certificate.
    """
    try:
        der = ssl.PEM_cert_to_DER_cert(ca_pem)
    except ValueError as exc:
        raise CoordinatorUntrusted(f"the coordinator's authority is no certificate: {exc}") from exc
    return hashlib.sha256(der).hexdigest()


def look_at_certificate(address: Address, client: ClientCertificate | None = None) -> ShownCertificate:
    """Fetch the server's certificate without believing it.

    Raises:
        LinkProblem: Nobody answers, or not by TLS.
    """
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    with _connected(address, unverified, client) as connection:
        der = connection.getpeercert(binary_form=True) or b""
    pem = ssl.DER_cert_to_PEM_cert(der)
    # The names can be read once it is trusted, as it is here by itself: the server proves that it has its key.
    itself = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    itself.check_hostname = False
    itself.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    itself.load_verify_locations(cadata=pem)
    with _connected(address, itself, client) as connection:
        found = connection.getpeercert() or {}
    pairs = cast("tuple[tuple[str, str], ...]", found.get("subjectAltName", ()))
    names = [value for kind, value in pairs if kind == "DNS" and "*" not in value]
    names += [value for kind, value in pairs if kind == "IP Address"]
    names += [value for kind, value in pairs if kind == "DNS" and "*" in value]
    return ShownCertificate(pem=pem.encode("ascii"), names=tuple(names))


def _connected(address: Address, context: ssl.SSLContext, client: ClientCertificate | None) -> ssl.SSLSocket:
    context.set_alpn_protocols(["h2"])
    try:
        if client is not None:
            context.load_cert_chain(client.certificate_path, client.key_path)
        plain = socket.create_connection((address.host, address.port), timeout=_CONNECT_S)
        try:
            return context.wrap_socket(plain, server_hostname=address.host)
        except BaseException:
            plain.close()
            raise
    except ssl.SSLError as exc:
        raise LinkProblem(
            f"{address} does not speak TLS as a coordinator does ({exc.reason or exc}); is the port right?"
        ) from exc
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise LinkProblem(f"nobody answers at {address}: {reason}; is the coordinator running?") from exc


def _is_for(name: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(host)
    except ValueError:
        name, host = name.lower(), host.lower().rstrip(".")
        if name.startswith("*."):
            return "." in host and host.partition(".")[2] == name[2:]
        return name == host
