"""How many bytes may be under way: received and not yet durable. Owned by the loop."""

from __future__ import annotations


class PendingBytes:
    """Counts by user and in all; beyond a bound the agent is told to come back later."""

    def __init__(self, *, max_user_bytes: int, max_total_bytes: int) -> None:
        self._max_user_bytes = max_user_bytes
        self._max_total_bytes = max_total_bytes
        self._by_user: dict[str, int] = {}
        self.total_bytes = 0

    def take(self, user_id: str, num_bytes: int) -> str:
        """Count `num_bytes` in and return an empty text, or say why not."""
        user_bytes = self._by_user.get(user_id, 0)
        if user_bytes + num_bytes > self._max_user_bytes:
            return f"{user_bytes} bytes of this account are still being written"
        if self.total_bytes + num_bytes > self._max_total_bytes:
            return f"{self.total_bytes} bytes are still being written"
        self._by_user[user_id] = user_bytes + num_bytes
        self.total_bytes += num_bytes
        return ""

    def give_back(self, user_id: str, num_bytes: int) -> None:
        """Count `num_bytes` out."""
        self.total_bytes -= num_bytes
        user_bytes = self._by_user[user_id] - num_bytes
        if user_bytes > 0:
            self._by_user[user_id] = user_bytes
        else:
            del self._by_user[user_id]
