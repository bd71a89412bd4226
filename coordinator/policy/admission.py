"""Who waits when there is more work than workers. Pure."""

from __future__ import annotations

DEFER_ABOVE_LOAD = 0.8
DEFERRED_S = 60.0
LOAD_WINDOW_S = 30.0

# Chunks of one user that may wait for a worker: beyond, the agent keeps them (RetryLater).
_MAX_PENDING_CHUNKS = {"free": 6, "pro": 20, "business": 60}


def load_of(*, num_busy: float, num_slots: int) -> float:
    """Busy slots by all slots of a queue, each a mean of 30 s; no slot at all is full."""
    return min(num_busy / num_slots, 1.0) if num_slots > 0 else 1.0


def defer_s(tier: str, load: float) -> float:
    """How long a new job of this tier is put off at this load: the free tier by 60 s over 0.8, else not."""
    return DEFERRED_S if tier == "free" and load > DEFER_ABOVE_LOAD else 0.0


def max_pending_chunks(tier: str) -> int:
    """How many chunks of one user may wait at once."""
    return _MAX_PENDING_CHUNKS.get(tier, _MAX_PENDING_CHUNKS["free"])
