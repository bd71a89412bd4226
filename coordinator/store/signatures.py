"""Signed addresses of local objects: what S3's presigned URLs are for a bucket. Pure, but for the secret's file.

{base_url}/objects/{key}?expires={unix seconds}&max_bytes={n}&method={GET|PUT}&sig={hex}
{base_url}/spool/{node}/{segment}?offset={n}&length={n}&expires={unix seconds}&sig={hex}

The second is for workers on other machines; both sides hold the secret. What is signed for one cannot be used for the
other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from coordinator.errors import EnvironmentProblem, InputUnusable

MAX_KEY_CHARACTERS = 512
_SECRET_BYTES = 32
_PART = re.compile(r"[A-Za-z0-9_=@+-][A-Za-z0-9._=@+-]*\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a valid address allows."""

    method: Literal["GET", "PUT"]
    key: str
    max_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpoolRange:
    """Bytes of a segment in a node's spool; `segment` is the name of its file."""

    node: str
    segment: str
    offset: int
    length: int


def check_key(key: str) -> str:
    """Return `key` if it is one: parts of letters, digits and `._=@+-` between slashes, none beginning with a dot.

    Raises:
        InputUnusable: It is not; nothing outside the store can be named.
    """
    if len(key) > MAX_KEY_CHARACTERS or not all(_PART.match(part) for part in key.split("/")):
        raise InputUnusable(f"{key[:100]!r} is no object key")
    return key


def sign(secret: bytes, base_url: str, grant: Grant, *, expires_at_s: int) -> str:
    """The address that grants it until `expires_at_s` (seconds since 1970)."""
    query = {
        "expires": str(expires_at_s),
        "max_bytes": str(grant.max_bytes),
        "method": grant.method,
        "sig": _signature(secret, grant, expires_at_s),
    }
    return f"{base_url.rstrip('/')}/objects/{quote(check_key(grant.key))}?{urlencode(query)}"


def verify(secret: bytes, *, method: str, key: str, query: Mapping[str, str], now_s: float) -> Grant:
    """What the address of a request grants. HEAD may use what GET may.

    Raises:
        InputUnusable: Not signed by us, for another method or key, or expired. Says no more than that.
    """
    wanted = "GET" if method == "HEAD" else method
    expires, max_bytes = query.get("expires", ""), query.get("max_bytes", "")
    if (
        not (_is_number(expires) and _is_number(max_bytes))
        or wanted not in ("GET", "PUT")
        or query.get("method") != wanted
    ):
        raise InputUnusable("this address is not valid for this request")
    grant = Grant(method="PUT" if wanted == "PUT" else "GET", key=check_key(key), max_bytes=int(max_bytes))
    expected = _signature(secret, grant, int(expires))
    if not hmac.compare_digest(expected.encode(), query.get("sig", "").encode()):
        raise InputUnusable("this address is not valid for this request")
    if now_s > int(expires):
        raise InputUnusable("this address has expired; ask for a new one")
    return grant


def sign_spool_read(secret: bytes, base_url: str, wanted: SpoolRange, *, expires_at_s: int) -> str:
    """The address that reads this range until `expires_at_s` (seconds since 1970)."""
    query = {
        "offset": str(wanted.offset),
        "length": str(wanted.length),
        "expires": str(expires_at_s),
        "sig": _spool_signature(secret, wanted, expires_at_s),
    }
    path = f"{quote(wanted.node, safe='')}/{quote(wanted.segment, safe='')}"
    return f"{base_url.rstrip('/')}/spool/{path}?{urlencode(query)}"


def verify_spool_read(
    secret: bytes, *, node: str, segment: str, query: Mapping[str, str], now_s: float
) -> SpoolRange:
    """What a request may read.

    Raises:
        InputUnusable: Not signed with our secret, for another range, or expired. Says no more than that.
    """
    numbers = [query.get(name, "") for name in ("offset", "length", "expires")]
    if not all(_is_number(text) for text in numbers):
        raise InputUnusable("this address is not valid for this request")
    offset, length, expires_at_s = map(int, numbers)
    wanted = SpoolRange(node=node, segment=segment, offset=offset, length=length)
    expected = _spool_signature(secret, wanted, expires_at_s)
    if not hmac.compare_digest(expected.encode(), query.get("sig", "").encode()):
        raise InputUnusable("this address is not valid for this request")
    if now_s > expires_at_s:
        raise InputUnusable("this address has expired; ask for a new one")
    return wanted


def load_secret(path: Path) -> bytes:
    """The secret in `path`, made there (0600) if there is none.

    Raises:
        EnvironmentProblem: It cannot be read or written.
    """
    try:
        try:
            secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            secret = secrets.token_bytes(_SECRET_BYTES)
            unfinished = path.with_name(f"{path.name}.{os.getpid()}")
            file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w") as opened:
                opened.write(secret.hex())
            try:
                # Two processes may start at once: the first link wins, both read it.
                os.link(unfinished, path)
            except FileExistsError:
                return bytes.fromhex(path.read_text(encoding="ascii").strip())
            finally:
                unfinished.unlink()
    except (OSError, ValueError) as exc:
        raise EnvironmentProblem(f"cannot use the secret {path}: {exc}; delete it to have a new one") from exc
    if len(secret) < _SECRET_BYTES:
        raise EnvironmentProblem(f"the secret {path} is too short; delete it to have a new one")
    return secret


def derived_secret(path: Path) -> bytes:
    """A secret of ours made from a file that an operator gave, whatever it holds.

    Raises:
        EnvironmentProblem: It cannot be read, or is too short to be a secret.
    """
    try:
        given = path.read_bytes().strip()
    except OSError as exc:
        raise EnvironmentProblem(f"cannot read the secret {path}: {exc.strerror or exc}") from exc
    if len(given) < _SECRET_BYTES:
        raise EnvironmentProblem(f"the secret {path} is too short; put {_SECRET_BYTES} random bytes there")
    return hmac.new(given, b"clippy: between nodes", hashlib.sha256).digest()


def _is_number(text: str) -> bool:
    # isascii, and a bound: int() takes digits of other scripts, and refuses thousands of them with a ValueError.
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _spool_signature(secret: bytes, wanted: SpoolRange, expires_at_s: int) -> str:
    # The first line says what it is for: an object's begins with GET or PUT.
    text = f"SPOOL\n{wanted.node}/{wanted.segment}\n{expires_at_s}\n{wanted.offset}\n{wanted.length}"
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _signature(secret: bytes, grant: Grant, expires_at_s: int) -> str:
    text = f"{grant.method}\n{grant.key}\n{expires_at_s}\n{grant.max_bytes}"
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
