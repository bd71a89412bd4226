"""Where the bearer token of a stream comes from: a file that never changes by itself, or a pairing that renews it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.errors import LinkProblem, SecretsUnavailable
from agent.uplink_ports import SecretStore
from protos.clippy.v1 import identity_pb2

log = structlog.get_logger(__name__)

# A token with less of its life left than this is renewed before it is used.
_RENEW_SHARE = 1 / 3


class Unpaired(LinkProblem):
    """The coordinator knows this device no longer: only pairing again helps."""

    code = "unpaired"
    retryable = False


class FileToken:
    """Port `TokenSource` over a file; read at every connect, so that a new token is taken up."""

    advice = "copy its owner.token to uplink.token_file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self) -> str:
        """As the port says."""
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise LinkProblem(
                f"cannot read the token file {self._path.name}: {reason}; "
                "set uplink.token_file to the coordinator's owner.token"
            ) from exc
        if not token or not token.isprintable():
            raise LinkProblem(
                f"the token file {self._path.name} holds no token; copy the coordinator's owner.token there"
            )
        return token

    def refuse(self, token: str) -> None:
        """As the port says; the file is read again anyway."""


class PairedTokens:
    """Port `TokenSource` of a paired device: an access token for minutes, renewed by a refresh token.

    The next refresh token is in the store before the access token that came with it is used: killed in between, the
    one before still renews. Ages are counted from when a token came, on a clock that nobody sets.

    Args:
        renew: asks the coordinator, with a deadline. Raises Unpaired or LinkProblem.
        secrets, name: where the refresh token is.
        monotonic_s: the clock.
    """

    advice = "this PC may have been unpaired; run `clippy pair`"

    def __init__(
        self,
        renew: Callable[[str], identity_pb2.RefreshReply],
        secrets: SecretStore,
        name: str,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        on_tier: Callable[[str], None] = lambda _tier: None,
    ) -> None:
        self._renew = renew
        self._secrets = secrets
        self._name = name
        self._monotonic_s = monotonic_s
        self._on_tier = on_tier
        self._lock = threading.Lock()
        self._access = ""
        self._renew_at_s = 0.0
        # A refresh token that was refused is not offered again: only another one can help.
        self._refused = ""

    def take(self, tokens: identity_pb2.Tokens) -> None:
        """Begin with what pairing gave; its refresh token is in the store already."""
        with self._lock:
            self._keep(tokens)

    def token(self) -> str:
        """As the port says."""
        with self._lock:
            if not self._access or self._monotonic_s() >= self._renew_at_s:
                self._access = ""
                self._refresh()
            return self._access

    def refuse(self, token: str) -> None:
        """As the port says: the next one is a new one."""
        with self._lock:
            if token == self._access:
                self._access = ""

    def _refresh(self) -> None:
        try:
            refresh_token = self._secrets.get(self._name)
        except SecretsUnavailable as exc:
            raise LinkProblem(f"cannot read this PC's pairing: {exc}") from exc
        if not refresh_token:
            raise Unpaired("the secret of this PC's pairing is gone; run `clippy pair`")
        if refresh_token == self._refused:
            raise Unpaired("this PC was unpaired; run `clippy pair`")
        try:
            reply = self._renew(refresh_token)
        except Unpaired:
            self._refused = refresh_token
            raise
        try:
            self._secrets.set(self._name, reply.tokens.refresh_token)
        except SecretsUnavailable as exc:
            raise LinkProblem(f"cannot keep this PC's pairing: {exc}") from exc
        self._keep(reply.tokens)
        self._on_tier(reply.tier)
        log.info("access_token_renewed", expires_in_s=reply.tokens.expires_in_s)

    def _keep(self, tokens: identity_pb2.Tokens) -> None:
        self._access = tokens.access_token
        self._renew_at_s = self._monotonic_s() + tokens.expires_in_s * (1 - _RENEW_SHARE)
