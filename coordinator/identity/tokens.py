"""What an agent shows: access tokens that count for minutes, and refresh tokens that renew them.

An access token is a JWT, HS256 with a key derived from the installation's secret; it carries everything the link asks,
so that no database is asked when a stream opens. A refresh token is random; of it only sha256 hashes are kept. It has
two parts, `crt_FAMILY.REST`: the family stays for a device's whole life, so that an old token is known as such although
nothing of it is kept. Pure, but for time and randomness where they are not given.

Source: RFC 7519, RFC 8725, RFC 9700 section 4.14.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Any, get_args

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coordinator.model.accounts import Principal, Role, Tier

ISSUER = "clippy-coordinator"
AUDIENCE = "clippy-link"
ACCESS_S = 900.0
# Clocks of one fleet differ by less.
LEEWAY_S = 5.0
_ALGORITHM = "HS256"
_MAX_TOKEN_CHARACTERS = 4096
_REQUIRED = ("exp", "iat", "iss", "aud", "sub", "dev", "tier", "role")
_REFRESH = re.compile(r"crt_([A-Za-z0-9_-]{32})\.[A-Za-z0-9_-]{43}\Z")


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose alone (HKDF, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"clippy {purpose} v1".encode()).derive(
        secret
    )


class AccessTokens:
    """Makes and reads access tokens under one secret. Any thread."""

    def __init__(self, secret: bytes, *, lifetime_s: float = ACCESS_S) -> None:
        """`secret` is the installation's, at least 32 bytes."""
        self._key = derived_key(secret, "access token")
        self.lifetime_s = lifetime_s

    def mint(self, principal: Principal, *, now_s: float | None = None) -> str:
        """A token that says who `principal` is, from `now_s` (Unix seconds) on for `lifetime_s`."""
        issued_s = time.time() if now_s is None else now_s
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(issued_s),
            "exp": int(issued_s + self.lifetime_s),
            "sub": principal.user_id,
            "dev": principal.device_id,
            "tier": principal.tier,
            "role": principal.role,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def principal_of(self, token: str) -> Principal | None:
        """Who it is; None for a token that is forged, expired, of another algorithm, issuer or audience, or none."""
        if len(token) > _MAX_TOKEN_CHARACTERS or token.count(".") != 2:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": list(_REQUIRED), "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            # RecursionError: JSON that is nested too deep, which is read before the signature is looked at.
            return None
        subject, device, tier, role = (claims[name] for name in ("sub", "dev", "tier", "role"))
        if not (isinstance(subject, str) and subject and isinstance(device, str)):
            return None
        if tier not in get_args(Tier) or role not in get_args(Role):
            return None
        return Principal(
            user_id=subject, tier=tier, role=role, device_id=device, expires_at_s=float(claims["exp"])
        )


def mint(
    principal: Principal, secret: bytes, *, lifetime_s: float = ACCESS_S, now_s: float | None = None
) -> str:
    """An access token for who has the secret at hand, as benches do. See `AccessTokens.mint`."""
    return AccessTokens(secret, lifetime_s=lifetime_s).mint(principal, now_s=now_s)


def new_family() -> str:
    """The part that all refresh tokens of one device share."""
    return secrets.token_urlsafe(24)


def new_refresh_token(family: str) -> str:
    """The next refresh token of a family."""
    return f"crt_{family}.{secrets.token_urlsafe(32)}"


def family_of(refresh_token: str) -> str | None:
    """The family of a refresh token; None for what is none."""
    found = _REFRESH.match(refresh_token)
    return found[1] if found else None


def hash_of(text: str) -> bytes:
    """What is kept of a secret text that is too long to be guessed: its sha256."""
    return hashlib.sha256(text.encode()).digest()
