"""The bearer token of the one account, `owner`: a file that only its owner may read."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from coordinator.errors import EnvironmentProblem
from coordinator.ops.private_files import is_private, write_private

FILE_NAME = "owner.token"
_PREFIX = "clippy_"


class OwnerToken:
    """The token; `path` is what an agent is given to read it from."""

    def __init__(self, token: str, path: Path) -> None:
        self.path = path
        self._token = token

    def __repr__(self) -> str:
        return "OwnerToken(...)"

    @property
    def text(self) -> str:
        """The secret itself; never log it."""
        return self._token

    def is_valid(self, given: str) -> bool:
        """Compare in constant time; `given` is the token, with or without `Bearer `."""
        scheme, _, rest = given.strip().partition(" ")
        presented = rest.strip() if scheme.lower() == "bearer" else given.strip()
        return hmac.compare_digest(presented.encode(), self._token.encode())


def load_token(data: Path) -> OwnerToken:
    """The token in the data directory, made there (0600) the first time.

    Raises:
        EnvironmentProblem: It cannot be read or written, or others may read it.
    """
    path = data / FILE_NAME
    try:
        if not path.exists():
            write_private(path, f"{_PREFIX}{secrets.token_urlsafe(32)}\n".encode())
        if not is_private(path):
            raise EnvironmentProblem(f"others may read {path}; delete it, and a new token is made")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise EnvironmentProblem(f"cannot use the token {path}: {exc}; delete it to have a new one") from exc
    if len(token) < len(_PREFIX) + 32:
        raise EnvironmentProblem(f"the token in {path} is too short; delete it to have a new one")
    return OwnerToken(token, path)
