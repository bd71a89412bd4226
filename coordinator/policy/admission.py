"""Who waits when there is more work than workers, and what one account may use at once. Pure."""

from __future__ import annotations

from coordinator.settings import Limits

DEFER_ABOVE_LOAD = 0.8
DEFERRED_S = 60.0
LOAD_WINDOW_S = 30.0

# Chunks of one user that may wait for a worker: beyond, the agent keeps them (RetryLater).
_MAX_PENDING_CHUNKS = {"free": 6, "pro": 20, "business": 60}

# A backlog of days begins with so much at full speed, whatever the rate.
_MIN_BURST_BYTES = 32 * 1024**2
_BURST_S = 60.0
# A row and a job cost the same however small the chunk is.
_LEAST_COST_BYTES = 8 * 1024
_SESSIONS_A_DAY_AND_STREAM = 500


def load_of(*, num_busy: float, num_slots: int) -> float:
    """Busy slots by all slots of a place, each a mean of 30 s; no slot at all is full."""
    return min(num_busy / num_slots, 1.0) if num_slots > 0 else 1.0


def defer_s(tier: str, load: float) -> float:
    """How long a new job of this tier is put off at this load: the free tier by 60 s over 0.8, else not."""
    return DEFERRED_S if tier == "free" and load > DEFER_ABOVE_LOAD else 0.0


def max_pending_chunks(tier: str) -> int:
    """How many chunks of one user may wait at once, for each session that is live."""
    return _MAX_PENDING_CHUNKS.get(tier, _MAX_PENDING_CHUNKS["free"])


def is_behind(tier: str, *, num_waiting: int, num_live: int, streams: int) -> bool:
    """Does more of this account wait for a worker than may? One whose streams have no limit has none here either.

    Args:
        num_live: its live sessions; at most `streams` of them count, so that naming more buys nothing.
    """
    return streams > 0 and num_waiting > max_pending_chunks(tier) * max(1, min(num_live, streams))


def max_streams(limits: Limits, tier: str) -> int:
    """Agents of one account that are connected at once; 0: no limit."""
    return {"pro": limits.pro_streams, "business": limits.business_streams}.get(tier, limits.free_streams)


def bytes_per_s(limits: Limits, tier: str) -> int:
    """What is taken from one account, averaged over a minute; 0: no limit."""
    rates = {"pro": limits.pro_bytes_per_s, "business": limits.business_bytes_per_s}
    return rates.get(tier, limits.free_bytes_per_s)


def proxy_bps(limits: Limits, tier: str) -> int:
    """Bits a second of the small picture that each agent may send; 0: no limit."""
    rates = {"pro": limits.pro_proxy_bps, "business": limits.business_proxy_bps}
    return rates.get(tier, limits.free_proxy_bps)


def burst_bytes(rate_bytes_per_s: int) -> float:
    """What an account that was quiet may send at full speed."""
    return max(_MIN_BURST_BYTES, rate_bytes_per_s * _BURST_S)


def chunk_cost_bytes(num_bytes: int) -> int:
    """What a chunk of this size counts for."""
    return max(num_bytes, _LEAST_COST_BYTES)


def messages_per_s(streams: int) -> float:
    """Small messages (events, heartbeats, Hello) that are taken from an account with so many streams; 0: no limit."""
    return 5.0 + streams / 2 if streams else 0.0


def sessions_a_day(streams: int) -> int:
    """Sessions that an account with so many streams may name for the first time in a day; 0: no limit."""
    return _SESSIONS_A_DAY_AND_STREAM * streams
