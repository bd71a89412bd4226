"""Pairing, step by step: find the coordinator, have it confirmed, prove a code, and hold the first tokens.

Used by one thread. Nothing is kept here: who called keeps what `finish` returns.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

from agent.errors import CoordinatorUntrusted, LinkProblem, PairingRefused
from agent.uplink.channel import ClientCertificate, Coordinator
from agent.uplink.identity_calls import IdentityCalls
from agent.uplink.trust import (
    Address,
    ca_fingerprint,
    look_at_certificate,
    shown_fingerprint,
)
from protos.clippy.v1 import identity_pb2

_LOOK_S = 0.5
_MIN_INTERVAL_S, _MAX_INTERVAL_S = 1.0, 60.0
_MAX_WAIT_S = 3600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundCoordinator:
    """A coordinator that said what it is, and is not trusted yet.

    Attributes:
        fingerprint: SHA-256 of its own authority, 64 hexadecimal digits; empty: a public authority vouches for it.
        server_name: the name to expect in its certificate, where that is not the address's host.
    """

    address: Address
    name: str
    ca_pem: str
    fingerprint: str
    server_name: str
    client: ClientCertificate | None = None

    def check(self, fingerprint: str) -> bool:
        """Is it trusted, with what the person confirmed (empty: nothing yet)?

        Raises:
            CoordinatorUntrusted: It is another one than the person expects.
        """
        if fingerprint == self.fingerprint:
            return True
        if not fingerprint:
            return False
        if not self.fingerprint:
            raise CoordinatorUntrusted(
                f"{self.address} has a public certificate and no fingerprint; pair without one if it is the right one"
            )
        raise CoordinatorUntrusted(
            f"{self.address} is another coordinator than expected: its fingerprint is "
            f"{shown_fingerprint(self.fingerprint)}; compare it with what the coordinator shows, character by character"
        )

    def trusted(self) -> Coordinator:
        """How to speak to it once it is trusted: by its authority alone."""
        return Coordinator(
            address=str(self.address),
            ca_path=None,
            ca_pem=self.ca_pem.encode(),
            is_public=not self.ca_pem,
            server_name=self.server_name,
            client=self.client,
        )


def find_coordinator(address: Address, client: ClientCertificate | None = None) -> FoundCoordinator:
    """Ask what is at an address; believes nothing of it.

    Raises:
        LinkProblem: Nobody answers, or no coordinator.
        CoordinatorUntrusted: What it says of itself does not fit together.
    """
    certificate = look_at_certificate(address, client)
    server_name = certificate.server_name(address.host)
    seen = Coordinator(
        address=str(address),
        ca_path=None,
        ca_pem=certificate.pem,
        server_name=server_name,
        client=client,
    )
    said = IdentityCalls(seen).describe()
    fingerprint = ""
    if said.ca_pem:
        fingerprint = ca_fingerprint(said.ca_pem)
        if said.ca_sha256 and said.ca_sha256.hex() != fingerprint:
            raise CoordinatorUntrusted(
                f"{address} contradicts itself about its authority; do not pair with it"
            )
    return FoundCoordinator(
        address=address,
        name=said.name[:100],
        ca_pem=said.ca_pem,
        fingerprint=fingerprint,
        # A public authority vouches for many: there the name must be the address's.
        server_name=server_name if said.ca_pem else "",
        client=client,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeShown:
    """A code that somebody must approve at the coordinator; told again as time passes."""

    user_code: str
    expires_in_s: int


def prove(
    found: FoundCoordinator,
    device: identity_pb2.AgentDevice,
    code: str,
    *,
    is_wanted: Callable[[], bool],
    wait: Callable[[float], object] = time.sleep,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> Iterator[CodeShown | identity_pb2.PairReply]:
    """Pair with a trusted coordinator: by `code`, or by one that it makes and somebody approves there.

    Yields:
        CodeShown at the start and at each asking, then the PairReply, last.

    Raises:
        PairingRefused: The code is wrong, used or too old, or was not approved in time; or nobody wants it any more.
        LinkProblem: It does not answer, or cannot prove who it is.
    """
    calls = IdentityCalls(found.trusted())
    if code:
        reply = calls.pair(identity_pb2.PairRequest(user_code=_typed(code), device=device))
        if reply is None:
            raise PairingRefused("the coordinator has not approved this code; ask for a new one")
        yield reply
        return
    started = calls.start_pairing(device)
    interval_s = min(max(float(started.interval_s), _MIN_INTERVAL_S), _MAX_INTERVAL_S)
    ends_s = monotonic_s() + min(float(started.expires_in_s), _MAX_WAIT_S)
    request = identity_pb2.PairRequest(device_code=started.device_code, device=device)
    while (left_s := ends_s - monotonic_s()) > 0:
        yield CodeShown(user_code=started.user_code, expires_in_s=round(left_s))
        asks_s = monotonic_s() + min(interval_s, left_s)
        while monotonic_s() < asks_s:
            if not is_wanted():
                raise PairingRefused("pairing was given up")
            wait(min(_LOOK_S, max(0.0, asks_s - monotonic_s())))
        try:
            reply = calls.pair(request)
        except LinkProblem:
            # A coordinator that restarts still knows the code: only the end of its time ends the waiting.
            continue
        if reply is not None:
            yield reply
            return
    raise PairingRefused(f"nobody approved the code {started.user_code} in time; start again")


def _typed(code: str) -> str:
    """`abcd 2345` as the coordinator wrote it."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    return f"{letters[:4]}-{letters[4:]}" if len(letters) == 8 else code.strip()
