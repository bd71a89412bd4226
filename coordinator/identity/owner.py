"""The owner's own token: a file that only he may read is all the proof one machine needs.

It counts on that machine alone: from anywhere else somebody would have had to copy it, and it never runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coordinator.identity.peers import is_loopback_peer
from coordinator.model.accounts import OWNER, Principal


class OwnerOnly:
    """Port `Authenticator` for the one account of a machine."""

    def __init__(self, is_valid: Callable[[str], bool]) -> None:
        self._is_valid = is_valid

    async def authenticate(self, token: str, peer: str = "") -> Principal | None:
        """As the port says."""
        if not is_loopback_peer(peer) or not self._is_valid(token):
            return None
        return Principal(user_id=OWNER, tier="business", role="admin")

    async def revoked(self, principals: Sequence[Principal]) -> set[Principal]:
        """As the port says: his token is good for as long as the process lives."""
        return set()
