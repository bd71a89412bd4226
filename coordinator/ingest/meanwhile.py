"""What was heard while Hellos were being answered: their streams are known only after, and would have missed it.

Pure, but for the clock (monotonic). Owned by the loop.
"""

from __future__ import annotations

import time


class Meanwhile:
    """When it was last heard of a session that its chunks were stored or lost, and of any node that it is gone."""

    def __init__(self) -> None:
        self._stored_s: dict[str, float] = {}
        self._lost_s: dict[str, float] = {}
        self._gone_s = -1.0

    def stored(self, session_id: str) -> None:
        """Chunks of this session are in the object store."""
        self._stored_s[session_id] = time.monotonic()

    def lost(self, session_id: str) -> None:
        """Chunks of this session count as held no more."""
        self._lost_s[session_id] = time.monotonic()

    def gone(self) -> None:
        """A node is gone: whatever it held counts as held no more."""
        self._gone_s = time.monotonic()

    def is_stored_since(self, session_id: str, since_s: float) -> bool:
        """Was it heard that chunks were stored?"""
        return self._stored_s.get(session_id, -1.0) >= since_s

    def is_lost_since(self, session_id: str, since_s: float) -> bool:
        """Was it heard that chunks were lost, or a node with them, perhaps?"""
        return max(self._gone_s, self._lost_s.get(session_id, -1.0)) >= since_s

    def forget_before(self, oldest_s: float) -> None:
        """Nobody who came before this is still being greeted."""
        for heard_s in (self._stored_s, self._lost_s):
            for session_id in [name for name, at_s in heard_s.items() if at_s < oldest_s]:
                del heard_s[session_id]
